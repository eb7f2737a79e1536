//! What an operator does to states, through the library: on stores of every kind, and on a host at work.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use baton_host::model::{ActorName, Body, Digest, Failure, Message, MessageId, Phase, Request, Sent};
use baton_host::store::tools::{
    self, Consent, Export, FileError, Selection, Taken, ToolError, Verified, Writer, verify,
};
use baton_host::store::{
    Answered, Cause, Image, MemoryStore, NewRecord, Outgoing, Received, Refused, SledOptions, SledStore, SnapshotStore,
    StoreError, StoredTimer, Traffic,
};
use baton_host::{CallOptions, Host, Pattern, Template};

use crate::harness::{Op, StoreDouble, actor, guest, host, name, plugin, repository, until};
use crate::journal::{Told, journal, once, say, say_to, start, told, told_to};
use crate::store_conformance::{claim, record};

/// How `told` tells that an operator put a state there.
const RESTORED: u32 = 3;
const YES: Consent = Consent { yes: true, stop_it: false, running: false };
const STOP_IT: Consent = Consent { yes: true, stop_it: true, running: false };
const DRY: Consent = Consent { yes: false, stop_it: false, running: false };

pub(crate) async fn image(store: &dyn SnapshotStore, actor: &str) -> Image {
    tools::image(store, &name(actor)).await.unwrap().expect("it is stored")
}

async fn put(store: &dyn SnapshotStore, actor: &str, image: Image) {
    let revision = store.head(&name(actor)).await.unwrap().map(|(_, revision)| revision);
    store.put(&name(actor), revision, image).await.unwrap();
}

/// Changes a byte of the actor's current record.
async fn damage(store: &dyn SnapshotStore, actor: &str) {
    let mut found = image(store, actor).await;
    *found.records[0].last_mut().unwrap() ^= 1;
    put(store, actor, found).await;
}

async fn verified(store: &dyn SnapshotStore) -> Verified {
    verify(store, None, 1_000).await.unwrap()
}

async fn sequences(store: &dyn SnapshotStore, actor: &str) -> Vec<u64> {
    image(store, actor).await.head.records.iter().map(|record| record.sequence).collect()
}

#[tokio::test]
async fn an_actor_goes_back_to_the_record_before() {
    let store = StoreDouble::new();
    for word in ["a", "b", "c"] {
        once(&store, &[word]).await;
    }
    let host = start(&store).await;
    assert_eq!(say(&host, "d").await, "abcd");
    let before = image(&*store, "j/1").await;

    let dry = host.rollback(&name("j/1"), None, DRY).await.unwrap();
    assert!(!dry.done && dry.runs.as_deref() == Some("running"), "{dry:?}");
    assert_eq!((dry.taken, dry.loss.commits), (Some(2), 1));
    let error = host.rollback(&name("j/1"), None, YES).await.expect_err("it runs");
    assert_eq!(error.to_string(), "`j/1` runs here (it is running)");
    assert!(error.cure().is_some_and(|cure| cure.contains("--stop-it")));
    assert_eq!(image(&*store, "j/1").await, before, "nothing of that has changed anything");

    // The stop writes a record of its own; it does not change where this leads.
    let done = host.rollback(&name("j/1"), None, STOP_IT).await.unwrap();
    assert_eq!((done.done, done.taken, done.written, done.loss.commits), (true, Some(2), Some(5), 2), "{done:?}");
    assert!(done.ended.is_some_and(|ended| ended.not_started.is_none()));
    let handed = told(&host).await;
    assert_eq!((handed.had_state, handed.origin), (true, RESTORED));
    assert_eq!(say(&host, "x").await, "abx");
    host.shutdown(None).await;
}

