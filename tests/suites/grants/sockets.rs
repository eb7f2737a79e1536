//! Sockets and look-ups against real peers on this machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};

use baton_host::Grants;
use serde_json::json;

use super::Stage;
use crate::harness::strict_host;

/// Answers each who connects with what it said.
fn tcp_echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let (mut connection, mut bytes) = (connection.unwrap(), [0; 4_096]);
            let read = connection.read(&mut bytes).unwrap();
            connection.write_all(&bytes[..read]).unwrap();
        }
    });
    address
}

fn udp_echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while let Ok((read, from)) = socket.recv_from(&mut bytes) {
            socket.send_to(&bytes[..read], from).unwrap();
        }
    });
    address
}

fn sockets(granted: &[String]) -> Grants {
    Grants { sockets: granted.iter().map(|text| text.parse().unwrap()).collect(), ..Grants::default() }
}

#[tokio::test]
async fn a_granted_peer_is_reached_and_no_other() {
    let (tcp, other, udp) = (tcp_echo(), tcp_echo(), udp_echo());
    let stage = Stage::set(sockets(&[format!("tcp:{tcp}"), format!("udp:{udp}")])).await;
    assert_eq!(stage.done(json!({ "tcp": [tcp, "hello"] })).await, "hello");
    assert_eq!(stage.done(json!({ "udp": [udp, "hello"] })).await, "hello");
    stage.refused(json!({ "tcp": [other, "x"] }), "access-denied").await;
    stage.refused(json!({ "tcp": [udp, "x"] }), "access-denied").await;
    stage.refused(json!({ "udp": [tcp, "x"] }), "access-denied").await;
    stage.refused(json!({ "tcp": [format!("[::1]:{}", tcp.port()), "x"] }), "access-denied").await;
    let unspecified = stage.ask(json!({ "tcp": [format!("0.0.0.0:{}", tcp.port()), "x"] })).await;
    assert!(unspecified.is_err(), "{unspecified:?}");
    for address in ["127.0.0.1:0", "0.0.0.0:0", &format!("127.0.0.1:{}", tcp.port())] {
        stage.refused(json!({ "listen": address }), "access-denied").await;
    }
}

#[tokio::test]
async fn every_public_address_is_none_of_this_machine() {
    let tcp = tcp_echo();
    let stage = Stage::set(sockets(&["tcp:*:*".into()])).await;
    stage.refused(json!({ "tcp": [tcp, "x"] }), "access-denied").await;
    stage.refused(json!({ "tcp": ["169.254.169.254:80", "x"] }), "access-denied").await;
    stage.refused(json!({ "tcp": ["10.0.0.1:80", "x"] }), "access-denied").await;
}

#[tokio::test]
async fn open_sockets_are_bounded_and_given_back() {
    let grants = sockets(&["tcp:10.0.0.1:1".into()]);
    let stage = Stage::with(strict_host(), grants, |limits| limits.open_sockets = 5).await;
    for _ in 0..3 {
        assert_eq!(stage.done(json!({ "sockets": 1_000 })).await, 5);
    }
}

#[tokio::test]
async fn a_name_is_looked_up_where_it_was_granted() {
    let stage = Stage::set(Grants { lookups: vec!["localhost".parse().unwrap()], ..Grants::default() }).await;
    let found = stage.done(json!({ "lookup": "localhost" })).await.to_string();
    assert!(found.contains("127.0.0.1") || found.contains("::1"), "{found}");
    stage.refused(json!({ "lookup": "example.org" }), "permanent-resolver-failure").await;
    stage.refused(json!({ "lookup": "127.0.0.1" }), "permanent-resolver-failure").await;
}
