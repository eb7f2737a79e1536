//! What the thread of a store can be asked.

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::super::head::Step;
use super::super::{Head, Listed, Quarantined, RecordRef, Remains, StoreError};
use crate::model::ActorName;

/// Most requests that share one commit.
const BATCH_JOBS: usize = 256;
/// Most bytes of records that share one commit, unless one alone has more.
const BATCH_BYTES: usize = 32 << 20;

/// Where an answer goes. Whoever asked may be gone.
pub(in crate::store) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// One write that waits to be made.
pub(in crate::store) struct Write {
    pub(in crate::store) actor: ActorName,
    pub(in crate::store) step: Step,
    pub(in crate::store) nonce: u64,
    /// The records that the step brings, with their bytes.
    pub(in crate::store) records: Vec<(RecordRef, Vec<u8>)>,
    /// What the quarantine of the actor holds from now on; none: what it held.
    pub(in crate::store) copies: Option<Vec<Quarantined>>,
    pub(in crate::store) reply: Reply<Head>,
    /// Counts its bytes as long as they are in memory.
    pub(super) _permit: Option<OwnedSemaphorePermit>,
}

/// What can be asked.
pub(in crate::store) enum Job {
    Write(Box<Write>),
    Head {
        actor: ActorName,
        reply: Reply<Option<Head>>,
    },
    Load {
        actor: ActorName,
        record: RecordRef,
        reply: Reply<Vec<u8>>,
    },
    Remains {
        actor: ActorName,
        reply: Reply<Remains>,
    },
    Quarantine {
        actor: ActorName,
        record: RecordRef,
        why: String,
        reply: Reply<()>,
    },
    Quarantined {
        actor: ActorName,
        reply: Reply<Vec<Quarantined>>,
    },
    Discard {
        actor: ActorName,
        record: Option<RecordRef>,
        reply: Reply<usize>,
    },
    DiskBytes {
        reply: Reply<Option<u64>>,
    },
    List {
        after: Option<ActorName>,
        limit: usize,
        reply: Reply<Vec<Listed>>,
    },
    Close {
        reply: Reply<()>,
    },
    #[cfg(test)]
    Panic,
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Write(write) => write.records.iter().map(|(_, bytes)| bytes.len()).sum(),
            _ => 0,
        }
    }

    pub(in crate::store) fn refuse(self, error: StoreError) {
        match self {
            Self::Write(write) => drop(write.reply.send(Err(error))),
            Self::Head { reply, .. } => drop(reply.send(Err(error))),
            Self::Load { reply, .. } => drop(reply.send(Err(error))),
            Self::Remains { reply, .. } => drop(reply.send(Err(error))),
            Self::Quarantine { reply, .. } | Self::Close { reply } => drop(reply.send(Err(error))),
            Self::Discard { reply, .. } => drop(reply.send(Err(error))),
            Self::DiskBytes { reply } => drop(reply.send(Err(error))),
            Self::Quarantined { reply, .. } => drop(reply.send(Err(error))),
            Self::List { reply, .. } => drop(reply.send(Err(error))),
            #[cfg(test)]
            Self::Panic => {}
        }
    }
}

/// `first` and what waits behind it, up to the bounds of a batch or to a close; and who asked for that.
pub(super) fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> (Vec<Job>, Option<Reply<()>>) {
    let (mut bytes, mut batch, mut next) = (0, Vec::new(), Some(first));
    while let Some(job) = next {
        if let Job::Close { reply } = job {
            return (batch, Some(reply));
        }
        bytes += job.bytes();
        batch.push(job);
        let more = batch.len() < BATCH_JOBS && bytes < BATCH_BYTES;
        next = if more { jobs.try_recv().ok() } else { None };
    }
    (batch, None)
}