#[tokio::test]
async fn an_actor_that_is_held_with_a_damaged_record_goes_back_and_goes_on() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    once(&store, &["b"]).await;
    damage(&*store, "j/1").await;
    let host = start(&store).await;
    until("it is held", || host.actor(&name("j/1")).unwrap().phase == Phase::Held).await;
    let dry = host.rollback(&name("j/1"), None, DRY).await.unwrap();
    assert_eq!(dry.runs.as_deref(), Some("held"));
    assert!(dry.notes[0].starts_with("record 2 cannot be read"), "{dry:?}");
    assert!(host.rollback(&name("j/1"), Some(2), STOP_IT).await.is_err(), "it leads back to itself");

    host.rollback(&name("j/1"), None, STOP_IT).await.unwrap();
    assert_eq!(say(&host, "x").await, "ax");
    let copies = store.quarantined(&name("j/1")).await.unwrap();
    assert_eq!(copies.len(), 1, "what was damaged is kept for inspection");
    let report = verified(&*store).await;
    assert_eq!((report.problems.len(), report.copies), (1, 1), "{report:?}");

    let gone = host.discard(&name("j/1"), None, Consent { running: true, ..YES }).await.unwrap();
    assert_eq!((gone.loss.copies, gone.runs, gone.ended), (1, None, None));
    assert!(store.quarantined(&name("j/1")).await.unwrap().is_empty());
    host.shutdown(None).await;
}

fn cast(id: &str) -> Message {
    Message::Cast(Request { id: MessageId::new(id).unwrap(), sender: None, body: Body::from_static(b"x"), sent: None })
}

/// A record with something of everything that an actor has under way, named after `word`.
pub(crate) fn busy(word: &str) -> NewRecord {
    let id = |what: &str| MessageId::new(&format!("{what}-{word}")).unwrap();
    let sent = Sent { line: 1, number: word.len() as u64 };
    NewRecord {
        inbox: vec![cast(&format!("in-{word}"))],
        timers: vec![StoredTimer { name: format!("timer-{word}"), due_ms: 9_000_000_000_000 }],
        traffic: Traffic {
            outbox: vec![Outgoing { sent, to: name("other"), id: id("out"), body: Body::from_static(b"y") }],
            monitors: vec![name(&format!("watched-{word}"))],
            answered: vec![Answered { sender: None, id: id("asked"), time_ms: 1, reply: Ok(Body::new()) }],
            received: vec![Received { sender: name("sender"), last: sent, time_ms: 1 }],
        },
        ..record(format!("state-{word}").into_bytes())
    }
}

pub(crate) async fn two_busy_records(store: &dyn SnapshotStore) {
    let mut lease = claim(store, &name("a"), "host").await;
    store.commit(&mut lease, busy("old")).await.unwrap();
    store.commit(&mut lease, busy("newer")).await.unwrap();
}

#[tokio::test]
async fn what_others_know_of_an_actor_is_kept_when_it_goes_back() {
    let store = MemoryStore::new();
    two_busy_records(&store).await;
    let done = tools::rollback(&store, &Writer::new(), &name("a"), None, true).await.unwrap();
    assert_eq!((done.taken, done.written), (Some(1), Some(3)));
    let (head, _) = store.head(&name("a")).await.unwrap().unwrap();
    let found = store.load(&name("a"), &head.records[0]).await.unwrap();
    let (old, newer) = (busy("old"), busy("newer"));
    assert_eq!((head.owner.is_none(), &found.header.cause), (true, &Cause::Restored));
    assert_eq!((Some(found.data), found.header.timers), (old.state.map(|(_, data)| data), old.timers));
    assert_eq!(found.header.inbox, newer.inbox);
    assert_eq!(found.header.traffic, Traffic { monitors: old.traffic.monitors, ..newer.traffic });
    assert_eq!(found.header.parent, Some((2, head.records[1].digest)), "what it goes back from stays in the history");
    assert!(verified(&store).await.problems.is_empty());
}

