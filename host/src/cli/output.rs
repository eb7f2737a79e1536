//! What reaches the screen: results on stdout, errors on stderr, nothing that could harm a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use baton_host::config::Problem;
use baton_host::model::{ErrorCode, HostError};
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use serde::Serialize;

/// Why a command did not do what it should, and the exit code that says so.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    /// Told already, or nobody listens.
    quiet: bool,
    /// The host was asked and said no.
    refusal: bool,
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(super) const FAILED: u8 = 1;
    pub(super) const USAGE: u8 = 2;
    pub(super) const NOT_SAVED: u8 = 3;
    pub(super) const UNREACHABLE: u8 = 4;
    pub(super) const WENT_BACK: u8 = 5;
    pub(super) const HALF_WAY: u8 = 6;

    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { code: Self::FAILED, quiet: false, refusal: false, message: message.into(), hint: None }
    }

    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { code: Self::USAGE, ..Self::new(message) }
    }

    pub(super) fn code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// One whose cause stands on the screen already.
    pub(super) fn told(code: u8) -> Self {
        Self { code, quiet: true, refusal: false, message: String::new(), hint: None }
    }

    /// Problems of a configuration, one on each line.
    pub(super) fn config(problems: &[Problem]) -> Self {
        problems.iter().for_each(|problem| tell_error(&problem.to_string(), None));
        Self::told(Self::USAGE)
    }

    /// Whether its cause stands on the screen already, or nobody listens.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Marks what the host has refused, as against a host that did not answer.
    pub(super) fn refusal(self) -> Self {
        Self { refusal: true, ..self }
    }

    pub(super) fn is_refusal(&self) -> bool {
        self.refusal
    }

    /// What it says, and what to do about it.
    pub(super) fn words(self) -> (String, Option<String>) {
        (self.message, self.hint)
    }

    pub(super) fn tell(self) -> ExitCode {
        if !self.quiet {
            tell_error(&self.message, self.hint.as_deref());
        }
        ExitCode::from(self.code)
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let message = error.to_string();
        let code = if error.code() == ErrorCode::Config { Self::USAGE } else { Self::FAILED };
        match error.cure() {
            // The hint has a line of its own here.
            Some(cure) => {
                let message = message.strip_suffix(&format!(" ({cure})")).unwrap_or(&message);
                Self::new(message).hint(cure).code(code)
            }
            None => Self::new(message).code(code),
        }
    }
}

impl From<io::Error> for Failure {
    /// An error of stdout. A reader that has gone, as `head` does, has what it wanted.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::told(0),
            _ => Self::new(format!("the result cannot be written: {error}")),
        }
    }
}

/// `error: …` on stderr, and a line with the hint. Nobody is left to tell if that fails.
pub(super) fn tell_error(message: &str, hint: Option<&str>) {
    let mut text = format!("error: {}\n", harmless(message));
    if let Some(hint) = hint {
        // Writing to a String does not fail.
        let _ = writeln!(text, "hint: {}", harmless(hint));
    }
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// `note: …` on stderr.
pub(super) fn tell_note(message: &str) {
    drop(writeln!(io::stderr().lock(), "note: {}", harmless(message)));
}

/// Text without the control characters that a terminal obeys; lines and tabs stay.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    // Also what turns text round.
    let turns =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let obeyed = |c: char| (c.is_control() && c != '\n' && c != '\t') || turns(c);
    if !text.contains(obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if obeyed(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// The same on one line.
pub(super) fn one_line(text: &str) -> String {
    harmless(text).replace(['\n', '\t'], " ")
}

/// How something is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Doubtful,
    Bad,
    Faint,
}

/// Whether stdout is to have colours: it is a terminal, and NO_COLOR does not say otherwise.
pub(super) fn is_coloured() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !refused
}

/// Text in the colour of its tone, where there are colours.
pub(super) fn tinted(text: &str, tone: Tone) -> String {
    if is_coloured() { painted(text, tone) } else { text.to_owned() }
}

fn painted(text: &str, tone: Tone) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => "32",
        Tone::Doubtful => "33",
        Tone::Bad => "31",
        Tone::Faint => "2",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// One line on stdout, at once.
pub(super) fn print_line(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A reply as it came; harmless where a terminal shows it. Text gets an end of line where it has none.
pub(super) fn print_body(body: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match std::str::from_utf8(body) {
        Ok(text) => {
            let text = if out.is_terminal() { harmless(text) } else { Cow::Borrowed(text) };
            out.write_all(text.as_bytes())?;
            if !text.ends_with('\n') {
                out.write_all(b"\n")?;
            }
        }
        Err(_) => out.write_all(body)?,
    }
    out.flush()
}

/// Writes a file that was not there before, for its owner alone.
pub(super) fn private_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let made = fs::File::options().write(true).create_new(true).mode(0o600).open(path);
    let written = made.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))
}

