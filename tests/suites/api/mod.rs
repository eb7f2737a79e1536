//! The HTTP API over TCP: who gets in, what they may do, and what becomes of those who behave badly. Real processes, real
//! connections.

mod clients;
mod openapi;
mod tls;
mod tokens;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::cli::{Place, Running};
use crate::harness::guest;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const READ: &str = "read-0123456789abcdef0123456789abcdef";
pub(crate) const CALL: &str = "call-0123456789abcdef0123456789abcdef";
pub(crate) const OPERATE: &str = "operate-0123456789abcdef0123456789ab";

/// A counter, and an API over TCP with `keys` in its section and a token for each role.
pub(crate) fn place(keys: &str) -> Place {
    let place = Place::new(&format!(
        "instances = 50\n[api]\nlisten = \"127.0.0.1:0\"\ntokens = \"tokens.toml\"\n{keys}\n\
         [[plugin]]\npath = {:?}\nname = \"counter\"\n[[actor]]\nname = \"counter/1\"\nplugin = \"counter\"\n",
        guest("counter").display().to_string()
    ));
    let tokens = [("reader", "read", READ), ("caller", "call", CALL), ("boss", "operate", OPERATE)];
    let lines =
        tokens.map(|(name, role, token)| format!("[tokens.{name}]\nroles = [\"{role}\"]\ntoken = \"{token}\"\n"));
    write_tokens(&place, &lines.concat());
    place
}

pub(crate) fn write_tokens(place: &Place, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = place.write("tokens.toml", text.as_bytes());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Where a host says that it is, `http://ADDRESS`.
pub(crate) fn url(host: &Running) -> String {
    let (_, url) = host.ready().trim_end().rsplit_once(", ").unwrap();
    url.to_owned()
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_else(|| panic!("no code: {self:?}")).to_owned()
    }
}

pub(super) fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// `method_path` such as `GET /v1/actors`, over a connection of its own.
pub(crate) fn ask(url: &str, method_path: &str, token: Option<&str>, body: &str) -> Answer {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let length = body.len();
    let mut stream = connect(url);
    let head =
        format!("{method_path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{token}content-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    answer(&String::from_utf8(bytes).unwrap())
}

pub(super) fn answer(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Answer { status: status.unwrap_or_else(|| panic!("{head}")), head: head.to_lowercase(), body: body.to_owned() }
}
