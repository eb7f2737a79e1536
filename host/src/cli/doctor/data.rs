//! The data directory and the store. A store that no host has open is copied and opened elsewhere: opening writes.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use baton_host::config::Config;
use baton_host::model::{ActorName, Description, MessageId};
use baton_host::store::{Backend, Durable, Head, MOST_HISTORY, SnapshotStore, StoreOptions, StoreUrl, connect, tools};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::super::Place;
use super::super::output::{bytes, moment};
use super::{Finding, LOOK_TIMEOUT, State};

/// Largest store that is copied to be looked at, in bytes.
const COPY_BYTES: u64 = 256 << 20;
/// Most files of it, and folders within folders.
const COPY_FILES: usize = 10_000;
const COPY_DEPTH: usize = 4;
/// By how much clocks may differ without being wrong, in milliseconds.
const CLOCKS_DIFFER_MS: u64 = 60_000;
/// Actors that are looked at at once.
const PAGE: usize = 100;
/// States without a reader that are named; the rest is counted.
const NAMED: usize = 10;

/// The directory itself, and whose store is in it.
pub(super) fn directory(dir: &Path, config: Option<&Config>) -> Vec<Finding> {
    let looked_at = format!("data directory {}", dir.display());
    let about = match fs::metadata(dir) {
        Ok(about) if about.is_dir() => about,
        Ok(_) => return vec![Finding::wrong(looked_at, "it is no directory").cure("name another `data_dir`")],
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return vec![Finding::good(looked_at, "it is not there, and the first start makes it")];
        }
        Err(error) => return vec![Finding::wrong(looked_at, error.to_string()).cure("`data_dir` must be its owner's")],
    };
    let mut found = vec![match access(about.mode(), about.uid() == rustix::process::geteuid().as_raw()) {
        Ok(said) => Finding::good(&looked_at, said),
        Err((state, said, cure)) => Finding::new(state, &looked_at, said).cure(cure),
    }];
    if let Some(url) = config.and_then(|config| config.store_url.as_ref()) {
        found.push(match Backend::found_in(dir) {
            Ok(None) => Finding::good(looked_at, format!("the state is not in it, but at {url}")),
            Ok(Some(is)) => {
                let what = format!("it holds a store of {is}, and the configuration asks for the one at {url}");
                let cure = format!("`baton store migrate {is}:{} {url}`, then move it elsewhere", dir.display());
                Finding::wrong(looked_at, what).cure(cure)
            }
            Err(error) => Finding::wrong(looked_at, error.to_string()),
        });
        return found;
    }
    match (Backend::found_in(dir), config.map(|config| config.backend)) {
        (Err(error), _) => found.push(Finding::wrong(looked_at, error.to_string())),
        (Ok(Some(is)), Some(asked)) if is != asked => {
            let what = format!("it holds the store of {is}, and the configuration asks for {asked}");
            let cure = format!("`backend = \"{is}\"`, or `baton store migrate {is}:{} {asked}:NEW`", dir.display());
            found.push(Finding::wrong(looked_at, what).cure(cure));
        }
        (Ok(Some(is)), _) => found.push(Finding::good(looked_at, format!("it holds the store of {is}"))),
        (Ok(None), _) => found.push(Finding::good(looked_at, "it holds no store yet")),
    }
    found
}

/// Whether a directory of this mode is a good place for states.
fn access(mode: u32, ours: bool) -> Result<&'static str, (State, String, &'static str)> {
    let said = format!("its mode is {:o}", mode & 0o777);
    match (ours, mode & 0o077) {
        (false, _) => Err((State::Wrong, "it is another user's".into(), "run as the user who has it, or give it over")),
        (true, 0) => Ok("it is its owner's alone"),
        (true, _) => Err((State::Note, said, "`chmod 700`: others can look into it, or reach the host")),
    }
}

