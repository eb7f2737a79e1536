//! `store migrate`: all that one store holds into another, while no host uses either.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use baton_host::store::{
    self, Backend, MOST_HISTORY, MigrateError, Migrated, Migration, OpenError, SnapshotStore, StoreOptions, StoreUrl,
    UrlError,
};
use clap::Args;

use super::Listing;
use super::output::{Failure, bytes, print_json, print_line, tell_error};
use super::store::served;

/// After how many actors it is said how far it has come, on a terminal.
const TELL_ACTORS: u64 = 100;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The store to read, such as `sled:data` or `postgres://USER:PASSWORD@HOST/DATABASE`; it stays as it is
    #[arg(value_name = "FROM")]
    from: String,
    /// The store to fill, such as `redb:data.new`, in a directory of its own that is empty or not there; or one on a server
    #[arg(value_name = "TO")]
    to: String,
    /// Also fill a store that is not empty: actors of the same names are replaced there
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    listing: Listing,
}

/// A store in a data directory, as `BACKEND:DIR`, or on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Url {
    Files { backend: Backend, dir: PathBuf },
    Server(Box<StoreUrl>),
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if StoreUrl::is_meant_by(text) {
            return text.parse().map(|url| Self::Server(Box::new(url))).map_err(|error: UrlError| error.to_string());
        }
        let (backend, dir) = text.split_once(':').ok_or("it has no backend: write sled:DIR or redb:DIR")?;
        if dir.is_empty() {
            return Err(format!("it names no directory: write {backend}:DIR"));
        }
        Ok(Self::Files { backend: backend.parse()?, dir: dir.into() })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { dir, .. } => dir.display().fmt(f),
            Self::Server(url) => url.fmt(f),
        }
    }
}

/// Refuses two that are one, and a directory that does not hold what is to be read.
fn check(from: &Url, to: &Url) -> Result<(), Failure> {
    match (from, to) {
        (Url::Files { dir: one, .. }, Url::Files { dir: other, .. }) if same_dir(one, other) => {
            let message = format!("{from} is the directory of both stores");
            return Err(Failure::usage(message).hint("name another directory to fill, and rename the two afterwards"));
        }
        (Url::Server(one), Url::Server(other)) if one.to_string() == other.to_string() => {
            let message = format!("{from} is both stores");
            return Err(Failure::usage(message).hint("name another schema or prefix to fill"));
        }
        _ => {}
    }
    let Url::Files { backend, dir } = from else { return Ok(()) };
    if backend.is_in(dir) {
        return Ok(());
    }
    let failure = Failure::new(format!("there is no {backend} store in {}", dir.display()));
    Err(match Backend::found_in(dir).ok().flatten() {
        Some(found) => failure.hint(format!("there is one of {found}: {found}:{}", dir.display())),
        None => failure,
    })
}

pub(super) async fn migrate(options: &Options) -> Result<(), Failure> {
    // Read here: what the parser of options cannot read, it shows, and there may be a password in it.
    let read = |what: &str, text: &str| text.parse::<Url>().map_err(|why| Failure::usage(format!("{what}: {why}")));
    let (from, to) = (&read("FROM", &options.from)?, &read("TO", &options.to)?);
    check(from, to)?;
    let source = open(from).await?;
    let target = match open(to).await {
        Ok(target) => target,
        Err(failure) => {
            // Nothing was written to it.
            drop(source.close().await);
            return Err(failure);
        }
    };
    let mut progress = Progress::new();
    let how = Migration { replace: options.replace };
    let done = store::migrate(&*source, &*target, how, &mut |actors| progress.tell(actors)).await;
    progress.end();
    drop(source.close().await);
    let closed = target.close().await;
    let done = done.map_err(|error| failure(&error, to))?;
    closed.map_err(|error| Failure::new(format!("the target did not close well: {error}")))?;
    tell(&done, options)
}

