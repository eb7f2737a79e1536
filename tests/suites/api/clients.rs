//! Clients that are too many, too slow, or gone.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use super::{CALL, READ, answer, ask, connect, place, url};
use crate::cli::{Place, Running};

#[test]
fn more_clients_than_may_be_connected_are_told_so_and_the_owner_is_served() {
    let (place, _host, url, _inside) = full();
    let refused = ask(&url, "GET /v1/health", Some(READ), "");
    assert_eq!((refused.status, &*refused.code()), (503, "busy"), "{refused:?}");
    assert!(refused.head.contains("retry-after: 1"), "{refused:?}");
    assert_eq!(place.baton(&["ps"]).code, 0);
}

/// A host for which two clients are as many as may be, and the two.
fn full() -> (Place, Running, String, [TcpStream; 2]) {
    let place = place("insecure_loopback = true\nconnections = 2");
    let host = place.host();
    let url = url(&host);
    let mut inside = [connect(&url), connect(&url)];
    for stream in &mut inside {
        // Answered, so it is inside, and stays.
        write!(stream, "GET /v1/health HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {READ}\r\n\r\n").unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"HTTP/1.1 200");
    }
    (place, host, url, inside)
}

#[test]
fn clients_beyond_those_that_are_told_so_wait_their_turn_and_are_told_as_well() {
    let (_place, _host, url, _inside) = full();
    // More than are turned away at once, and none of them says anything.
    let _silent: Vec<_> = (0..300).map(|_| connect(&url)).collect();
    for _ in 0..3 {
        let refused = ask(&url, "GET /v1/health", Some(READ), "");
        assert_eq!((refused.status, &*refused.code()), (503, "busy"), "{refused:?}");
    }
}

#[test]
fn a_client_that_is_answered_before_its_body_was_read_still_gets_its_answer() {
    // More than the system takes in for a connection that nobody reads.
    let body = format!("{:?}", "x".repeat(16 << 20));
    let (_place, _host, url, inside) = full();
    let refused = ask(&url, "POST /v1/actors/counter%2F1/call", Some(CALL), &body);
    assert_eq!((refused.status, &*refused.code()), (503, "busy"), "{refused:?}");
    drop(inside);
    let answer = std::iter::repeat_with(|| ask(&url, "POST /v1/actors/counter%2F1/call", Some(CALL), &body))
        .find(|answer| answer.status != 503);
    assert_eq!(answer.map(|answer| answer.status), Some(413));
}

#[test]
fn clients_that_send_or_take_nothing_are_cut_off_and_make_room() {
    let place = place("insecure_loopback = true\nconnections = 40\nclient_timeout_ms = 300");
    // What they do not read has to be more than the system keeps for them.
    let host = place.host();
    let url = url(&host);
    let text = "x".repeat(900 << 10);
    assert_eq!(ask(&url, "POST /v1/actors/counter%2F1/call", Some(CALL), &format!("{text:?}")).status, 422);
    let mut slow: Vec<_> = (0..200)
        .map(|n| {
            let mut stream = connect(&url);
            // A third says nothing, a third half a head, a third asks again and again and never reads.
            let head = format!("GET /v1/dead-letters HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {READ}\r\n");
            let sent = match n % 3 {
                0 => Ok(()),
                1 => stream.write_all(head.as_bytes()),
                _ => stream.write_all(format!("{head}\r\n").repeat(500).as_bytes()),
            };
            drop(sent);
            stream
        })
        .collect();
    // Whoever behaves finds a place before long.
    let served = (0..10_000).any(|_| {
        let answer = ask_once(&url);
        assert!(matches!(answer, None | Some(200 | 503)), "{answer:?}");
        answer == Some(200)
    });
    assert!(served);
    for stream in &mut slow {
        let mut rest = Vec::new();
        // To its end, however that came.
        drop(stream.read_to_end(&mut rest));
    }
    assert_eq!(place.baton(&["call", "counter/1", "get"]).out, "0\n");
    let end = host.stop(Signal::TERM);
    assert_eq!(end.code, 0, "{end:?}");
}

