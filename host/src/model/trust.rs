//! Whether a plugin's bytes are the ones that were meant: pinned by their digest, signed by a key that is known.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use minisign_verify::{PublicKey, Signature};
use sha2::Digest as _;

use super::{ErrorCode, HostError, NameError};

/// Keys that plugins may be signed with.
pub const PLUGIN_KEYS: usize = 100;

/// Longest signature that is read, in bytes.
pub const SIGNATURE_BYTES: u64 = 4 << 10;

/// Where the signature of a plugin's file lies: beside it, as minisign puts it there.
#[must_use]
pub fn signature_of(file: &Path) -> PathBuf {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".minisig");
    beside.into()
}

/// A SHA-256 digest, shown as 64 hexadecimal digits, as `sha256sum` prints it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut bytes = [0; 32];
        let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
        let Some(digits) = digits.filter(|digits| digits.len() == 64) else {
            return Err(NameError::of("digest", text, "is not 64 hexadecimal digits, as `sha256sum FILE` prints them"));
        };
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            // Two digits of 16 make a byte.
            *byte = u8::try_from(pair[0] * 16 + pair[1]).unwrap_or_default();
        }
        Ok(Self(bytes))
    }
}

/// A public key of minisign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginKey(PublicKey);

impl FromStr for PluginKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = |_| NameError::of("key", text, "is no public key of minisign: the second line of its .pub file");
        PublicKey::from_base64(text).map(Self).map_err(bad)
    }
}

/// What is demanded of a plugin's bytes before anything else looks at them. The default: nothing.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Their digest.
    pub pin: Option<Sha256>,
    /// Keys, by one of which they must be signed; none: they need not be.
    pub keys: Vec<PluginKey>,
}

impl Trust {
    /// Whether `bytes`, which `label` names, with the text of the signature that lies beside them, are to be trusted.
    ///
    /// # Errors
    /// `Plugin`, with what was found, what was expected, and what to do.
    pub fn check(&self, label: &str, bytes: &[u8], signature: Option<&str>) -> Result<(), HostError> {
        let refused = |why: String, hint: &str| {
            Err(HostError::new(ErrorCode::Plugin, format!("plugin {label}: {why}")).hint(hint))
        };
        let found = self.pin.map(|pinned| (pinned, Sha256::of(bytes)));
        if let Some((pinned, found)) = found.filter(|(pinned, found)| pinned != found) {
            let hint = "if the file is the one that is meant, correct `sha256`; else find out who changed it";
            return refused(format!("its sha256 is {found}, and {pinned} was expected"), hint);
        }
        if self.keys.is_empty() {
            return Ok(());
        }
        let Some(signature) = signature else {
            let hint = "sign it with `minisign -Sm FILE.wasm`, and put FILE.wasm.minisig beside it";
            return refused("it has no signature, and `plugin_keys` demand one".to_owned(), hint);
        };
        let hint = "sign it again by a key of `plugin_keys`, or add the key that signed it there";
        let signature = match Signature::decode(signature) {
            Ok(signature) => signature,
            Err(error) => return refused(format!("its .minisig is no signature: {error}"), hint),
        };
        match self.keys.iter().any(|PluginKey(key)| key.verify(bytes, &signature, false).is_ok()) {
            true => Ok(()),
            false => refused("its signature is by none of `plugin_keys`, or of other bytes".to_owned(), hint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_as_it_is_printed() {
        let text = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(Sha256::of(b"hello").to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(Sha256::of(b"hello")));
        for bad in ["", "2cf2", &text[1..], &format!("{text}0"), &text.replace('2', "g"), &text.replace("2c", "é")] {
            assert!(bad.parse::<Sha256>().is_err(), "{bad:?}");
        }
        assert!("RWQnot a key".parse::<PluginKey>().is_err());
    }

    #[test]
    fn bytes_that_are_not_those_that_were_pinned_are_refused() {
        let trust = Trust { pin: Some(Sha256::of(b"hello")), keys: Vec::new() };
        assert!(trust.check("x", b"hello", None).is_ok());
        let error = trust.check("x", b"hellO", None).expect_err("another file").to_string();
        assert!(error.contains(&Sha256::of(b"hello").to_string()), "{error}");
        assert!(error.contains(&Sha256::of(b"hellO").to_string()), "{error}");
        assert!(Trust::default().check("x", b"anything", Some("no signature")).is_ok());
    }
}
