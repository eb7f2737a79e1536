//! Many calls through one `baton call --batch -`, which goes on by itself when the host is away.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::process::{Interrupt, Running};

/// How long the batch may wait for a host that is away.
const WAIT: &str = "60s";
/// How long the batch may take to end after its last reply.
const END_LIMIT: Duration = Duration::from_secs(30);
/// The longest reply that is read.
const REPLY_BYTES: u64 = 4 * 1024 * 1024;

/// One message for an actor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) actor: String,
    pub(super) body: Value,
}

/// A batch that runs, and ends with us.
#[derive(Debug)]
pub(super) struct Batch {
    running: Running,
    answered: Arc<AtomicU64>,
    writer: JoinHandle<()>,
    reader: JoinHandle<Result<Vec<Value>>>,
}

impl Batch {
    /// Starts `command`, which is [`call_batch`] but for tests, to make `calls`, one after the other.
    pub(super) fn start(command: &mut Command, calls: Vec<Call>) -> Result<Self> {
        let mut running = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let (Some(input), Some(output)) = (running.child().stdin.take(), running.child().stdout.take()) else {
            return Err(Failure::new("`baton call` was started without pipes"));
        };
        let answered = Arc::new(AtomicU64::new(0));
        let actors: Vec<String> = calls.iter().map(|call| call.actor.clone()).collect();
        let count = Arc::clone(&answered);
        let reader = thread::spawn(move || read(output, &actors, &count));
        // The pipe is the bound: the writer waits when the batch is behind.
        let writer = thread::spawn(move || write(input, &calls));
        Ok(Batch { running, answered, writer, reader })
    }

    /// How many calls were answered, and whether no more will be.
    pub(super) fn progress(&self) -> (u64, bool) {
        // Asked in this order, so that an ended batch's count is its last.
        let ended = self.reader.is_finished();
        (self.answered.load(Ordering::Relaxed), ended)
    }

    /// Waits for its end and gives the replies in the order of the calls.
    pub(super) fn finish(mut self, interrupt: &Interrupt) -> Result<Vec<Value>> {
        let replies = self.reader.join().map_err(|_| Failure::new("reading the batch's replies failed"))?;
        // A batch whose replies make no sense is not waited for; it is ended as this returns.
        let replies = replies?;
        let status = self.running.wait(interrupt, Some(END_LIMIT))?;
        self.writer.join().map_err(|_| Failure::new("feeding the batch failed"))?;
        if status.success() {
            Ok(replies)
        } else {
            Err(Failure::new(format!("`baton call --batch` failed ({status})")))
        }
    }
}

/// `baton call --batch -`.
pub(super) fn call_batch(baton: &Path, config: &Path) -> Command {
    let mut command = Command::new(baton);
    command.args(["call", "--batch", "-", "--json", "--wait", WAIT, "--config"]).arg(config);
    command
}

fn write(input: ChildStdin, calls: &[Call]) {
    let mut input = BufWriter::new(input);
    for Call { actor, body } in calls {
        // A batch that ended early is noticed by its missing replies.
        if writeln!(input, "{}", json!({"actor": actor, "body": body})).is_err() {
            return;
        }
    }
    let _ = input.flush();
}

/// Reads one reply for each of `actors`; anything else is a failure.
fn read(output: ChildStdout, actors: &[String], answered: &AtomicU64) -> Result<Vec<Value>> {
    let mut output = BufReader::new(output);
    let mut replies = Vec::with_capacity(actors.len());
    let mut line = String::new();
    for (index, actor) in actors.iter().enumerate() {
        line.clear();
        match output.by_ref().take(REPLY_BYTES).read_line(&mut line) {
            Ok(1..) => replies.push(reply(&line, index, actor)?),
            _ => {
                return Err(Failure::new(format!("the batch ended after {index} of {} replies", actors.len())));
            }
        }
        answered.store(replies.len() as u64, Ordering::Relaxed);
    }
    Ok(replies)
}

/// The reply in one line of the batch's output, which must answer call `index`, to `actor`.
fn reply(line: &str, index: usize, actor: &str) -> Result<Value> {
    let number = index + 1;
    let mut said: Value = serde_json::from_str(line)
        .map_err(|cause| Failure::new(format!("reply {number}, `{}`, is no JSON: {cause}", line.trim())))?;
    if said["line"] != number {
        return Err(Failure::new(format!("reply {number} says that it answers line {}", said["line"])));
    }
    if said["ok"] != true {
        let (code, error) = (said["code"].as_str().unwrap_or("?"), said["error"].as_str().unwrap_or("no reason given"));
        return Err(Failure::new(format!("call {number}, to {actor}, was not answered: {error} ({code})")));
    }
    if said["actor"] != *actor {
        return Err(Failure::new(format!("reply {number} comes from {} instead of {actor}", said["actor"])));
    }
    Ok(said["reply"].take())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(script: &str, calls: u64) -> std::result::Result<Vec<Value>, String> {
        let call = Call { actor: "airport/ATL".to_owned(), body: json!("stats") };
        let calls = (0..calls).map(|_| call.clone()).collect();
        let batch = Batch::start(Command::new("sh").args(["-c", script]), calls);
        batch.and_then(|batch| batch.finish(&Interrupt::never())).map_err(|failure| failure.to_string())
    }

    #[test]
    fn every_call_is_written_and_every_reply_read() {
        let script = r#"n=0; while read line; do n=$((n+1)); echo "{\"line\":$n,\"actor\":\"airport/ATL\",\"ok\":true,\"reply\":$n}"; done"#;
        assert_eq!(fed(script, 1000), Ok((1..=1000).map(|number: u64| json!(number)).collect()));
    }

    #[test]
    fn a_batch_that_ends_early_or_badly_is_a_failure() {
        let answer = r#"read line; echo '{"line":1,"actor":"airport/ATL","ok":true,"reply":1}'"#;
        assert_eq!(fed(answer, 2), Err("the batch ended after 1 of 2 replies".to_owned()));
        let bad = fed(&format!("{answer}; exit 4"), 1);
        assert_eq!(bad, Err("`baton call --batch` failed (exit status: 4)".to_owned()));
    }

    #[test]
    fn a_reply_must_answer_its_call() {
        let read = |line: &str| reply(line, 6, "airport/ATL").map_err(|failure| failure.to_string());
        assert_eq!(
            read(r#"{"line":7,"actor":"airport/ATL","ok":true,"reply":{"flights":3}}"#),
            Ok(json!({"flights": 3}))
        );
        for (line, part) in [
            (r#"{"line":8,"actor":"airport/ATL","ok":true,"reply":1}"#, "answers line 8"),
            (r#"{"line":7,"actor":"airport/LAX","ok":true,"reply":1}"#, "instead of airport/ATL"),
            (
                r#"{"line":7,"ok":false,"code":"unavailable","error":"held"}"#,
                "call 7, to airport/ATL, was not answered: held (unavailable)",
            ),
            (r#"{"line":7}"#, "was not answered"),
            ("oops", "is no JSON"),
        ] {
            let message = read(line).expect_err(line);
            assert!(message.contains(part), "{message}");
        }
    }
}
