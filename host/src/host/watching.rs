//! Files of plugins that are swapped in when they change, for development.
//!
//! They are looked at again and again: that works on every file system, in containers and over the network, where notices of
//! changes get lost, and it sees a file that was renamed over as well as one that was written in place.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Host, Inner};
use crate::catalog::{self, Catalog};
use crate::model::{Digest, ErrorCode, HostError, PluginName, signature_of};
use crate::swap::{Batch, OnFailure, SwapOptions, SwapSource};

/// How often a file is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// What of a file changes with its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    inode: u64,
}

impl Stamp {
    /// None: there is no such file, or it cannot be looked at.
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let (modified, changed) = ((found.mtime(), found.mtime_nsec()), (found.ctime(), found.ctime_nsec()));
        Some(Self { bytes: found.len(), modified, changed, inode: found.ino() })
    }
}

/// Of the file, and of its signature, where there is one.
type Stamps = (Stamp, Option<Stamp>);

/// What was seen of a file.
#[derive(Debug, Default)]
struct Looks {
    last: Option<Stamps>,
    /// What was read last, whatever came of it.
    read: Option<Stamps>,
}

impl Looks {
    /// Whether the file is to be read: two looks saw the same, which was not read yet.
    fn look(&mut self, now: Option<Stamps>) -> bool {
        let same = now.is_some() && now == self.last;
        self.last = now;
        same && now != self.read
    }
}

/// A file that is watched.
#[derive(Debug)]
pub(super) struct File {
    plugin: PluginName,
    path: PathBuf,
    looks: Looks,
    /// What it held when it was last read.
    held: Digest,
    /// With which signature that was refused, if it was.
    refused: Option<Option<String>>,
}

impl File {
    pub(super) fn new(plugin: &PluginName, path: PathBuf, held: Digest) -> Self {
        Self { plugin: plugin.clone(), path, looks: Looks::default(), held, refused: None }
    }

    /// That it is the one whose version is current.
    pub(super) fn check(&self, catalog: &Catalog) -> Result<(), HostError> {
        if catalog.current(&self.plugin)?.digest() == self.held {
            return Ok(());
        }
        let what = format!("plugin {}: it is watched, and another version is current", self.path.display());
        Err(HostError::new(ErrorCode::Config, what).hint("watch the version that is listed last"))
    }

    /// Its bytes and its signature, where they are new, and stood still while they were read.
    async fn news(&mut self) -> Option<(Vec<u8>, Option<String>)> {
        let stamp = self.stamp().await;
        if !self.looks.look(stamp) {
            return None;
        }
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || catalog::read_signed(&path)).await;
        let (bytes, signature) = read.ok()?.ok()?;
        if self.stamp().await != stamp {
            return None;
        }
        self.looks.read = stamp;
        let digest = Digest::of(&bytes);
        let signed_since = self.refused.as_ref().is_some_and(|with| *with != signature);
        let news = std::mem::replace(&mut self.held, digest) != digest || signed_since;
        if news {
            self.refused = None;
        }
        news.then_some((bytes, signature))
    }

    /// As if it had not been read.
    fn again(&mut self) {
        (self.looks.read, self.held, self.refused) = (None, Digest::of(b""), None);
    }

    async fn stamp(&self) -> Option<Stamps> {
        let path = self.path.clone();
        let look = move || Some((Stamp::of(&path)?, Stamp::of(&signature_of(&path))));
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }
}

/// Everybody at once, and back if an actor does not take it: whoever develops waits for it.
fn options(path: &Path) -> SwapOptions {
    SwapOptions {
        batch: Batch::Percent(100),
        watch: Duration::ZERO,
        on_failure: OnFailure::Back,
        rehearsal: None,
        by: format!("a change of {}", path.display()),
        ..SwapOptions::default()
    }
}

/// Swaps in what the file holds whenever that changes, as long as the host is there.
pub(super) async fn watch(host: Weak<Inner>, mut file: File) {
    let mut looks = interval_at(Instant::now() + LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(host) = ready(&host) else { return };
        // One that runs is waited for: then the file is looked at as it is by then.
        if host.swap_status(&file.plugin).is_some_and(|status| status.report.is_none()) {
            continue;
        }
        let Some((bytes, signature)) = file.news().await else { continue };
        // A change that was taken back, after one that was not taken.
        if host.0.catalog.current(&file.plugin).is_ok_and(|current| current.digest() == file.held) {
            continue;
        }
        let label = file.path.display().to_string();
        let source = match signature.clone() {
            Some(signature) => SwapSource::Signed(label.clone(), bytes, signature),
            None => SwapSource::Bytes(label.clone(), bytes),
        };
        let begun = host.swap(&file.plugin, source, options(&file.path)).await;
        // The host must not be kept alive by a swap that is waited for.
        let swaps = Arc::downgrade(&host.0);
        drop(host);
        let why = match begun {
            Ok(swap) => {
                // What came of it is told by the swap itself.
                drop(swap.ended().await);
                continue;
            }
            Err(error) => error.to_string(),
        };
        let Some(host) = ready(&swaps) else { return };
        if host.swap_status(&file.plugin).is_some_and(|status| status.report.is_none()) {
            // Another one came first.
            file.again();
            continue;
        }
        file.refused = Some(signature);
        tracing::warn!(plugin = %file.plugin, file = label, why, "the file has changed, and is not taken");
        host.0.swaps.not_taken(&file.plugin, label, why);
    }
}

/// The host, as long as it takes work.
fn ready(host: &Weak<Inner>) -> Option<Host> {
    host.upgrade().map(Host).filter(Host::is_ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_it_stands_still_and_once_for_each_change() {
        let stamp = |bytes| Some((Stamp { bytes, modified: (0, 0), changed: (0, 0), inode: 1 }, None));
        let mut looks = Looks::default();
        let cases = [
            (stamp(1), false),
            (stamp(1), true),
            // It grows from look to look.
            (stamp(2), false),
            (stamp(3), false),
            (stamp(3), true),
            // It is gone for a moment, as when another is renamed to its name.
            (None, false),
            (None, false),
            (stamp(4), false),
            (stamp(4), true),
        ];
        for (at, (now, expected)) in cases.into_iter().enumerate() {
            assert_eq!(looks.look(now), expected, "look {at}");
            if expected {
                looks.read = now;
                assert!(!looks.look(now), "look {at}, again");
            }
        }
    }
}
