//! What a person sees: numbered steps, and a bar where there is a screen to draw it on.

use std::fmt::Write;
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// How many lines a bar becomes where there is no screen.
const LINES: u64 = 10;

/// Numbered steps on standard error.
#[derive(Debug)]
pub(crate) struct Steps {
    total: usize,
    begun: usize,
    title: String,
    step_started: Instant,
    started: Instant,
}

impl Steps {
    /// `total` steps, none begun.
    pub(crate) fn new(total: usize) -> Self {
        Steps { total, begun: 0, title: String::new(), step_started: Instant::now(), started: Instant::now() }
    }

    /// Begins the next step.
    pub(crate) fn begin(&mut self, title: &str) {
        self.begun += 1;
        title.clone_into(&mut self.title);
        self.step_started = Instant::now();
        say(&format!("[{}/{}] {title}", self.begun, self.total));
    }

    /// The step is done: says `what` came of it, and how long it took.
    pub(crate) fn done(&self, what: &str) {
        say(&format!("      {what} ({})", seconds(self.step_started.elapsed())));
    }

    /// What the step being done is called.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// How many there are.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// Since the first step.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// One line on standard error. A screen that has gone away stops nothing.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A result, on standard output.
pub(crate) fn show(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A duration for people.
pub(crate) fn seconds(duration: Duration) -> String {
    let all = duration.as_secs();
    if all >= 60 { format!("{} min {} s", all / 60, all % 60) } else { format!("{:.1} s", duration.as_secs_f64()) }
}

/// A number with its thousands set apart: 20,000.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// How far something has come.
#[derive(Debug)]
pub(crate) struct Bar {
    total: u64,
    noun: &'static str,
    drawn: Option<ProgressBar>,
    lines_said: u64,
}

impl Bar {
    /// A bar of `total` things called `noun`.
    pub(crate) fn new(total: u64, noun: &'static str) -> Self {
        let drawn = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("      [{bar:40}] {human_pos} of {human_len}, {rate} a second");
            let rate = |state: &ProgressState, out: &mut dyn Write| {
                // Nobody can be told where a screen went.
                let _ = write!(out, "{}", thousands(state.per_sec() as u64));
            };
            if let Ok(style) = style {
                bar.set_style(style.progress_chars("=> ").with_key("rate", rate));
            }
            bar
        });
        Bar { total, noun, drawn, lines_said: 0 }
    }

    /// `now` of the total are done.
    pub(crate) fn at(&mut self, now: u64) {
        match &self.drawn {
            Some(bar) => bar.set_position(now),
            None => {
                let due = lines_due(now, self.total);
                if due > self.lines_said {
                    self.lines_said = due;
                    say(&format!("      {} of {} {}", thousands(now), thousands(self.total), self.noun));
                }
            }
        }
    }

    /// Says a line without disturbing the bar.
    pub(crate) fn say(&self, line: &str) {
        match &self.drawn {
            Some(bar) => bar.suspend(|| say(&format!("      {line}"))),
            None => say(&format!("      {line}")),
        }
    }

    /// Leaves the bar as it stands.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.drawn {
            bar.abandon();
        }
    }
}

/// How many of the lines that stand for the bar are due.
fn lines_due(now: u64, total: u64) -> u64 {
    now.min(total) * LINES / total.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (20_000, "20,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), shown);
        }
    }

    #[test]
    fn a_bar_without_a_screen_becomes_few_lines() {
        let due: Vec<u64> = [0, 1, 1999, 2000, 10_000, 19_999, 20_000, 30_000].map(|now| lines_due(now, 20_000)).into();
        assert_eq!(due, [0, 0, 0, 1, 5, 9, 10, 10]);
        assert_eq!(lines_due(0, 0), 0);
    }

    #[test]
    fn durations_are_short() {
        assert_eq!(seconds(Duration::from_millis(1540)), "1.5 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 5 s");
    }
}
