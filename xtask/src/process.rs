//! Runs other programs: streamed, captured or watched line by line, always ended with us.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::{Doing, Failure, Result};

/// What one captured stream may hold; the largest real one, cargo's messages for all guests, is under 1 MiB.
const CAPTURE_BYTES: u64 = 64 * 1024 * 1024;
/// How long a child that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// The longest pause between two looks at a running child.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Tells whether the person, or whoever runs us, has asked us to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP. The second one ends the program at once.
    pub(crate) fn listen() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // Order matters: the first handler must see the flag before the second one raises it.
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
                .doing(|| format!("cannot listen for signal {signal}"))?;
        }
        Ok(Interrupt(flag))
    }

    /// One that never comes.
    #[cfg(test)]
    pub(crate) fn never() -> Self {
        Interrupt(Arc::new(AtomicBool::new(false)))
    }

    /// Fails once a signal has come.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Failure::new("interrupted")) } else { Ok(()) }
    }
}

/// A child that does not outlive its owner: dropping it asks it to end, and kills it after a grace.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    line: String,
    ended: Option<ExitStatus>,
}

impl Running {
    /// Starts `command`.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let line = command_line(command);
        let child = command.spawn().map_err(|cause| match cause.kind() {
            std::io::ErrorKind::NotFound => Failure::new(format!(
                "cannot run `{line}`: `{}` was not found; is it installed and on PATH?",
                command.get_program().display()
            )),
            _ => Failure::new(format!("cannot run `{line}`: {cause}")),
        })?;
        Ok(Running { child, line, ended: None })
    }

    /// The child itself, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its exit status, if it has ended.
    pub(crate) fn poll(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().doing(|| format!("waiting for `{}`", self.line))?;
        }
        Ok(self.ended)
    }

    /// Waits until it ends, until `limit` has passed, or until we are interrupted.
    pub(crate) fn wait(&mut self, interrupt: &Interrupt, limit: Option<Duration>) -> Result<ExitStatus> {
        let started = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(status) = self.poll()? {
                return Ok(status);
            }
            interrupt.check()?;
            if let Some(limit) = limit.filter(|limit| started.elapsed() >= *limit) {
                return Err(Failure::new(format!("`{}` took longer than {} s", self.line, limit.as_secs())));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LOOK_EVERY);
        }
    }

    /// Sends SIGTERM; nothing happens to a child that has ended.
    pub(crate) fn terminate(&mut self) -> Result<()> {
        if self.poll()?.is_some() {
            return Ok(());
        }
        // Not yet reaped (`poll` says so), so this process id is still our child's.
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).doing(|| format!("sending SIGTERM to `{}`", self.line))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.poll(), Ok(None)) {
            return;
        }
        // A failure here has nobody left to tell: the child is killed in any case.
        let asked = Instant::now();
        if self.terminate().is_ok() {
            while asked.elapsed() < GRACE {
                if !matches!(self.poll(), Ok(None)) {
                    return;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `command` with its output on our screen; fails unless it exits with 0.
pub(crate) fn stream(command: &mut Command, interrupt: &Interrupt) -> Result<()> {
    stream_within(command, interrupt, None)
}

/// As [`stream`], for at most `limit`.
pub(crate) fn stream_within(command: &mut Command, interrupt: &Interrupt, limit: Option<Duration>) -> Result<()> {
    let mut running = Running::start(command.stdin(Stdio::null()))?;
    let status = running.wait(interrupt, limit)?;
    succeed(&running.line, status, "")
}

/// Runs `command` and gives its standard output; its standard error goes into the failure.
pub(crate) fn capture(command: &mut Command, interrupt: &Interrupt) -> Result<String> {
    let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let out = collect(running.child.stdout.take());
    let err = collect(running.child.stderr.take());
    let status = running.wait(interrupt, None)?;
    let (out, err) = (joined(out, &running.line)?, joined(err, &running.line)?);
    succeed(&running.line, status, &err)?;
    Ok(out)
}

/// Runs `command` and gives its standard output; its standard error goes to our screen.
pub(crate) fn capture_stdout(command: &mut Command, interrupt: &Interrupt) -> Result<String> {
    let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let out = collect(running.child.stdout.take());
    let status = running.wait(interrupt, None)?;
    let out = joined(out, &running.line)?;
    succeed(&running.line, status, "")?;
    Ok(out)
}

/// Runs `command` with its output on our screen, and gives what `pick` finds in its lines, whether it passes or fails.
pub(crate) fn watch<T: Send + 'static>(
    command: &mut Command,
    interrupt: &Interrupt,
    pick: fn(&str) -> Option<T>,
) -> Result<(Result<()>, Vec<T>)> {
    let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let out = running.child.stdout.take().map(|pipe| thread::spawn(move || pass_on(pipe, std::io::stdout(), pick)));
    let err = running.child.stderr.take().map(|pipe| thread::spawn(move || pass_on(pipe, std::io::stderr(), pick)));
    let status = running.wait(interrupt, None)?;
    let mut found = Vec::new();
    for reader in [out, err].into_iter().flatten() {
        found.extend(reader.join().map_err(|_| Failure::new(format!("reading from `{}` failed", running.line)))?);
    }
    Ok((succeed(&running.line, status, ""), found))
}

/// Copies lines from `pipe` to `screen`, keeping what `pick` finds.
fn pass_on<T>(pipe: impl Read, mut screen: impl Write, pick: fn(&str) -> Option<T>) -> Vec<T> {
    let mut found = Vec::new();
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut pipe).take(CAPTURE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return found,
            Ok(_) => {}
        }
        // A screen that has gone away is no reason to stop the tests.
        let _ = screen.write_all(&line);
        let _ = screen.flush();
        found.extend(pick(&without_colour(&String::from_utf8_lossy(&line))));
    }
}