/// What is stored: whether it can be read, and whether the plugins can.
pub(super) async fn store(
    place: &Place,
    dir: &Path,
    config: Option<&Config>,
    runs: bool,
    loaded: Option<&[Description]>,
    found: &mut Vec<Finding>,
) {
    let until = Instant::now() + LOOK_TIMEOUT;
    let looked = async {
        match runs {
            true => through_the_host(place, loaded).await,
            false => match config.and_then(|config| config.store_url.as_ref()) {
                Some(url) => on_a_server(url, loaded).await,
                None => a_copy(dir, config, loaded).await,
            },
        }
    };
    match timeout_at(until, looked).await {
        Ok(findings) => found.extend(findings),
        Err(_) => {
            let what = format!("it was not read within {} s", LOOK_TIMEOUT.as_secs());
            found.push(Finding::note("store", what).cure("`baton store verify` takes as long as it needs"));
        }
    }
}

/// What was read of a store.
#[derive(Debug, Default)]
struct Read {
    actors: u64,
    bytes: u64,
    problems: Vec<String>,
    /// Whose states nobody reads, with who wrote them.
    unread: Vec<String>,
    /// The newest record: when, in milliseconds since the Unix epoch, and whose.
    newest: Option<(u64, String)>,
}

impl Read {
    /// An actor whose newest record is of that time.
    fn saved(&mut self, actor: &str, time_ms: Option<u64>) {
        let newer = |time_ms: &u64| self.newest.as_ref().is_none_or(|(newest, _)| time_ms > newest);
        if let Some(time_ms) = time_ms.filter(newer) {
            self.newest = Some((time_ms, actor.to_owned()));
        }
    }

    /// An actor whose state was written by `plugin`, with this schema.
    fn head(&mut self, actor: &str, plugin: Option<&str>, schema: Option<u64>, loaded: Option<&[Description]>) {
        let (Some(loaded), Some(plugin), Some(schema)) = (loaded, plugin, schema) else { return };
        let mut own = loaded.iter().filter(|about| about.name.as_str() == plugin);
        if !own.any(|about| (u64::from(about.reads_from)..=u64::from(about.reads_to)).contains(&schema)) {
            self.unread.push(format!("{actor} ({plugin}, schema {schema})"));
        }
    }

    fn findings(self, how: &str) -> Vec<Finding> {
        let Self { actors, bytes: read, problems, unread, newest } = self;
        let mut found = Vec::new();
        found.extend(newest.and_then(|(time_ms, actor)| ahead(time_ms, &actor, now_ms())));
        match problems.as_slice() {
            [] => found.push(Finding::good("store", format!("{actors} actors, {}, all of it whole{how}", bytes(read)))),
            all => {
                let first = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
                let what = format!("{} things in it cannot be read: {first}", all.len());
                found.push(
                    Finding::wrong("store", what).cure("`baton store verify` names all; the book says what to do"),
                );
            }
        }
        if !unread.is_empty() {
            let first = unread.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let what = format!("no plugin of the configuration reads the states of {} actors: {first}", unread.len());
            let cure = "they would be held: list a version that reads them, or forget them with `baton store forget`";
            found.push(Finding::note("states", what).cure(cure));
        }
        found
    }
}

