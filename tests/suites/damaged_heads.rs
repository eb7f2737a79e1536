//! A head that is damaged: its actor is held, all others work, and an operator gets it going again. Never an empty start
//! that nobody asked for, and no number comes again.

use std::path::Path;

use baton_host::ActorName;
use baton_host::store::{Head, OpenError, SnapshotStore, StoreError};
use redb::{ReadableDatabase as _, ReadableTable as _, TableDefinition};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cli::{Place, Told};
use crate::harness::{guest, name};
use crate::store_conformance::{claim, record};
use crate::under_fire::{Backend, on_every_backend};

const HEADS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("heads");
const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");

on_every_backend! {
    its_actor_is_held_and_all_others_work
    it_is_made_anew_of_the_records_that_are_there
    what_cannot_be_read_of_its_records_goes_into_quarantine
    it_is_forgotten_when_an_operator_says_so
    an_export_is_put_in_its_place
    a_recovery_keeps_it_as_it_is
    it_does_not_hide_one_that_is_gone_or_older
    one_that_a_newer_release_wrote_is_left_alone
}

/// Two counters, the first of which was saved as 3, 5 and 8; nobody runs.
fn saved(backend: &Backend) -> Place {
    let wasm = guest("counter").display().to_string();
    let place = Place::new(&format!(
        "instances = 50\n[store]\nbackend = \"{}\"\n[[plugin]]\npath = {wasm:?}\nname = \"counter\"\n\
         [[actor]]\nname = \"counter/1\"\nplugin = \"counter\"\n\
         [[actor]]\nname = \"counter/2\"\nplugin = \"counter\"\n",
        backend.name
    ));
    for n in [3, 2, 3] {
        let host = place.host();
        for actor in ["counter/1", "counter/2"] {
            good(place.baton(&["call", actor, &format!("{{\"add\": {n}}}")]));
        }
        assert_eq!(host.stop(Signal::TERM).code, 0);
    }
    place
}

fn good(told: Told) -> String {
    assert_eq!(told.code, 0, "{told:?}");
    told.out
}

fn count(place: &Place, actor: &str) -> String {
    good(place.baton(&["call", actor, "get"])).trim().to_owned()
}

/// Changes values of a table where they lie, past the store: those whose keys begin like this.
fn change(dir: &Path, table: &str, prefix: &[u8], change: impl Fn(&[u8]) -> Option<Vec<u8>>) {
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    if dir.join("store").exists() {
        let db = sled::open(dir.join("store")).unwrap();
        let tree = db.open_tree(if table == "records" { "chunks" } else { table }).unwrap();
        found.extend(
            tree.scan_prefix(prefix).map(|entry| entry.unwrap()).map(|(key, value)| (key.to_vec(), value.to_vec())),
        );
        for (key, value) in &found {
            match change(value) {
                Some(value) => drop(tree.insert(key.as_slice(), value).unwrap()),
                None => drop(tree.remove(key.as_slice()).unwrap()),
            }
        }
        db.flush().unwrap();
    } else {
        let db = redb::Database::create(dir.join("store.redb")).unwrap();
        let table = if table == "records" { RECORDS } else { HEADS };
        let read = db.begin_read().unwrap().open_table(table).unwrap();
        let entries = read.iter().unwrap().map(|entry| entry.unwrap());
        let all = entries.map(|(key, value)| (key.value().to_vec(), value.value().to_vec()));
        found.extend(all.filter(|(key, _)| key.starts_with(prefix)));
        let writing = db.begin_write().unwrap();
        {
            let mut table = writing.open_table(table).unwrap();
            for (key, value) in &found {
                match change(value) {
                    Some(value) => drop(table.insert(key.as_slice(), value.as_slice()).unwrap()),
                    None => drop(table.remove(key.as_slice()).unwrap()),
                }
            }
        }
        writing.commit().unwrap();
    }
    assert!(!found.is_empty(), "nothing was changed");
}

fn flipped(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    let at = bytes.len() - 33;
    bytes[at] ^= 0x10;
    Some(bytes)
}

fn damage(place: &Place) {
    change(&place.data(""), "heads", b"counter/1", flipped);
}

