//! The hosts: real processes, each with a folder of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::LISTED;
use crate::harness::servers::PASSWORD;
use crate::harness::{baton_bin, guest};

/// How many there are.
pub(super) const HOSTS: usize = 3;
/// How long a lease runs, and when its host freezes before that, in milliseconds.
const LEASE_TTL_MS: u64 = 2_500;
const LEASE_MARGIN_MS: u64 = 700;

/// All of them.
pub(super) struct Hosts {
    dir: tempfile::TempDir,
    running: Vec<Mutex<Option<Child>>>,
}

/// What a host answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Hosts {
    pub(super) fn start(url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for host in 0..HOSTS {
            let folder = dir.path().join(node(host));
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("baton.toml"), config(host, &without_password(url))).unwrap();
            fs::write(folder.join("password"), PASSWORD).unwrap();
        }
        let hosts = Self { dir, running: (0..HOSTS).map(|_| Mutex::new(None)).collect() };
        (0..HOSTS).for_each(|host| hosts.start_again(host));
        hosts
    }

    fn folder(&self, host: usize) -> PathBuf {
        self.dir.path().join(node(host))
    }

    /// Nobody waits until it serves.
    pub(super) fn start_again(&self, host: usize) {
        let folder = self.folder(host);
        let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = Command::new(baton_bin());
        command.args(["run", "--log", "info"]).current_dir(&folder).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        *self.running[host].lock().unwrap() = Some(child);
    }

    pub(super) fn kill(&self, host: usize) {
        if let Some(mut child) = self.running[host].lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Has it stop in good order.
    pub(super) fn stop(&self, host: usize) {
        self.signal(host, Signal::TERM);
        if let Some(mut child) = self.running[host].lock().unwrap().take() {
            child.wait().unwrap();
        }
    }

    pub(super) fn signal(&self, host: usize, signal: Signal) {
        if let Some(child) = &*self.running[host].lock().unwrap() {
            // One that has ended by itself is told of by whoever waits for it.
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// All of them run from now on: one that ended by itself as well.
    pub(super) fn heal(&self) {
        for host in 0..HOSTS {
            let ended = match &mut *self.running[host].lock().unwrap() {
                Some(child) => child.try_wait().unwrap().is_some(),
                None => true,
            };
            if ended {
                self.start_again(host);
            }
        }
    }

    /// Calls an actor at a host; none: no answer came, and whether it was seen is not known.
    pub(super) fn call(&self, host: usize, actor: &str, id: &str, body: &str) -> Option<Answer> {
        let mut stream = UnixStream::connect(self.folder(host).join("data/baton.sock")).ok()?;
        let timeout = Some(Duration::from_secs(4));
        stream.set_read_timeout(timeout).ok()?;
        stream.set_write_timeout(timeout).ok()?;
        let request = format!(
            "POST /v1/actors/{}/call?timeout_ms=3000 HTTP/1.1\r\nhost: baton\r\nconnection: close\r\n\
             content-type: application/json\r\nidempotency-key: {id}\r\ncontent-length: {}\r\n\r\n{body}",
            actor.replace('/', "%2F"),
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, body: body.to_owned() })
    }

    /// How often their logs say `words`.
    pub(super) fn said(&self, words: &str) -> usize {
        let count = |host| count(&self.folder(host).join("log"), words);
        (0..HOSTS).map(count).sum()
    }
}

fn count(log: &Path, words: &str) -> usize {
    let Ok(file) = fs::File::open(log) else { return 0 };
    BufReader::new(file).lines().map_while(Result::ok).filter(|line| line.contains(words)).count()
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for host in 0..HOSTS {
            self.signal(host, Signal::CONT);
            self.kill(host);
            if std::thread::panicking() {
                let log = fs::read_to_string(self.folder(host).join("log")).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                println!(
                    "the end of the log of {}:\n{}",
                    node(host),
                    lines[lines.len().saturating_sub(60)..].join("\n")
                );
            }
        }
    }
}

/// A configuration has no password in it.
pub(crate) fn without_password(url: &str) -> String {
    url.replace(&format!("://:{PASSWORD}@"), "://").replace(&format!(":{PASSWORD}@"), "@")
}

/// What a host is called.
pub(super) fn node(host: usize) -> String {
    format!("n{host}")
}

fn config(host: usize, url: &str) -> String {
    let mut config = format!(
        "data_dir = \"data\"\ninstances = 50\nshutdown_timeout_ms = 4_000\n\
         [store]\nurl = {url:?}\npassword_file = \"password\"\nhistory = 1000\n\
         [hosts]\nnode = \"{}\"\nlease_ttl_ms = {LEASE_TTL_MS}\nlease_margin_ms = {LEASE_MARGIN_MS}\nlook_ms = 100\n\
         [limits]\nreplies = 1000\nreplies_bytes = 65_536\n\
         [[plugin]]\npath = {:?}\nname = \"counter\"\ndurability = \"turn\"\n\
         [[actors]]\npattern = \"more/*\"\nplugin = \"counter\"\n",
        node(host),
        guest("counter").display().to_string(),
    );
    for n in 0..LISTED {
        // The server is hurt as well: what that does to an actor is no reason to give it up.
        config.push_str(&format!(
            "[[actor]]\nname = \"counter/{n}\"\nplugin = \"counter\"\nmax_restarts = 1000\nmax_seconds = 1\n"
        ));
    }
    config
}
