//! A configuration that is read again while the host runs.

use rustix::process::Signal;

use crate::api;
use crate::cli::Place;

fn change(place: &Place, from: &str, to: &str) {
    let command = place.command(&[]);
    let path = command.get_current_dir().unwrap().join("baton.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn what_can_change_is_taken_and_what_cannot_is_named() {
    let place = Place::counter();
    let host = place.host();
    assert_eq!(place.baton(&["call", "more/1", r#"{"add":2}"#]).out, "2\n");
    assert_eq!(place.baton(&["reload"]).out, "nothing has changed\n");
    change(&place, "pattern = \"more/*\"\n", "pattern = \"extra/*\"\n");
    change(&place, "instances = 50\n", "instances = 60\nlog = \"warn\"\nshutdown_timeout_ms = 9000\n");
    change(&place, "name = \"counter/1\"\n", "name = \"counter/2\"\n");
    let told = place.json(&["reload", "--json"]);
    let taken: Vec<_> = told["taken"].as_array().unwrap().iter().map(|what| what.as_str().unwrap()).collect();
    assert_eq!(
        taken,
        [
            "`shutdown_timeout_ms` in the file: 30000 is 9000 now",
            "`log` in the file: \"info\" is \"warn\" now",
            "[[actors]] \"extra/*\" is new",
            "[[actors]] \"more/*\" is gone",
        ]
    );
    let needs: Vec<_> = told["needs_restart"].as_array().unwrap().iter().map(|what| what.as_str().unwrap()).collect();
    assert_eq!(
        needs,
        ["`instances` in the file: 50 is 60 now", "[[actor]] \"counter/2\" is new", "[[actor]] \"counter/1\" is gone",]
    );
    // Who ran goes on, who is called from now on is another.
    assert_eq!(place.baton(&["call", "more/1", "get"]).out, "2\n");
    assert_eq!(place.baton(&["call", "extra/1", r#"{"add":1}"#]).out, "1\n");
    let gone = place.baton(&["call", "more/2", "get"]);
    assert!(gone.err.contains("[unknown-actor]"), "{gone:?}");
    assert_eq!(place.baton(&["call", "counter/1", "get"]).out, "0\n");
    assert_eq!(place.baton(&["reload"]).out, "nothing has changed\n", "what needs a restart is told once");
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn new_limits_count_for_new_actors_of_a_template() {
    let place = Place::counter();
    let _host = place.host();
    assert_eq!(place.baton(&["call", "more/1", "get"]).out, "0\n");
    change(&place, "instances = 50\n", "instances = 50\n[limits]\nmessage_bytes = 10\n");
    let told = place.baton(&["reload"]);
    assert!(
        told.out.contains("taken: `message_bytes` in limits of [[actors]] \"more/*\": 4194304 is 10 now\n"),
        "{told:?}"
    );
    let needs = "note: `message_bytes` in limits of [[actor]] \"counter/1\": 4194304 is 10 now: needs a restart\n";
    assert!(told.err.contains(needs), "{told:?}");
    let long = r#"{"add":1000000}"#;
    assert_eq!(place.baton(&["call", "more/1", long]).code, 0);
    let refused = place.baton(&["call", "more/2", long]);
    assert!(refused.err.contains("[too-large]"), "{refused:?}");
}

#[test]
fn of_a_file_with_a_mistake_nothing_is_taken() {
    let place = Place::counter();
    let mut host = place.host();
    change(&place, "instances = 50\n", "instances = 50\nlog = \"inof\"\n");
    change(&place, "pattern = \"more/*\"\n", "pattern = \"extra/*\"\n");
    host.signal(Signal::HUP);
    host.logs("the configuration is not taken, and nothing has changed");
    let told = place.baton(&["reload"]);
    assert_eq!(told.code, 1);
    assert!(
        told.err.contains("baton.toml:2: `log` in the file: \"inof\" is no level; did you mean `info`?"),
        "{told:?}"
    );
    assert_eq!(place.baton(&["call", "more/1", "get"]).out, "0\n");
    assert!(place.baton(&["call", "extra/1", "get"]).err.contains("[unknown-actor]"));

    // A template of a plugin that is not loaded cannot be taken, and so nothing of the file is.
    change(&place, "log = \"inof\"\n", "log = \"warn\"\n");
    change(
        &place,
        "plugin = \"counter\"\n[[actors]]",
        "plugin = \"counter\"\n[[actors]]\npattern = \"x/*\"\nplugin = \"other\"\n[[actors]]",
    );
    change(&place, "name = \"counter\"\n[[actor]]", "[[actor]]");
    let told = place.baton(&["reload"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.err.contains("other"), "{told:?}");
    assert!(place.baton(&["call", "extra/1", "get"]).err.contains("[unknown-actor]"));
}

#[test]
fn of_tokens_that_cannot_be_read_and_all_beside_them_nothing_is_taken() {
    let place = api::place("insecure_loopback = true");
    let host = place.host();
    let template = "[[actors]]\npattern = \"new/*\"\nplugin = \"counter\"\n";
    change(&place, "[[actor]]", &format!("{template}[[actor]]"));
    api::write_tokens(&place, "[tokens.reader]\nroles = [\"reed\"]\n");
    let told = place.baton(&["reload"]);
    assert!(told.code == 1 && told.err.contains("tokens.toml"), "{told:?}");
    assert!(place.baton(&["call", "new/1", "get"]).err.contains("[unknown-actor]"), "no template is taken");
    let asked = api::ask(&api::url(&host), "GET /v1/actors", Some(api::READ), "");
    assert_eq!(asked.status, 200, "the tokens from before count: {asked:?}");
    // Mended, both are.
    let tokens = format!("[tokens.reader]\nroles = [\"call\"]\ntoken = {:?}\n", api::READ);
    api::write_tokens(&place, &tokens);
    assert_eq!(place.baton(&["reload"]).code, 0);
    assert_eq!(place.baton(&["call", "new/1", "get"]).out, "0\n");
    let asked = api::ask(&api::url(&host), "GET /v1/actors", Some(api::READ), "");
    assert_eq!(asked.status, 403, "{asked:?}");
}

#[test]
fn a_filter_counts_from_now_on() {
    let place = Place::counter();
    change(&place, "instances = 50\n", "instances = 50\nlog = \"error\"\n");
    let mut host = place.host();
    change(&place, "log = \"error\"\n", "log = \"info\"\n");
    host.signal(Signal::HUP);
    // Told by the filter that has just been set.
    host.logs("taken: `log` in the file");
    // So it does for those that speak to `log`, as the store does.
    change(&place, "log = \"info\"\n", "log = \"info,sled=trace\"\n");
    assert_eq!(place.baton(&["reload"]).code, 0);
    assert_eq!(place.baton(&["stop", "counter/1"]).code, 0);
    host.logs("TRACE sled::");
}
