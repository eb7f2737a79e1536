//! `[store]`: what keeps the state.

use std::path::Path;

use super::Files;
use super::problem::Problems;
use super::section::{Elsewhere, Section};
use super::settings::{HISTORY, STORE_CACHE_BYTES, TOP_KEYS};
use crate::store::{Backend, StoreUrl};

/// Longest password, in bytes.
const PASSWORD_BYTES: u64 = 4 << 10;

/// What the table says.
#[derive(Debug, Default)]
pub(super) struct StoreSettings {
    pub(super) backend: Backend,
    /// Records of each actor; none: the host's default.
    pub(super) history: Option<usize>,
    /// What the store in the data directory may keep in memory; none: the host's default.
    pub(super) cache_bytes: Option<u64>,
    /// A store on a server, instead.
    pub(super) url: Option<StoreUrl>,
}

pub(super) fn read(
    top: &mut Section<'_>,
    base_dir: &Path,
    files: &dyn Files,
    problems: &mut Problems,
) -> StoreSettings {
    let Some(mut own) = top.table("store", "[store]", problems) else { return StoreSettings::default() };
    let words = Backend::ALL.map(|backend| (backend.name(), backend));
    let backend = own.word_or_integer("backend", &words, None, problems);
    let history = own.integer("history", &HISTORY, problems).and_then(|n| usize::try_from(n).ok());
    let cache_bytes = own.integer("cache_bytes", &STORE_CACHE_BYTES, problems);
    let url = own.string("url", "a URL such as \"postgres://baton@db/baton\"", problems);
    let url = own.read("url", url, check, problems);
    let file = own.string("password_file", "a path", problems);
    let password = own.read("password_file", file, |file| password(base_dir, file, files), problems);
    let url = match (url, password) {
        (Some(url), Some(password)) => Some(url.with_password(&password)),
        (url, _) => url,
    };
    for key in ["password_file", "backend", "cache_bytes"] {
        let clashes = if key == "password_file" { !own.has("url") } else { own.has("url") };
        if own.has(key) && clashes {
            let text = match key {
                "backend" => "`backend` beside `url` in [store]: the state is in the data directory, or on the server",
                "cache_bytes" => "`cache_bytes` beside `url` in [store]: it is for a store in the data directory",
                _ => "`password_file` without `url` in [store], the server that it is for",
            };
            problems.add(own.place(key), text.to_owned());
        }
    }
    own.finish(&[Elsewhere { place: "at the top of the file", keys: TOP_KEYS }], problems);
    StoreSettings { backend: backend.unwrap_or_default(), history, cache_bytes, url }
}

/// The URL, which is shown by many: it has no password in it.
fn check(text: &str) -> Result<StoreUrl, String> {
    let url: StoreUrl = text.parse().map_err(|error: crate::store::UrlError| error.to_string())?;
    if url.has_password() {
        return Err("it has a password in it, and configurations are shown: put it into a file, and name that with `password_file`".to_owned());
    }
    Ok(url)
}

/// What the file says, without the end of its line.
fn password(base_dir: &Path, file: &str, files: &dyn Files) -> Result<String, String> {
    let path = base_dir.join(file);
    let bytes = files.read(&path, PASSWORD_BYTES).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{} is empty", path.display())),
        password => Ok(password.to_owned()),
    }
}
