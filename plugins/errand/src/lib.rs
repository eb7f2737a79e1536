//! Runs errands in the world outside, as far as it is granted any of it: files, HTTP, sockets, look-ups, environment, and
//! other actors. What it can be asked is [`Command`]; an errand that is refused fails with WASI's own word for it.
//!
//! It is built for `wasm32-unknown-unknown` like the others, and speaks WASI through the bindings of `wasip2`.

mod files;
mod net;

use std::collections::BTreeMap;

use baton_guest::{Actor, Cx, Failure, plugin};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Schema 1.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Errand {
    done: u64,
}

/// One request, such as `{"read": {"dir": "/assets", "path": "a.txt"}}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Command {
    /// The directories that it was granted, by the names that it knows them by.
    Dirs,
    Read(files::At),
    Write(files::Write),
    List(files::At),
    Stat(files::At),
    MakeDir(files::At),
    RemoveDir(files::At),
    Unlink(files::At),
    Rename(files::Two),
    Link(files::Two),
    Symlink(files::Symlink),
    ReadLink(files::At),
    SetTimes(files::At),
    /// Opens it for reading, and makes it empty by its handle.
    Empty(files::At),
    /// Opens it so many times at once, and answers with how often that went well.
    Hold(files::At, u32),
    Env,
    Http(net::Http),
    /// An address with its port, and what it is told; answers with what comes back.
    Tcp(String, String),
    Udp(String, String),
    /// Makes so many sockets at once, and answers with how often that went well.
    Sockets(u32),
    /// Listens on this address.
    Listen(String),
    Lookup(String),
    /// An actor, and what it is told.
    Call(String, Value),
    Send(String, Value),
}

impl Actor for Errand {
    type Message = Command;
    type Reply = Value;
    const SCHEMA: u32 = 1;

    fn init(_: &Cx) -> Result<Self, Failure> {
        Ok(Self::default())
    }

    fn handle(&mut self, command: Command, cx: &Cx) -> Result<Value, Failure> {
        let told = run(command, cx)?;
        self.done += 1;
        Ok(told)
    }
}

fn run(command: Command, cx: &Cx) -> Result<Value, Failure> {
    let done = json!("ok");
    Ok(match command {
        Command::Dirs => json!(files::dirs()),
        Command::Read(at) => json!(files::read(&at)?),
        Command::Write(write) => files::write(&write).map(|()| done)?,
        Command::List(at) => json!(files::list(&at)?),
        Command::Stat(at) => json!(files::stat(&at)?),
        Command::MakeDir(at) => files::make_dir(&at).map(|()| done)?,
        Command::RemoveDir(at) => files::remove_dir(&at).map(|()| done)?,
        Command::Unlink(at) => files::unlink(&at).map(|()| done)?,
        Command::Rename(two) => files::rename(&two).map(|()| done)?,
        Command::Link(two) => files::link(&two).map(|()| done)?,
        Command::Symlink(link) => files::symlink(&link).map(|()| done)?,
        Command::ReadLink(at) => json!(files::read_link(&at)?),
        Command::SetTimes(at) => files::set_times(&at).map(|()| done)?,
        Command::Empty(at) => files::empty(&at).map(|()| done)?,
        Command::Hold(at, times) => json!(files::hold(&at, times)?),
        Command::Env => json!(wasip2::cli::environment::get_environment().into_iter().collect::<BTreeMap<_, _>>()),
        Command::Http(http) => net::http(&http)?,
        Command::Tcp(address, text) => json!(net::tcp(&address, &text)?),
        Command::Udp(address, text) => json!(net::udp(&address, &text)?),
        Command::Sockets(count) => json!(net::sockets(count)),
        Command::Listen(address) => net::listen(&address).map(|()| done)?,
        Command::Lookup(name) => json!(net::lookup(&name)?),
        Command::Call(to, body) => cx.call(&to, &body, 10_000)?,
        Command::Send(to, body) => cx.send(&to, &body).map(|()| done)?,
    })
}

/// WASI's word for what went wrong, as a failure's code.
fn failed(during: &str, error: impl std::fmt::Debug) -> Failure {
    Failure::new("errand", format!("{during}: {error:?}"))
}

plugin!(Errand);
