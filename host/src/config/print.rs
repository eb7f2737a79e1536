//! Settings as a file that says all of them, which a host reads as it read the first.

use std::fmt::{self, Write as _};

use serde_json::Value;

use super::resolved::{Origin, Setting, Settings};

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, section) in self.0.iter().enumerate() {
            if let Some(header) = &section.header {
                let apart = if at > 0 { "\n" } else { "" };
                writeln!(f, "{apart}{header}")?;
            }
            for setting in &section.settings {
                writeln!(f, "{setting}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.value, &self.told) {
            (Some(value), _) => write!(f, "{} = {}  # {}", self.key, Toml(value), self.from),
            (None, told) => write!(f, "# {}: {}", self.key, told.as_deref().unwrap_or("none")),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { line } => write!(f, "line {line}"),
            Self::Inherited { section, line } => write!(f, "line {line}, {}", section),
            Self::Option { option } => f.write_str(option),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value as TOML has it, on one line.
struct Toml<'v>(&'v Value);

impl fmt::Display for Toml<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => quoted(text, f),
            Value::Array(items) => {
                f.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{}", if at > 0 { ", " } else { "" }, Toml(item))?;
                }
                f.write_char(']')
            }
            Value::Object(pairs) => {
                f.write_char('{')?;
                for (at, (key, value)) in pairs.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { " " })?;
                    quoted(key, f)?;
                    write!(f, " = {}", Toml(value))?;
                }
                f.write_str(if pairs.is_empty() { "}" } else { " }" })
            }
            // `null` stands nowhere in a file; numbers and booleans are written alike.
            other => write!(f, "{other}"),
        }
    }
}

/// A basic string: control characters, which a terminal would obey and TOML does not take, are escaped.
fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
