//! The report as JUnit's XML, which the tools of continuous integration read.

use std::fmt::Write as _;

use super::report::{Outcome, Report, Verdict};

/// Bytes of a text that are written.
const TEXT_BYTES: usize = 64 << 10;

impl Report {
    /// One test suite, named after the plugin, with a test case for each promise.
    #[must_use]
    pub fn junit(&self) -> String {
        let name = self.plugin.as_ref().map_or(self.file.as_str(), |plugin| plugin.name.as_str());
        let (tests, failures) = (self.outcomes.len(), self.count(Verdict::Broken));
        let (skipped, time) = (self.count(Verdict::NotTried), seconds(self.took_ms));
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let totals = format!(r#"tests="{tests}" failures="{failures}" errors="0""#);
        // Writing to a String does not fail.
        let _ = writeln!(xml, r#"<testsuites name="baton test" {totals} time="{time}">"#);
        let _ = writeln!(xml, r#"  <testsuite name="{}" {totals} skipped="{skipped}" time="{time}">"#, escaped(name));
        let _ = writeln!(xml, r#"    <properties><property name="seed" value="{}"/></properties>"#, self.seed);
        for outcome in &self.outcomes {
            case(&mut xml, name, outcome);
        }
        xml.push_str("  </testsuite>\n</testsuites>\n");
        xml
    }
}

fn case(xml: &mut String, class: &str, outcome: &Outcome) {
    let Outcome { promise, verdict, why, took_ms, .. } = outcome;
    let (class, time, why) = (escaped(class), seconds(*took_ms), escaped(why));
    let _ = write!(xml, r#"    <testcase classname="{class}" name="{promise}" time="{time}""#);
    let _ = match verdict {
        Verdict::Kept => writeln!(xml, "/>"),
        Verdict::NotTried => writeln!(xml, ">\n      <skipped message=\"{why}\"/>\n    </testcase>"),
        Verdict::Broken => {
            let text = escaped(&outcome.text());
            writeln!(xml, ">\n      <failure message=\"{why}\">{text}</failure>\n    </testcase>")
        }
    };
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

/// Text as it may stand between tags and in quotes. What XML has no room for at all, control characters most of all, is
/// shown by a sign that stands for it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if out.len() > TEXT_BYTES {
            out.push('…');
            break;
        }
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_taken_for_a_tag() {
        assert_eq!(escaped("<a b=\"c\">&'\u{1b}\u{0}\n"), "&lt;a b=&quot;c&quot;&gt;&amp;&apos;\u{fffd}\u{fffd}&#10;");
        assert!(escaped(&"&".repeat(TEXT_BYTES)).len() < TEXT_BYTES + 20);
        assert_eq!(seconds(61_005), "61.005");
    }
}
