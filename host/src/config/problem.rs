//! What is wrong with a configuration, and what was perhaps meant.

use std::fmt;

/// One problem of a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1; none where the file as a whole is meant.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for Problem {}

/// A problem in its parts, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'p> {
    /// The key that it is about, by itself; none: it is about more than one key, or none.
    pub key: Option<&'p str>,
    /// What is wrong.
    pub problem: &'p str,
    /// What would be right, or was perhaps meant; none: the problem says it all.
    pub cure: Option<&'p str>,
}

impl Problem {
    /// What its message says, taken apart: what is wrong stands before what would be right, and begins with the key.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        let (problem, cure) = match unquoted(&self.message, "; ") {
            Some((problem, cure)) => (problem, Some(cure)),
            None => (&*self.message, None),
        };
        let rest = problem.strip_prefix("unknown key `").or_else(|| problem.strip_prefix('`'));
        let lacking = || problem.split_once(" has no `").map(|(_, rest)| rest);
        let key = rest.or_else(lacking).and_then(|rest| Some(&rest[..rest.find('`')?]));
        Parts { key, problem, cure }
    }
}

/// What stands before and after the first `mark` that is not between quotes.
fn unquoted<'t>(text: &'t str, mark: &str) -> Option<(&'t str, &'t str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        if !quoted && text[at..].starts_with(mark) {
            return Some((&text[..at], &text[at + mark.len()..]));
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
    }
    None
}

/// How alike two words must be for one to be offered in place of the other.
const ALIKE: f64 = 0.6;

/// The candidate that `word` was perhaps meant to be.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate: &str| strsim::normalized_damerau_levenshtein(word, candidate);
    candidates
        .into_iter()
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The problems of one file, gathered with the lines that they are in.
#[derive(Debug)]
pub(super) struct Problems {
    file: String,
    /// Where each line begins.
    lines: Vec<usize>,
    found: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(file: &str, text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        Self { file: file.to_owned(), lines: std::iter::once(0).chain(starts).collect(), found: Vec::new() }
    }

    /// The line, from 1, that the byte at `offset` is in.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    pub(super) fn add(&mut self, offset: usize, message: impl Into<String>) {
        let line = Some(self.line(offset));
        self.found.push(Problem { file: self.file.clone(), line, message: message.into() });
    }

    /// Whether nothing was wrong so far.
    pub(super) fn none(&self) -> bool {
        self.found.is_empty()
    }

    /// What was made, if nothing was wrong.
    pub(super) fn or<T>(mut self, made: Option<T>) -> Result<T, Vec<Problem>> {
        match made {
            Some(made) if self.found.is_empty() => Ok(made),
            _ => {
                self.found.sort_by_key(|problem| problem.line);
                Err(self.found)
            }
        }
    }
}

/// A word of the file as a problem shows it: short, and harmless on a terminal.
pub(super) fn shown(text: &str) -> String {
    const CHARS: usize = 60;
    let mut short: String = text.chars().take(CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// `; did you mean …?`, or nothing.
pub(super) fn perhaps<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    closest(word, candidates).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_taken_apart_into_its_key_what_is_wrong_and_what_would_be_right() {
        for (message, key, wrong, cure) in [
            (
                "`timers` in [limits] is -1; expected an integer from 0 to 1000000",
                Some("timers"),
                "`timers` in [limits] is -1",
                Some("expected an integer from 0 to 1000000"),
            ),
            (
                "unknown key `timer` in [limits]; did you mean `timers`?",
                Some("timer"),
                "unknown key `timer` in [limits]",
                Some("did you mean `timers`?"),
            ),
            (
                "[[plugin]] has no `path`; expected a path",
                Some("path"),
                "[[plugin]] has no `path`",
                Some("expected a path"),
            ),
            (
                r#"`log` in the file: "a; \"b; c" is no level; did you mean `info`?"#,
                Some("log"),
                r#"`log` in the file: "a; \"b; c" is no level"#,
                Some("did you mean `info`?"),
            ),
            ("it is no TOML", None, "it is no TOML", None),
        ] {
            let problem = Problem { file: "baton.toml".into(), line: None, message: message.into() };
            assert_eq!(problem.parts(), Parts { key, problem: wrong, cure }, "{message}");
        }
    }
}
