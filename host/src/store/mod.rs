//! Keeping state: the contract that every backend fulfils, the record, and a file per backend.
//!
//! Safety rests on one compare-and-swapped [`Head`] per actor, which holds who owns the actor, under which epoch, and
//! which record counts. Whoever does not hold the current epoch cannot commit.

mod backend;
mod connect;
mod disk;
mod embedded;
mod head;
mod hosts;
mod keys;
mod lock;
mod losses;
mod memory;
mod migrate;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod quarantine;
pub mod record;
mod redb;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
mod served;
mod sled;
mod stats;
pub mod tools;
mod traffic;
mod url;
mod witness;

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ActorName, Digest, StopReason};

pub use self::backend::{Backend, DEFAULT_CACHE_BYTES, StoreOptions};
pub use self::redb::{RedbOptions, RedbStore};
pub use self::sled::{OpenError, Opened, Recovered, SledOptions, SledStore};
pub use connect::{Premises, connect};
pub use head::{DEFAULT_HISTORY, LEAST_HISTORY, MOST_HISTORY};
pub use hosts::{
    ENDED_KEPT_MS, HostLease, Hosts, LEAST_LEASE_TTL_MS, MOST_LEASE_TTL_MS, NewHost, lease_ended, owned_by_a_host,
};
pub use memory::MemoryStore;
pub use migrate::{MigrateError, Migrated, Migration, migrate};
pub use record::{Cause, Origination, Record, RecordError, StoredTimer};
pub use stats::{Stats, stats};
pub use traffic::{Answered, Outgoing, Received, Traffic};
pub use url::{
    ConnectError, DEFAULT_ACQUIRE_TIMEOUT_MS, DEFAULT_ANSWER_TIMEOUT_MS, DEFAULT_CONNECT_TIMEOUT_MS,
    DEFAULT_CONNECTIONS, DEFAULT_SPACE, MOST_CONNECTIONS, ServerKind, StoreUrl, UrlError,
};

