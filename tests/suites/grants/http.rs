//! Outgoing HTTP against a real server on this machine.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use baton_host::Grants;
use baton_host::model::HttpGrant;
use serde_json::{Value, json};

use super::Stage;
use crate::harness::strict_host;

/// A server that keeps what it is asked, and answers by the path: `/big`, `/slow`, `/moved`, else what it was asked.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (mut connection, kept) = (connection.unwrap(), kept.clone());
                std::thread::spawn(move || {
                    let mut bytes = vec![0; 16 << 10];
                    let mut head = String::new();
                    while !head.contains("\r\n\r\n") {
                        let read = connection.read(&mut bytes).unwrap_or(0);
                        if read == 0 {
                            return;
                        }
                        head.push_str(&String::from_utf8_lossy(&bytes[..read]));
                    }
                    kept.lock().unwrap().push(head.clone());
                    let (path, answer) = (head.split(' ').nth(1).unwrap_or_default(), "HTTP/1.1 200 OK\r\n");
                    let sent = match path {
                        "/big" => {
                            let head = format!("{answer}content-length: {}\r\n\r\n", 10 << 20);
                            let body = vec![b'x'; 10 << 20];
                            connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&body))
                        }
                        "/slow" => {
                            let begun = connection.write_all(format!("{answer}content-length: 10\r\n\r\nx").as_bytes());
                            // The rest never comes; the connection ends when the other side has had enough.
                            drop(connection.read(&mut bytes));
                            begun
                        }
                        "/moved" => connection.write_all(
                            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
                        ),
                        _ => {
                            let line = head.lines().next().unwrap_or_default();
                            let length = line.len();
                            connection.write_all(format!("{answer}content-length: {length}\r\n\r\n{line}").as_bytes())
                        }
                    };
                    drop(sent);
                });
            }
        });
        Self { address, asked }
    }

    fn grant(&self, host: &str, methods: &[&str]) -> HttpGrant {
        let methods = methods.iter().map(|&method| method.to_owned()).collect();
        let grant = HttpGrant::new(host.parse().unwrap(), methods).unwrap();
        HttpGrant { tls: false, port: self.address.port(), ..grant }
    }

    fn grants(&self, host: &str, methods: &[&str]) -> Grants {
        Grants { http: vec![self.grant(host, methods)], ..Grants::default() }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn url(&self, method: &str, host: &str, path: &str) -> Value {
        request(method, "http", &format!("{host}:{}", self.address.port()), path)
    }
}

fn request(method: &str, scheme: &str, authority: &str, path: &str) -> Value {
    json!({ "http": { "method": method, "scheme": scheme, "authority": authority, "path": path } })
}

#[tokio::test]
async fn a_granted_request_is_made_and_answered() {
    let server = Server::start();
    let stage = Stage::set(server.grants("127.0.0.1", &["GET", "POST"])).await;
    let answer = stage.done(server.url("GET", "127.0.0.1", "/a?b=c")).await;
    assert_eq!(answer, json!({ "status": 200, "body": "GET /a?b=c HTTP/1.1" }));
    let mut post = server.url("POST", "127.0.0.1", "/p");
    post["http"]["body"] = json!("hello");
    assert_eq!(stage.done(post).await["status"], 200);
    let asked = server.asked.lock().unwrap()[0].to_lowercase();
    assert!(asked.contains(&format!("host: {}", server.address)), "{asked}");
}

#[tokio::test]
async fn a_name_of_this_machine_leads_to_it_alone_where_it_was_granted() {
    let server = Server::start();
    let stage = Stage::set(server.grants("localhost", &["GET"])).await;
    assert_eq!(stage.done(server.url("GET", "localhost", "/")).await["status"], 200);
    assert_eq!(stage.done(server.url("GET", "LOCALHOST", "/")).await["status"], 200);
    stage.refused(server.url("GET", "127.0.0.1", "/"), "HttpRequestDenied").await;
}

