//! `store migrate`: all that one store holds into another, while no host uses either.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use baton_host::store::{
    self, Backend, MOST_HISTORY, MigrateError, Migrated, Migration, OpenError, SnapshotStore, StoreOptions,
};
use clap::Args;

use super::Listing;
use super::output::{Failure, bytes, print_json, print_line, tell_error};

/// After how many actors it is said how far it has come, on a terminal.
const TELL_ACTORS: u64 = 100;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The store to read, such as `sled:data`; it stays as it is
    #[arg(value_name = "FROM")]
    from: Url,
    /// The store to fill, such as `redb:data.new`: in a directory of its own, that is empty or not there
    #[arg(value_name = "TO")]
    to: Url,
    /// Also fill a store that is not empty: actors of the same names are replaced there
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    listing: Listing,
}

/// A store in a data directory, as `BACKEND:DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Url {
    backend: Backend,
    dir: PathBuf,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (backend, dir) = text.split_once(':').ok_or("it has no backend: write sled:DIR or redb:DIR")?;
        if dir.is_empty() {
            return Err(format!("it names no directory: write {backend}:DIR"));
        }
        Ok(Self { backend: backend.parse()?, dir: dir.into() })
    }
}

pub(super) async fn migrate(options: &Options) -> Result<(), Failure> {
    let Options { from, to, .. } = options;
    if same_dir(&from.dir, &to.dir) {
        let message = format!("{} is the directory of both stores", from.dir.display());
        return Err(Failure::usage(message).hint("name another directory to fill, and rename the two afterwards"));
    }
    if !from.backend.is_in(&from.dir) {
        let found = Backend::found_in(&from.dir).ok().flatten();
        let failure = Failure::new(format!("there is no {} store in {}", from.backend, from.dir.display()));
        return Err(match found {
            Some(found) => failure.hint(format!("there is one of {found}: {found}:{}", from.dir.display())),
            None => failure,
        });
    }
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
    let Url { backend, dir } = url.clone();
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
        _ => failure.hint(format!("{} holds a part only: delete it before you try again", to.dir.display())),
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
            assert_eq!(text.parse(), Ok(Url { backend, dir: dir.into() }));
        }
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