/// Where state is kept. Chosen at run time, so every method gives a boxed future.
///
/// Every method may be called from any number of tasks at once. A future that is dropped may still take effect; one that
/// has answered `Ok` has.
pub trait SnapshotStore: fmt::Debug + Send + Sync + 'static {
    /// What this backend can and cannot do.
    fn capabilities(&self) -> Capabilities;

    /// Why the store answers nothing at present; none: it answers, as far as it knows.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// How often the store has failed since it was opened.
    fn failures(&self) -> u64 {
        0
    }

    /// The hosts that share this store; none: it is one host's alone.
    fn hosts(&self) -> Option<&dyn Hosts> {
        None
    }

    /// The head of `actor`, and the revision to claim it with. `None` only where the store knows that there is none.
    ///
    /// # Errors
    /// `Unavailable` where the store is out of reach; `Corrupt` where the head's own bytes are damaged.
    fn head<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Option<(Head, Revision)>, StoreError>>;

    /// Makes `owner` the one that may commit: epoch and generation rise by one, durably. `expect` is the revision that
    /// the caller has seen, none for an actor without a head. The mark "taken up" stays as it was.
    ///
    /// # Errors
    /// `Conflict` if the head has changed since; `Unknown` if the answer was lost.
    fn claim<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        owner: &'a str,
    ) -> BoxFuture<'a, Result<Lease, StoreError>>;

    /// As `claim`, for an actor that is woken: in the same step its record, if there is one, is marked as taken up by the
    /// new generation, so that a first reply waits for one write instead of two. Until [`Lease::takes_up`] is called, a
    /// release or a refusal under this lease takes that mark away again.
    ///
    /// A store that does not implement this claims; the mark is then set by `take_up`.
    ///
    /// # Errors
    /// As `claim`.
    fn wake<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        owner: &'a str,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        self.claim(actor, expect, owner)
    }

    /// Writes `record`, then swaps the head to it: sequence + 1. Durable on `Ok`. What of the record the lease decides
    /// (epoch, generation of the commit, sequence, parent) is filled in here. Clears the mark "taken up".
    ///
    /// # Errors
    /// `Conflict` if the lease's epoch is not the head's any more; `TooLarge` above `capabilities().largest_record`.
    fn commit<'a>(&'a self, lease: &'a mut Lease, record: NewRecord) -> BoxFuture<'a, Result<Revision, StoreError>>;

    /// As `commit`, for an instance that takes over from the one that holds the lease, which goes on being the actor's: the
    /// generation rises by one as well, and the record is marked as taken up by that generation. The record that counted
    /// before is kept, however many follow it, until the next switch or until it is erased.
    ///
    /// # Errors
    /// As `commit`.
    fn switch<'a>(&'a self, lease: &'a mut Lease, record: NewRecord) -> BoxFuture<'a, Result<Revision, StoreError>>;

    /// Marks the head's record, durably, as taken up by the lease's generation: from now on it is never again told as
    /// [`crate::model::Origin::Terminated`].
    ///
    /// # Errors
    /// As `commit`.
    fn take_up<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>>;

    /// As `commit` of an optional record, and in the same step `stopped` says that the actor sleeps. The lease stays: the
    /// actor is not given up, and whatever is written next under that lease says that it is awake.
    ///
    /// A store that does not implement this commits; after a crash of the host the actor is then started as one that was
    /// awake.
    ///
    /// # Errors
    /// As `commit`.
    fn rest<'a>(
        &'a self,
        lease: &'a mut Lease,
        record: Option<NewRecord>,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            match record {
                Some(record) => self.commit(lease, record).await,
                None => Ok(lease.revision),
            }
        })
    }

    /// Gives the actor up after an optional last record, in one step: no owner, and `stopped` says how it ended.
    ///
    /// # Errors
    /// As `commit`; on an error the lease may still hold.
    fn release<'a>(
        &'a self,
        lease: &'a mut Lease,
        record: Option<NewRecord>,
        stopped: StopReason,
    ) -> BoxFuture<'a, Result<Revision, StoreError>>;

    /// Gives the actor up and erases its records, its history and what of it is in quarantine. The head stays, so that an
    /// epoch or a generation never starts again.
    ///
    /// # Errors
    /// As `commit`.
    fn forget<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Notes in the head that a component refused a record, durably.
    ///
    /// # Errors
    /// As `commit`.
    fn refuse<'a>(&'a self, lease: &'a mut Lease, refused: Refused) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The bytes of the record that `reference` names, as they are: cut short, changed or missing where they are damaged.
    ///
    /// # Errors
    /// `Conflict` where the head does not name that record any more; `Unavailable` where the store is out of reach.
    fn read<'a>(&'a self, actor: &'a ActorName, reference: &'a RecordRef)
    -> BoxFuture<'a, Result<Vec<u8>, StoreError>>;

    /// The record that `reference` names, verified: its checksum, and that it is the one that the head means.
    ///
    /// # Errors
    /// As `read`; and `Corrupt` with what is wrong.
    fn load<'a>(&'a self, actor: &'a ActorName, reference: &'a RecordRef) -> BoxFuture<'a, Result<Record, StoreError>> {
        Box::pin(async move { head::verify(actor, reference, &self.read(actor, reference).await?) })
    }

    /// Puts `image` in place of all that is stored for `actor`, in one step. `expect` is the revision that the caller has
    /// seen, none for an actor without a head. Nobody owns the actor then, epoch, generation and sequence do not go back,
    /// and an instance that had it can write no more. What of the image's history is more than this store keeps is left out.
    ///
    /// # Errors
    /// `Conflict` if the head has changed since; `TooLarge`; `Unknown` if the answer was lost.
    fn put<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        image: Image,
    ) -> BoxFuture<'a, Result<Revision, StoreError>>;

    /// Drops all but the newest `keep` records of `actor`, at least one of which stays. Whoever owns the actor goes on.
    ///
    /// # Errors
    /// `Conflict` where it has no head; `Unknown` if the answer was lost.
    fn prune<'a>(&'a self, actor: &'a ActorName, keep: usize) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Forgets which components have refused the records of `actor`: they are tried with each other again. `expect` is the
    /// revision that the caller has seen; whoever owns the actor can write no more until it has claimed it again.
    ///
    /// # Errors
    /// `Conflict` if the head has changed since, or there is none; `Unknown` if the answer was lost.
    fn pardon<'a>(&'a self, actor: &'a ActorName, expect: Revision) -> BoxFuture<'a, Result<Revision, StoreError>>;

    /// What is left of an actor whose head is damaged: the head that its records make up, and what of them cannot be read.
    ///
    /// # Errors
    /// `Conflict` where its head is not damaged, or there is none; `Corrupt` where a newer release wrote it.
    fn remains<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Remains, StoreError>> {
        // Of a store whose heads cannot be damaged.
        Box::pin(async move { self.head(actor).await.and_then(|_| Err(head::not_damaged())) })
    }

    /// Puts the head of `remains` in the place of the damaged one, durably, and what cannot be read into quarantine. Nobody
    /// owns the actor then; its numbers have leapt, so that none comes again.
    ///
    /// # Errors
    /// `Conflict` where its head is not damaged, or not any more; `Unknown` if the answer was lost.
    fn repair<'a>(&'a self, actor: &'a ActorName, _remains: Remains) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move { self.head(actor).await.and_then(|_| Err(head::not_damaged())) })
    }

    /// Takes out of quarantine, for good, what lies there for `actor`: all of it, or the copy of one record. Says how many
    /// copies that were.
    ///
    /// # Errors
    /// `Unavailable` where the store is out of reach.
    fn discard<'a>(
        &'a self,
        actor: &'a ActorName,
        record: Option<&'a RecordRef>,
    ) -> BoxFuture<'a, Result<usize, StoreError>>;

    /// Bytes that its files take; none where it has no files, or cannot tell.
    ///
    /// # Errors
    /// `Unavailable` where the store is out of reach.
    fn disk_bytes(&self) -> BoxFuture<'_, Result<Option<u64>, StoreError>>;

    /// Keeps a copy of the record's bytes as they are, with what was wrong, for inspection. The head still names it.
    /// Doing so again for the same record changes nothing.
    ///
    /// # Errors
    /// `Unavailable` where the store is out of reach.
    fn quarantine<'a>(
        &'a self,
        actor: &'a ActorName,
        reference: &'a RecordRef,
        why: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// What is in quarantine for `actor`.
    ///
    /// # Errors
    /// `Unavailable` where the store is out of reach.
    fn quarantined<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Vec<Quarantined>, StoreError>>;

    /// Heads in the order of their names, those after `after`, at most `limit`. A head that is damaged is listed as such.
    ///
    /// # Errors
    /// `Unavailable` where the store is out of reach.
    fn list<'a>(&'a self, after: Option<&'a ActorName>, limit: usize)
    -> BoxFuture<'a, Result<Vec<Listed>, StoreError>>;

    /// Ends with a last barrier. Whatever is asked afterwards gets `Unavailable`.
    ///
    /// # Errors
    /// If the barrier failed: then what was acknowledged is durable, and nothing else.
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// An entry of a listing: whose head, and the head, or what is wrong with it.
pub type Listed = (ActorName, Result<Head, String>);

