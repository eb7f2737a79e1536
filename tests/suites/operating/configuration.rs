//! `baton config`, before a host runs.

use crate::cli::Place;

#[test]
fn everything_that_is_wrong_is_told_at_once_and_nothing_is_started() {
    let place = Place::new("log = \"inof\"\n[limits]\ntimers = -1\ntimer = 2\n");
    let told = place.baton(&["config", "check"]);
    assert_eq!((told.code, told.out.as_str()), (2, ""), "{told:?}");
    let lines: Vec<_> = told.err.lines().collect();
    assert_eq!(
        lines,
        [
            "error: baton.toml:1: `log` in the file: \"inof\" is no level; did you mean `info`?",
            "error: baton.toml:3: `timers` in [limits] is -1; expected an integer from 0 to 1000000",
            "error: baton.toml:4: unknown key `timer` in [limits]; did you mean `timers`?",
        ]
    );
    let told = place.baton(&["config", "check", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((told.code, &json["ok"]), (2, &false.into()));
    let expected = serde_json::json!({
        "line": 3,
        "key": "timers",
        "problem": "`timers` in [limits] is -1",
        "cure": "expected an integer from 0 to 1000000",
        "message": "`timers` in [limits] is -1; expected an integer from 0 to 1000000",
    });
    assert_eq!(json["problems"][1], expected);
    assert_eq!(place.baton(&["config", "show"]).code, 2);
    assert_eq!(place.baton(&["config", "check", "gone.toml"]).code, 2);
    assert!(!place.data("").exists());
}

#[test]
fn what_is_shown_is_a_configuration_that_a_host_takes() {
    let place = Place::counter();
    let told = place.baton(&["config", "check"]);
    assert_eq!((told.code, told.out.as_str()), (0, "baton.toml is good: 1 plugins, 1 actors, 1 templates\n"));
    let shown = place.baton(&["config", "show", "--resolved"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("instances = 50  # line 1\n"), "{}", shown.out);
    place.write("baton.toml", shown.out.as_bytes());
    let host = place.host();
    assert_eq!(place.baton(&["call", "counter/1", r#"{"add":2}"#]).out, "2\n");
    drop(host);
    let shown = place.json(&["config", "show", "--data-dir", "x", "--json"]);
    assert_eq!(shown[0]["settings"][0]["option"], "--data-dir");
    let schema = place.json(&["config", "schema"]);
    assert_eq!(schema["properties"]["instances"]["maximum"], 1_000_000);
}
