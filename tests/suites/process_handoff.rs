//! Real hosts, ended at any moment: what was handed over is all there, and what was killed comes back with its last
//! record.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Dice, baton_bin, guest, number_from};

const ACTORS: usize = 8;
/// Rounds of a run; `BATON_ROUNDS` says how many for a longer one.
const ROUNDS: usize = 40;

pub(crate) struct HostProcess {
    child: Child,
}

impl HostProcess {
    pub(crate) fn spawn(dir: &Path) -> Self {
        let mut command = Command::new(baton_bin());
        command.args(["run", "--log", "warn"]).current_dir(dir).stdin(Stdio::null());
        Self { child: command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap() }
    }

    /// Waits for the line that says that it serves.
    pub(crate) fn ready(mut self) -> Self {
        let mut line = String::new();
        BufReader::new(self.child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("ready: "), "{line:?}");
        self
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Its exit code; none if it was killed.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        // A test that failed leaves no host behind; one that has ended cannot be killed again.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What became of a call.
#[derive(Debug, PartialEq)]
enum Answer {
    Count(u64),
    /// Certainly not seen by the actor.
    Refused,
    /// The host went away in the middle.
    Lost,
}

/// One connection to a host, spoken by hand: the test's word against the client's.
struct Connection(Option<BufReader<UnixStream>>);

impl Connection {
    fn new(dir: &Path) -> Self {
        let stream = UnixStream::connect(dir.join("data/baton.sock")).ok();
        if let Some(stream) = &stream {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
        Self(stream.map(BufReader::new))
    }

    fn call(&mut self, actor: usize, body: &str) -> Answer {
        let Some(stream) = &mut self.0 else { return Answer::Refused };
        let request = format!(
            "POST /v1/actors/counter%2F{actor}/call HTTP/1.1\r\nhost: baton\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.get_mut().write_all(request.as_bytes()).is_err() {
            return Answer::Lost;
        }
        let Some((status, closes, body)) = read_response(stream) else { return Answer::Lost };
        if closes {
            // A host that stops says so with its last answers; what is asked next has to connect anew, and cannot.
            self.0 = None;
        }
        match status {
            200 => Answer::Count(body.trim().parse().unwrap_or_else(|_| panic!("a count: {body:?}"))),
            503 => Answer::Refused,
            _ => panic!("{status}: {body}"),
        }
    }
}

/// Status, whether the connection closes, and body.
pub(crate) fn read_response(stream: &mut BufReader<UnixStream>) -> Option<(u16, bool, String)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let (mut length, mut closes) = (0, false);
    loop {
        line.clear();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim().split_once(':') {
            None => break,
            Some((key, value)) if key.eq_ignore_ascii_case("content-length") => length = value.trim().parse().ok()?,
            Some((key, value)) if key.eq_ignore_ascii_case("connection") => closes = value.trim() == "close",
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((status, closes, String::from_utf8(body).ok()?))
}

fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "data_dir = \"data\"\ninstances = 50\n[[plugin]]\npath = \"{}\"\n[[actors]]\npattern = \"counter/*\"\n\
         plugin = \"counter\"\n",
        guest("counter").display()
    );
    std::fs::write(dir.path().join("baton.toml"), config).unwrap();
    dir
}

/// Rounds of a run: `few`, or as many as `BATON_ROUNDS` says.
pub(crate) fn rounds(few: usize) -> usize {
    number_from("BATON_ROUNDS", few)
}

/// Adds one to random actors until the host does not answer any more, and counts what was acknowledged. After `acks`
/// acknowledgements, `end` is told.
fn work(dir: &Path, counts: &mut [u64], rng: &mut Dice, acks: usize, end: impl FnOnce()) -> usize {
    let mut connection = Connection::new(dir);
    let (mut acked, mut lost, mut end) = (0, 0, Some(end));
    loop {
        let actor = rng.below(ACTORS);
        match connection.call(actor, r#"{"add":1}"#) {
            Answer::Count(count) => {
                counts[actor] += 1;
                assert_eq!(count, counts[actor], "counter/{actor}");
                acked += 1;
            }
            Answer::Refused => return lost,
            Answer::Lost => {
                lost += 1;
                return lost;
            }
        }
        if acked >= acks
            && let Some(end) = end.take()
        {
            end();
        }
    }
}

fn assert_counts(dir: &Path, allowed: impl Fn(usize, u64) -> bool) -> Vec<u64> {
    let mut connection = Connection::new(dir);
    let read = |actor| match connection.call(actor, "\"get\"") {
        Answer::Count(count) => count,
        other => panic!("counter/{actor}: {other:?}"),
    };
    let counts: Vec<u64> = (0..ACTORS).map(read).collect();
    for (actor, count) in counts.iter().enumerate() {
        assert!(allowed(actor, *count), "counter/{actor} has {count}: {counts:?}");
    }
    counts
}

#[test]
fn a_host_that_is_told_to_stop_at_any_moment_has_lost_nothing() {
    let dir = place();
    let mut rng = Dice::new();
    let mut counts = vec![0; ACTORS];
    for round in 0..rounds(ROUNDS) {
        let host = HostProcess::spawn(dir.path()).ready();
        assert_counts(dir.path(), |actor, count| count == counts[actor]);
        let acks = rng.below(60);
        let lost = work(dir.path(), &mut counts, &mut rng, acks, || host.signal(Signal::TERM));
        assert_eq!(lost, 0, "round {round}: a call was neither answered nor refused");
        assert_eq!(host.end(), Some(0), "round {round}");
    }
    assert!(counts.iter().sum::<u64>() > 0);
}

#[test]
fn a_host_that_is_killed_at_any_moment_comes_back_with_its_last_records() {
    let dir = place();
    let mut rng = Dice::new();
    let mut committed = vec![0; ACTORS];
    for round in 0..rounds(ROUNDS) {
        let host = HostProcess::spawn(dir.path());
        match round % 4 {
            // Killed on its way up.
            0 => {
                std::thread::sleep(Duration::from_micros(rng.below(60_000) as u64));
                host.signal(Signal::KILL);
                assert_eq!(host.end(), None);
            }
            // Killed at work: back to what the last stop has saved.
            1 => {
                let host = host.ready();
                let mut counts = assert_counts(dir.path(), |actor, count| count == committed[actor]);
                let acks = rng.below(60);
                work(dir.path(), &mut counts, &mut rng, acks, || host.signal(Signal::KILL));
                assert_eq!(host.end(), None);
            }
            // Killed while it hands over: each actor is before or after, whole.
            2 => {
                let host = host.ready();
                let mut counts = assert_counts(dir.path(), |actor, count| count == committed[actor]);
                let before = counts.clone();
                let (acks, wait) = (rng.below(60), rng.below(8_000) as u64);
                work(dir.path(), &mut counts, &mut rng, acks, || {
                    host.signal(Signal::TERM);
                    std::thread::sleep(Duration::from_micros(wait));
                    host.signal(Signal::KILL);
                });
                // Killed, or quicker than that.
                let _ = host.end();
                let host = HostProcess::spawn(dir.path()).ready();
                // A call that was lost may have been counted just before the stop.
                committed = assert_counts(dir.path(), |actor, count| {
                    count == before[actor] || count == counts[actor] || count == counts[actor] + 1
                });
                host.signal(Signal::TERM);
                assert_eq!(host.end(), Some(0));
            }
            // Stopped in order.
            _ => {
                let host = host.ready();
                let mut counts = assert_counts(dir.path(), |actor, count| count == committed[actor]);
                let acks = rng.below(60);
                work(dir.path(), &mut counts, &mut rng, acks, || host.signal(Signal::TERM));
                assert_eq!(host.end(), Some(0));
                committed = counts;
            }
        }
    }
}
