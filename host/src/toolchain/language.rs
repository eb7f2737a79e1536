//! The languages that plugins are written in.

use std::fmt;

use serde::Deserialize;

/// A language that has an SDK, or any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Rust.
    Rust,
    /// C.
    C,
    /// Go.
    Go,
    /// JavaScript, run by QuickJS.
    JavaScript,
    /// TypeScript: the SDK is that of JavaScript.
    TypeScript,
    /// Python, run by CPython.
    Python,
    /// Zig.
    Zig,
    /// AssemblyScript.
    AssemblyScript,
    /// Another one: its folder says itself how it is built.
    Other,
}

impl Language {
    /// Those that have an SDK.
    pub const ALL: [Self; 8] = [
        Self::Rust,
        Self::C,
        Self::Go,
        Self::JavaScript,
        Self::TypeScript,
        Self::Python,
        Self::Zig,
        Self::AssemblyScript,
    ];

    /// As it is written in `plugin.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Go => "go",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Python => "python",
            Self::Zig => "zig",
            Self::AssemblyScript => "assemblyscript",
            Self::Other => "other",
        }
    }

    /// By its name, or by how people shorten it. None: there is no SDK of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let short = match name.as_str() {
            "rs" => "rust",
            "golang" => "go",
            "js" | "node" => "javascript",
            "ts" => "typescript",
            "py" => "python",
            "as" | "asc" => "assemblyscript",
            whole => whole,
        };
        Self::ALL.into_iter().find(|language| language.name() == short)
    }

    /// The folder of its SDK, and that of the template in it.
    pub(super) fn folders(self) -> (&'static str, &'static str) {
        match self {
            Self::TypeScript => ("javascript", "template-typescript"),
            other => (other.name(), "template"),
        }
    }

    /// Folders and files whose change means that a plugin is to be built anew.
    pub(super) fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["src", "Cargo.toml", "build.rs"],
            Self::C | Self::Zig => &["src"],
            Self::Go => &[".", "go.mod"],
            Self::JavaScript => &["src", "package.json"],
            Self::TypeScript => &["src", "package.json", "tsconfig.json"],
            Self::Python => &[".", "src"],
            Self::AssemblyScript => &["assembly", "src", "package.json"],
            Self::Other => &["src"],
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_known_by_its_name_and_by_its_short_one() {
        for language in Language::ALL {
            assert_eq!(Language::named(language.name()), Some(language));
        }
        for (short, language) in [("TS", Language::TypeScript), ("py", Language::Python), ("golang", Language::Go)] {
            assert_eq!(Language::named(short), Some(language));
        }
        assert_eq!(Language::named("other"), None);
        assert_eq!(Language::named("cobol"), None);
    }
}
