//! How much a store holds, and how much of its files that is.

use schemars::JsonSchema;
use serde::Serialize;

use super::{SnapshotStore, StoreError, head};

/// Heads that are asked for at once.
const PAGE_HEADS: usize = 1_000;

/// What a store holds, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Stats {
    /// Actors that have a head, damaged ones included.
    pub actors: u64,
    /// Records that the heads name.
    pub records: u64,
    /// Bytes that count: the heads, and of each the current record.
    pub live_bytes: u64,
    /// Bytes of the older records.
    pub history_bytes: u64,
    /// Bytes of the copies in quarantine.
    pub quarantine_bytes: u64,
    /// Copies in quarantine.
    pub quarantined: u64,
    /// Bytes that its files take; none where it has no files, or cannot tell.
    pub disk_bytes: Option<u64>,
    /// Bytes of its files that hold none of the above: what was replaced and not yet cleared away, and what the backend
    /// needs for itself.
    pub dead_bytes: Option<u64>,
}

impl Stats {
    /// Bytes of all that the store holds.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.live_bytes + self.history_bytes + self.quarantine_bytes
    }
}

/// Counts what `store` holds, page by page: what is written meanwhile may be counted or not. A head that is damaged counts
/// as an actor, and what it names is not known.
///
/// # Errors
/// `Unavailable` where the store is out of reach.
pub async fn stats(store: &dyn SnapshotStore) -> Result<Stats, StoreError> {
    let mut stats = Stats::default();
    let mut after = None;
    loop {
        let page = store.list(after.as_ref(), PAGE_HEADS).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (actor, found) in page {
            stats.actors += 1;
            if let Ok(found) = found {
                let mut bytes = found.records.iter().map(|record| record.bytes);
                stats.live_bytes += head::encode(&found).len() as u64 + bytes.next().unwrap_or_default();
                stats.history_bytes += bytes.sum::<u64>();
                stats.records += found.records.len() as u64;
            }
            let copies = store.quarantined(&actor).await?;
            stats.quarantined += copies.len() as u64;
            stats.quarantine_bytes += copies.iter().map(|copy| copy.found.len() as u64).sum::<u64>();
        }
    }
    stats.disk_bytes = store.disk_bytes().await?;
    stats.dead_bytes = stats.disk_bytes.map(|disk| disk.saturating_sub(stats.held_bytes()));
    Ok(stats)
}
