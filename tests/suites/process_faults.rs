//! Real hosts on disks that fail, and hosts that are killed while their actors save: what was acknowledged stays, the error
//! says what is wrong, and the host goes on.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Dice, Shim, WatGuest, baton_bin, number_from};

/// Actors that save at every call.
const ACTORS: usize = 6;
/// Rounds of kills; `BATON_ROUNDS` says how many for a longer run.
const ROUNDS: usize = 6;

/// A folder with a configuration of actors that count calls. One whose message begins with `s` saves before it answers.
fn place(backend: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    let wasm = WatGuest::new("tally").when('s', "(call $save)").build();
    std::fs::write(dir.path().join("tally.wasm"), wasm).unwrap();
    let config = format!(
        "data_dir = \"data\"\ninstances = 50\n[store]\nbackend = \"{backend}\"\n[[plugin]]\npath = \"tally.wasm\"\n\
         [[actors]]\npattern = \"tally/*\"\nplugin = \"tally\"\n"
    );
    std::fs::write(dir.path().join("baton.toml"), config).unwrap();
    dir
}

struct Serving(Child);

impl Serving {
    fn start(place: &Path, disk: Option<&Shim>) -> Self {
        let mut command = baton(place, &["run", "--log", "warn"]);
        if let Some(disk) = disk {
            disk.preload(&mut command);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready: "), "{line:?}");
        Self(child)
    }

    fn end(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap(), signal).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn baton(place: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(baton_bin());
    command.args(args).current_dir(place).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// One call on a connection of its own; none if there was no reply.
fn call(place: &Path, actor: usize, body: &str) -> Option<u32> {
    let mut stream = UnixStream::connect(place.join("data/baton.sock")).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = format!(
        "POST /v1/actors/tally%2F{actor}/call HTTP/1.1\r\nhost: baton\r\nconnection: close\r\n\
         content-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).ok()?;
    let ended = response.windows(4).position(|end| end == b"\r\n\r\n")?;
    let reply = response.starts_with(b"HTTP/1.1 200").then(|| &response[ended + 4..])?;
    Some(u32::from_le_bytes(reply.try_into().ok()?))
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < limit, "never came: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What `store ls` says of a store that is out of reach; none while it answers.
fn trouble(place: &Path) -> Option<String> {
    let output = baton(place, &["store", "ls"]).output().unwrap();
    (!output.status.success()).then(|| said(&output))
}

/// What the host's health says of the store; none while it is well.
fn health(place: &Path) -> Option<String> {
    let told: serde_json::Value = serde_json::from_str(&get(place, "/v1/health")).unwrap();
    assert_eq!(told["state"], "ready", "{told}");
    told["store_trouble"].as_str().map(str::to_owned)
}

/// The body of the answer to a GET.
fn get(place: &Path, path: &str) -> String {
    let mut stream = UnixStream::connect(place.join("data/baton.sock")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: baton\r\nconnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// How often the store has failed, and whether it answers, as the numbers have it.
fn failures(place: &Path, backend: &str) -> (f64, bool) {
    let text = get(place, "/metrics");
    let number = |name: &str| -> f64 {
        let start = format!("{name}{{store=\"{backend}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {start}in {text}")).parse().unwrap()
    };
    (number("baton_store_failures_total"), number("baton_store_available") == 1.0)
}

/// A disk fails in one way, and heals: see the module's promise.
fn a_fault(backend: &str, faults: &str, words: &str) {
    let folder = place(backend);
    let disk = Shim::new(&folder.path().join("data"), folder.path());
    let host = Serving::start(folder.path(), Some(&disk));
    assert_eq!(call(folder.path(), 0, "s"), Some(1));
    // The first turn after a start writes its mark; from the second on, nothing needs the disk.
    assert_eq!(call(folder.path(), 1, "x"), Some(1));
    assert_eq!(failures(folder.path(), backend), (0.0, true));

    disk.fail(faults);
    let (sender, saved) = mpsc::channel();
    let path = folder.path().to_owned();
    std::thread::spawn(move || sender.send(call(&path, 0, "s")));
    until("the store says what is wrong", || {
        trouble(folder.path()).is_some_and(|told| told.contains("store-unavailable") && told.contains(words))
    });
    assert!(health(folder.path()).is_some_and(|told| told.contains(words)), "{:?}", health(folder.path()));
    assert_eq!(call(folder.path(), 1, "x"), Some(2), "the host serves what it can");
    assert!(saved.try_recv().is_err(), "nothing is acknowledged meanwhile");

    disk.heal();
    assert_eq!(saved.recv().unwrap(), Some(2), "it was tried until it was saved");
    assert_eq!((trouble(folder.path()), health(folder.path())), (None, None));
    let (counted, available) = failures(folder.path(), backend);
    assert!(counted > 0.0 && available, "{counted}");
    assert_eq!(call(folder.path(), 0, "s"), Some(3));
    assert_eq!(call(folder.path(), 1, "s"), Some(3));
    assert_eq!(host.end(Signal::KILL), None);

    let host = Serving::start(folder.path(), None);
    assert_eq!(call(folder.path(), 0, "x"), Some(4), "what was acknowledged is there");
    assert_eq!(call(folder.path(), 1, "x"), Some(4), "what was acknowledged is there");
    assert_eq!(host.end(Signal::TERM), Some(0));
}

/// Each of the faults as a test of each backend.
macro_rules! faults {
    ($backend:ident: $name:literal) => {
        mod $backend {
            #[test]
            fn on_a_full_disk_the_host_serves_and_saves_again_once_there_is_room() {
                super::a_fault($name, "write ENOSPC\nopen ENOSPC\nmkdir ENOSPC", "No space left on device");
            }

            #[test]
            fn on_a_disk_that_turns_read_only_the_host_serves_and_saves_again_once_it_can() {
                super::a_fault($name, "any EROFS", "Read-only file system");
            }

            #[test]
            fn when_writes_fail_the_host_serves_and_saves_again_once_they_do_not() {
                super::a_fault($name, "write EIO", "Input/output error");
            }

            #[test]
            fn when_syncs_fail_the_host_serves_and_saves_again_once_they_do_not() {
                super::a_fault($name, "sync EIO", "Input/output error");
            }

            #[test]
            fn a_host_that_is_killed_while_its_actors_save_has_every_count_that_it_answered() {
                super::killed_while_saving($name);
            }
        }
    };
}

faults!(on_sled: "sled");
faults!(on_redb: "redb");

fn killed_while_saving(backend: &str) {
    let folder = place(backend);
    let mut dice = Dice::new();
    // The last count that each has answered, and how many calls since were under way when the host was killed: each of
    // these may have been counted.
    let mut answered = [(0, 0); ACTORS];
    for round in 0..number_from("BATON_ROUNDS", ROUNDS) {
        let host = Serving::start(folder.path(), None);
        let clients: Vec<_> = (0..ACTORS)
            .map(|actor| {
                let (path, (mut last, mut lost)) = (folder.path().to_owned(), answered[actor]);
                std::thread::spawn(move || {
                    while let Some(count) = call(&path, actor, "s") {
                        let allowed = last + 1..=last + 1 + lost;
                        assert!(allowed.contains(&count), "round {round}: tally/{actor}: {count}, not in {allowed:?}");
                        (last, lost) = (count, 0);
                    }
                    (last, lost + 1)
                })
            })
            .collect();
        std::thread::sleep(Duration::from_micros(dice.below(300_000) as u64));
        assert_eq!(host.end(Signal::KILL), None);
        for (answered, client) in answered.iter_mut().zip(clients) {
            *answered = client.join().unwrap();
        }
    }
    assert!(answered.iter().all(|(count, _)| *count > 0), "{answered:?}");
}
