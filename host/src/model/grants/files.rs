//! Directories and environment names.

use std::fmt;
use std::path::PathBuf;

use super::GrantError;

/// Longest name in an environment, and longest value, in bytes.
const ENV_NAME_BYTES: usize = 255;
const ENV_VALUE_BYTES: usize = 32 << 10;
/// Longest name of a directory as a guest sees it, in bytes.
const GUEST_PATH_BYTES: usize = 255;

/// What may be done in a directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// Reading files, listing directories.
    #[default]
    Read,
    /// And making, changing, moving and removing them.
    ReadWrite,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::ReadWrite => "read-write",
        })
    }
}

/// A directory of the host, with all below it, under a name of the guest's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirGrant {
    /// Where it is.
    pub host: PathBuf,
    /// The name that the guest knows it by.
    pub guest: String,
    /// What may be done in it.
    pub access: Access,
}

impl DirGrant {
    /// Checks the guest's name for a directory.
    ///
    /// # Errors
    /// If it is no absolute path, or one with `.`, `..` or empty segments.
    pub fn new(host: impl Into<PathBuf>, guest: &str, access: Access) -> Result<Self, GrantError> {
        let bad = |why: &str| Err(GrantError::of(guest, why));
        let Some(rest) = guest.strip_prefix('/') else { return bad("does not begin with '/'") };
        if guest.len() > GUEST_PATH_BYTES {
            return bad(&format!("has {} bytes; at most {GUEST_PATH_BYTES} are allowed", guest.len()));
        }
        if guest.chars().any(char::is_control) {
            return bad("contains a control character");
        }
        if !rest.is_empty() && rest.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return bad("has an empty segment, '.' or '..'");
        }
        Ok(Self { host: host.into(), guest: guest.to_owned(), access })
    }
}

impl fmt::Display for DirGrant {
    /// As an entry of `dirs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, guest, access } = self;
        write!(f, "{{ host = {host:?}, guest = {guest:?}, access = \"{access}\" }}")
    }
}

/// A name in the guest's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvGrant {
    /// The name.
    pub name: String,
    /// What it is; none: it is taken from the environment of the command, and is not there where it is not there. An
    /// embedder that has an environment fills it in ([`Grants::fill_env`](super::Grants::fill_env)).
    pub value: Option<String>,
}

impl EnvGrant {
    /// Reads `NAME`, or `NAME=VALUE`.
    ///
    /// # Errors
    /// If the name is empty, or it or the value are too long or hold a control character.
    pub fn new(text: &str) -> Result<Self, GrantError> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let bad = |why: &str| Err(GrantError::of(text, why));
        if name.is_empty() {
            return bad("has no name before its '='");
        }
        if name.len() > ENV_NAME_BYTES || value.is_some_and(|value| value.len() > ENV_VALUE_BYTES) {
            return bad(&format!(
                "is too long: a name has at most {ENV_NAME_BYTES} bytes, a value at most {ENV_VALUE_BYTES}"
            ));
        }
        if name.chars().any(|c| c.is_control() || c.is_whitespace()) || value.is_some_and(|value| value.contains('\0'))
        {
            return bad(
                "has a character that no environment has: a name no space and no control character, a value no NUL",
            );
        }
        Ok(Self { name: name.to_owned(), value: value.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_have_plain_absolute_names() {
        for bad in ["", "a", "./a", "/a/", "/a/../b", "/./a", "//", "/a\n"] {
            assert!(DirGrant::new("x", bad, Access::Read).is_err(), "{bad:?}");
        }
        for good in ["/", "/a", "/a/b.c", "/..a"] {
            assert!(DirGrant::new("x", good, Access::Read).is_ok(), "{good:?}");
        }
        let granted = DirGrant::new("assets", "/a", Access::ReadWrite).expect("valid");
        assert_eq!(granted.to_string(), r#"{ host = "assets", guest = "/a", access = "read-write" }"#);
    }

    #[test]
    fn an_environment_is_granted_name_by_name() {
        let granted = |text| EnvGrant::new(text).map(|granted| (granted.name, granted.value));
        assert_eq!(granted("TZ"), Ok(("TZ".into(), None)));
        assert_eq!(granted("MODE=a=b"), Ok(("MODE".into(), Some("a=b".into()))));
        assert_eq!(granted("EMPTY="), Ok(("EMPTY".into(), Some(String::new()))));
        for bad in ["", "=x", "A B", "A=\0", "*\n"] {
            assert!(granted(bad).is_err(), "{bad:?}");
        }
    }
}