fn numbers(head: &Value) -> [u64; 3] {
    ["epoch", "generation", "sequence"].map(|key| head[key].as_u64().unwrap())
}

fn head_of(place: &Place) -> Value {
    place.json(&["store", "show", "counter/1", "--json"])["head"].clone()
}

async fn its_actor_is_held_and_all_others_work(backend: &Backend) {
    let place = saved(backend);
    damage(&place);
    for end in [Signal::KILL, Signal::TERM, Signal::TERM] {
        let host = place.host();
        assert_eq!(count(&place, "counter/2"), "8");
        let held = place.baton(&["call", "counter/1", "get"]);
        assert_eq!(held.code, 1, "{held:?}");
        let words = ["its head is damaged", "`baton store repair` makes a new one", "`baton store forget` erases"];
        words.iter().for_each(|words| assert!(held.err.contains(words), "{held:?}"));
        let verified = place.baton(&["store", "verify"]);
        assert!(verified.code == 1 && verified.out.contains("counter/1"), "{verified:?}");
        match end {
            Signal::KILL => drop(host),
            _ => assert_eq!(host.stop(end).code, 0),
        }
    }
    let shown = place.baton(&["store", "show", "counter/1"]);
    assert!(shown.code == 1 && shown.err.contains("hint: `baton store repair` makes a new head"), "{shown:?}");
    let listed = good(place.baton(&["store", "ls"]));
    assert!(listed.contains("damaged: the actor's head cannot be read"), "{listed}");
    for act in ["rollback", "retry", "prune"] {
        let refused = place.baton(&["store", act, "counter/1"]);
        assert!(refused.code == 1 && refused.err.contains("hint: `baton store repair`"), "{act}: {refused:?}");
    }
}