/// What a backend can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Capabilities {
    /// The backend's name.
    pub backend: &'static str,
    /// Whether several hosts may use it at once.
    pub shared: bool,
    /// What an acknowledged commit survives.
    pub durable: Durable,
    /// Largest record, in bytes.
    pub largest_record: usize,
    /// Records kept for each actor, the current one included.
    pub history: usize,
}

/// What an acknowledged commit survives, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Durable {
    /// Nothing: it is gone with the process.
    Process,
    /// The loss of the host; what the server was told last may be gone with the server's process.
    HostLoss,
    /// The loss of the server's process as well; what it was told last may be gone with the power of its machine.
    ServerLoss,
    /// The loss of power.
    PowerLoss,
}

/// Names one state of a head; compared, never computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Revision(pub u64);

/// The one small entry per actor that says which record counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Head {
    /// Counts claims. Only its holder may commit.
    pub epoch: u64,
    /// Counts instances.
    pub generation: u64,
    /// Counts commits.
    pub sequence: u64,
    /// Who may commit: a host's own id; none after a release.
    pub owner: Option<String>,
    /// Drawn anew with every write: settles whether a write whose answer was lost took place.
    pub nonce: u64,
    /// How the actor was given up, or that it sleeps, which it may do while it is owned; none while it is awake.
    pub stopped: Option<StopReason>,
    /// The generation that has taken the current record up and handled messages since; none: nobody yet.
    pub taken_up: Option<u64>,
    /// The records that are kept, newest first: the first one counts. Empty: nothing was saved, or it was erased.
    pub records: Vec<RecordRef>,
    /// Drawn when the head was made: what this actor sends durably carries it.
    pub line: u64,
    /// Which components have refused which of these records, newest first; at most 8.
    pub refusals: Vec<Refused>,
    /// Sequence of the record from before the last switch to another version: it is kept beside the history, as the way
    /// back. None: there was no switch, or it is erased.
    pub way_back: Option<u64>,
}