/// A value as indented JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|error| Failure::new(format!("the result cannot be written as JSON: {error}")))?;
    Ok(print_line(&text)?)
}

/// Columns that are left out where a terminal is too narrow for all, those that are missed least first.
const SPARE: [&str; 20] = [
    "SCHEMA",
    "SIGNIFICANT",
    "SEQ",
    "READS",
    "GEN",
    "SHUTDOWN",
    "RESTART",
    "INTENSITY",
    "SOURCE",
    "BY",
    "BEGAN",
    "DIGEST",
    "PART",
    "PLUGIN",
    "RESTARTS",
    "MEMORY",
    "HANDLED",
    "P99",
    "WHAT",
    "WAITING",
];
/// Columns of a terminal that the last column of a table has at least.
const LAST_COLUMNS: usize = 16;
/// Between two columns.
const GAP: usize = 2;

/// A table, as wide as the terminal; where there is none, as wide as it likes.
pub(super) fn print_table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = rows.into_iter().collect();
    let room = Table::new().width().map(usize::from);
    let kept = fitting(head, &widths(head, &rows), room);
    let chosen = |row: Vec<String>| -> Vec<String> {
        row.into_iter().enumerate().filter(|(at, _)| kept.contains(at)).map(|(_, text)| text).collect()
    };
    let heads: Vec<&str> = kept.iter().map(|at| head[*at]).collect();
    Ok(print_line(made(&heads, rows.into_iter().map(chosen), is_coloured()).trim_end())?)
}

/// How wide each column would like to be.
fn widths(head: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let longest = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|text| text.chars().count()).max();
    head.iter().enumerate().map(|(at, text)| text.len().max(longest(at).unwrap_or_default())).collect()
}

/// The columns that there is room for: all where nobody says how much there is. The first and the last one stay.
fn fitting(head: &[&str], widths: &[usize], room: Option<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..head.len()).collect();
    let Some(room) = room else { return kept };
    let spare = SPARE.iter().filter_map(|spare| head.iter().position(|head| head == spare));
    let last = head.len().saturating_sub(1);
    // The last one may be wrapped.
    let width = |at: usize| if at == last { widths[at].min(LAST_COLUMNS) } else { widths[at] + GAP };
    for spare in spare.filter(|at| *at != 0 && *at != last) {
        if kept.iter().map(|at| width(*at)).sum::<usize>() <= room {
            break;
        }
        kept.retain(|at| *at != spare);
    }
    kept
}

pub(super) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    made(head, rows, false)
}

fn made(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>, coloured: bool) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    for row in rows {
        let cells = row.iter().zip(head).map(|(text, head)| {
            let cell = Cell::new(one_line(text));
            match colour(head, text).filter(|_| coloured) {
                Some(colour) => cell.fg(colour),
                None => cell,
            }
        });
        table.add_row(cells);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP as u16));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The colour of where something stands.
fn colour(head: &str, text: &str) -> Option<Color> {
    match (head, text) {
        ("PHASE" | "STATE", "held" | "failed") => Some(Color::Red),
        ("PHASE" | "STATE", "restarting" | "suspended" | "stopping" | "down") => Some(Color::Yellow),
        ("PHASE" | "STATE", "running") => Some(Color::Green),
        _ => None,
    }
}