#[tokio::test]
async fn a_copy_has_the_state_and_nothing_that_is_the_originals() {
    let store = MemoryStore::new();
    two_busy_records(&store).await;
    let (a, b, writer) = (name("a"), name("b"), Writer::new());
    let done = tools::fork(&store, &writer, (&a, Some(1)), (&b, false), true).await.unwrap();
    assert_eq!((done.taken, done.written), (Some(1), Some(1)));
    let (head, _) = store.head(&b).await.unwrap().unwrap();
    let copy = store.load(&b, &head.records[0]).await.unwrap();
    let old = busy("old");
    assert_eq!((Some(copy.data), copy.header.timers), (old.state.map(|(_, data)| data), old.timers));
    assert_eq!(copy.header.inbox, []);
    assert_eq!(copy.header.traffic, Traffic { monitors: old.traffic.monitors, ..Traffic::default() });
    assert_ne!(head.line, image(&store, "a").await.head.line, "what it sends is told apart");

    let again = tools::fork(&store, &writer, (&a, None), (&b, false), true).await.expect_err("it is there");
    assert_eq!(again.code(), "exists");
    let dry = tools::fork(&store, &writer, (&a, None), (&b, true), false).await.unwrap();
    assert!(!dry.done && dry.loss.commits == 1);
    assert_eq!(sequences(&store, "b").await, [1], "nothing was changed");
    tools::fork(&store, &writer, (&a, None), (&b, true), true).await.unwrap();
    assert_eq!(sequences(&store, "b").await, [2, 1], "what was replaced stays in the history");
}

#[tokio::test]
async fn a_change_never_writes_over_what_was_written_meanwhile() {
    let store = StoreDouble::new();
    two_busy_records(&*store).await;
    let before = image(&*store, "a").await;
    store.fail(Op::Claim, StoreError::Conflict("it was claimed".into()));
    let (a, b, writer) = (name("a"), name("b"), Writer::new());
    let told = [
        tools::rollback(&*store, &writer, &a, None, true).await.expect_err("claimed").code(),
        tools::fork(&*store, &writer, (&a, None), (&b, false), true).await.expect_err("claimed").code(),
        tools::forget(&*store, &writer, &a, true).await.expect_err("claimed").code(),
    ];
    assert_eq!(told, ["conflict", "conflict", "conflict"]);
    store.mend();
    assert_eq!(image(&*store, "a").await, before);
    assert!(store.head(&b).await.unwrap().is_none());
}

#[tokio::test]
async fn an_actor_that_is_forgotten_begins_anew_and_its_numbers_do_not() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let host = start(&store).await;
    say(&host, "b").await;
    let dry = host.forget(&name("j/1"), DRY).await.unwrap();
    assert!(!dry.done && dry.loss.commits == 1 && dry.notes[0].contains("exports"), "{dry:?}");
    assert_eq!(host.forget(&name("j/1"), YES).await.expect_err("it runs").code(), "running");
    let done = host.forget(&name("j/1"), STOP_IT).await.unwrap();
    assert_eq!((done.done, done.loss.records.len()), (true, 2), "the stop has written one more");
    let Told { had_state, generation, .. } = told(&host).await;
    assert!(!had_state && generation == 4, "generation {generation}");
    assert_eq!(say(&host, "x").await, "x");
    host.shutdown(None).await;
    assert_eq!(sequences(&*store, "j/1").await, [3]);
}

