//! A swap that runs, on the screen: a bar on a terminal, else a line for each step.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use baton_host::swap::{SwapPhase, SwapStatus};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::client::Client;
use super::super::output::{Failure, harmless, tell_note};

/// How long the host is given to answer with where the swap stands, unless it ends before, in milliseconds: on a terminal a
/// bar moves so often.
const WAIT_MS: u64 = 200;
/// How many lines a phase becomes at most where there is no terminal.
const LINES: usize = 10;
/// What a shell reports for a process that SIGINT has ended.
const INTERRUPTED: u8 = 130;

/// Follows the swap at `path` until it has ended. SIGINT ends that alone.
pub(super) async fn to_the_end(
    client: &mut Client,
    path: &str,
    begun: &SwapStatus,
    quiet: bool,
) -> Result<SwapStatus, Failure> {
    let path = format!("{path}?wait_ms={WAIT_MS}");
    let mut shown = Shown::new(quiet);
    shown.show(begun);
    if begun.report.is_some() {
        return Ok(begun.clone());
    }
    loop {
        let status = tokio::select! {
            biased;
            interrupted = tokio::signal::ctrl_c() => {
                shown.end();
                interrupted.map_err(|error| Failure::new(format!("signals cannot be listened to: {error}")))?;
                tell_left(&begun.plugin);
                return Err(Failure::told(INTERRUPTED));
            }
            status = client.get::<SwapStatus>(&path, None) => status,
        };
        let status = match status {
            Ok(status) if status.id == begun.id => status,
            Ok(_) => {
                shown.end();
                return Err(Failure::new("it has ended, and another swap of the same plugin began since")
                    .hint(format!("baton swap --status {}", begun.plugin)));
            }
            Err(failure) => {
                shown.end();
                return Err(failure);
            }
        };
        shown.show(&status);
        if status.report.is_some() {
            shown.end();
            return Ok(status);
        }
    }
}

/// What a person does who has left a swap alone.
fn tell_left(plugin: &impl std::fmt::Display) {
    tell_note(&format!(
        "the swap of {plugin} goes on; `baton swap --follow {plugin}` follows it, `baton swap --stop {plugin}` stops it \
         where it is, `baton swap --back {plugin} --yes` takes it back"
    ));
}

/// What stands on the screen.
struct Shown {
    bar: Option<ProgressBar>,
    quiet: bool,
    /// The phase, and how many tenths of it were told.
    told: Option<(SwapPhase, usize, usize)>,
}

impl Shown {
    fn new(quiet: bool) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
            if let Ok(style) = ProgressStyle::with_template("{msg:12} [{bar:40}] {human_pos} of {human_len} {elapsed}")
            {
                bar.set_style(style.progress_chars("=> "));
            }
            // A phase that counts nothing shows at least that it goes on.
            bar.enable_steady_tick(Duration::from_millis(WAIT_MS));
            bar
        });
        Self { bar, quiet, told: None }
    }

    fn show(&mut self, status: &SwapStatus) {
        if let Some(bar) = &self.bar {
            bar.set_message(status.phase.to_string());
            bar.set_length(status.total as u64);
            bar.set_position(status.done as u64);
        } else if !self.quiet && status.report.is_none() {
            self.say(status);
        }
    }

    fn say(&mut self, status: &SwapStatus) {
        let SwapStatus { phase, done, total, .. } = status;
        let tenth = if *total == 0 { 0 } else { done * LINES / total };
        if self.told == Some((*phase, tenth, *total)) {
            return;
        }
        self.told = Some((*phase, tenth, *total));
        let line = match phase {
            SwapPhase::Rehearsing => format!("{}: {phase}", status.plugin),
            _ => format!("{}: {phase}: {done} of {total}", status.plugin),
        };
        // Nobody is left to tell if that fails.
        drop(writeln!(io::stderr().lock(), "{}", harmless(&line)));
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