/// A number of bytes as people read it.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64 / 1_024.0;
    if value < 1.0 {
        return format!("{count} B");
    }
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 1_024.0 {
            break;
        }
        value /= 1_024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// A time in microseconds as people read it.
pub(super) fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1_000.0),
        _ => format!("{:.1} s", us as f64 / 1_000_000.0),
    }
}

/// A moment, given in milliseconds since the Unix epoch, as `2026-11-22 13:05:09Z`.
pub(super) fn moment(time_ms: u64) -> String {
    let seconds = time_ms / 1_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

/// The date that is `days` days after 1970-01-01, by Howard Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_codes_do_not_reach_the_terminal() {
        assert_eq!(harmless("plain\ttext\n"), "plain\ttext\n");
        assert_eq!(harmless("\u{1b}[2Jgone\u{9b}31m\r"), "\\u{1b}[2Jgone\\u{9b}31m\\r");
        assert_eq!(harmless("\u{202e}dlrow"), "\\u{202e}dlrow");
        let shown = table(&["NAME"], [vec!["a\u{1b}[31m\nb".to_owned()]]);
        assert_eq!(shown, "NAME\na\\u{1b}[31m b\n");
    }

    #[test]
    fn a_table_leaves_out_what_is_missed_least_where_there_is_no_room() {
        let head = ["NAME", "PHASE", "GEN", "SEQ", "RESTARTS", "NOTE"];
        let rows = [vec!["a/1", "running", "7", "12", "0", "a long note that may be wrapped"]];
        let rows = rows.map(|row| row.into_iter().map(str::to_owned).collect::<Vec<_>>());
        let heads = |room| {
            fitting(&head, &widths(&head, &rows), room).into_iter().map(|at| head[at]).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(heads(None), "NAME PHASE GEN SEQ RESTARTS NOTE");
        // 6 + 9 + 5 + 5 + 10 + 16.
        assert_eq!(heads(Some(51)), "NAME PHASE GEN SEQ RESTARTS NOTE");
        assert_eq!(heads(Some(50)), "NAME PHASE GEN RESTARTS NOTE");
        assert_eq!(heads(Some(45)), "NAME PHASE RESTARTS NOTE");
        assert_eq!(heads(Some(10)), "NAME PHASE NOTE", "what stands where stays");
        assert_eq!(heads(Some(0)), "NAME PHASE NOTE");
    }

    #[test]
    fn where_something_stands_is_coloured_where_there_are_colours() {
        let rows = || [vec!["held".to_owned(), "held".to_owned()]];
        assert_eq!(made(&["NAME", "PHASE"], rows(), false), "NAME  PHASE\nheld  held\n");
        assert_eq!((colour("NAME", "held"), colour("PHASE", "held")), (None, Some(Color::Red)));
        assert_eq!(painted("x", Tone::Bad), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(painted("x", Tone::Plain), "x");
    }

    #[test]
    fn numbers_are_shown_as_people_read_them() {
        for (count, text) in
            [(0, "0 B"), (1_023, "1023 B"), (1_024, "1.0 KiB"), (3 << 19, "1.5 MiB"), (5 << 40, "5.0 TiB")]
        {
            assert_eq!(bytes(count), text);
        }
        for (us, text) in [(0, "0 µs"), (999, "999 µs"), (1_250, "1.2 ms"), (999_900, "999.9 ms"), (2_500_000, "2.5 s")]
        {
            assert_eq!(micros(us), text);
        }
        for (ms, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399_000, "2000-02-28 23:59:59Z"),
            (951_782_400_999, "2000-02-29 00:00:00Z"),
            (1_795_439_109_000, "2026-11-23 13:05:09Z"),
            (4_107_542_400_000, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(moment(ms), text);
        }
    }

    #[test]
    fn a_hint_is_told_once() {
        let error = HostError::new(ErrorCode::InUse, "process 7 has it").hint("stop it");
        let failure = Failure::from(error);
        assert_eq!((failure.message.as_str(), failure.hint.as_deref()), ("process 7 has it", Some("stop it")));
        assert_eq!(Failure::from(HostError::new(ErrorCode::Config, "x")).code, Failure::USAGE);
    }
}
