//! A line about an actor says whose it is, whoever wrote it.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cli::Place;
use crate::harness::WatGuest;

/// A guest that says `said` when it is told anything, says it and traps at `!`, and fails at `F`.
fn talker() -> WatGuest {
    let said = "(call $log (i32.const 2) (i32.const 45000) (i32.const 4) (i32.const 0) (i32.const 0))";
    WatGuest::new("talker")
        .version("1.4.0")
        .with("(data (i32.const 45000) \"said\")")
        .when('s', said)
        .when('!', &format!("{said} unreachable"))
        .when('F', "(return (call $failure))")
}

/// All that is about an actor.
const LOG: &str = "warn,baton::guest=info,baton_host::supervisor=debug";

/// A host with one of them, which did all of that, and what it logged.
fn logged(format: &str) -> String {
    let place = Place::new(
        "instances = 50\n[[plugin]]\npath = \"talker.wasm\"\n[[actor]]\nname = \"talker/a b\"\nplugin = \"talker\"\n",
    );
    place.write("talker.wasm", &talker().build());
    let host = place.host_as(&["run", "--log", LOG, "--log-format", format], &[]);
    for word in ["s", "!", "s"] {
        place.baton(&["call", "talker/a b", word]);
    }
    for cast in ["F", "!"] {
        assert_eq!(place.baton(&["cast", "talker/a b", cast]).code, 0);
    }
    // It is handled by the instance after the one that the last cast ends.
    assert_eq!(place.baton(&["call", "talker/a b", "x"]).code, 0);
    let end = host.stop(Signal::TERM);
    assert_eq!(end.code, 0, "{end:?}");
    end.err
}

#[test]
fn each_line_about_an_actor_names_its_plugin_its_version_and_its_generation() {
    let log = logged("json");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let about: Vec<&Value> = lines.iter().map(|line| &line["fields"]).filter(|f| f.get("actor").is_some()).collect();
    for fields in &about {
        let whose = [&fields["actor"], &fields["plugin"], &fields["version"]];
        assert_eq!(whose, [&json!("talker/a b"), &json!("talker"), &json!("1.4.0")], "{fields}");
        assert!(fields["generation"].is_u64(), "{fields}");
    }
    let found = |words: &str| -> Vec<u64> {
        let with = about.iter().filter(|f| f["message"].as_str().is_some_and(|text| text.contains(words)));
        with.map(|fields| fields["generation"].as_u64().expect("a number")).collect()
    };
    assert_eq!(found("said"), [1, 1, 2, 2], "the guest's own lines, of each of its instances");
    assert_eq!(found("a message that expects no reply failed"), [2]);
    assert_eq!(found("crash: "), [1, 2]);
    assert_eq!(found("dead letter"), [1, 2]);
    assert_eq!(found("stopped"), [3]);
}

#[test]
fn the_text_for_people_says_the_same() {
    let log = logged("text");
    for words in ["said", "crash: ", "dead letter", "a message that expects no reply failed", "stopped"] {
        let line = log.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words}: {log}"));
        assert!(line.contains("actor=talker/a b plugin=talker version=1.4.0 generation="), "{line}");
    }
}
