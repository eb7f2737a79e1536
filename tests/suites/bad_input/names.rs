//! Names that are none, and names of nobody.

use baton_host::{ActorName, CallError, ErrorCode, MessageId, Pattern, PluginName, SendError, Template};

use super::{Stage, ask, bad, count, says};
use crate::harness::{WatGuest, actor, host, name, plugin};

#[test]
fn names_that_could_lead_elsewhere_are_refused_with_the_rule_that_they_break() {
    let long = "a".repeat(10 << 10);
    let cases = [
        ("a/../b", "has the segment '..'"),
        ("../etc/passwd", "has the segment '..'"),
        ("./a", "has the segment '.'"),
        ("/etc/passwd", "empty segment"),
        ("a//b", "empty segment"),
        ("a\0b", "control character '\\0'"),
        ("a\nb", "control character '\\n'"),
        ("", "is empty"),
        ("a*", "stands for a pattern"),
        (&long, "has 10240 bytes; at most 255 are allowed"),
    ];
    for (bad, rule) in cases {
        let error = ActorName::new(bad).unwrap_err().to_string();
        says(&error, &["actor name", rule]);
        assert!(error.len() < 300, "the error itself stays short: {} bytes", error.len());
        assert!(serde_json::from_value::<ActorName>(serde_json::json!(bad)).is_err(), "{bad:?} from JSON");
        assert!(bad.parse::<ActorName>().is_err());
    }
    assert!(PluginName::new("../plugin").is_err() && PluginName::new(&long).is_err());
    assert!(MessageId::new("a\0b").is_err() && MessageId::new(&long).is_err());
    assert!(Pattern::new("../*").is_err() && Pattern::new("a\0*").is_err());
}

#[tokio::test]
async fn an_unknown_actor_is_told_apart_from_everything_else() {
    let mut stage = Stage::set(&WatGuest::new("bad"), |_| {}).await;
    let error = ask(&stage.host, "nobody", "x").await.unwrap_err();
    assert!(matches!(&error, CallError::NotSent(SendError::UnknownActor(_))), "{error}");
    says(&error, &["no actor `nobody` runs here, and no template matches its name"]);
    assert_eq!(stage.host.cast(&name("nobody"), "x", None).unwrap_err().code(), "unknown-actor");
    let error = stage.host.stop(&name("nobody")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnknownActor);
    says(&error, &["no actor `nobody` runs here"]);
    assert_eq!(stage.host.actors().len(), 2, "asking starts nobody");
    stage.goes_on().await;
    stage.end().await;
}

#[tokio::test]
async fn an_unknown_plugin_is_told_with_those_that_are_known() {
    let good = || host().plugin_bytes("well.wasm", WatGuest::new("well").build());
    let error = good().actor(actor("a", "wel")).build().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnknownPlugin);
    says(&error, &["no plugin `wel` is loaded; loaded: well", "load its file, or correct the name"]);
    let template = Template::new(Pattern::new("a/*").unwrap(), plugin("wel"));
    assert_eq!(good().template(template).build().await.unwrap_err().code(), ErrorCode::UnknownPlugin);
    says(host().actor(actor("a", "wel")).build().await.unwrap_err(), &["loaded: none"]);

    let mut stage = Stage::set(&WatGuest::new("bad"), |_| {}).await;
    let error = stage.host.start(actor("a", "wel")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::UnknownPlugin);
    says(&error, &["loaded: bad, well"]);
    stage.goes_on().await;
    stage.host.start(actor("a", "well")).await.expect("the name is still free");
    assert_eq!(count(&ask(&stage.host, "a", "x").await.unwrap()), 1);
    stage.end().await;
}

#[tokio::test]
async fn a_name_that_is_taken_stays_with_who_has_it() {
    let stage = Stage::set(&WatGuest::new("bad"), |_| {}).await;
    assert_eq!(stage.count("x").await, 1);
    let error = stage.host.start(actor("bad/1", "well")).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::AlreadyStarted);
    says(&error, &["`bad/1` is started already; it is running"]);
    assert_eq!(stage.count("x").await, 2);
    assert_eq!((stage.bad().plugin, stage.bad().restarts), (plugin("bad"), 0));
    stage.end().await;
    let guest = WatGuest::new("bad").build();
    let twice = host().plugin_bytes("bad.wasm", guest).actor(actor("bad/1", "bad")).actor(actor("bad/1", "bad"));
    let error = twice.build().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Config);
    says(&error, &["`bad/1` is listed twice"]);
}

#[tokio::test]
async fn a_host_with_room_for_nobody_is_refused() {
    let error = host().instances(0).build().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Config);
    says(&error, &["`instances` is 0"]);
    assert!(host().build().await.unwrap().actor(&bad()).is_none());
}
