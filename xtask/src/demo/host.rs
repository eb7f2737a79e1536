//! A host run as a person would run it: `baton run baton.toml`, and SIGTERM.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Doing, Failure, Result};
use crate::process::{Interrupt, Running};

/// How long a host may take to serve, compiling its guests on the way.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// How long it may take to hand everything over.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// How many lines of its log are shown when it fails.
const LOG_LINES: usize = 20;
/// What a host says on standard output when it serves.
const READY: &str = "ready: ";

/// A host that runs, and ends with us.
#[derive(Debug)]
pub(super) struct Host {
    running: Running,
    log: PathBuf,
    ready: Receiver<String>,
}

impl Host {
    /// Starts `command`, which is [`run`] but for tests; its log goes to `log`.
    pub(super) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log).doing(|| format!("cannot create {}", log.display()))?;
        let mut running = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file))?;
        let (told, ready) = sync_channel(1);
        if let Some(pipe) = running.child().stdout.take() {
            thread::spawn(move || {
                let mut pipe = BufReader::new(pipe);
                let mut line = String::new();
                while !line.starts_with(READY) {
                    line.clear();
                    if !matches!(pipe.by_ref().take(64 * 1024).read_line(&mut line), Ok(1..)) {
                        return;
                    }
                }
                let _ = told.send(line.trim().to_owned());
                // Read on, so that a host which says more never waits for us.
                let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            });
        }
        Ok(Host { running, log: log.to_path_buf(), ready })
    }

    /// Waits until it serves, and gives what it said.
    pub(super) fn wait_until_ready(&mut self, interrupt: &Interrupt) -> Result<String> {
        let started = Instant::now();
        loop {
            match self.ready.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => return Ok(line.trim_start_matches(READY).to_owned()),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.running.wait(interrupt, Some(STOP_LIMIT))?;
                    return Err(self.failed(&format!("ended ({status}) before it was ready")));
                }
                Err(RecvTimeoutError::Timeout) => interrupt.check()?,
            }
            if started.elapsed() > READY_LIMIT {
                return Err(self.failed(&format!("was not ready after {} s", READY_LIMIT.as_secs())));
            }
        }
    }

    /// Fails if it has ended by itself.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.running.poll()? {
            None => Ok(()),
            Some(status) => Err(self.failed(&format!("ended by itself ({status})"))),
        }
    }

    /// Stops it as a deploy does, and waits for exit code 0: everything was saved.
    pub(super) fn stop(mut self, interrupt: &Interrupt) -> Result<()> {
        self.check()?;
        self.running.terminate()?;
        let status = self.running.wait(interrupt, Some(STOP_LIMIT))?;
        match status.code() {
            Some(0) => Ok(()),
            Some(3) => Err(self.failed("could not save everything in its budget (exit code 3)")),
            _ => Err(self.failed(&format!("did not stop as it should ({status})"))),
        }
    }

    fn failed(&self, what: &str) -> Failure {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        Failure::new(format!("the host {what}; the end of {}:\n{}", self.log.display(), last_lines(&log, LOG_LINES)))
    }
}

/// `baton run config`.
pub(super) fn run(baton: &Path, config: &Path) -> Command {
    let mut command = Command::new(baton);
    command.arg("run").arg(config);
    command
}

/// The config of a host whose airports are actors of `plugin`.
pub(super) fn config(data_dir: &Path, plugin: &Path) -> String {
    // A JSON string is a TOML string.
    let quoted = |path: &Path| serde_json::Value::from(path.to_string_lossy().into_owned()).to_string();
    format!(
        "data_dir = {}\n\n[[plugin]]\npath = {}\n\n# One actor per airport, started by its first flight.\n\
         [[actors]]\npattern = \"airport/*\"\nplugin = \"flights\"\n",
        quoted(data_dir),
        quoted(plugin)
    )
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(folder: &Path, script: &str) -> Host {
        let mut command = Command::new("sh");
        let host = Host::start(command.args(["-c", script]), &folder.join("log"));
        host.map_err(|failure| failure.to_string()).expect("sh runs")
    }

    #[test]
    fn a_host_is_ready_when_it_says_so_and_stops_on_sigterm() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let text = "trap 'exit 0' TERM; echo starting; echo 'ready: 1 plugins, 0 actors, socket x'; while :; do sleep 0.05; done";
        let mut host = started(folder.path(), text);
        let said = host.wait_until_ready(&Interrupt::never()).map_err(|failure| failure.to_string());
        assert_eq!(said.as_deref(), Ok("1 plugins, 0 actors, socket x"));
        assert!(host.check().is_ok());
        assert!(host.stop(&Interrupt::never()).is_ok());
    }

    #[test]
    fn a_host_that_never_serves_is_reported_with_its_log() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut host = started(folder.path(), "echo 'no such plugin' >&2; exit 2");
        let message = host.wait_until_ready(&Interrupt::never()).map(drop).map_err(|failure| failure.to_string());
        let message = message.expect_err("it never served");
        assert!(message.contains("ended (exit status: 2)") && message.ends_with("no such plugin"), "{message}");
    }

    #[test]
    fn an_unclean_stop_is_a_failure() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let text = "trap 'exit 3' TERM; echo 'ready: x'; while :; do sleep 0.05; done";
        let mut host = started(folder.path(), text);
        assert!(host.wait_until_ready(&Interrupt::never()).is_ok());
        let message =
            host.stop(&Interrupt::never()).map_err(|failure| failure.to_string()).expect_err("it exits with 3");
        assert!(message.contains("could not save everything"), "{message}");
    }

    #[test]
    fn paths_are_quoted_in_the_config() {
        let text = config(Path::new("/a \"b\"/data"), Path::new("/p/flights-1.0.0.wasm"));
        assert!(text.starts_with("data_dir = \"/a \\\"b\\\"/data\"\n"), "{text}");
        assert!(text.contains("path = \"/p/flights-1.0.0.wasm\"\n"), "{text}");
    }

    #[test]
    fn the_end_of_a_log_is_shown() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("", 2), "");
    }
}