#[tokio::test]
async fn an_actor_of_a_template_or_of_the_running_time_is_started_again_as_it_was() {
    let store = StoreDouble::new();
    let template = Template::new(Pattern::new("t/*").unwrap(), plugin("journal"));
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let build = host().store(shared).plugin_bytes("guest.wasm", journal().build()).template(template);
    let host = build.build().await.unwrap();
    host.start(actor("r/1", "journal")).await.unwrap();
    for actor in ["t/1", "r/1"] {
        say_to(&host, actor, "S").await;
        say_to(&host, actor, "bS").await;
        host.restart(&name(actor)).await.unwrap();
        say_to(&host, actor, "c").await;
        let done = host.rollback(&name(actor), Some(1), STOP_IT).await.unwrap();
        assert!(done.ended.is_some_and(|ended| ended.not_started.is_none()));
        assert!(host.actor(&name(actor)).is_some(), "{actor} runs again");
        assert_eq!(told_to(&host, actor).await.origin, RESTORED);
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn history_is_pruned_beside_an_actor_that_runs() {
    let store = StoreDouble::new();
    for word in ["a", "b", "c"] {
        once(&store, &[word]).await;
    }
    let host = start(&store).await;
    say(&host, "d").await;
    let dry = host.prune(&name("j/1"), Some(1), DRY).await.unwrap();
    assert_eq!((dry.done, dry.loss.records.len()), (false, 2));
    assert_eq!(host.prune(&name("j/1"), Some(1), YES).await.expect_err("it runs").code(), "running");
    let done = host.prune(&name("j/1"), Some(1), Consent { running: true, ..YES }).await.unwrap();
    assert!(done.done && sequences(&*store, "j/1").await == [3]);
    let idle = host.prune(&name("j/1"), None, YES).await.unwrap();
    assert!(idle.idle && !idle.done, "nobody is stopped for nothing");
    assert_eq!(say(&host, "e").await, "abcde");
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn refusals_are_forgotten_so_that_the_same_plugin_tries_again() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let mut lease = claim(&*store, &name("j/1"), "host").await;
    let refused = Refused {
        record: lease.head.records[0].digest,
        component: Digest::of(b"component"),
        version: "1.0.0".into(),
        why: "no".into(),
        time_ms: 1,
    };
    store.refuse(&mut lease, refused).await.unwrap();
    let host = start(&store).await;
    assert_eq!(host.retry(&name("j/1"), DRY).await.expect_err("it is here").code(), "running");
    let done = host.retry(&name("j/1"), Consent { stop_it: true, ..DRY }).await.unwrap();
    assert!(done.done && done.notes == ["1.0.0 refused it: no"], "{done:?}");
    assert!(image(&*store, "j/1").await.head.refusals.is_empty());
    let idle = host.retry(&name("j/1"), DRY).await.unwrap();
    assert!(idle.idle);
    assert_eq!(say(&host, "b").await, "ab");
    host.shutdown(None).await;
}

fn sled(dir: &Path) -> Arc<SledStore> {
    Arc::new(SledStore::open(dir, &SledOptions::default()).unwrap().0)
}

async fn export(store: &Arc<dyn SnapshotStore>, path: &Path) {
    let pieces = tools::export(store.clone(), Selection::default());
    tools::export_to_file(pieces, path).await.unwrap();
}

async fn import_all(store: &dyn SnapshotStore, path: &Path) -> usize {
    let mut export = Export::open(path).unwrap();
    let mut taken = 0;
    while let Some((actor, image)) = export.next_image(&Selection::default()).unwrap() {
        let imported = tools::import(store, &actor, &image, false, true).await.unwrap();
        assert_eq!((imported.taken, imported.done), (Taken::New, true));
        taken += 1;
    }
    taken
}

#[tokio::test]
async fn what_one_backend_exports_any_other_takes_over() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first: Arc<dyn SnapshotStore> = Arc::new(MemoryStore::new());
    two_busy_records(&*first).await;
    let mut lease = claim(&*first, &name("b/ü"), "host").await;
    first.commit(&mut lease, record(vec![9; 300_000])).await.unwrap();
    first.quarantine(&name("b/ü"), &lease.head.records[0], "for a look").await.unwrap();
    damage(&*first, "a").await;
    let mut gone = claim(&*first, &name("gone"), "host").await;
    first.commit(&mut gone, record(vec![1])).await.unwrap();
    first.forget(&mut gone).await.unwrap();

    let second: Arc<dyn SnapshotStore> = sled(dir.path());
    let third: Arc<dyn SnapshotStore> = Arc::new(MemoryStore::new());
    for (n, (from, to)) in [(&first, &second), (&second, &third)].into_iter().enumerate() {
        let path = out.path().join(n.to_string());
        export(from, &path).await;
        assert_eq!(import_all(&**to, &path).await, 3);
        for actor in ["a", "b/ü", "gone"] {
            let (old, new) = (image(&**from, actor).await, image(&**to, actor).await);
            assert_eq!((&new.records, &new.quarantine), (&old.records, &old.quarantine), "{actor}");
            assert_eq!(new.head.records, old.head.records);
            assert!(new.head.epoch > old.head.epoch && new.head.sequence == old.head.sequence);
            assert!(new.head.owner.is_none() && new.head.line == old.head.line);
        }
        assert_eq!(verified(&**to).await.problems.len(), 1, "what was damaged is known as such");
    }
    second.close().await.unwrap();
}

#[tokio::test]
async fn an_export_of_a_host_at_work_is_taken_over_by_another() {
    let (store, other) = (StoreDouble::new(), StoreDouble::new());
    once(&store, &["a"]).await;
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("export");
    let host = start(&store).await;
    say(&host, "S").await;
    let contents = host.export_to(&path, Selection::default()).await.unwrap();
    assert_eq!((contents.actors, contents.records), (1, 2));
    say(&host, "c").await;
    assert!(host.shutdown(None).await.all_saved());

    once(&other, &["other"]).await;
    let there = start(&other).await;
    let all = Selection::default;
    let skipped = there.import_from(&path, all(), false, YES).await.unwrap();
    assert_eq!((skipped[0].taken, skipped[0].done), (Taken::Skipped, false));
    let dry = there.import_from(&path, all(), true, DRY).await.unwrap();
    assert_eq!((dry[0].taken, dry[0].done, dry[0].loss.commits), (Taken::Replaced, false, 1));
    let refused = there.import_from(&path, all(), true, YES).await.unwrap();
    assert_eq!(refused[0].taken, Taken::Refused);
    assert!(refused[0].why.as_ref().is_some_and(|why| why.contains("--stop-it")), "{refused:?}");
    assert_eq!(say(&there, "!?").await.len(), "other!?".len(), "nothing of that has touched it");

    let done = there.import_from(&path, all(), true, STOP_IT).await.unwrap();
    assert_eq!((done[0].taken, done[0].done), (Taken::Replaced, true), "{done:?}");
    assert_eq!(say(&there, "z").await, "aSz");
    there.shutdown(None).await;
}

#[tokio::test]
async fn an_import_changes_nothing_before_all_of_the_file_was_checked() {
    let store: Arc<dyn SnapshotStore> = Arc::new(MemoryStore::new());
    for actor in ["a", "b"] {
        let mut lease = claim(&*store, &name(actor), "host").await;
        store.commit(&mut lease, record(vec![1])).await.unwrap();
    }
    let out = tempfile::tempdir().unwrap();
    let (path, bad) = (out.path().join("good"), out.path().join("bad"));
    export(&store, &path).await;
    let good = fs::read(&path).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let target = StoreDouble::new();
    let host = host().store(target.clone()).plugin_bytes("guest.wasm", journal().build()).build().await.unwrap();
    for bytes in [good[..good.len() - 1].to_vec(), flipped(good.len() - 40), flipped(60), b"PK\x03\x04".to_vec()] {
        fs::write(&bad, bytes).unwrap();
        let error = host.import_from(&bad, Selection::default(), true, STOP_IT).await.expect_err("refused");
        assert!(matches!(error, ToolError::File(_)), "{error}");
    }
    let missing = host.import_from(&out.path().join("none"), Selection::default(), true, YES).await;
    assert!(matches!(missing, Err(ToolError::File(FileError::Io { .. }))));
    assert!(target.list(None, 10).await.unwrap().is_empty(), "nothing was changed");
    host.shutdown(None).await;
}

#[tokio::test]
async fn whatever_does_not_fit_together_is_found() {
    let good = MemoryStore::new();
    two_busy_records(&good).await;
    let found = image(&good, "a").await;
    let told = async |change: &dyn Fn(&mut Image)| {
        let store = MemoryStore::new();
        let mut changed = found.clone();
        change(&mut changed);
        store.put(&name("a"), None, changed).await.unwrap();
        let report = verified(&store).await;
        assert_eq!((report.actors, report.next), (1, None));
        report.problems.into_iter().map(|problem| format!("{:?}: {}", problem.sequence, problem.what)).collect()
    };
    let none: Vec<String> = told(&|_| {}).await;
    assert_eq!(none, [] as [String; 0]);
    type Case<'a> = (&'a dyn Fn(&mut Image), &'a [&'a str]);
    let cases: [Case<'_>; 7] = [
        (&|image| *image.records[1].last_mut().unwrap() ^= 1, &["Some(1): the record's checksum"]),
        (&|image| image.records[0].truncate(50), &["Some(2): the record is cut short"]),
        (&|image| image.records[0].clear(), &["Some(2): the record is cut short"]),
        (&|image| image.head.records[0].time_ms += 1, &["Some(2): its head describes another record"]),
        (&|image| image.head.records[1].inbox_messages = Some(9), &["Some(1): its head describes another record"]),
        (
            &|image| image.records.swap(0, 1),
            &["Some(2): the record is cut short", "Some(1): the record is not the one"],
        ),
        (
            &|image| {
                image.records.swap(0, 1);
                image.head.records.swap(0, 1);
            },
            &["None: record 1 stands before record 2", "Some(1): it follows no record"],
        ),
    ];
    for (n, (change, expected)) in cases.into_iter().enumerate() {
        let found: Vec<String> = told(change).await;
        let fits =
            found.len() == expected.len() && found.iter().zip(expected).all(|(what, begins)| what.starts_with(begins));
        assert!(fits, "case {n}: {found:?}");
    }
}

