//! What a server is to a store, whichever it is: rows, the one write that swaps them, and leases.

use std::fmt;
use std::future::Future;

use super::super::hosts::{self, HostLease, NewHost};
use super::super::url::Wrong;
use super::super::{Durable, RecordRef, StoreError};
use crate::model::ActorName;

/// Why a server did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Fault {
    /// It refused, and nothing has changed; it can be asked other things.
    Refused(String),
    /// It is out of reach, and was not asked.
    Gone(String),
    /// It was asked, and the answer was lost.
    Lost(String),
}

/// The row of an actor, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Row {
    /// Drawn anew with every write to the row: a write goes through only where it is still the one that was read.
    pub(in crate::store) mark: u64,
    /// The bytes of the head.
    pub(in crate::store) head: Vec<u8>,
}

/// Which host's lease counts for a write, by the server's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Guard<'a> {
    /// None.
    Free,
    /// That one must run.
    Runs(&'a str),
    /// That one must not.
    Ended(&'a str),
}

impl<'a> Guard<'a> {
    /// The one that must run, and the one that must not.
    pub(in crate::store) fn split(self) -> (Option<&'a str>, Option<&'a str>) {
        match self {
            Self::Free => (None, None),
            Self::Runs(id) => (Some(id), None),
            Self::Ended(id) => (None, Some(id)),
        }
    }

    /// What a write is answered with that it says no to.
    pub(super) fn refusal(self) -> Option<StoreError> {
        match self {
            Self::Free => None,
            Self::Runs(id) => Some(hosts::lease_ended(id)),
            Self::Ended(id) => Some(hosts::owned_by_a_host(id)),
        }
    }
}

/// A record's place, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Place {
    pub(in crate::store) sequence: u64,
    pub(in crate::store) digest: [u8; 32],
    pub(in crate::store) bytes: Vec<u8>,
}

/// A copy in quarantine: what describes it, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Copied {
    pub(in crate::store) place: Place,
    pub(in crate::store) description: Vec<u8>,
}

/// One write: all of it, or nothing.
#[derive(Debug)]
pub(in crate::store) struct Swap<'a> {
    pub(in crate::store) actor: &'a ActorName,
    /// The mark that the row must have; none: there must be no row.
    pub(in crate::store) expect: Option<u64>,
    pub(in crate::store) mark: u64,
    pub(in crate::store) head: Vec<u8>,
    pub(in crate::store) guard: Guard<'a>,
    pub(in crate::store) put: Vec<&'a (RecordRef, Vec<u8>)>,
    pub(in crate::store) dropped: &'a [RecordRef],
    /// What the quarantine of the actor holds from now on; none: what it held.
    pub(in crate::store) copies: Option<Vec<Copied>>,
}

/// Two that belong together: a name and the bytes of its head, those and the bytes of a record, or a copy's description and
/// the copy.
pub(in crate::store) type Pair = (Vec<u8>, Vec<u8>);

/// What a server does. Everything is durable when it is answered, as far as [`Server::durable`] says; leases run by the
/// server's clock.
pub(in crate::store) trait Server: fmt::Debug + Send + Sync + 'static {
    fn backend(&self) -> &'static str;
    fn durable(&self) -> Durable;
    fn largest_record(&self) -> usize;

    /// Connects anew, and looks at the settings again.
    fn probe(&self) -> impl Future<Output = Result<(), Wrong>> + Send;
    fn close(&self) -> impl Future<Output = ()> + Send;

    fn row(&self, actor: &ActorName) -> impl Future<Output = Result<Option<Row>, Fault>> + Send;
    /// The bytes of the head, and of a record as far as it is there.
    fn record(&self, actor: &ActorName, record: &RecordRef)
    -> impl Future<Output = Result<Option<Pair>, Fault>> + Send;
    /// Every record of an actor's that is there.
    fn records(&self, actor: &ActorName) -> impl Future<Output = Result<Vec<Place>, Fault>> + Send;
    /// Whether it took place: not, where the mark is another or the guard says no.
    fn swap(&self, swap: &Swap<'_>) -> impl Future<Output = Result<bool, Fault>> + Send;
    /// Keeps a copy, unless there is one of that record.
    fn put_copy(&self, actor: &ActorName, copy: &Copied) -> impl Future<Output = Result<(), Fault>> + Send;
    /// Descriptions and bytes, in order of the records.
    fn copies(&self, actor: &ActorName) -> impl Future<Output = Result<Vec<Pair>, Fault>> + Send;
    fn discard(&self, actor: &ActorName, record: Option<&RecordRef>)
    -> impl Future<Output = Result<u64, Fault>> + Send;
    fn disk_bytes(&self) -> impl Future<Output = Result<Option<u64>, Fault>> + Send;
    fn list(&self, after: Option<&ActorName>, limit: u64) -> impl Future<Output = Result<Vec<Pair>, Fault>> + Send;

    /// Whether it joined: not, where the id is known.
    fn join(&self, host: &NewHost, ttl_ms: u64) -> impl Future<Output = Result<bool, Fault>> + Send;
    /// Whether its lease ran.
    fn renew(&self, id: &str) -> impl Future<Output = Result<bool, Fault>> + Send;
    fn leave(&self, id: &str) -> impl Future<Output = Result<(), Fault>> + Send;
    fn leases(&self) -> impl Future<Output = Result<Vec<HostLease>, Fault>> + Send;
}
