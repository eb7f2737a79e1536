//! The report as a person reads it.

use std::fmt::{self, Write as _};

use super::report::{Figures, Outcome, Report, Verdict};

impl Outcome {
    /// What is told beside the verdict: why, the messages that led there, what it logged, what to change.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.why);
        for (number, step) in self.steps.iter().enumerate() {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {:>2}. {step}", number + 1);
        }
        if !self.log.is_empty() {
            text.push_str("it logged:\n");
            for line in &self.log {
                let _ = writeln!(text, "  | {line}");
            }
        }
        if let Some(advice) = &self.advice {
            let _ = writeln!(text, "change: {advice}");
        }
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plugin {
            Some(plugin) => writeln!(f, "{} {} ({})\n", plugin.name, plugin.version, self.file)?,
            None => writeln!(f, "{}\n", self.file)?,
        }
        for outcome in &self.outcomes {
            let verdict = match outcome.verdict {
                Verdict::Kept => "kept",
                Verdict::Broken => "BROKEN",
                Verdict::NotTried => "not tried",
            };
            let text = outcome.text();
            let mut lines = text.lines();
            writeln!(f, "{verdict:<10} {:<14} {}", outcome.promise, lines.next().unwrap_or_default())?;
            lines.try_for_each(|line| writeln!(f, "{:<26}{line}", ""))?;
        }
        if let Some(figures) = &self.figures {
            writeln!(f, "\n{figures}")?;
        }
        let (kept, broken) = (self.count(Verdict::Kept), self.count(Verdict::Broken));
        let (not_tried, seconds) = (self.count(Verdict::NotTried), self.took_ms as f64 / 1_000.0);
        write!(f, "{kept} kept, {broken} broken, {not_tried} not tried, in {seconds:.1} s with seed {}", self.seed)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file_bytes, compile_ms, start_us, handle_us, instances, messages, .. } = self;
        writeln!(f, "file {}, compiled in {compile_ms} ms", bytes(*file_bytes))?;
        writeln!(f, "start {}, message {} (medians)", time(*start_us), time(*handle_us))?;
        let (reply, state) = (bytes(self.largest_reply_bytes), bytes(self.largest_state_bytes));
        writeln!(f, "largest reply {reply}, largest state {state}")?;
        writeln!(f, "{instances} instances, {messages} messages")
    }
}

fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        _ => format!("{:.1} ms", us as f64 / 1_000.0),
    }
}

fn bytes(count: usize) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{:.1} KiB", count as f64 / 1_024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}
