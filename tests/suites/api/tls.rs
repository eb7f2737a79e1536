//! TLS, and the command as a client of a host elsewhere.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::process::Signal;

use super::{CALL, OPERATE, READ, place, url};
use crate::cli::Place;

const FILES: &str = "tls_certificate = \"cert.pem\"\ntls_key = \"key.pem\"";

/// A certificate for `localhost`, and its key.
fn certify(place: &Place) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    place.write("cert.pem", cert.pem().as_bytes());
    place.write("key.pem", signing_key.serialize_pem().as_bytes());
}

#[test]
fn the_command_speaks_to_a_host_elsewhere_over_tls_with_its_token() {
    let place = place(FILES);
    certify(&place);
    let host = place.host();
    let url = url(&host).replace("127.0.0.1", "localhost");
    assert!(url.starts_with("https://"), "{url}");
    for (file, token) in [("boss", OPERATE), ("caller", CALL), ("reader", READ)] {
        place.write(file, token.as_bytes());
    }
    let with = |token: &str, args: &[&str]| {
        let all = [&["--url", &url, "--ca", "cert.pem", "--token-file", token], args].concat();
        place.baton(&all)
    };
    let called = with("caller", &["call", "counter/1", r#"{"add": 3}"#]);
    assert_eq!((called.code, &*called.out), (0, "3\n"), "{called:?}");
    let listed = with("reader", &["ps"]);
    assert!(listed.code == 0 && listed.out.contains("counter/1"), "{listed:?}");
    let refused = with("reader", &["kill", "counter/1"]);
    assert!(refused.code == 1 && refused.err.contains("[forbidden]"), "{refused:?}");
    let stopped = with("boss", &["stop", "counter/1"]);
    assert!(stopped.code == 0 && stopped.out.contains("saved as record"), "{stopped:?}");
    let stored = with("reader", &["store", "ls"]);
    assert!(stored.code == 0 && stored.out.contains("counter/1"), "{stored:?}");

    let nameless = place.baton(&["--url", &url, "--ca", "cert.pem", "ps"]);
    assert!(nameless.code == 1 && nameless.err.contains("hint: name the file of your token"), "{nameless:?}");
    let stranger = place.baton(&["--url", &url, "--token-file", "boss", "ps"]);
    assert!(stranger.code == 4 && stranger.err.contains("certificate"), "{stranger:?}");
    let by_environment = place
        .command(&["ps"])
        .env("BATON_URL", &url)
        .env("BATON_TOKEN", READ)
        .env("BATON_CA", "cert.pem")
        .output()
        .unwrap();
    assert!(by_environment.status.success(), "{by_environment:?}");
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let gone = with("reader", &["store", "ls"]);
    assert_eq!(gone.code, 4, "the files here are not that host's: {gone:?}");
}

#[test]
fn a_certificate_that_does_not_fit_its_key_is_told_at_the_start() {
    let place = place(FILES);
    certify(&place);
    let key = std::fs::read(place.write("cert.pem", b"nothing")).unwrap();
    let told = place.baton(&["run"]);
    assert!(told.code == 2 && told.err.contains("cert.pem holds no certificate"), "{told:?}");
    certify(&place);
    place.write("key.pem", &key);
    let told = place.baton(&["run"]);
    assert!(told.code == 2 && told.err.contains("key.pem holds no private key"), "{told:?}");
}
