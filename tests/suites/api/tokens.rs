//! Tokens and roles.

use std::thread;

use rustix::process::Signal;
use serde_json::json;

use super::{CALL, OPERATE, READ, ask, place, url};
use crate::harness::guest;

const PLAIN: &str = "insecure_loopback = true";

#[test]
fn without_a_token_nobody_gets_in_over_tcp_and_the_socket_is_its_owners_still() {
    let place = place(PLAIN);
    let host = place.host();
    let url = url(&host);
    for path in [
        "GET /v1/actors",
        "GET /v1/health",
        "POST /v1/actors/counter%2F1/call",
        "POST /v1/actors/counter%2F1/kill",
        "GET /nowhere",
    ] {
        let refused = ask(&url, path, None, "");
        assert_eq!((refused.status, &*refused.code()), (401, "unauthorized"), "{path}: {refused:?}");
        assert!(refused.head.contains("www-authenticate: bearer"), "{refused:?}");
    }
    assert_eq!(place.baton(&["ps"]).code, 0);
}

#[test]
fn each_role_lets_do_what_it_says_and_no_more() {
    let place = place(PLAIN);
    let host = place.host();
    let url = url(&host);
    let (look, send, act) =
        ("GET /v1/actors", "POST /v1/actors/counter%2F1/call", "POST /v1/actors/counter%2F1/suspend");
    let cases = [
        (READ, look, 200),
        (READ, send, 403),
        (READ, act, 403),
        (CALL, look, 403),
        (CALL, send, 200),
        (CALL, act, 403),
        (OPERATE, look, 200),
        (OPERATE, send, 200),
        (OPERATE, act, 200),
    ];
    for (token, request, status) in cases {
        let found = ask(&url, request, Some(token), "\"get\"");
        assert_eq!(found.status, status, "{token} {request}: {found:?}");
        if status == 403 {
            assert_eq!(found.code(), "forbidden");
            assert!(!found.body.contains(token), "{found:?}");
        }
    }
}

#[test]
fn a_token_that_is_not_known_is_refused_and_never_logged() {
    let place = place(PLAIN);
    let host = place.host();
    let url = url(&host);
    let guess = "guess-0123456789abcdef0123456789abcde";
    let refused = ask(&url, "GET /v1/actors", Some(guess), "");
    assert_eq!((refused.status, &*refused.code()), (401, "unauthorized"));
    let all: Vec<_> = (0..40).map(|_| (url.clone(), thread::spawn)).collect();
    let guesses: Vec<_> = all
        .into_iter()
        .map(|(url, spawn)| spawn(move || ask(&url, "GET /v1/actors", Some(guess), "").status))
        .collect();
    let statuses: Vec<_> = guesses.into_iter().map(|guess| guess.join().unwrap()).collect();
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert_eq!(ask(&url, "GET /v1/actors", Some(READ), "").status, 200, "who has a token is served meanwhile");
    let end = host.stop(Signal::TERM);
    assert!(end.err.contains("a token that is not known was refused peer=127.0.0.1:"), "{end:?}");
    for token in [guess, READ, CALL, OPERATE] {
        assert!(!end.err.contains(token) && !end.out.contains(token), "{end:?}");
    }
}

#[test]
fn a_swap_says_whose_token_began_it() {
    let place = place(PLAIN);
    let host = place.host();
    let url = url(&host);
    let mut body = std::fs::read(guest("counter")).unwrap();
    // A section that says nothing makes it another component.
    body.extend(b"\x00\x05\x04note");
    place.write("new.wasm", &body);
    place.write("token", OPERATE.as_bytes());
    let told =
        place.baton(&["--url", &url, "--token-file", "token", "swap", "counter", "new.wasm", "--yes", "--watch", "0s"]);
    assert_eq!(told.code, 0, "{told:?}");
    let swaps = ask(&url, "GET /v1/swaps", Some(READ), "").json();
    assert!(swaps["swaps"][0]["by"].as_str().is_some_and(|by| !by.is_empty()), "{swaps}");
    let back = ask(&url, "POST /v1/plugins/counter/swap/back?watch_ms=0", Some(OPERATE), "");
    assert_eq!(back.status, 202, "{back:?}");
    assert_eq!(back.json()["by"], json!("boss"));
    let end = host.stop(Signal::TERM);
    let line = end.err.lines().find(|line| line.contains("asked over TCP") && line.contains("swap/back")).unwrap();
    assert!(line.contains("by=boss peer=127.0.0.1:") && line.contains("status=202"), "{line}");
}

#[test]
fn a_token_is_made_for_the_file_and_shown_once() {
    let place = place(PLAIN);
    let made = place.baton(&["token", "grafana", "--role", "read"]);
    assert_eq!(made.code, 0, "{made:?}");
    let token = made.err.trim_end().rsplit_once(' ').unwrap().1.to_owned();
    assert!(token.len() == 64 && !made.out.contains(&token), "{made:?}");
    super::write_tokens(&place, &made.out);
    let host = place.host();
    assert_eq!(ask(&url(&host), "GET /v1/actors", Some(&token), "").status, 200);
    assert_eq!(ask(&url(&host), "GET /v1/actors", Some(READ), "").status, 401);
}

#[test]
fn a_file_of_tokens_that_others_may_read_or_that_is_none_is_refused_before_anything_is_served() {
    let place = place(PLAIN);
    let path = place.write("tokens.toml", format!("[tokens.a]\nroles = [\"read\"]\ntoken = \"{READ}\"\n").as_bytes());
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = place.baton(&["run"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.err.contains("chmod 600") && !told.err.contains(READ), "{told:?}");
    std::fs::remove_file(path).unwrap();
    let told = place.baton(&["run"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.err.contains("`tokens` in [api]: there is no file"), "{told:?}");
}
