//! `[api]`: the HTTP API over TCP.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Files;
use super::problem::Problems;
use super::section::{Elsewhere, Section};
use super::settings::TOP_KEYS;
use crate::model::{API_CLIENT_TIMEOUT, API_CONNECTIONS, ApiSettings, ApiTls, MOST_API_CONNECTIONS};

pub(super) const CONNECTIONS: RangeInclusive<u64> = 1..=MOST_API_CONNECTIONS as u64;
pub(super) const CLIENT_TIMEOUT_MS: RangeInclusive<u64> = 10..=60 * 60 * 1_000;

/// None: the API is on the Unix socket alone.
pub(super) fn read(
    top: &mut Section<'_>,
    base_dir: &Path,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<ApiSettings> {
    let mut own = top.table("api", "[api]", problems)?;
    let listen = own.required("listen", "an address such as \"127.0.0.1:7766\"", problems);
    let listen = own.read("listen", listen, address, problems);
    let tokens = own.required("tokens", "the path of the file of the tokens", problems);
    let tokens = tokens.and_then(|path| file(&own, "tokens", path, base_dir, files, problems));
    let tls = tls(&mut own, base_dir, files, problems);
    let insecure = own.boolean("insecure_loopback", problems).unwrap_or(false);
    let connections = own.integer("connections", &CONNECTIONS, problems).and_then(|n| usize::try_from(n).ok());
    let timeout = own.integer("client_timeout_ms", &CLIENT_TIMEOUT_MS, problems).map(Duration::from_millis);
    own.finish(&[Elsewhere { place: "at the top of the file", keys: TOP_KEYS }], problems);
    let listen = listen?;
    if let Err((key, why)) = may_listen(listen, tls.is_some(), insecure) {
        problems.add(own.place(key), why);
        return None;
    }
    let connections = connections.unwrap_or(API_CONNECTIONS);
    let client_timeout = timeout.unwrap_or(API_CLIENT_TIMEOUT);
    Some(ApiSettings { listen, tokens: tokens?, tls, connections, client_timeout })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("{text:?} is no address and port, such as \"127.0.0.1:7766\" or \"[::1]:7766\""))
}

fn file(
    own: &Section<'_>,
    key: &'static str,
    path: &str,
    base_dir: &Path,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<PathBuf> {
    let path = base_dir.join(path);
    if files.is_file(&path) {
        return Some(path);
    }
    problems.add(own.place(key), format!("`{key}` in [api]: there is no file {}", path.display()));
    None
}

/// Both files, or neither.
fn tls(own: &mut Section<'_>, base_dir: &Path, files: &dyn Files, problems: &mut Problems) -> Option<ApiTls> {
    let certificate = own.string("tls_certificate", "the path of a certificate chain, PEM", problems);
    let key = own.string("tls_key", "the path of its key, PEM", problems);
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(ApiTls {
            certificate: file(own, "tls_certificate", certificate, base_dir, files, problems)?,
            key: file(own, "tls_key", key, base_dir, files, problems)?,
        }),
        (None, None) => None,
        (Some(_), None) => {
            problems
                .add(own.place("tls_certificate"), "`tls_certificate` in [api] needs `tls_key` beside it".to_owned());
            None
        }
        (None, Some(_)) => {
            problems.add(own.place("tls_key"), "`tls_key` in [api] needs `tls_certificate` beside it".to_owned());
            None
        }
    }
}

/// Tokens and states go over a wire that others may read only where there is none: on loopback, and if that was meant.
/// Else the key that is wrong, and why.
fn may_listen(listen: SocketAddr, tls: bool, insecure: bool) -> Result<(), (&'static str, String)> {
    let loopback = listen.ip().is_loopback();
    match (tls, insecure) {
        (true, false) => Ok(()),
        (false, true) if loopback => Ok(()),
        (true, true) => Err(("insecure_loopback", "`insecure_loopback` in [api] means nothing beside `tls_certificate`".to_owned())),
        (false, true) => Err((
            "insecure_loopback",
            format!("`insecure_loopback` in [api] is for loopback addresses, and `listen` is {listen}: add `tls_certificate` and `tls_key`"),
        )),
        (false, false) if loopback => Err((
            "listen",
            "[api] has no `tls_certificate` and `tls_key`: add them, or `insecure_loopback = true` for plain HTTP on this loopback address".to_owned(),
        )),
        (false, false) => Err((
            "listen",
            format!("[api] listens on {listen}, which others reach, without `tls_certificate` and `tls_key`: add them"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_and_only_if_it_was_meant() {
        let cases = [
            ("127.0.0.1:1", false, true, None),
            ("[::1]:1", false, true, None),
            ("0.0.0.0:1", true, false, None),
            ("127.0.0.1:1", true, false, None),
            ("127.0.0.1:1", false, false, Some("listen")),
            ("0.0.0.0:1", false, false, Some("listen")),
            ("0.0.0.0:1", false, true, Some("insecure_loopback")),
            ("192.168.0.1:1", false, true, Some("insecure_loopback")),
            ("127.0.0.1:1", true, true, Some("insecure_loopback")),
        ];
        for (listen, tls, insecure, wrong) in cases {
            let found = may_listen(listen.parse().expect("an address"), tls, insecure);
            assert_eq!(found.err().map(|(key, _)| key), wrong, "{listen} {tls} {insecure}");
        }
    }
}
