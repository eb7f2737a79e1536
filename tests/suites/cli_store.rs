//! What an operator types to look after states: with a host at work, and without one.

use std::fs;

use baton_host::store::tools;
use baton_host::store::{SledOptions, SledStore, SnapshotStore as _};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cli::{Place, Told};
use crate::harness::{guest, name};

/// A counter that was saved as 3, 5 and 8; nobody runs.
fn saved_thrice() -> Place {
    let place = Place::counter();
    for n in [3, 2, 3] {
        let host = place.host();
        add(&place, n);
        assert_eq!(host.stop(Signal::TERM).code, 0);
    }
    place
}

fn add(place: &Place, n: u64) {
    let told = place.baton(&["call", "counter/1", &format!("{{\"add\": {n}}}")]);
    assert_eq!(told.code, 0, "{told:?}");
}

fn count(place: &Place, actor: &str) -> String {
    let told = place.baton(&["call", actor, "get"]);
    assert_eq!(told.code, 0, "{told:?}");
    told.out.trim().to_owned()
}

fn good(told: Told) -> String {
    assert_eq!(told.code, 0, "{told:?}");
    told.out
}

fn sequences(place: &Place) -> Vec<u64> {
    let history = place.json(&["store", "history", "counter/1", "--json"]);
    history.as_array().unwrap().iter().map(|record| record["sequence"].as_u64().unwrap()).collect()
}

/// Changes a byte of the counter's current record, as a bad disk would. No host may run.
fn damage(place: &Place) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (store, _) = SledStore::open(&place.data(""), &SledOptions::default()).unwrap();
        let actor = name("counter/1");
        let mut image = tools::image(&store, &actor).await.unwrap().unwrap();
        *image.records[0].last_mut().unwrap() ^= 1;
        let revision = store.head(&actor).await.unwrap().unwrap().1;
        store.put(&actor, Some(revision), image).await.unwrap();
        store.close().await.unwrap();
    });
}

#[test]
fn a_history_is_shown_and_compared_alike_with_and_without_a_host() {
    let place = saved_thrice();
    let look = |place: &Place| {
        let history = good(place.baton(&["store", "history", "counter/1"]));
        let lines: Vec<_> = history.lines().collect();
        assert!(lines[0].starts_with("SEQ  SAVED ") && lines.len() == 4, "{history}");
        assert!(lines[1].contains("counter 1.0.0") && lines[1].ends_with("yes"), "{history}");
        let found = place.json(&["store", "diff", "counter/1", "1", "3", "--json"]);
        assert_eq!((&found["a"], &found["b"], &found["states"]["differing_bytes"]), (&json!(1), &json!(3), &json!(1)));
        let text = good(place.baton(&["store", "diff", "counter/1"]));
        assert!(text.contains("state: 1 and 1 bytes; 1 differ, the first at 0"), "{text}");
        (history, found)
    };
    let offline = look(&place);
    let _host = place.host();
    assert_eq!(look(&place), offline);
    let missing = place.baton(&["store", "diff", "counter/1", "9"]);
    assert!(missing.code == 1 && missing.err.contains("has no record 9: there are 3, 2, 1"), "{missing:?}");
}

