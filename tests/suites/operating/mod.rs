//! What an operator's machinery sees of a host: its configuration, its health, its notices, its reloads.

mod configuration;
mod doctor;
mod health;
mod man;
mod reload;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::cli::Place;
use crate::harness::{WatGuest, guest};

/// The status and the body of the answer to a GET.
fn get(place: &Place, path: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(place.data("baton.sock")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: baton\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}")))
}

/// A counter, and an actor that never takes its state over by itself.
fn one_that_never_comes() -> Place {
    let long = "continue_timeout_ms = 3_600_000\nturn_guest_ms = 3_600_000\n";
    let place = Place::new(&format!(
        "instances = 50\n[[plugin]]\npath = {:?}\n[[plugin]]\npath = \"slow.wasm\"\n\
         [[actor]]\nname = \"slow/1\"\nplugin = \"slow\"\nshutdown = \"brutal-kill\"\n[actor.limits]\n{long}\
         [[actor]]\nname = \"counter/1\"\nplugin = \"counter\"\n",
        guest("counter").display().to_string()
    ));
    let wasm = WatGuest::new("slow").on("continue", "(loop $again (br $again)) (unreachable)").build();
    place.write("slow.wasm", &wasm);
    place
}