/// A record that comes from the future: the clock was set back since, or was wrong when it was written.
fn ahead(time_ms: u64, actor: &str, now_ms: u64) -> Option<Finding> {
    let by = time_ms.checked_sub(now_ms).filter(|by| *by > CLOCKS_DIFFER_MS)?;
    let what = format!(
        "the newest record, of {actor}, was written at {}, {} s from now: the clock was set back, or was ahead then",
        moment(time_ms),
        by / 1_000
    );
    let cure = "set the clock right, and keep it so by NTP: ages of states (`max_age_ms`) and timers go by it";
    Some(Finding::note("clock", what).cure(cure))
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

async fn through_the_host(place: &Place, loaded: Option<&[Description]>) -> Vec<Finding> {
    match pages(place, loaded).await {
        Ok(read) => read.findings(", through the host"),
        Err(failure) => vec![Finding::wrong("store", failure.words().0)],
    }
}

async fn pages(place: &Place, loaded: Option<&[Description]>) -> Result<Read, super::Failure> {
    let mut client = place.client()?;
    let mut read = Read::default();
    let mut next = String::new();
    loop {
        let page: Value = client.get(&format!("/v1/store-verify?limit={PAGE}{next}"), None).await?;
        read.actors += page["actors"].as_u64().unwrap_or_default();
        read.bytes += page["bytes"].as_u64().unwrap_or_default();
        let problems = page["problems"].as_array().into_iter().flatten();
        read.problems.extend(problems.map(|problem| {
            let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text("actor"), text("what"))
        }));
        match page["next"].as_str() {
            Some(after) => next = format!("&after={}", super::super::client::escaped(after)),
            None => break,
        }
    }
    let mut next = String::new();
    loop {
        let page: Value = client.get(&format!("/v1/store?limit={PAGE}{next}"), None).await?;
        for one in page["actors"].as_array().into_iter().flatten() {
            let record = &one["head"]["records"][0];
            let actor = one["actor"].as_str().unwrap_or_default();
            read.saved(actor, record["time_ms"].as_u64());
            read.head(actor, record["plugin"][0].as_str(), record["schema"].as_u64(), loaded);
        }
        match page["next"].as_str() {
            Some(after) => next = format!("&after={}", super::super::client::escaped(after)),
            None => return Ok(read),
        }
    }
}

/// A folder that is removed with all that is in it.
struct Away(PathBuf);

impl Drop for Away {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the folder of what is temporary.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is on a server, as it is: reading disturbs nobody.
async fn on_a_server(url: &StoreUrl, loaded: Option<&[Description]>) -> Vec<Finding> {
    let looked_at = format!("store {url}");
    let store = match connect(url, MOST_HISTORY).await {
        Ok(store) => store,
        Err(error) => return vec![Finding::wrong(looked_at, error.to_string())],
    };
    let mut found = vec![match store.capabilities().durable {
        Durable::PowerLoss => Finding::good(&looked_at, "what it acknowledges survives the loss of power"),
        Durable::ServerLoss => {
            let what = "what it acknowledged last may be lost with the power of its machine, as was allowed";
            Finding::note(&looked_at, what)
        }
        Durable::HostLoss | Durable::Process => {
            Finding::note(&looked_at, "what it acknowledged last may be lost with the server, as was allowed")
        }
    }];
    match whole(store.as_ref(), loaded).await {
        Ok(read) => found.extend(read.findings("")),
        Err(error) => found.push(Finding::wrong(looked_at, error).cure("`baton store verify` reads it itself")),
    }
    drop(store.close().await);
    found
}

async fn a_copy(dir: &Path, config: Option<&Config>, loaded: Option<&[Description]>) -> Vec<Finding> {
    let Ok(Some(backend)) = Backend::found_in(dir) else { return Vec::new() };
    let from = dir.to_owned();
    let history = config.and_then(|config| config.history);
    let opened = tokio::task::spawn_blocking(move || open_a_copy(&from, backend, history)).await;
    let (store, away) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(finding)) => return vec![finding],
        Err(error) => return vec![Finding::wrong("store", format!("looking at it failed: {error}"))],
    };
    let read = whole(store.as_ref(), loaded).await;
    let closed = store.close().await;
    drop(away);
    match read {
        Ok(read) if closed.is_ok() => read.findings(", in a copy"),
        Ok(read) => read.findings(", in a copy that would not close"),
        Err(error) => vec![Finding::wrong("store", error).cure("`baton store verify` reads it itself")],
    }
}

type Opened = (Arc<dyn SnapshotStore>, Away);

