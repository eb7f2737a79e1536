//! What is told of imports: when a plugin is loaded, by `baton inspect`, and in the log when something is refused.

use baton_host::{ErrorCode, Grants, Host};
use serde_json::{Value, json};

use crate::cli::Place;
use crate::harness::{WatGuest, guest, strict_host};

#[tokio::test]
async fn strict_grants_refuse_a_plugin_that_imports_more() {
    let strict = Grants { strict: true, ..Grants::default() };
    let builder = || strict_host().plugin_file(guest("errand"));
    let error = builder().granted(strict.clone()).build().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Plugin);
    let (text, cure) = (error.to_string(), error.cure().unwrap().to_owned());
    for import in ["wasi:filesystem/preopens.get-directories", "wasi:http/outgoing-handler.handle"] {
        assert!(text.contains(import), "{text}");
    }
    for line in ["dirs = [{ host = ", "http = [{ host = ", "sockets = [", "env = [", "lookups = ["] {
        assert!(cure.contains(line), "{cure}");
    }
    assert!(builder().build().await.is_ok(), "to import is no crime");
    let modest = strict_host().plugin_file(guest("counter")).granted(strict).build().await;
    assert!(modest.is_ok(), "{modest:?}");
}

#[tokio::test]
async fn an_inspection_says_what_a_plugin_needs() {
    let bytes = std::fs::read(guest("errand")).unwrap();
    let needs = Host::inspect("errand", bytes).await.unwrap().needs;
    let grants: Vec<_> = needs.iter().map(|need| need.grant).collect();
    assert_eq!(grants, ["call", "dirs", "env", "http", "sockets", "lookups"]);
    let modest = Host::inspect("counter", std::fs::read(guest("counter")).unwrap()).await.unwrap();
    // An SDK's plugin imports all of `host`, whatever it uses.
    assert_eq!(modest.needs.iter().map(|need| need.grant).collect::<Vec<_>>(), ["call"]);
    let foreman = Host::inspect("foreman", std::fs::read(guest("foreman")).unwrap()).await.unwrap();
    let grants: Vec<_> = foreman.needs.iter().map(|need| need.grant).collect();
    assert_eq!(grants, ["call", "supervise", "groups"]);
}

fn place(grants: &str) -> Place {
    let errand = guest("errand");
    Place::new(&format!(
        "instances = 50\n[[plugin]]\npath = {errand:?}\n{grants}\n[[actor]]\nname = \"errand/1\"\nplugin = \"errand\"\n"
    ))
}

#[test]
fn a_host_tells_what_is_imported_and_what_is_refused_with_the_line_that_would_grant_it() {
    let place = place("");
    let host = place.host();
    let ask = |what: &Value| place.baton(&["call", "errand/1", &what.to_string()]);
    for _ in 0..3 {
        assert_ne!(ask(&json!({ "send": ["room/7", "dirs"] })).code, 0);
    }
    assert_ne!(ask(&json!({ "lookup": "example.org" })).code, 0);
    let request =
        json!({ "http": { "method": "GET", "scheme": "https", "authority": "api.example.org", "path": "/" } });
    assert_ne!(ask(&request).code, 0);
    let log = host.stop(rustix::process::Signal::TERM).err;
    for line in [
        r#"dirs = [{ host = "DIRECTORY", guest = "/NAME", access = "read" }] would grant it"#,
        r#"call = ["room/7"], or a pattern such as "*", would grant it"#,
        r#"lookups = ["example.org"] would grant it"#,
        r#"http = [{ host = "api.example.org", methods = ["GET"] }] would grant it"#,
    ] {
        assert_eq!(log.matches(line).count(), 1, "{line}\n{log}");
    }
}

#[test]
fn grants_in_the_file_reach_the_guest() {
    let place = place(
        "[plugin.grants]\nenv = [\"BATON_TEST_MOOD\", \"MODE=prod\", \"BATON_TEST_UNSET\"]\n\
         dirs = [{ host = \"assets\", guest = \"/assets\" }]\n",
    );
    place.write("assets/a.txt", b"hello");
    let host = place.host_with(&[("BATON_TEST_MOOD", "good")]);
    let ask = |what: Value| -> Value {
        let told = place.baton(&["call", "errand/1", &what.to_string()]);
        assert_eq!(told.code, 0, "{told:?}");
        serde_json::from_str(&told.out).unwrap()
    };
    assert_eq!(ask(json!("env")), json!({ "BATON_TEST_MOOD": "good", "MODE": "prod" }));
    assert_eq!(ask(json!({ "read": { "dir": "/assets", "path": "a.txt" } })), "hello");
    assert_eq!(host.stop(rustix::process::Signal::TERM).code, 0);
}

#[test]
fn inspect_prints_lines_for_the_configuration() {
    let place = place("");
    let told = place.baton(&["inspect", guest("errand").to_str().unwrap()]);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.contains(r#"http = [{ host = "HOST", methods = ["GET"] }]"#), "{}", told.out);
    place.write("plain.wasm", &WatGuest::new("plain").build());
    let told = place.baton(&["inspect", "plain.wasm"]);
    // It imports all of `host`, whatever it calls.
    assert!(told.out.contains(r#"call = ["ACTOR", "PREFIX/*"]"#), "{}", told.out);
}