#[tokio::test]
async fn a_store_is_verified_page_by_page() {
    let store = MemoryStore::new();
    for n in 0..25 {
        let mut lease = claim(&store, &name(&format!("a/{n:02}")), "host").await;
        store.commit(&mut lease, record(vec![n])).await.unwrap();
    }
    let (mut after, mut actors, mut pages): (Option<ActorName>, u64, u32) = (None, 0, 0);
    loop {
        let page = verify(&store, after.as_ref(), 10).await.unwrap();
        (actors, pages) = (actors + page.actors, pages + 1);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!((actors, pages), (25, 3));
}

#[tokio::test]
async fn two_records_are_compared() {
    let store = MemoryStore::new();
    let mut lease = claim(&store, &name("a"), "host").await;
    for word in [r#"{"count":1,"name":"x"}"#, r#"{"count":2,"name":"x"}"#] {
        store.commit(&mut lease, NewRecord { inbox: vec![cast(&word[9..10])], ..record(word.into()) }).await.unwrap();
    }
    let found = tools::diff(&store, &name("a"), None, None).await.unwrap();
    assert_eq!((found.a, found.b), (1, 2));
    let states = &found.states;
    assert_eq!((states.first_difference, states.differing_bytes, states.a_bytes), (Some(9), 1, 22));
    let text = serde_json::to_string(&found.text).unwrap();
    assert!(text.contains(r#"{"old":"  \"count\": 1,"}"#) && text.contains(r#"{"new":"  \"count\": 2,"}"#), "{text}");
    assert_eq!(serde_json::to_value(&found.inbox).unwrap().as_array().unwrap().len(), 2);
    let facts: Vec<_> = found.facts.iter().map(|fact| fact.name.as_str()).collect();
    assert_eq!(facts, ["sequence", "digest", "bytes"], "the second knows the first");
    let missing = tools::diff(&store, &name("a"), Some(7), None).await.expect_err("none");
    assert_eq!(missing.to_string(), "`a` has no record 7: there are 2, 1");
}

/// The store that the release before has left: see the fixture's README.
fn store_of_format_1() -> tempfile::TempDir {
    /// As much as sled had of it.
    const DB_BYTES: usize = 524_287;
    let (from, dir) = (repository().join("tests/fixtures/store-1"), tempfile::tempdir().unwrap());
    let store = dir.path().join("store");
    fs::create_dir(&store).unwrap();
    for file in ["conf", "snap.0000000000001AB5"] {
        fs::copy(from.join(file), store.join(file)).unwrap();
    }
    let mut db = fs::read(from.join("db")).unwrap();
    db.resize(DB_BYTES, 0);
    fs::write(store.join("db"), db).unwrap();
    fs::copy(from.join("store.witness"), dir.path().join("store.witness")).unwrap();
    dir
}

#[tokio::test]
async fn what_a_release_has_written_each_later_one_takes_over() {
    let dir = store_of_format_1();
    let build = |dir: &Path| {
        let more = Template::new(Pattern::new("more/*").unwrap(), plugin("counter"));
        let host = host().data_dir(dir).plugin_file(guest("counter")).actor(actor("tally", "counter"));
        host.template(more).build()
    };
    {
        let store = sled(dir.path());
        let report = verified(&*store).await;
        assert_eq!((report.actors, report.records), (3, 4), "{report:?}");
        assert!(report.problems.is_empty(), "{report:?}");
        let found = tools::diff(&*store, &name("tally"), None, None).await.unwrap();
        assert_eq!(serde_json::to_value(&found.text).unwrap()[0]["old"], "(", "40 as its plugin writes it");
        store.close().await.unwrap();
    }
    let count = async |host: &Host, actor: &str| {
        let reply = host.call(&name(actor), "\"get\"", CallOptions::default()).await.unwrap();
        String::from_utf8(reply.to_vec()).unwrap()
    };
    let host = build(dir.path()).await.unwrap();
    for (actor, expected) in [("tally", "42"), ("more/a", "7"), ("more/b", "0")] {
        assert_eq!(count(&host, actor).await, expected, "{actor}");
    }
    host.rollback(&name("tally"), Some(1), STOP_IT).await.unwrap();
    assert_eq!(count(&host, "tally").await, "40");
    assert!(host.shutdown(None).await.all_saved());
    // What it has written itself stands beside what was there.
    let host = build(dir.path()).await.unwrap();
    assert_eq!(count(&host, "tally").await, "40");
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_an_actor_has_replied_is_the_same_for_those_who_ask_again_after_it_went_back() {
    let store = MemoryStore::new();
    let failure = Failure { code: "no".into(), message: "not so".into() };
    let mut lease = claim(&store, &name("a"), "host").await;
    store.commit(&mut lease, busy("old")).await.unwrap();
    let mut newer = busy("newer");
    let id = MessageId::new("late").unwrap();
    newer.traffic.answered.push(Answered { sender: None, id, time_ms: 2, reply: Err(failure) });
    store.commit(&mut lease, newer.clone()).await.unwrap();
    tools::rollback(&store, &Writer::new(), &name("a"), None, true).await.unwrap();
    let (head, _) = store.head(&name("a")).await.unwrap().unwrap();
    let found = store.load(&name("a"), &head.records[0]).await.unwrap();
    assert_eq!(found.header.traffic.answered, newer.traffic.answered);
    assert_eq!(head.records[0].messages(), Some(2), "one that waits, and one on its way");
}

#[tokio::test]
async fn what_is_more_history_than_is_kept_now_goes_in_the_background() {
    let dir = tempfile::tempdir().unwrap();
    let open = async |records: usize| {
        let template = Template::new(Pattern::new("c/*").unwrap(), plugin("counter"));
        host()
            .data_dir(dir.path())
            .history(records)
            .plugin_file(guest("counter"))
            .template(template)
            .build()
            .await
            .unwrap()
    };
    let count = async |host: &Host, stored: usize| {
        let (mut heads, mut listed) = (Vec::new(), usize::MAX);
        while listed != stored {
            heads = host.store().list(None, 10).await.unwrap();
            listed = heads.iter().map(|(_, head)| head.as_ref().unwrap().records.len()).sum();
            tokio::task::yield_now().await;
        }
        heads
    };
    for _ in 0..5 {
        let host = open(5).await;
        for actor in ["c/1", "c/2"] {
            host.call(&name(actor), r#"{"add":1}"#, CallOptions::default()).await.unwrap();
            host.stop(&name(actor)).await.unwrap();
        }
        assert!(host.shutdown(None).await.all_saved());
    }
    let host = open(5).await;
    count(&host, 10).await;
    host.shutdown(None).await;
    // Nobody runs, and nobody commits.
    let host = open(2).await;
    let heads = count(&host, 4).await;
    assert!(host.actors().is_empty());
    assert!(heads.iter().all(|(_, head)| head.as_ref().unwrap().current().unwrap().sequence == 5));
    host.shutdown(None).await;
}