/// `line` without the escape sequences that colour it.
pub(crate) fn without_colour(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().skip(1).find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

type Collected = JoinHandle<std::io::Result<String>>;

fn collect(pipe: Option<impl Read + Send + 'static>) -> Option<Collected> {
    pipe.map(|pipe| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.take(CAPTURE_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        })
    })
}

fn joined(reader: Option<Collected>, line: &str) -> Result<String> {
    let Some(reader) = reader else { return Ok(String::new()) };
    match reader.join() {
        Ok(text) => text.doing(|| format!("reading from `{line}`")),
        Err(_) => Err(Failure::new(format!("reading from `{line}` failed"))),
    }
}

fn succeed(line: &str, status: ExitStatus, said: &str) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let said = said.trim();
    let said = if said.is_empty() { String::new() } else { format!("\n{said}") };
    Err(Failure::new(format!("`{line}` failed ({status}){said}")))
}

/// The command as a person would type it.
pub(crate) fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_names_the_command_its_status_and_what_it_said() {
        let failure = capture(&mut shell("echo it broke >&2; exit 7"), &Interrupt::never()).map(drop);
        let message = failure.map_err(|failure| failure.to_string());
        assert_eq!(message, Err("`sh -c 'echo it broke >&2; exit 7'` failed (exit status: 7)\nit broke".to_owned()));
    }

    #[test]
    fn a_missing_program_is_named() {
        let message =
            capture(&mut Command::new("no-such-program-here"), &Interrupt::never()).map_err(|f| f.to_string());
        assert!(message.is_err_and(|message| message.contains("`no-such-program-here` was not found")));
    }

    #[test]
    fn a_command_past_its_limit_is_ended() {
        let mut running = Running::start(&mut shell("exec sleep 600")).map_err(|f| f.to_string()).expect("sh runs");
        let pid = Pid::from_child(&running.child);
        let message = running.wait(&Interrupt::never(), Some(Duration::ZERO)).map_err(|f| f.to_string());
        assert_eq!(message, Err("`sh -c 'exec sleep 600'` took longer than 0 s".to_owned()));
        drop(running);
        assert!(rustix::process::test_kill_process(pid).is_err(), "it still runs");
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let interrupt = Interrupt(Arc::new(AtomicBool::new(true)));
        let message = stream(&mut shell("exec sleep 600"), &interrupt).map_err(|f| f.to_string());
        assert_eq!(message, Err("interrupted".to_owned()));
    }

    #[test]
    fn watching_finds_lines_of_both_streams_even_when_it_fails() {
        let pick = |line: &str| line.trim().strip_prefix("found ").map(str::to_owned);
        let watched =
            watch(&mut shell("echo found 1; echo other; echo found 2 >&2; exit 3"), &Interrupt::never(), pick);
        let (ended, mut found) = watched.map_err(|f| f.to_string()).expect("sh runs");
        found.sort();
        assert_eq!(found, ["1", "2"]);
        assert!(ended.is_err());
    }

    #[test]
    fn colours_are_taken_off() {
        assert_eq!(
            without_colour("\u{1b}[32;1m     Summary\u{1b}[0m [ 0.1s] \u{1b}[1m5\u{1b}[0m"),
            "     Summary [ 0.1s] 5"
        );
        assert_eq!(without_colour("plain"), "plain");
    }

    #[test]
    fn odd_words_are_quoted() {
        for (word, shown) in [("--locked", "--locked"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'")] {
            assert_eq!(quoted(word), shown);
        }
    }
}