/// That a component could not take a record over: it is not tried again with the same two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// Digest of the record.
    pub record: Digest,
    /// Digest of the component.
    pub component: Digest,
    /// The plugin's version.
    pub version: String,
    /// Why, in words; at most 500 bytes.
    pub why: String,
    /// When, in milliseconds since the Unix epoch by the host's clock.
    pub time_ms: u64,
}

impl Head {
    /// The record that counts.
    #[must_use]
    pub fn current(&self) -> Option<&RecordRef> {
        self.records.first()
    }

    /// The record from before the last switch to another version.
    #[must_use]
    pub fn before_the_switch(&self) -> Option<&RecordRef> {
        self.records.iter().find(|record| Some(record.sequence) == self.way_back)
    }

    /// Whether that record has messages that were sent and that nobody has confirmed.
    #[must_use]
    pub fn leaves_messages(&self) -> bool {
        self.current().and_then(|record| record.outbox_messages).is_some_and(|messages| messages > 0)
    }
}

/// What a head knows of a record without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordRef {
    /// Its sequence; 1 for an actor's first.
    pub sequence: u64,
    /// BLAKE3 of its bytes as stored, checksum included.
    pub digest: Digest,
    /// Length of its bytes as stored.
    pub bytes: u64,
    /// When it was committed, in milliseconds since the Unix epoch by the host's clock.
    pub time_ms: u64,
    /// Schema of its state; none: it holds messages and timers alone.
    pub schema: Option<u32>,
    /// The plugin that wrote the state: name and version.
    pub plugin: Option<(String, String)>,
    /// Why it was written.
    pub cause: Cause,
    /// Messages in it that are still to be handled; none: whoever wrote it did not say.
    pub inbox_messages: Option<u64>,
    /// Messages in it that were sent, and that nobody has confirmed; none: likewise.
    pub outbox_messages: Option<u64>,
    /// When the first of its timers is due, in milliseconds since the Unix epoch.
    pub next_timer_ms: Option<u64>,
}

impl RecordRef {
    /// Messages in it that are still to be handled or confirmed; none: whoever wrote it did not say.
    #[must_use]
    pub fn messages(&self) -> Option<u64> {
        Some(self.inbox_messages? + self.outbox_messages?)
    }
}

/// The right to commit for one actor, from a claim on. Each commit moves its revision on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// For whom.
    pub actor: ActorName,
    /// The host that holds it.
    pub owner: String,
    /// The head as this lease's last write left it.
    pub head: Head,
    /// The revision of that head.
    pub revision: Revision,
    /// What a server's row was marked with by this lease's last write, and the head's nonce then; none where it is not known.
    #[allow(dead_code, reason = "of a build with servers")]
    seen: Option<Seen>,
    /// The record is marked as taken up by this lease's generation, which has not taken it up yet.
    early: bool,
}

