//! What every backend promises: one suite over all of them.

mod model;

use std::collections::BTreeSet;
use std::sync::Arc;

use baton_host::model::{ActorName, Body, Digest, Message, MessageId, PluginName, Request, StopReason, Version};
use baton_host::store::{
    Cause, DEFAULT_HISTORY, Head, Image, Lease, MOST_LEASE_TTL_MS, MemoryStore, NewHost, NewRecord, Origination,
    RecordRef, RedbOptions, RedbStore, Refused, Revision, SledOptions, SledStore, SnapshotStore, StoreError,
    StoredTimer, Traffic, connect, stats,
};

use crate::harness::servers::{Server, ServerKind};

/// Small, so that a record that is too large is quickly made.
pub(crate) const LARGEST_RECORD_BYTES: usize = 2 << 20;

type Store = Arc<dyn SnapshotStore>;

/// A store, and what must live as long as it.
struct Made {
    store: Store,
    _dir: Option<tempfile::TempDir>,
}

fn memory() -> Made {
    Made { store: Arc::new(MemoryStore::with_largest_record(LARGEST_RECORD_BYTES)), _dir: None }
}

fn sled() -> Made {
    let dir = tempfile::tempdir().expect("a directory");
    let options = SledOptions { largest_record_bytes: LARGEST_RECORD_BYTES, ..SledOptions::default() };
    let (store, _) = SledStore::open(dir.path(), &options).expect("opens");
    Made { store: Arc::new(store), _dir: Some(dir) }
}

fn redb() -> Made {
    let dir = tempfile::tempdir().expect("a directory");
    let options = RedbOptions { largest_record_bytes: LARGEST_RECORD_BYTES, ..RedbOptions::default() };
    let (store, _) = RedbStore::open(dir.path(), &options).expect("opens");
    Made { store: Arc::new(store), _dir: Some(dir) }
}

/// Hosts of these tests that share a store: on a server, who writes has joined.
const HOSTS: [&str; 4] = ["host-a", "host-b", "host-c", "b"];

/// Lets a host join, where hosts do.
pub(crate) async fn join(store: &dyn SnapshotStore, id: &str) {
    if let Some(hosts) = store.hosts() {
        let host =
            NewHost { id: id.to_owned(), node: "node-1".to_owned(), address: None, lease_ttl_ms: MOST_LEASE_TTL_MS };
        hosts.join(&host).await.expect("joins");
    }
}

/// Lets a host leave, where hosts do: tools may write then.
pub(crate) async fn leave(store: &dyn SnapshotStore, id: &str) {
    if let Some(hosts) = store.hosts() {
        hosts.leave(id).await.expect("leaves");
    }
}

macro_rules! conformance {
    ($($case:ident)*) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let made = super::memory();
                super::$case(made.store.clone()).await;
            })*
        }
        mod on_sled {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let made = super::sled();
                super::$case(made.store.clone()).await;
            })*
        }
        mod on_redb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let made = super::redb();
                super::$case(made.store.clone()).await;
            })*
        }
        /// All of them in one server, one after the other, each in a space of its own.
        async fn every_case(server: &Server) {
            $({
                let store = on_server(server, stringify!($case)).await;
                println!("{}", stringify!($case));
                $case(store.clone()).await;
                drop(store.close().await);
            })*
        }
    };
}

/// A space of a server, as small as the other stores here, with the hosts in it.
async fn on_server(server: &Server, space: &str) -> Store {
    let space: String = space.chars().take(40).collect();
    let url = format!("{}&largest_record_bytes={LARGEST_RECORD_BYTES}", server.url(&space));
    let store = connect(&url.parse().expect("a URL"), DEFAULT_HISTORY).await.expect("connects");
    for host in HOSTS {
        join(&*store, host).await;
    }
    join(&*store, &"x".repeat(255)).await;
    store
}