#[test]
fn a_thousand_clients_that_read_nothing_keep_nobody_waiting() {
    // Each has a file here; the host raises its own limit.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    assert!(
        limit.maximum.is_none_or(|most| most > 1_200),
        "this test needs more files than the system allows: {limit:?}"
    );
    let place = place("insecure_loopback = true\nconnections = 1_100\nclient_timeout_ms = 1_000");
    let host = place.host();
    let url = url(&host);
    // A letter that a connection does not take often.
    let text = "x".repeat(200 << 10);
    assert_eq!(ask(&url, "POST /v1/actors/counter%2F1/call", Some(CALL), &format!("{text:?}")).status, 422);
    let asks = format!("GET /v1/dead-letters HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {READ}\r\n\r\n").repeat(100);
    let mut slow: Vec<_> = (0..1_000).map(|_| connect(&url)).collect();
    for stream in &mut slow {
        // One that was cut off already has had its share.
        drop(stream.write_all(asks.as_bytes()));
    }
    // There is room beside them, and whoever comes meanwhile is served.
    for n in 1..=20 {
        let answer = ask(&url, "POST /v1/actors/counter%2F1/call", Some(CALL), "{\"add\": 1}");
        assert_eq!((answer.status, answer.body.trim()), (200, &*n.to_string()), "{answer:?}");
    }
    assert_eq!(place.baton(&["call", "counter/1", "get"]).out, "20\n");
    for stream in &mut slow {
        // To its end, however that came: none is kept.
        drop(stream.read_to_end(&mut Vec::new()));
    }
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

/// The status; none where the connection was closed.
fn ask_once(url: &str) -> Option<u16> {
    let mut stream = connect(url);
    let head =
        format!("GET /v1/actors HTTP/1.1\r\nhost: h\r\nconnection: close\r\nauthorization: Bearer {READ}\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    (!text.is_empty()).then(|| answer(&text).status)
}

#[test]
fn under_overload_each_call_is_answered_or_told_to_come_again() {
    let place = place("insecure_loopback = true\nconnections = 8");
    let host = place.host();
    let url = url(&host);
    let callers: Vec<_> = (0..24)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || {
                let mut counts = [0_u32; 2];
                for _ in 0..50 {
                    let answer = ask(&url, "POST /v1/actors/counter%2F1/call", Some(CALL), "{\"add\": 1}");
                    match answer.status {
                        200 => counts[0] += 1,
                        429 | 503 => {
                            assert!(answer.head.contains("retry-after"), "{answer:?}");
                            counts[1] += 1;
                        }
                        _ => panic!("{answer:?}"),
                    }
                }
                counts
            })
        })
        .collect();
    let counts: Vec<[u32; 2]> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
    let done: u32 = counts.iter().map(|counts| counts[0]).sum();
    assert_eq!(
        place.baton(&["call", "counter/1", "get"]).out.trim(),
        done.to_string(),
        "what was refused was not done"
    );
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_call_changes_nothing_for_others() {
    let place = place("insecure_loopback = true");
    let host = place.host();
    let url = url(&host);
    for n in 0..50 {
        let mut stream = connect(&url);
        let head = format!(
            "POST /v1/actors/counter%2F1/call HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {CALL}\r\ncontent-length: 11\r\n\r\n"
        );
        let whole = format!("{head}{{\"add\": 1}} ");
        let cut = if n % 2 == 0 { whole.len() } else { whole.len() - 3 };
        stream.write_all(&whole.as_bytes()[..cut]).unwrap();
    }
    let count: u32 = ask(&url, "POST /v1/actors/counter%2F1/call", Some(CALL), "\"get\"").body.trim().parse().unwrap();
    assert!(count <= 25, "only whole messages count: {count}");
    assert_eq!(host.stop(Signal::TERM).code, 0);
}