fn same_dir(from: &Path, to: &Path) -> bool {
    match (from.canonicalize(), to.canonicalize()) {
        (Ok(from), Ok(to)) => from == to,
        _ => from == to,
    }
}

async fn open(url: &Url) -> Result<Arc<dyn SnapshotStore>, Failure> {
    let (backend, dir) = match url.clone() {
        Url::Files { backend, dir } => (backend, dir),
        Url::Server(url) => return served(&url, MOST_HISTORY).await,
    };
    // Whatever a host keeps of each actor, all of it is copied.
    let options = StoreOptions { history_records: MOST_HISTORY, ..StoreOptions::default() };
    let opened = tokio::task::spawn_blocking(move || backend.open(&dir, &options)).await;
    let opened = opened.map_err(|error| Failure::new(format!("a store could not be opened: {error}")))?;
    opened.map(|(store, _)| store).map_err(|error| {
        let failure = Failure::new(error.to_string());
        match error {
            OpenError::InUse { .. } => failure.hint("stop the host first: what it writes meanwhile would be lost"),
            _ => failure,
        }
    })
}

fn failure(error: &MigrateError, to: &Url) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        MigrateError::NotEmpty(_) => failure.hint("name an empty directory, or replace actors with --replace"),
        _ => failure.hint(format!("{to} holds a part only: delete it before you try again")),
    }
}

fn tell(done: &Migrated, options: &Options) -> Result<(), Failure> {
    if options.listing.json {
        print_json(done)?;
    } else {
        print_line(&summary(done))?;
    }
    for line in &done.damaged {
        tell_error(&format!("damaged, and copied as it is: {line}"), None);
    }
    for line in &done.lost {
        tell_error(&format!("not copied: {line}"), None);
    }
    if done.more > 0 {
        tell_error(&format!("and {} more", done.more), None);
    }
    match done.lost.len() {
        0 => Ok(()),
        lost => Err(Failure::new(format!("{lost} actors could not be copied: their heads are damaged"))),
    }
}

fn summary(done: &Migrated) -> String {
    let Migrated { actors, records, quarantined, left_out, .. } = done;
    let mut text = format!("copied and compared: {actors} actors, {records} records of {}", bytes(done.bytes));
    if *quarantined > 0 {
        text += &format!(", {quarantined} copies in quarantine");
    }
    if *left_out > 0 {
        text += &format!("; {left_out} older records were left out");
    }
    text
}

/// Says how far it has come, where somebody watches.
struct Progress {
    shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self { shown: false }
    }

    fn tell(&mut self, actors: u64) {
        let mut err = io::stderr().lock();
        if actors.is_multiple_of(TELL_ACTORS) && err.is_terminal() {
            self.shown = true;
            // Nobody is harmed where this does not show.
            let _ = write!(err, "\r{actors} actors").and_then(|()| err.flush());
        }
    }

    fn end(&self) {
        if self.shown {
            drop(writeln!(io::stderr().lock()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_by_backend_and_directory() {
        let good = [("sled:data", Backend::Sled, "data"), ("redb:/var/lib/b:2", Backend::Redb, "/var/lib/b:2")];
        for (text, backend, dir) in good {
            assert_eq!(text.parse(), Ok(Url::Files { backend, dir: dir.into() }));
        }
        let server: Url = "mysql://a:s3cret@db/x".parse().expect("a server's");
        assert_eq!(server.to_string(), "mysql://a@db/x");
        for (text, why) in [("data", "sled:DIR"), ("sled:", "no directory"), ("rocks:data", "`rocks` is no backend")] {
            let error = text.parse::<Url>().expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn the_summary_says_what_was_left_out() {
        let done = Migrated { actors: 2, records: 4, bytes: 2_048, left_out: 1, ..Migrated::default() };
        let text = "copied and compared: 2 actors, 4 records of 2.0 KiB; 1 older records were left out";
        assert_eq!(summary(&done), text);
    }
}