async fn on(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    every_case(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_every_promise() {
    on(ServerKind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_keeps_every_promise() {
    on(ServerKind::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mysql_keeps_every_promise() {
    on(ServerKind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_every_promise() {
    on(ServerKind::Redis).await;
}

conformance! {
    an_actor_that_never_was_has_no_head
    what_is_committed_is_loaded
    epoch_generation_and_sequence_only_rise
    a_lease_that_is_not_the_newest_can_write_nothing
    of_two_claims_at_one_revision_one_wins
    the_mark_taken_up_lasts_until_the_next_record
    a_release_may_bring_a_last_record
    a_sleeper_keeps_its_lease_and_says_so_until_the_next_write
    a_wake_marks_what_it_claims_until_it_is_given_up_unused
    forgetting_erases_all_but_the_numbers
    the_history_is_bounded_and_linked
    payloads_of_every_size_come_back
    a_record_that_is_too_large_changes_nothing
    names_do_not_get_in_each_others_way
    a_thousand_actors_are_listed_in_order_page_by_page
    sixty_four_tasks_commit_at_once
    a_record_that_no_head_names_is_not_loaded
    the_quarantine_keeps_a_copy_once
    refusals_are_remembered_with_their_record
    a_pardon_forgets_refusals_and_nothing_else
    what_one_store_holds_another_takes_as_it_is
    pruning_keeps_what_counts_and_the_lease
    what_is_held_is_counted
    after_a_close_nothing_is_answered
    owners_have_a_bounded_name
}

pub(crate) fn name(text: &str) -> ActorName {
    ActorName::new(text).expect("valid")
}

pub(crate) fn origination(schema: u32) -> Origination {
    Origination {
        plugin: PluginName::new("flights").expect("valid"),
        version: Version::new("1.2.0").expect("valid"),
        digest: Digest::of(b"component"),
        schema,
        generation: 41,
        time_ms: 1_763_800_000_000,
    }
}

pub(crate) fn record(data: Vec<u8>) -> NewRecord {
    NewRecord {
        state: Some((origination(3), data)),
        cause: Cause::Checkpoint,
        node: "node-1".to_owned(),
        time_ms: 1_763_800_000_001,
        inbox: vec![],
        timers: vec![],
        traffic: Traffic::default(),
    }
}

pub(crate) async fn claim(store: &dyn SnapshotStore, actor: &ActorName, owner: &str) -> Lease {
    let revision = store.head(actor).await.expect("answers").map(|(_, revision)| revision);
    store.claim(actor, revision, owner).await.expect("claims")
}

async fn stored(store: &Store, actor: &ActorName) -> Head {
    store.head(actor).await.expect("answers").expect("a head").0
}

async fn data(store: &Store, actor: &ActorName) -> Vec<u8> {
    let head = stored(store, actor).await;
    store.load(actor, head.current().expect("saved")).await.expect("loads").data
}

async fn an_actor_that_never_was_has_no_head(store: Store) {
    assert_eq!(store.head(&name("nobody")).await, Ok(None));
    assert_eq!(store.list(None, 10).await, Ok(vec![]));
    assert_eq!(store.quarantined(&name("nobody")).await, Ok(vec![]));
    let conflict = store.claim(&name("nobody"), Some(Revision(1)), "a").await;
    assert!(matches!(conflict, Err(StoreError::Conflict(_))), "{conflict:?}");
    assert_eq!(store.head(&name("nobody")).await, Ok(None), "asking makes no head");
}

async fn what_is_committed_is_loaded(store: Store) {
    let actor = name("cart/42");
    let mut lease = claim(&*store, &actor, "host-a").await;
    let request =
        Request { id: MessageId::random(), sender: Some(name("shop")), body: Body::from_static(b"buy"), sent: None };
    let new = NewRecord {
        inbox: vec![
            Message::Call(request.clone()),
            Message::Cast(Request { sender: None, ..request }),
            Message::Timer("tick".to_owned()),
            Message::Down(name("shop"), "normal".to_owned()),
        ],
        timers: vec![StoredTimer { name: "tock".to_owned(), due_ms: 7 }],
        ..record(b"three apples".to_vec())
    };
    let revision = store.commit(&mut lease, new.clone()).await.expect("commits");
    assert_eq!(store.head(&actor).await, Ok(Some((lease.head.clone(), revision))));
    assert_eq!(revision, lease.revision);

    let reference = lease.head.current().expect("saved").clone();
    let loaded = store.load(&actor, &reference).await.expect("loads");
    let (header, data) = (loaded.header, loaded.data);
    assert_eq!(data, b"three apples");
    assert_eq!((&header.actor, header.epoch, header.generation, header.sequence), (&actor, 1, 1, 1));
    assert_eq!((header.parent, header.node.as_str(), header.time_ms), (None, "node-1", new.time_ms));
    assert_eq!(header.state, Some(origination(3)), "who encoded the state is passed through as given");
    assert_eq!((header.inbox, header.timers, header.cause), (new.inbox, new.timers, new.cause));
    assert_eq!((reference.schema, reference.time_ms), (Some(3), new.time_ms));
    assert_eq!(reference.plugin, Some(("flights".to_owned(), "1.2.0".to_owned())));

    let none = NewRecord { state: None, ..record(vec![]) };
    store.commit(&mut lease, none).await.expect("commits messages and timers alone");
    let reference = lease.head.current().expect("saved");
    assert_eq!((reference.schema, &reference.plugin), (None, &None));
    assert_eq!(store.load(&actor, reference).await.expect("loads").header.state, None);
}

async fn epoch_generation_and_sequence_only_rise(store: Store) {
    let actor = name("a");
    let mut last = (0, 0, 0);
    for round in 0..4 {
        let mut lease = claim(&*store, &actor, "host-a").await;
        assert_eq!((lease.head.epoch, lease.head.generation), (last.0 + 1, last.1 + 1));
        for _ in 0..round {
            store.commit(&mut lease, record(vec![round])).await.expect("commits");
        }
        if round == 2 {
            store.release(&mut lease, None, StopReason::Normal).await.expect("releases");
        }
        let head = stored(&store, &actor).await;
        assert_eq!(head, lease.head);
        assert_eq!(head.sequence, last.2 + u64::from(round));
        last = (head.epoch, head.generation, head.sequence);
    }
}

async fn refuses_all(store: &Store, lease: &Lease) {
    let conflict = |outcome: Result<(), StoreError>| matches!(outcome, Err(StoreError::Conflict(_)));
    let mut stale = lease.clone();
    assert!(conflict(store.commit(&mut stale, record(vec![9])).await.map(drop)), "commit");
    assert!(conflict(store.take_up(&mut stale).await), "take up");
    assert!(conflict(store.rest(&mut stale, None).await.map(drop)), "rest");
    assert!(conflict(store.rest(&mut stale, Some(record(vec![9]))).await.map(drop)), "rest with a record");
    assert!(conflict(store.release(&mut stale, None, StopReason::Normal).await.map(drop)), "release");
    let last = Some(record(vec![9]));
    assert!(conflict(store.release(&mut stale, last, StopReason::Normal).await.map(drop)), "release with a record");
    assert!(conflict(store.forget(&mut stale).await), "forget");
    assert_eq!(&stale, lease, "a refused lease stays as it was");
}

async fn a_lease_that_is_not_the_newest_can_write_nothing(store: Store) {
    let actor = name("a");
    let mut first = claim(&*store, &actor, "host-a").await;
    let before_commit = first.clone();
    store.commit(&mut first, record(vec![1])).await.expect("commits");
    refuses_all(&store, &before_commit).await;
    let mut second = claim(&*store, &actor, "host-b").await;
    refuses_all(&store, &first).await;
    let mut again = claim(&*store, &actor, "host-b").await;
    refuses_all(&store, &second).await;
    second.owner = "host-c".to_owned();
    refuses_all(&store, &second).await;
    assert_eq!(data(&store, &actor).await, [1], "nothing was written");

    store.commit(&mut again, record(vec![2])).await.expect("the newest may");
    store.release(&mut again, None, StopReason::Normal).await.expect("releases");
    refuses_all(&store, &again).await;
    assert_eq!(data(&store, &actor).await, [2]);
}

async fn of_two_claims_at_one_revision_one_wins(store: Store) {
    for round in 0..20 {
        let actor = name(&format!("a/{}", round % 2));
        let revision = store.head(&actor).await.expect("answers").map(|(_, revision)| revision);
        let (a, b) = tokio::join!(store.claim(&actor, revision, "host-a"), store.claim(&actor, revision, "host-b"));
        let (winner, loser) = if a.is_ok() { (a, b) } else { (b, a) };
        let winner = winner.expect("one wins");
        assert!(matches!(loser, Err(StoreError::Conflict(_))), "{loser:?}");
        assert_eq!(stored(&store, &actor).await, winner.head);
    }
}

async fn the_mark_taken_up_lasts_until_the_next_record(store: Store) {
    let actor = name("a");
    let mut lease = claim(&*store, &actor, "host-a").await;
    store.take_up(&mut lease).await.expect("nothing to mark");
    assert_eq!(stored(&store, &actor).await.taken_up, None);
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    for _ in 0..2 {
        store.take_up(&mut lease).await.expect("marks");
        assert_eq!(stored(&store, &actor).await.taken_up, Some(1));
    }
    let mut lease = claim(&*store, &actor, "host-b").await;
    assert_eq!(lease.head.taken_up, Some(1), "a claim leaves it");
    store.take_up(&mut lease).await.expect("marks");
    assert_eq!(stored(&store, &actor).await.taken_up, Some(2));
    store.commit(&mut lease, record(vec![2])).await.expect("the lease goes on after a mark");
    assert_eq!(stored(&store, &actor).await.taken_up, None);
}

async fn a_release_may_bring_a_last_record(store: Store) {
    let actor = name("a");
    let mut lease = claim(&*store, &actor, "host-a").await;
    let stopped = NewRecord { cause: Cause::Stopped(StopReason::Shutdown), ..record(b"last".to_vec()) };
    store.release(&mut lease, Some(stopped), StopReason::Shutdown).await.expect("releases");
    let head = stored(&store, &actor).await;
    assert_eq!((head.owner.as_deref(), &head.stopped, head.sequence), (None, &Some(StopReason::Shutdown), 1));
    assert_eq!(head.current().expect("saved").cause, Cause::Stopped(StopReason::Shutdown));
    assert_eq!(data(&store, &actor).await, b"last");

    let mut lease = claim(&*store, &actor, "host-b").await;
    assert_eq!((lease.head.owner.as_deref(), &lease.head.stopped), (Some("host-b"), &None));
    store.release(&mut lease, None, StopReason::Passivate).await.expect("releases");
    assert_eq!(stored(&store, &actor).await.stopped, Some(StopReason::Passivate));
    assert_eq!(data(&store, &actor).await, b"last", "without a record the one before stays");
}

async fn a_sleeper_keeps_its_lease_and_says_so_until_the_next_write(store: Store) {
    let actor = name("a");
    let mut lease = claim(&*store, &actor, "host-a").await;
    let said = async || {
        let head = stored(&store, &actor).await;
        (head.owner.is_some(), head.stopped, head.sequence)
    };
    let asleep = Some(StopReason::Passivate);
    store.rest(&mut lease, Some(record(b"one".to_vec()))).await.expect("rests");
    assert_eq!(said().await, (true, asleep.clone(), 1));
    assert_eq!(data(&store, &actor).await, b"one");
    store.take_up(&mut lease).await.expect("the lease goes on");
    assert_eq!(said().await, (true, None, 1), "it is awake");
    store.rest(&mut lease, None).await.expect("rests");
    assert_eq!(said().await, (true, asleep.clone(), 1), "with no record the one before stays");
    assert_eq!(stored(&store, &actor).await.taken_up, Some(1), "and so does what is known of it");
    store.commit(&mut lease, record(b"two".to_vec())).await.expect("commits");
    assert_eq!(said().await, (true, None, 2));
    store.rest(&mut lease, None).await.expect("rests");
    let mut lease = claim(&*store, &actor, "host-b").await;
    assert_eq!(said().await, (true, None, 2), "whoever claims it wakes it");
    store.rest(&mut lease, None).await.expect("rests");
    store.release(&mut lease, None, StopReason::Shutdown).await.expect("releases");
    assert_eq!(said().await, (false, Some(StopReason::Shutdown), 2));
}

async fn a_wake_marks_what_it_claims_until_it_is_given_up_unused(store: Store) {
    let actor = name("a");
    let wake = async |actor: &ActorName| {
        let revision = store.head(actor).await.expect("answers").map(|(_, revision)| revision);
        store.wake(actor, revision, "host-a").await.expect("wakes")
    };
    let mut lease = wake(&name("b")).await;
    assert_eq!((lease.head.taken_up, lease.is_taken_up()), (None, false), "there is nothing to mark");
    store.commit(&mut lease, record(vec![1])).await.expect("it is a claim like any other");

    let mut lease = claim(&*store, &actor, "host-a").await;
    store.rest(&mut lease, Some(record(vec![1]))).await.expect("rests");
    let refused = || Refused {
        record: Digest::of(b"r"),
        component: Digest::of(b"c"),
        version: "1.0.0".to_owned(),
        why: "no".to_owned(),
        time_ms: 1,
    };
    for used in [false, true] {
        for ends in 0..3 {
            let mut lease = wake(&actor).await;
            let generation = lease.head.generation;
            assert_eq!(stored(&store, &actor).await.taken_up, Some(generation), "durably");
            assert_eq!((&lease.head.stopped, lease.is_taken_up()), (&None, false));
            if used {
                lease.takes_up();
                assert!(lease.is_taken_up());
            }
            match ends {
                0 => store.release(&mut lease, None, StopReason::Shutdown).await.map(drop).expect("releases"),
                1 => store.refuse(&mut lease, refused()).await.expect("refuses"),
                _ => store.rest(&mut lease, None).await.map(drop).expect("rests"),
            }
            assert_eq!(stored(&store, &actor).await.taken_up, used.then_some(generation), "{ends}");
        }
    }
    let mut lease = wake(&actor).await;
    store.take_up(&mut lease).await.expect("there is nothing left to write");
    assert!(lease.is_taken_up(), "it was taken up all the same");
    store.release(&mut lease, None, StopReason::Shutdown).await.expect("releases");
    assert!(stored(&store, &actor).await.taken_up.is_some());
}

async fn forgetting_erases_all_but_the_numbers(store: Store) {
    let actor = name("a");
    let mut lease = claim(&*store, &actor, "host-a").await;
    store.commit(&mut lease, record(vec![1; 9_000])).await.expect("commits");
    let reference = lease.head.current().expect("saved").clone();
    store.forget(&mut lease).await.expect("forgets");
    let head = stored(&store, &actor).await;
    assert_eq!((head.records.len(), &head.owner, head.epoch, head.sequence), (0, &None, 1, 1));
    assert!(store.load(&actor, &reference).await.is_err(), "it is gone");
    let mut lease = claim(&*store, &actor, "host-a").await;
    assert_eq!((lease.head.epoch, lease.head.generation), (2, 2));
    store.commit(&mut lease, record(vec![2])).await.expect("commits");
    assert_eq!(lease.head.sequence, 2);
    let loaded = store.load(&actor, lease.head.current().expect("saved")).await.expect("loads");
    assert_eq!(loaded.header.parent, None);
}

async fn the_history_is_bounded_and_linked(store: Store) {
    let actor = name("a");
    let history = store.capabilities().history;
    assert!(history >= 2);
    let mut lease = claim(&*store, &actor, "host-a").await;
    let mut before: Option<RecordRef> = None;
    for n in 1..=9u8 {
        store.commit(&mut lease, record(vec![n; 5_000])).await.expect("commits");
        let head = stored(&store, &actor).await;
        assert_eq!(head.records.len(), history.min(n.into()));
        let current = head.current().expect("saved").clone();
        let header = store.load(&actor, &current).await.expect("loads").header;
        assert_eq!(header.parent, before.as_ref().map(|parent| (parent.sequence, parent.digest)));
        before = Some(current);
        for (age, reference) in head.records.iter().enumerate() {
            let loaded = store.load(&actor, reference).await.expect("every record that is kept can be read");
            assert_eq!(usize::from(loaded.data[0]), usize::from(n) - age);
        }
    }
}

async fn payloads_of_every_size_come_back(store: Store) {
    let mut lease = claim(&*store, &name("a"), "host-a").await;
    for size in [0, 1, 4_095, 4_096, 4_097, 8_192, 300_000, 1 << 20, 1, 0] {
        let payload: Vec<u8> = (0..size).map(|i: usize| u8::try_from(i % 251).expect("small")).collect();
        store.commit(&mut lease, record(payload.clone())).await.expect("commits");
        assert!(data(&store, &lease.actor).await == payload, "{size} bytes");
    }
}

async fn a_record_that_is_too_large_changes_nothing(store: Store) {
    let largest = store.capabilities().largest_record;
    assert_eq!(largest, LARGEST_RECORD_BYTES);
    let mut lease = claim(&*store, &name("a"), "host-a").await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    let overhead = usize::try_from(lease.head.current().expect("saved").bytes).expect("small") - 1;
    let before = lease.clone();
    for size in [largest + 1, largest, largest - overhead + 9] {
        let too_large = store.commit(&mut lease, record(vec![2; size])).await;
        assert!(matches!(too_large, Err(StoreError::TooLarge { bytes, largest: l }) if bytes > l), "{too_large:?}");
        let too_large = store.release(&mut lease, Some(record(vec![2; size])), StopReason::Normal).await;
        assert!(matches!(too_large, Err(StoreError::TooLarge { .. })), "{too_large:?}");
    }
    assert_eq!(lease, before);
    assert_eq!(data(&store, &lease.actor).await, [1]);
    store.commit(&mut lease, record(vec![3; largest - overhead - 200])).await.expect("just below fits");
}

async fn names_do_not_get_in_each_others_way(store: Store) {
    let long = "ü".repeat(127);
    let longer = format!("{long}x");
    let names =
        ["a", "a ", "a b", "a/b", "a/b/c", "a0", "aa", "ä", "日本/東京", "🦀", "'; drop table", "%00", &long, &longer];
    for (n, actor) in (0u8..).zip(names) {
        let mut lease = claim(&*store, &name(actor), "host-a").await;
        for round in 0..5 {
            store.commit(&mut lease, record(vec![n, round])).await.expect("commits");
        }
    }
    for (n, actor) in (0u8..).zip(names) {
        assert_eq!(data(&store, &name(actor)).await, [n, 4], "{actor:?}");
    }
    let mut lease = claim(&*store, &name("a"), "host-a").await;
    store.forget(&mut lease).await.expect("forgets");
    for (n, actor) in (0u8..).zip(names).skip(1) {
        assert_eq!(data(&store, &name(actor)).await, [n, 4], "{actor:?} after `a` was forgotten");
    }
    let listed: Vec<_> = store.list(None, 100).await.expect("answers").into_iter().map(|(name, _)| name).collect();
    let expected: BTreeSet<_> = names.iter().map(|n| name(n)).collect();
    assert!(listed.iter().eq(expected.iter()), "{listed:?}");
}

async fn a_thousand_actors_are_listed_in_order_page_by_page(store: Store) {
    let names: BTreeSet<ActorName> = (0..1_000).map(|n| name(&format!("actor/{}", n * 7919 % 1_000))).collect();
    let claims: Vec<_> = names
        .iter()
        .map(|actor| {
            let (store, actor) = (store.clone(), actor.clone());
            tokio::spawn(async move { store.claim(&actor, None, "host-a").await })
        })
        .collect();
    for claim in claims {
        claim.await.expect("runs").expect("claims");
    }
    let mut listed = Vec::new();
    loop {
        let page = store.list(listed.last(), 99).await.expect("answers");
        assert!(page.len() <= 99);
        assert!(page.iter().all(|(name, _)| Some(name) > listed.last()), "nothing is listed twice");
        assert!(page.iter().all(|(_, head)| head.as_ref().is_ok_and(|head| head.epoch == 1)));
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|(name, _)| name));
    }
    assert!(listed.iter().eq(names.iter()), "{} listed", listed.len());
    assert_eq!(store.list(None, 0).await, Ok(vec![]));
}

async fn sixty_four_tasks_commit_at_once(store: Store) {
    let tasks: Vec<_> = (0..64u8)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut lease = claim(&*store, &name(&format!("task/{n}")), "host-a").await;
                for round in 0..10 {
                    store.commit(&mut lease, record(vec![n ^ round; 1_000])).await.expect("commits");
                }
                lease
            })
        })
        .collect();
    for (n, task) in (0u8..).zip(tasks) {
        let lease = task.await.expect("runs");
        assert_eq!(stored(&store, &lease.actor).await, lease.head);
        assert_eq!(lease.head.sequence, 10);
        assert_eq!(data(&store, &lease.actor).await, vec![n ^ 9; 1_000]);
    }
}

async fn a_record_that_no_head_names_is_not_loaded(store: Store) {
    let mut lease = claim(&*store, &name("a"), "host-a").await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    let good = lease.head.current().expect("saved").clone();
    let others = [
        RecordRef { digest: Digest::of(b"other"), ..good.clone() },
        RecordRef { sequence: 2, ..good.clone() },
        RecordRef { bytes: u64::MAX, ..good.clone() },
    ];
    for other in others {
        let refused = store.load(&name("a"), &other).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    assert!(matches!(store.load(&name("b"), &good).await, Err(StoreError::Conflict(_))));
}

async fn the_quarantine_keeps_a_copy_once(store: Store) {
    let actor = name("a");
    let mut lease = claim(&*store, &actor, "host-a").await;
    let mut kept = Vec::new();
    for n in 1..=2u8 {
        store.commit(&mut lease, record(vec![n; 9_000])).await.expect("commits");
        kept.push(lease.head.current().expect("saved").clone());
        for why in ["because", "again"] {
            store.quarantine(&actor, &kept[usize::from(n) - 1], why).await.expect("is kept");
        }
    }
    assert_eq!(store.head(&actor).await.expect("answers").expect("a head").0, lease.head, "the head stays");
    for n in 3..=5u8 {
        store.commit(&mut lease, record(vec![n])).await.expect("commits");
    }
    // Gone from the history, and still in quarantine.
    let found = store.quarantined(&actor).await.expect("answers");
    assert_eq!(found.iter().map(|q| q.record.clone()).collect::<Vec<_>>(), kept);
    for one in &found {
        assert_eq!((one.why.as_str(), one.found.len() as u64), ("because", one.record.bytes));
        assert_eq!(Digest::of(&one.found), one.record.digest, "byte by byte");
        assert!(one.time_ms > 0);
    }
    assert_eq!(store.quarantined(&name("b")).await, Ok(vec![]));
    assert_eq!(store.discard(&actor, Some(&kept[0])).await, Ok(1));
    assert_eq!(store.discard(&actor, Some(&kept[0])).await, Ok(0), "it is gone");
    assert_eq!(store.quarantined(&actor).await.expect("answers"), found[1..]);
    store.forget(&mut lease).await.expect("forgets");
    assert_eq!(store.quarantined(&actor).await, Ok(vec![]), "nothing of a forgotten actor stays");
}

async fn refusals_are_remembered_with_their_record(store: Store) {
    let actor = name("a");
    let mut lease = claim(&*store, &actor, "host-a").await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    let refused = Refused {
        record: lease.head.current().expect("saved").digest,
        component: Digest::of(b"component"),
        version: "1.2.0".to_owned(),
        why: "corrupt: it does not decode".to_owned(),
        time_ms: 7,
    };
    let stale = lease.clone();
    store.refuse(&mut lease, refused.clone()).await.expect("notes");
    assert_eq!(stored(&store, &actor).await.refusals, std::slice::from_ref(&refused));
    assert!(matches!(store.refuse(&mut stale.clone(), refused.clone()).await, Err(StoreError::Conflict(_))));
    let lease = claim(&*store, &actor, "host-b").await;
    assert_eq!(lease.head.refusals, [refused], "for the next instance as well");
}

async fn a_pardon_forgets_refusals_and_nothing_else(store: Store) {
    let actor = name("a");
    let mut lease = claim(&*store, &actor, "host-a").await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    let refused = Refused {
        record: lease.head.records[0].digest,
        component: Digest::of(b"component"),
        version: "1.0.0".to_owned(),
        why: "no".to_owned(),
        time_ms: 5,
    };
    store.refuse(&mut lease, refused).await.expect("is noted");
    let before = stored(&store, &actor).await;
    let stale = Revision(lease.revision.0.wrapping_add(1));
    assert!(matches!(store.pardon(&actor, stale).await, Err(StoreError::Conflict(_))), "a head that was never seen");
    assert!(matches!(store.pardon(&name("nobody"), stale).await, Err(StoreError::Conflict(_))));
    assert_eq!(stored(&store, &actor).await, before);

    leave(&*store, "host-a").await;
    let revision = store.pardon(&actor, lease.revision).await.expect("pardons");
    join(&*store, "host-a").await;
    let (after, found) = store.head(&actor).await.expect("answers").expect("a head");
    assert_eq!(found, revision);
    assert_eq!(after, Head { refusals: vec![], nonce: after.nonce, ..before });
    refuses_all(&store, &lease).await;
}

async fn what_one_store_holds_another_takes_as_it_is(store: Store) {
    let actor = name("a");
    let other = MemoryStore::with_largest_record(LARGEST_RECORD_BYTES);
    let mut lease = claim(&other, &actor, "host-a").await;
    for n in 1..=3u8 {
        other.commit(&mut lease, record(vec![n; 9_000])).await.expect("commits");
    }
    other.quarantine(&actor, &lease.head.records[1], "bad").await.expect("is kept");
    let quarantine = other.quarantined(&actor).await.expect("answers");
    let mut records = Vec::new();
    for reference in &lease.head.records {
        records.push(other.read(&actor, reference).await.expect("reads"));
    }
    // Damage travels as what it is.
    records[2].truncate(5_000);
    let image = Image { head: lease.head.clone(), records, quarantine: quarantine.clone() };

    let mut old = claim(&*store, &actor, "host-b").await;
    for n in 1..=2u8 {
        store.commit(&mut old, record(vec![n])).await.expect("commits");
    }
    assert!(matches!(store.put(&actor, None, image.clone()).await, Err(StoreError::Conflict(_))));
    leave(&*store, "host-b").await;
    let revision = store.put(&actor, Some(old.revision), image.clone()).await.expect("puts");
    join(&*store, "host-b").await;
    let (head, found) = store.head(&actor).await.expect("answers").expect("a head");
    assert_eq!((found, &head.records, head.owner.as_deref()), (revision, &lease.head.records, None));
    assert_eq!((head.epoch, head.generation, head.sequence), (2, 1, 3));
    assert_eq!(data(&store, &actor).await, vec![3; 9_000]);
    assert_eq!(store.load(&actor, &head.records[1]).await.expect("loads").data, vec![2; 9_000]);
    assert!(matches!(store.load(&actor, &head.records[2]).await, Err(StoreError::Corrupt(_))));
    assert_eq!(store.quarantined(&actor).await, Ok(quarantine));
    assert!(matches!(store.commit(&mut old, record(vec![9])).await, Err(StoreError::Conflict(_))), "the old lease");
    store.put(&name("new"), None, image).await.expect("puts where nothing was");
    let mut lease = claim(&*store, &actor, "host-b").await;
    store.commit(&mut lease, record(vec![4])).await.expect("goes on");
    assert_eq!(stored(&store, &actor).await.current().expect("saved").sequence, 4);
}

async fn pruning_keeps_what_counts_and_the_lease(store: Store) {
    let actor = name("a");
    let mut lease = claim(&*store, &actor, "host-a").await;
    for n in 1..=3u8 {
        store.commit(&mut lease, record(vec![n; 9_000])).await.expect("commits");
    }
    let old = lease.head.records[2].clone();
    store.prune(&actor, 0).await.expect("prunes");
    assert_eq!(stored(&store, &actor).await.records, lease.head.records[..1]);
    assert!(matches!(store.read(&actor, &old).await, Err(StoreError::Conflict(_))));
    assert_eq!(data(&store, &actor).await, vec![3; 9_000]);
    store.commit(&mut lease, record(vec![4])).await.expect("its owner goes on");
    assert!(matches!(store.prune(&name("nobody"), 1).await, Err(StoreError::Conflict(_))));
}

async fn what_is_held_is_counted(store: Store) {
    let empty = stats(&*store).await.expect("answers");
    assert_eq!((empty.actors, empty.records, empty.held_bytes(), empty.quarantined), (0, 0, 0, 0));
    let mut lease = claim(&*store, &name("a"), "host-a").await;
    for n in 1..=5u8 {
        store.commit(&mut lease, record(vec![n; 9_000])).await.expect("commits");
    }
    store.quarantine(&name("a"), &lease.head.records[1], "bad").await.expect("is kept");
    claim(&*store, &name("b"), "host-a").await;

    let found = stats(&*store).await.expect("answers");
    let bytes: Vec<u64> = lease.head.records.iter().map(|record| record.bytes).collect();
    assert_eq!((found.actors, found.records, found.quarantined), (2, 3, 1));
    assert_eq!((found.history_bytes, found.quarantine_bytes), (bytes[1] + bytes[2], bytes[1]));
    assert!(found.live_bytes > bytes[0] && found.live_bytes < bytes[0] + 1_000, "a record and two heads: {found:?}");
    assert_eq!(found.dead_bytes.is_some(), found.disk_bytes.is_some());
    assert!(found.disk_bytes.is_none_or(|disk| disk >= found.held_bytes()), "{found:?}");
    // Memory has no files, and Redis one for all that is in the server.
    let none = ["memory", "redis"].contains(&store.capabilities().backend);
    assert_eq!(found.disk_bytes.is_none(), none, "{found:?}");
}

async fn after_a_close_nothing_is_answered(store: Store) {
    let mut lease = claim(&*store, &name("a"), "host-a").await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    let reference = lease.head.current().expect("saved").clone();
    store.close().await.expect("closes");
    let closed = |outcome: Result<(), StoreError>| {
        assert!(matches!(&outcome, Err(StoreError::Unavailable(why)) if why.contains("closed")), "{outcome:?}");
    };
    closed(store.head(&name("a")).await.map(drop));
    closed(store.claim(&name("a"), Some(lease.revision), "b").await.map(drop));
    closed(store.commit(&mut lease, record(vec![2])).await.map(drop));
    closed(store.take_up(&mut lease).await);
    closed(store.release(&mut lease, None, StopReason::Normal).await.map(drop));
    closed(store.forget(&mut lease).await);
    closed(store.load(&name("a"), &reference).await.map(drop));
    closed(store.quarantine(&name("a"), &reference, "why").await);
    closed(store.quarantined(&name("a")).await.map(drop));
    closed(store.list(None, 1).await.map(drop));
    closed(store.close().await);
}

async fn owners_have_a_bounded_name(store: Store) {
    let refused = store.claim(&name("a"), None, &"x".repeat(256)).await;
    assert!(matches!(refused, Err(StoreError::Unsupported(_))), "{refused:?}");
    store.claim(&name("a"), None, &"x".repeat(255)).await.expect("just fits");
}