#[tokio::test]
async fn what_differs_from_the_grant_in_anything_is_refused_before_anything_is_sent() {
    let server = Server::start();
    let stage = Stage::set(server.grants("127.0.0.1", &["GET"])).await;
    let port = server.address.port();
    for method in ["POST", "DELETE", "PROPFIND", "get", "CONNECT"] {
        stage.refused(server.url(method, "127.0.0.1", "/"), "HttpRequestDenied").await;
    }
    let denied = [
        request("GET", "https", &format!("127.0.0.1:{port}"), "/"),
        request("GET", "http", "127.0.0.1", "/"),
        request("GET", "http", &format!("127.0.0.1:{}", port ^ 1), "/"),
        request("GET", "http", &format!("127.0.0.2:{port}"), "/"),
        request("GET", "http", &format!("localhost:{port}"), "/"),
        request("GET", "http", &format!("127.0.0.1@evil.example:{port}"), "/"),
        request("GET", "http", &format!("evil@127.0.0.1:{port}"), "/"),
        request("GET", "http", &format!("127.1:{port}"), "/"),
        request("GET", "http", &format!("2130706433:{port}"), "/"),
        request("GET", "http", &format!("0x7f.0.0.1:{port}"), "/"),
        request("GET", "http", &format!("0.0.0.0:{port}"), "/"),
        request("GET", "http", &format!("127.0.0.1.:{port}"), "/"),
    ];
    for errand in denied {
        let answer = stage.ask(errand.clone()).await;
        assert!(answer.as_ref().is_err_and(|why| why.contains("errand: http: ")), "{errand}: {answer:?}");
    }
    // A path that names another host stays a path, or is none.
    for path in ["http://evil.example/", "//evil.example/", "/\r\nhost: evil"] {
        drop(stage.ask(server.url("GET", "127.0.0.1", path)).await);
    }
    for asked in server.asked.lock().unwrap().iter() {
        assert!(asked.starts_with("GET //evil.example/ HTTP/1.1\r\n"), "{asked}");
        assert!(asked.to_lowercase().contains(&format!("\r\nhost: 127.0.0.1:{port}\r\n")), "{asked}");
    }
}

#[tokio::test]
async fn a_pattern_leads_to_no_address_of_this_machine() {
    let server = Server::start();
    let stage = Stage::set(server.grants("*", &["*"])).await;
    for host in ["127.0.0.1", "localhost", "2130706433", "127.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"] {
        let answer = stage.ask(server.url("GET", host, "/")).await;
        let why = answer.expect_err(host);
        assert!(why.contains("DestinationIpProhibited") || why.contains("DnsError"), "{host}: {why}");
    }
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_redirect_is_the_guests_own_business() {
    let server = Server::start();
    let stage = Stage::set(server.grants("127.0.0.1", &["GET"])).await;
    assert_eq!(stage.done(server.url("GET", "127.0.0.1", "/moved")).await["status"], 302);
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn bodies_and_time_are_bounded() {
    let server = Server::start();
    let stage = Stage::with(strict_host(), server.grants("127.0.0.1", &["GET", "POST"]), |limits| {
        limits.http_body_bytes = 1 << 20;
        limits.http_timeout_ms = 300;
    });
    let stage = stage.await;
    for (path, words) in [("/big", "body size"), ("/slow", "time")] {
        let why = stage.ask(server.url("GET", "127.0.0.1", path)).await.expect_err(path).to_lowercase();
        assert!(why.contains(words), "{path}: {why}");
    }
    let mut post = server.url("POST", "127.0.0.1", "/p");
    post["http"]["body"] = json!("x".repeat(2 << 20));
    let why = stage.ask(post).await.expect_err("too large");
    // The connection ends in the middle of the body, and whoever notices first says so.
    let words = ["HttpRequestBodySize", "HttpResponseTimeout", "HttpProtocolError"];
    assert!(words.iter().any(|word| why.contains(word)), "{why}");
}

#[tokio::test]
async fn no_socket_is_left_for_a_request() {
    let server = Server::start();
    let grants = server.grants("127.0.0.1", &["GET"]);
    let stage = Stage::with(strict_host(), grants, |limits| limits.open_sockets = 0).await;
    stage.refused(server.url("GET", "127.0.0.1", "/"), "ConnectionLimitReached").await;
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn tls_is_not_taken_from_whoever_answers() {
    let server = Server::start();
    let grant = HttpGrant { tls: true, ..server.grant("127.0.0.1", &["GET"]) };
    let stage = Stage::set(Grants { http: vec![grant], ..Grants::default() }).await;
    let errand = request("GET", "https", &server.address.to_string(), "/");
    assert!(stage.ask(errand).await.is_err());
    assert_eq!(server.asked(), 0, "nothing was said in the clear");
}
