//! Two texts compared line by line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most lines that are compared on either side, after what is alike at both ends.
const LINES: usize = 2_000;
/// Lines that are shown around each difference.
const CONTEXT: usize = 3;
/// Most lines that are shown.
const SHOWN: usize = 1_000;
/// Longest line that is shown, in characters.
const LINE_CHARS: usize = 500;

/// A line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// On both sides.
    Same(String),
    /// On the first side alone.
    Old(String),
    /// On the second side alone.
    New(String),
    /// So many lines that are alike are left out.
    Skipped(usize),
    /// The rest of the comparison is left out.
    More,
}

/// What differs between two texts, with the lines around it; none: too much for a comparison.
pub(super) fn compare(old: &str, new: &str) -> Option<Vec<Line>> {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old_rest[..old_rest.len() - end], &new_rest[..new_rest.len() - end]);
    if old_rest.len() > LINES || new_rest.len() > LINES {
        return None;
    }
    let mut all: Vec<Line> = old[..start].iter().map(|line| Line::Same(cut(line))).collect();
    all.extend(between(old_rest, new_rest));
    all.extend(old[old.len() - end..].iter().map(|line| Line::Same(cut(line))));
    Some(shown(all))
}

/// By the longest common subsequence.
fn between(old: &[&str], new: &[&str]) -> Vec<Line> {
    let width = new.len() + 1;
    let mut common = vec![0u16; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = match old[i] == new[j] {
                true => common[(i + 1) * width + j + 1] + 1,
                false => common[(i + 1) * width + j].max(common[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Same(cut(old[i])));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1]) {
            lines.push(Line::Old(cut(old[i])));
            i += 1;
        } else {
            lines.push(Line::New(cut(new[j])));
            j += 1;
        }
    }
    lines
}

/// Without the lines that are far from any difference.
fn shown(all: Vec<Line>) -> Vec<Line> {
    let differs: Vec<usize> =
        all.iter().enumerate().filter(|(_, line)| !matches!(line, Line::Same(_))).map(|(at, _)| at).collect();
    let near = |at: usize| {
        let next = differs.partition_point(|differs| *differs < at);
        let after = differs.get(next).is_some_and(|differs| differs - at <= CONTEXT);
        let before = next.checked_sub(1).and_then(|before| differs.get(before));
        after || before.is_some_and(|differs| at - differs <= CONTEXT)
    };
    let mut lines = Vec::new();
    for (at, line) in all.into_iter().enumerate() {
        if lines.len() >= SHOWN {
            lines.push(Line::More);
            break;
        }
        match lines.last_mut() {
            _ if near(at) => lines.push(line),
            Some(Line::Skipped(count)) => *count += 1,
            _ => lines.push(Line::Skipped(1)),
        }
    }
    lines
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(old: &str, new: &str) -> String {
        let words = |line: Line| match line {
            Line::Same(text) => format!(" {text}"),
            Line::Old(text) => format!("-{text}"),
            Line::New(text) => format!("+{text}"),
            Line::Skipped(count) => format!("~{count}"),
            Line::More => "…".to_owned(),
        };
        compare(old, new).expect("small").into_iter().map(words).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn what_differs_is_shown_with_what_is_around_it() {
        let cases = [
            ("a", "a", "~1"),
            ("", "a", "+a"),
            ("a\nb\nc", "a\nx\nc", " a|-b|+x| c"),
            ("a\nb", "b\na", "-a| b|+a"),
            ("1\n2\n3\n4\n5\n6", "1\n2\n3\n4\n5\n7", "~2| 3| 4| 5|-6|+7"),
            ("x\n1\n2\n3\n4\n5\n6\n7\n8\nx", "y\n1\n2\n3\n4\n5\n6\n7\n8\ny", "-x|+y| 1| 2| 3|~2| 6| 7| 8|-x|+y"),
        ];
        for (old, new, expected) in cases {
            assert_eq!(told(old, new), expected, "{old:?} {new:?}");
        }
    }

    #[test]
    fn a_comparison_is_bounded() {
        let lines = |count: usize, from: usize| (from..from + count).map(|n| format!("{n}\n")).collect::<String>();
        assert_eq!(compare(&lines(LINES + 1, 0), &lines(LINES + 1, 100_000)), None);
        let many = compare(&lines(LINES, 0), &lines(LINES, 100_000)).expect("as much as is compared");
        assert_eq!((many.len(), many.last()), (SHOWN + 1, Some(&Line::More)));
        let long = compare("", &"ü".repeat(5_000)).expect("one line");
        assert!(matches!(&long[0], Line::New(text) if text.chars().count() == LINE_CHARS + 1));
    }
}