#[test]
fn a_rollback_is_a_dry_run_until_it_is_meant() {
    let place = saved_thrice();
    let dry = good(place.baton(&["store", "rollback", "counter/1"]));
    assert!(dry.starts_with("dry run: this would roll back: counter/1: the state of record 2\n"), "{dry}");
    assert!(dry.contains("commits that count no longer: 1") && dry.contains("records erased for good: 1 (1)"), "{dry}");
    assert!(dry.ends_with("nothing was changed; --yes does it\n"), "{dry}");
    assert_eq!(sequences(&place), [3, 2, 1]);

    let done = good(place.baton(&["store", "rollback", "counter/1", "--yes"]));
    assert!(done.starts_with("rolled back: counter/1: record 4 has the state of record 2\n"), "{done}");
    assert_eq!(sequences(&place), [4, 3, 2]);
    let host = place.host();
    assert_eq!(count(&place, "counter/1"), "5");

    let refused = place.baton(&["store", "rollback", "counter/1", "--to", "3", "--yes"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("`counter/1` runs here (it is running) [running]"), "{refused:?}");
    assert!(refused.err.contains("hint: --stop-it stops it in good order"), "{refused:?}");
    let dry = good(place.baton(&["store", "rollback", "counter/1", "--to", "3"]));
    assert!(dry.contains("--yes does it; --stop-it as well: it is running"), "{dry}");
    let done = place.json(&["store", "rollback", "counter/1", "--to", "3", "--yes", "--stop-it", "--json"]);
    assert_eq!(
        (&done["done"], &done["written"], &done["ended"]["not_started"]),
        (&json!(true), &json!(6), &Value::Null)
    );
    assert_eq!(count(&place, "counter/1"), "8");
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn an_export_beside_a_working_host_moves_its_actors_to_another() {
    let (place, other) = (Place::counter(), Place::counter());
    let host = place.host();
    add(&place, 41);
    good(place.baton(&["call", "more/a b", r#"{"add": 7}"#]));
    good(place.baton(&["restart", "counter/1"]));
    good(place.baton(&["restart", "more/a b"]));
    let file = other.data("").with_file_name("out.baton");
    let told = good(place.baton(&["store", "export", file.to_str().unwrap()]));
    assert!(told.starts_with("exported: 2 actors, 2 records, 0 copies in quarantine: "), "{told}");
    add(&place, 100);
    assert_eq!(host.stop(Signal::TERM).code, 0);

    // Over a host at work as well: what runs there is not touched.
    let there = other.host();
    assert_eq!(count(&other, "counter/1"), "0");
    let taken = other.baton(&["store", "import", file.to_str().unwrap()]);
    assert!(taken.code == 1 && taken.out.contains("taken: more/a b: 1 records, "), "{taken:?}");
    assert!(taken.out.contains("refused: counter/1: `counter/1` runs here"), "{taken:?}");
    assert_eq!((count(&other, "more/a b").as_str(), count(&other, "counter/1").as_str()), ("7", "0"));
    let again = good(other.baton(&["store", "import", file.to_str().unwrap(), "--actor", "more/*"]));
    assert!(again.starts_with("skipped: more/a b: "), "{again}");
    assert_eq!(there.stop(Signal::TERM).code, 0);

    let dry = good(other.baton(&["store", "import", file.to_str().unwrap(), "--actor", "counter/1", "--replace"]));
    assert!(dry.starts_with("would be replaced: counter/1: ") && dry.ends_with("--yes does it\n"), "{dry}");
    good(other.baton(&["store", "import", file.to_str().unwrap(), "--actor", "counter/1", "--replace", "--yes"]));
    let _there = other.host();
    assert_eq!(count(&other, "counter/1"), "41");
}

#[test]
fn an_export_is_taken_where_there_is_no_store_yet() {
    let place = saved_thrice();
    good(place.baton(&["store", "export", "all"]));
    let wasm = guest("counter").display().to_string();
    let new = Place::new(&format!(
        "instances = 50\n[store]\nbackend = \"redb\"\n[[plugin]]\npath = {wasm:?}\n[[actor]]\nname = \"counter/1\"\n\
         plugin = \"counter\"\n"
    ));
    let file = place.data("").with_file_name("all").display().to_string();
    assert_eq!(new.baton(&["store", "ls"]).code, 1, "nothing else makes one");
    assert_eq!(new.baton(&["store", "import", "missing"]).code, 1);
    assert!(!new.data("").exists(), "nor does what cannot be read");
    assert!(good(new.baton(&["store", "import", &file])).starts_with("taken: counter/1: 3 records, "));
    assert!(new.data("store.redb").exists(), "it is the one that the configuration names");
    let _host = new.host();
    assert_eq!(count(&new, "counter/1"), "8");
}

#[test]
fn an_export_that_cannot_be_used_changes_nothing() {
    let place = saved_thrice();
    good(place.baton(&["store", "export", "good"]));
    let whole = fs::read(place.data("").with_file_name("good")).unwrap();
    let mut flipped = whole.clone();
    let at = whole.len() - 100;
    flipped[at] ^= 0x40;
    let before = place.json(&["store", "show", "counter/1", "--json"]);
    let cases = [
        ("cut", &whole[..whole.len() / 2], "the export is cut short or damaged"),
        ("flipped", &flipped[..], "the export is damaged: its checksum does not match"),
        ("foreign", b"PK\x03\x04", "this is no export of Baton's"),
        ("empty", b"", "this is no export of Baton's"),
    ];
    for (file, bytes, expected) in cases {
        place.write(file, bytes);
        let told = place.baton(&["store", "import", file, "--replace", "--yes"]);
        assert!(told.code == 1 && told.out.is_empty() && told.err.contains(expected), "{file}: {told:?}");
    }
    assert_eq!(place.baton(&["store", "import", "missing"]).code, 1);
    assert_eq!(place.json(&["store", "show", "counter/1", "--json"]), before);
    let none = place.baton(&["store", "export", "none", "--actor", "nobody"]);
    assert!(none.code == 1 && none.err.contains("no stored actor is meant by that"), "{none:?}");
}

#[test]
fn what_is_damaged_is_found_shown_and_left_behind() {
    let place = saved_thrice();
    assert!(good(place.baton(&["store", "verify"])).starts_with("read: 1 actors, 3 records, "));
    damage(&place);
    let check = |place: &Place| {
        let told = place.baton(&["store", "verify"]);
        assert_eq!(told.code, 1, "{told:?}");
        assert!(told.out.contains("the record's checksum does not match"), "{told:?}");
        assert!(told.err.contains("error: 1 problem was found"), "{told:?}");
    };
    check(&place);
    let host = place.host();
    assert!(place.baton(&["call", "counter/1", "get"]).err.contains("[held]"));
    check(&place);
    let listed = good(place.baton(&["store", "quarantine"]));
    assert!(listed.lines().nth(1).unwrap().starts_with("counter/1  3 "), "{listed}");
    let shown = good(place.baton(&["store", "quarantine", "counter/1", "--show", "copy"]));
    assert!(shown.contains("of record 3 of counter/1"), "{shown}");
    let copy = fs::read(place.data("").with_file_name("copy")).unwrap();
    assert!(copy.starts_with(b"BATONREC"));
    assert_eq!(place.baton(&["store", "quarantine", "counter/1", "--show", "copy"]).code, 1, "nothing is written over");

    let done = good(place.baton(&["store", "rollback", "counter/1", "--yes", "--stop-it"]));
    assert!(done.contains("record 3 cannot be read") && done.contains("and started again"), "{done}");
    assert_eq!(count(&place, "counter/1"), "5");
    let dry = good(place.baton(&["store", "quarantine", "counter/1", "--discard"]));
    assert!(dry.contains("copies in quarantine erased for good: 1"), "{dry}");
    good(place.baton(&["store", "quarantine", "counter/1", "--discard", "--yes", "--running"]));
    assert_eq!(good(place.baton(&["store", "quarantine"])), "nothing is in quarantine\n");
    good(place.baton(&["store", "prune", "counter/1", "--keep", "1", "--yes", "--running"]));
    assert_eq!(place.baton(&["store", "verify"]).code, 0, "what was damaged is gone");
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn states_are_copied_pruned_and_erased() {
    let place = saved_thrice();
    let copied = good(place.baton(&["store", "fork", "counter/1", "more/copy", "--record", "2"]));
    assert!(copied.starts_with("copied: more/copy: record 1 has the state of record 2"), "{copied}");
    let taken = place.baton(&["store", "fork", "counter/1", "more/copy"]);
    assert!(taken.code == 1 && taken.err.contains("[exists]") && taken.err.contains("--replace"), "{taken:?}");

    let dry = good(place.baton(&["store", "prune", "--keep", "2"]));
    assert!(dry.contains("this would prune: counter/1") && !dry.contains("more/copy"), "{dry}");
    assert_eq!(good(place.baton(&["store", "prune"])), "nothing to do\n");
    good(place.baton(&["store", "prune", "--keep", "2", "--yes"]));
    assert_eq!(sequences(&place), [3, 2]);

    let host = place.host();
    assert_eq!(count(&place, "more/copy"), "5");
    let stats = place.json(&["store", "stats", "--json"]);
    assert_eq!((&stats["actors"], &stats["records"]), (&json!(2), &json!(3)));
    assert_eq!(stats["capabilities"]["backend"], "sled");
    assert!(good(place.baton(&["store", "stats"])).starts_with("backend     sled\nactors      2\n"));

    let dry = good(place.baton(&["store", "forget", "counter/1"]));
    assert!(dry.contains("records erased for good: 2 (2 to 3)") && dry.contains("may hold old bytes"), "{dry}");
    let told = place.baton(&["store", "forget", "counter/1", "nobody", "--yes"]);
    assert!(told.code == 1 && told.err.contains("counter/1: `counter/1` runs here"), "{told:?}");
    assert!(told.err.contains("nobody: nothing is stored for `nobody` [not-stored]"), "{told:?}");
    let done = good(place.baton(&["store", "forget", "counter/1", "--yes", "--stop-it"]));
    assert!(done.starts_with("forgotten: counter/1\n"), "{done}");
    assert_eq!(count(&place, "counter/1"), "0");
    let idle = good(place.baton(&["store", "retry", "counter/1"]));
    assert!(idle.starts_with("nothing to do: counter/1\n  no refusal is remembered"), "{idle}");
    assert_eq!(host.stop(Signal::TERM).code, 0);
    assert_eq!(place.baton(&["store", "verify"]).code, 0);
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    let place = Place::counter();
    for args in [
        &["store", "rollback", "a//b"][..],
        &["store", "export", "x", "--actor", "a*b"],
        &["store", "prune", "--keep", "0"],
        &["store", "forget"],
        &["store", "quarantine", "--discard"],
        &["store", "quarantine", "a", "--show", "x", "--discard"],
    ] {
        let _store = (!place.data("").exists()).then(|| place.host());
        let told = place.baton(args);
        assert_eq!(told.code, 2, "{args:?}: {told:?}");
    }
}
