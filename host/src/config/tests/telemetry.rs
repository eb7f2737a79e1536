//! Where traces go.

use std::path::Path;
use std::time::Duration;

use super::{Table, check, good};
use crate::config::{Config, Problem, parse};
use crate::telemetry::OtlpOptions;

/// The file, with this text in the file of headers.
fn with_headers(headers: &str) -> Result<Config, Vec<Problem>> {
    let files = Table([("/etc/baton/key".into(), headers.as_bytes().to_vec())].into());
    parse("[telemetry]\notlp_headers_file = \"key\"\n", "baton.toml", Path::new("/etc/baton"), &files)
}

#[test]
fn each_key_reaches_its_setting_and_without_any_nothing_is_traced() {
    assert_eq!(good("").telemetry, OtlpOptions::default());
    assert_eq!(good("[telemetry]\n").telemetry.endpoint, None);
    let text = "[telemetry]\notlp_endpoint = \"https://collector.example:4318/\"\nsample_ratio = 0.25\n\
                service_name = \"shop\"\nqueue_spans = 10\nexport_timeout_ms = 20\nflush_timeout_ms = 30\n";
    let expected = OtlpOptions {
        endpoint: Some("https://collector.example:4318/".to_owned()),
        sample_ratio: 0.25,
        service_name: Some("shop".to_owned()),
        headers: Vec::new(),
        ca: None,
        queue_spans: 10,
        timeout: Duration::from_millis(20),
        flush_timeout: Duration::from_millis(30),
    };
    assert_eq!(good(text).telemetry, expected);
    assert_eq!(good("[telemetry]\nsample_ratio = 1\n").telemetry.sample_ratio, 1.0);
}

#[test]
fn certificates_stand_in_a_file_of_their_own_and_have_to_be_some() {
    let with = |text: &str| {
        let files = Table([("/etc/baton/ca.pem".into(), text.as_bytes().to_vec())].into());
        parse("[telemetry]\notlp_ca_file = \"ca.pem\"\n", "baton.toml", Path::new("/etc/baton"), &files)
    };
    let begin = "-----BEGIN CERTIFICATE-----\n";
    for (text, what) in [
        ("nothing", "holds no certificate"),
        (&*format!("{begin}!\n-----END CERTIFICATE-----\n"), "is no PEM: "),
        (&*format!("{begin}AAAA\n-----END CERTIFICATE-----\n"), "holds a certificate that cannot be read: "),
    ] {
        let told = with(text).expect_err(text).iter().map(ToString::to_string).collect::<String>();
        assert!(told.contains(&format!("`otlp_ca_file` in [telemetry]: /etc/baton/ca.pem {what}")), "{told}");
    }
}

#[test]
fn headers_stand_in_a_file_of_their_own_and_are_never_shown() {
    let config = with_headers("# for the collector\n\nX-Key: open: sesame\nother:1\n").expect("headers");
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(config.telemetry.headers, [header("X-Key", "open: sesame"), header("other", "1")]);
    assert!(!format!("{config:?}").contains("sesame"));
    for (text, what) in [
        ("fine: 1\nsesame\n", "line 2 of /etc/baton/key has no colon; expected NAME: VALUE"),
        ("a b: sesame\n", "line 1 of /etc/baton/key names no header; expected NAME: VALUE"),
        ("a: sesame\u{7f}\n", "line 1 of /etc/baton/key has a value that no header can have; expected NAME: VALUE"),
    ] {
        let problems = with_headers(text).expect_err(text);
        let told = problems.iter().map(ToString::to_string).collect::<String>();
        assert!(told.ends_with(&format!("`otlp_headers_file` in [telemetry]: {what}")), "{told}");
        assert!(!told.contains("sesame"), "{told}");
    }
}

#[test]
fn what_cannot_be_is_told_with_what_is_expected() {
    for (line, what) in [
        ("otlp_endpoint = \"collector:4318\"", "is no address of a collector: "),
        ("otlp_endpoint = 4318", "expected an address such as \"http://127.0.0.1:4318\""),
        ("sample_ratio = 1.5", "expected a number from 0 to 1, such as 0.1"),
        ("sample_ratio = \"all\"", "expected a number from 0 to 1, such as 0.1"),
        ("sample_ratio = nan", "expected a number from 0 to 1, such as 0.1"),
        ("queue_spans = 0", "expected an integer from 1 to 1000000"),
        ("otlp_headers_file = \"none\"", "/etc/baton/none cannot be read: no such file"),
        ("otlp_ca_file = \"none\"", "/etc/baton/none cannot be read: no such file"),
        ("endpoint = \"http://collector\"", "unknown key `endpoint` in [telemetry]"),
        ("log = \"info\"", "which belongs at the top of the file?"),
    ] {
        let problems = check(&format!("[telemetry]\n{line}\n")).expect_err(line);
        let told = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(told.starts_with("baton.toml:2: ") && told.contains(what), "{line}: {told}");
    }
}