impl Lease {
    /// What a claim gives that has just been written: `head`, of this revision.
    #[must_use]
    pub fn new(actor: ActorName, owner: String, head: Head, revision: Revision) -> Self {
        // A claim leaves the mark of another generation; that of its own is a wake's.
        let early = head.taken_up == Some(head.generation);
        Self { actor, owner, head, revision, seen: None, early }
    }

    /// Whether an instance has taken the record up.
    #[must_use]
    pub fn is_taken_up(&self) -> bool {
        self.head.taken_up.is_some() && !self.early
    }

    /// The instance of this lease has taken the record up: a mark that was set before counts from here.
    pub fn takes_up(&mut self) {
        self.early = false;
    }
}

/// A row of a server as it was written: where it is still that one, a write need not read it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "of a build with servers")]
struct Seen {
    mark: u64,
    nonce: u64,
}

/// A record still to be committed: what the lease does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Who encoded the state, and when; none with no state.
    pub state: Option<(Origination, Vec<u8>)>,
    /// Why it is written.
    pub cause: Cause,
    /// The host that writes it.
    pub node: String,
    /// Now, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Accepted messages that were not handled yet, in order.
    pub inbox: Vec<crate::model::Message>,
    /// Timers that have not come due yet.
    pub timers: Vec<StoredTimer>,
    /// What it has under way with others.
    pub traffic: Traffic,
}

/// All that a store holds for one actor, to be put into another store or back into this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its head. Who owns it, and its nonce, are not put anywhere.
    pub head: Head,
    /// The bytes of the records that the head names, as they were read, in the order in which it names them. Damaged ones
    /// are kept as they are: what was unreadable stays so, and stays known as such.
    pub records: Vec<Vec<u8>>,
    /// What is in quarantine.
    pub quarantine: Vec<Quarantined>,
}

/// What is left of an actor whose head is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// What is wrong with the head.
    pub why: RecordError,
    /// One of the records that are whole: its numbers have leapt, and it counts as taken up.
    pub head: Head,
    /// What cannot be read of its records.
    pub damaged: Vec<Quarantined>,
}

/// A record in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quarantined {
    /// The record that the head names.
    pub record: RecordRef,
    /// What was wrong.
    pub why: String,
    /// When it was put there, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The bytes as they were found; what was missing is missing.
    #[serde(skip_serializing)]
    pub found: Vec<u8>,
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The head is not what the caller has seen: another owner, or another write.
    #[error("another instance owns the actor now: {0}")]
    Conflict(String),
    /// The answer was lost: whether it took place is settled by reading the head and comparing its nonce.
    #[error("whether the write took place is not known: {0}")]
    Unknown(String),
    /// Out of reach, or out of order; trying again later may help.
    #[error("the store is out of reach: {0}")]
    Unavailable(String),
    /// The bytes are not what was written.
    #[error("the store's bytes are damaged: {0}")]
    Corrupt(RecordError),
    /// The record is larger than the backend takes.
    #[error("a record of {bytes} bytes is larger than this store takes ({largest})")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The most that it may have.
        largest: usize,
    },
    /// This backend cannot do that.
    #[error("this store cannot {0}")]
    Unsupported(&'static str),
}

impl StoreError {
    /// What to do about it, where that is known.
    #[must_use]
    pub fn cure(&self) -> Option<&'static str> {
        match self {
            Self::Corrupt(RecordError::Head(_)) => Some(
                "`baton store repair` makes a new head of the records that are there, `baton store forget` erases the actor",
            ),
            _ => None,
        }
    }
}

/// Now, in milliseconds since the Unix epoch; 0 before it: the one clock by which records, timers and dead letters are
/// dated, so that they can be compared.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