fn open_a_copy(from: &Path, backend: Backend, history: Option<usize>) -> Result<Opened, Finding> {
    let unread = |error: io::Error| Finding::wrong("store", format!("it cannot be read: {error}"));
    let files = files(from, backend).map_err(unread)?;
    let size: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    if size > COPY_BYTES {
        let what = format!("it has {}, more than is copied to be looked at", bytes(size));
        return Err(Finding::note("store", what).cure("`baton store verify` reads it where it is"));
    }
    let copied = |error: io::Error| Finding::note("store", format!("it could not be copied to be looked at: {error}"));
    let to = std::env::temp_dir().join(format!("baton-doctor-{}", MessageId::random()));
    fs::DirBuilder::new().mode(0o700).create(&to).map_err(copied)?;
    let away = Away(to);
    for (file, _) in &files {
        let target = away.0.join(file);
        target.parent().map_or(Ok(()), fs::create_dir_all).map_err(copied)?;
        fs::copy(from.join(file), target).map_err(copied)?;
    }
    let default = StoreOptions::default();
    let options = StoreOptions { history_records: history.unwrap_or(default.history_records), ..default };
    match backend.open(&away.0, &options) {
        Ok((store, _)) => Ok((store, away)),
        Err(error) => Err(Finding::wrong("store", format!("it does not open: {error}"))
            .cure("make a copy of it first; then the book's page on the store says what `baton run --recover` does")),
    }
}

/// The files of a store, from its directory, with their sizes. The lock is not among them: the copy has one of its own.
fn files(dir: &Path, backend: Backend) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = PathBuf::from(entry?.file_name());
        let text = name.to_string_lossy();
        if text.starts_with("store") && !text.ends_with(".lock") {
            walk(dir, &name, COPY_DEPTH, &mut found)?;
        }
    }
    match found.is_empty() {
        true => Err(io::Error::other(format!("there are no files of {backend}"))),
        false => Ok(found),
    }
}

fn walk(dir: &Path, name: &Path, deep: usize, found: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    let about = fs::symlink_metadata(dir.join(name))?;
    if about.is_file() {
        if found.len() >= COPY_FILES {
            return Err(io::Error::other(format!("it has more than {COPY_FILES} files")));
        }
        found.push((name.to_owned(), about.len()));
    } else if about.is_dir() && deep > 0 {
        for entry in fs::read_dir(dir.join(name))? {
            walk(dir, &name.join(entry?.file_name()), deep - 1, found)?;
        }
    }
    Ok(())
}

async fn whole(store: &dyn SnapshotStore, loaded: Option<&[Description]>) -> Result<Read, String> {
    let mut read = Read::default();
    let mut after: Option<ActorName> = None;
    loop {
        let found = tools::verify(store, after.as_ref(), PAGE).await.map_err(|error| error.to_string())?;
        read.actors += found.actors;
        read.bytes += found.bytes;
        read.problems.extend(found.problems.iter().map(|problem| format!("{}: {}", problem.actor, problem.what)));
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    loop {
        let page = store.list(after.as_ref(), PAGE).await.map_err(|error| error.to_string())?;
        let Some((last, _)) = page.last() else { return Ok(read) };
        after = Some(last.clone());
        for (actor, head) in &page {
            let record = head.as_ref().ok().and_then(Head::current);
            read.saved(actor.as_str(), record.map(|record| record.time_ms));
            let plugin = record.and_then(|record| record.plugin.as_ref()).map(|(name, _)| name.as_str());
            read.head(actor.as_str(), plugin, record.and_then(|record| record.schema).map(u64::from), loaded);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_record_is_told_where_it_comes_from_the_future() {
        let mut read = Read::default();
        for (actor, time_ms) in [("a", Some(5_000)), ("b", Some(90_000)), ("c", Some(7_000)), ("d", None)] {
            read.saved(actor, time_ms);
        }
        let (newest, actor) = read.newest.expect("three");
        assert_eq!((newest, actor.as_str()), (90_000, "b"));
        assert!(ahead(newest, &actor, 90_000).is_none() && ahead(newest, &actor, 30_000).is_none());
        let told = ahead(newest, &actor, 29_999).expect("more than a minute");
        assert!(told.state == State::Note && told.found.contains("of b") && told.found.contains("60 s"), "{told:?}");
    }

    #[test]
    fn a_directory_is_its_owners_alone_or_that_is_told() {
        assert!(access(0o40_700, true).is_ok());
        assert_eq!(access(0o40_755, true).expect_err("open").0, State::Note);
        assert_eq!(access(0o40_700, false).expect_err("another's").0, State::Wrong);
    }
}
