//! `plugin.toml`: what language a plugin is in, and how it is built where that is not the usual way.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Language, ToolError};

/// The file's name.
pub(super) const FILE: &str = "plugin.toml";
/// Largest such file, in bytes.
const FILE_BYTES: u64 = 64 << 10;

/// A plugin's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The folder, as a complete path.
    pub dir: PathBuf,
    /// What it is written in.
    pub language: Language,
    /// The language's SDK.
    pub sdk: PathBuf,
    /// How it is built; none: as its language is.
    pub(super) build: Option<Build>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    language: Language,
    sdk: Option<PathBuf>,
    build: Option<Build>,
}

/// A build by a command of one's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Build {
    /// What is run in the folder.
    pub(super) command: Vec<String>,
    /// What it makes: a component or a core module.
    pub(super) output: PathBuf,
    /// Folders and files whose change means that it is to be run again.
    #[serde(default)]
    pub(super) sources: Vec<PathBuf>,
}

impl Project {
    /// Reads the folder's `plugin.toml`.
    ///
    /// # Errors
    /// If it is missing or not in order: says where, and what is expected.
    pub fn open(dir: &Path) -> Result<Self, ToolError> {
        let dir = dir.canonicalize().map_err(|error| ToolError::new(format!("{}: {error}", dir.display())))?;
        let file = dir.join(FILE);
        let text = read(&file).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ToolError::new(format!(
                "{} has no {FILE}, so it is no plugin's folder",
                dir.display()
            ))
            .hint(format!(
                "`baton new NAME --lang LANGUAGE` makes one; by hand, a {FILE} with `language = \"rust\"` is the least"
            )),
            _ => ToolError::new(format!("{}: {error}", file.display())),
        })?;
        Self::parse(dir, &text)
    }

    fn parse(dir: PathBuf, text: &str) -> Result<Self, ToolError> {
        let wrong = |what: &str| ToolError::new(format!("{}: {what}", dir.join(FILE).display()));
        let found: File = toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end()))?;
        if let Some(build) = &found.build
            && (build.command.is_empty() || build.command.iter().any(String::is_empty))
        {
            return Err(
                wrong("`command` in [build] is empty").hint("write the program and its arguments, one string each")
            );
        }
        if found.language == Language::Other && found.build.is_none() {
            return Err(wrong("the language is `other`, and nothing says how it is built")
                .hint("add [build] with `command = [\"make\"]` and `output = \"plugin.wasm\"`"));
        }
        let sdk = dir.join(found.sdk.unwrap_or_else(|| "sdk".into()));
        // Without `..` where it is there, so that commands can be read; where it is not, the tools say so.
        let sdk = sdk.canonicalize().unwrap_or(sdk);
        Ok(Self { dir, language: found.language, sdk, build: found.build })
    }

    /// Whether `source` is one of those that `plugin.toml` names, rather than what its language usually has.
    #[must_use]
    pub fn names(&self, source: &Path) -> bool {
        self.build.as_ref().is_some_and(|build| build.sources.iter().any(|named| self.dir.join(named) == source))
    }

    /// Folders and files whose change means that it is to be built anew.
    #[must_use]
    pub fn sources(&self) -> Vec<PathBuf> {
        let named = self.build.as_ref().map(|build| &build.sources).filter(|named| !named.is_empty());
        let usual = || self.language.sources().iter().map(PathBuf::from).collect();
        let mut sources = named.cloned().unwrap_or_else(usual);
        sources.push(FILE.into());
        sources.iter().map(|source| self.dir.join(source)).chain([self.sdk.clone()]).collect()
    }
}

fn read(file: &Path) -> std::io::Result<String> {
    if std::fs::metadata(file)?.len() > FILE_BYTES {
        return Err(std::io::Error::other(format!("it has more than {FILE_BYTES} bytes")));
    }
    std::fs::read_to_string(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Project, String> {
        Project::parse("/p".into(), text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_least_is_a_language() {
        let project = parsed("language = \"go\"").expect("is in order");
        assert_eq!((project.language, project.sdk.as_path()), (Language::Go, Path::new("/p/sdk")));
        assert!(project.sources().contains(&"/p/plugin.toml".into()));
        let other =
            parsed("language = \"other\"\n[build]\ncommand = [\"make\"]\noutput = \"x.wasm\"\nsources = [\"x\"]");
        assert_eq!(
            other.expect("is in order").sources(),
            [PathBuf::from("/p/x"), "/p/plugin.toml".into(), "/p/sdk".into()]
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, words) in [
            ("", "missing field `language`"),
            ("language = \"cobol\"", "unknown variant `cobol`, expected one of `rust`"),
            ("language = \"go\"\nlanguages = 1", "unknown field `languages`"),
            ("language = \"other\"", "nothing says how it is built"),
            ("language = \"c\"\n[build]\ncommand = []\noutput = \"x\"", "`command` in [build] is empty"),
            ("language = \"c\"\n[build]\ncommand = [\"make\"]", "missing field `output`"),
        ] {
            let error = parsed(text).expect_err(text);
            assert!(error.starts_with("/p/plugin.toml: ") && error.contains(words), "{error}");
        }
    }
}