async fn it_is_made_anew_of_the_records_that_are_there(backend: &Backend) {
    let place = saved(backend);
    let before = head_of(&place);
    let refused = place.baton(&["store", "repair", "counter/1", "--yes"]);
    assert!(refused.code == 1 && refused.err.contains("its head is not damaged [unfit]"), "{refused:?}");
    damage(&place);
    let dry = good(place.baton(&["store", "repair", "counter/1"]));
    assert!(dry.starts_with("dry run: this would make a new head for: counter/1: the state of record 3\n"), "{dry}");
    assert!(
        dry.contains("records that are whole: 3, 2, 1") && dry.contains("what its damaged head alone knew"),
        "{dry}"
    );
    assert!(dry.ends_with("nothing was changed; --yes does it\n"), "{dry}");
    assert_eq!(place.baton(&["store", "show", "counter/1"]).code, 1, "still damaged");

    // Beside the host, with the actor held.
    let host = place.host();
    let refused = place.baton(&["store", "repair", "counter/1", "--yes"]);
    assert!(refused.code == 1 && refused.err.contains("--stop-it"), "{refused:?}");
    let done = place.json(&["store", "repair", "counter/1", "--yes", "--stop-it", "--json"]);
    assert_eq!((&done["done"], &done["ended"]["not_started"]), (&json!(true), &Value::Null));
    assert_eq!(count(&place, "counter/1"), "8", "the state that was saved last");
    good(place.baton(&["call", "counter/1", r#"{"add": 1}"#]));
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let after = head_of(&place);
    for (was, is) in numbers(&before).into_iter().zip(numbers(&after)) {
        assert!(is > was + 1_000, "no number comes again: {before} {after}");
    }
    good(place.baton(&["store", "verify"]));

    // Again, with no host.
    damage(&place);
    good(place.baton(&["store", "repair", "counter/1", "--yes"]));
    assert!(numbers(&head_of(&place)).into_iter().zip(numbers(&after)).all(|(is, was)| is > was));
    let _host = place.host();
    assert_eq!(count(&place, "counter/1"), "9");
}

async fn what_cannot_be_read_of_its_records_goes_into_quarantine(backend: &Backend) {
    let place = saved(backend);
    damage(&place);
    change(&place.data(""), "records", b"counter/1\0\0\0\0\0\0\0\0\x03", flipped);
    let dry = good(place.baton(&["store", "repair", "counter/1"]));
    assert!(dry.contains("the state of record 2\n") && dry.contains("commits that count no longer: 1"), "{dry}");
    assert!(dry.contains("record 3 goes into quarantine: the record's checksum does not match"), "{dry}");
    good(place.baton(&["store", "repair", "counter/1", "--yes"]));
    let kept = good(place.baton(&["store", "quarantine", "counter/1"]));
    assert!(kept.lines().count() == 2 && kept.contains("checksum"), "{kept}");
    good(place.baton(&["store", "verify"]));
    let host = place.host();
    assert_eq!(count(&place, "counter/1"), "5");
    assert_eq!(host.stop(Signal::TERM).code, 0);

    // With nothing that can be read, nothing begins anew by itself.
    damage(&place);
    change(&place.data(""), "records", b"counter/1\0", flipped);
    let refused = place.baton(&["store", "repair", "counter/1", "--yes"]);
    assert!(refused.code == 1 && refused.err.contains("none of its records can be read"), "{refused:?}");
    let _host = place.host();
    assert!(place.baton(&["call", "counter/1", "get"]).err.contains("its head is damaged"));
}

async fn it_is_forgotten_when_an_operator_says_so(backend: &Backend) {
    let place = saved(backend);
    let before = numbers(&head_of(&place));
    damage(&place);
    let dry = good(place.baton(&["store", "forget", "counter/1"]));
    assert!(
        dry.contains("commits that count no longer: 3") && dry.contains("records erased for good: 3 (1 to 3)"),
        "{dry}"
    );
    assert_eq!(place.baton(&["store", "show", "counter/1"]).code, 1, "still damaged");
    good(place.baton(&["store", "forget", "counter/1", "--yes"]));
    let after = head_of(&place);
    assert_eq!(after["records"], json!([]));
    assert!(numbers(&after).into_iter().zip(before).all(|(is, was)| is > was), "no number comes again");
    let stats = place.json(&["store", "stats", "--json"]);
    assert_eq!((&stats["actors"], &stats["records"]), (&json!(2), &json!(3)));
    let host = place.host();
    assert_eq!((count(&place, "counter/1").as_str(), count(&place, "counter/2").as_str()), ("0", "8"));
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

async fn an_export_is_put_in_its_place(backend: &Backend) {
    let place = saved(backend);
    let before = numbers(&head_of(&place));
    good(place.baton(&["store", "export", "all.baton"]));
    damage(&place);
    let skipped = good(place.baton(&["store", "import", "all.baton", "--actor", "counter/1"]));
    assert!(skipped.contains("skipped: counter/1: the actor's head cannot be read"), "{skipped}");
    let dry = good(place.baton(&["store", "import", "all.baton", "--actor", "counter/1", "--replace"]));
    assert!(dry.contains("would be replaced: counter/1") && dry.contains("what its damaged head alone knew"), "{dry}");
    assert_eq!(place.baton(&["store", "show", "counter/1"]).code, 1, "still damaged");
    good(place.baton(&["store", "import", "all.baton", "--actor", "counter/1", "--replace", "--yes"]));
    assert!(numbers(&head_of(&place)).into_iter().zip(before).all(|(is, was)| is > was), "no number comes again");
    good(place.baton(&["store", "verify"]));
    let _host = place.host();
    assert_eq!(count(&place, "counter/1"), "8");
}

/// Opens with recovery, and gives what was lost.
async fn recover(backend: &Backend, dir: &Path) -> Vec<String> {
    let (store, opened) = (backend.told)(dir, true).unwrap();
    store.close().await.unwrap();
    opened.recovered.expect("it was recovered").lost
}

async fn a_recovery_keeps_it_as_it_is(backend: &Backend) {
    let place = saved(backend);
    damage(&place);
    std::fs::write(place.data("store.witness"), b"nonsense").unwrap();
    let lost = recover(backend, &place.data("")).await;
    assert!(matches!(&lost[..], [line] if line.contains("`counter/1`: its head, copied as it is")), "{lost:?}");
    let host = place.host();
    assert_eq!(count(&place, "counter/2"), "8");
    assert!(place.baton(&["call", "counter/1", "get"]).err.contains("its head is damaged"), "and not begun anew");
    good(place.baton(&["store", "repair", "counter/1", "--yes", "--stop-it"]));
    assert_eq!(count(&place, "counter/1"), "8");
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

async fn head(store: &dyn SnapshotStore, actor: &ActorName) -> Head {
    store.head(actor).await.unwrap().unwrap().0
}

async fn it_does_not_hide_one_that_is_gone_or_older(backend: &Backend) {
    let dir = tempfile::tempdir().unwrap();
    let mut old = Vec::new();
    for round in 0..3 {
        let store = (backend.open)(dir.path()).unwrap();
        for n in ["a", "b", "c"] {
            let mut lease = claim(&*store, &name(n), "host").await;
            store.commit(&mut lease, record(vec![round; 10])).await.unwrap();
        }
        store.close().await.unwrap();
        if round == 1 {
            old = value(dir.path(), b"b");
        }
    }
    let refused = |what: &str| match (backend.open)(dir.path()) {
        Err(error @ OpenError::Damaged { .. }) => error.to_string(),
        other => panic!("{what}: {other:?}"),
    };
    let good_b = value(dir.path(), b"b");
    change(dir.path(), "heads", b"a", flipped);
    change(dir.path(), "heads", b"b", |_| Some(old.clone()));
    let told = refused("an older head beside a damaged one");
    assert!(told.contains("that of `b` is older than its records"), "{told}");
    change(dir.path(), "heads", b"b", |_| Some(good_b.clone()));
    let good_c = value(dir.path(), b"c");
    change(dir.path(), "heads", b"c", |_| None);
    refused("a head that is gone beside a damaged one");
    insert(dir.path(), b"c", &good_c);
    let store = (backend.open)(dir.path()).expect("opens with the damaged one alone");
    assert!(matches!(store.head(&name("a")).await, Err(StoreError::Corrupt(_))));
    assert_eq!(head(&*store, &name("b")).await.sequence, 3);
    assert!(matches!(store.claim(&name("a"), None, "host").await, Err(StoreError::Corrupt(_))), "no new beginning");
    store.close().await.unwrap();
}

async fn one_that_a_newer_release_wrote_is_left_alone(backend: &Backend) {
    let place = saved(backend);
    change(&place.data(""), "heads", b"counter/1", |bytes| {
        let mut body = bytes[..bytes.len() - 32].to_vec();
        body[0] = 8;
        let checksum = baton_host::model::Digest::of(&body);
        Some([&body[..], &checksum.0].concat())
    });
    // It is whole, and not what the store has counted.
    let refused = place.baton(&["store", "verify"]);
    assert!(refused.code == 1 && refused.err.contains("--recover"), "{refused:?}");
    std::fs::remove_file(place.data("store.witness")).unwrap();
    let lost = recover(backend, &place.data("")).await;
    assert!(lost[0].contains("the actor's head has version 9, and this release reads up to 2"), "{lost:?}");
    let _host = place.host();
    assert_eq!(count(&place, "counter/2"), "8");
    let held = place.baton(&["call", "counter/1", "get"]);
    assert!(held.err.contains("run the release that wrote it"), "{held:?}");
    for act in ["repair", "forget"] {
        let refused = place.baton(&["store", act, "counter/1", "--yes", "--stop-it"]);
        assert!(refused.code == 1 && refused.err.contains("run the release that wrote it"), "{act}: {refused:?}");
    }
}

/// The bytes of a head.
fn value(dir: &Path, key: &[u8]) -> Vec<u8> {
    let found = std::cell::RefCell::new(Vec::new());
    change(dir, "heads", key, |bytes| {
        *found.borrow_mut() = bytes.to_vec();
        Some(bytes.to_vec())
    });
    found.into_inner()
}

fn insert(dir: &Path, key: &[u8], value: &[u8]) {
    if dir.join("store").exists() {
        let db = sled::open(dir.join("store")).unwrap();
        db.open_tree("heads").unwrap().insert(key, value).unwrap();
        db.flush().unwrap();
    } else {
        let db = redb::Database::create(dir.join("store.redb")).unwrap();
        let writing = db.begin_write().unwrap();
        writing.open_table(HEADS).unwrap().insert(key, value).unwrap();
        writing.commit().unwrap();
    }
}
