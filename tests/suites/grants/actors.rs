//! Which actors a plugin may call, send to and see.

use baton_host::{CallOptions, Grants, Host};
use serde_json::{Value, json};

use crate::harness::{actor, guest, name, strict_host};

async fn ask(host: &Host, who: &str, what: Value) -> Result<Value, String> {
    let reply = host.call(&name(who), what.to_string(), CallOptions::default()).await;
    reply.map(|reply| serde_json::from_slice(&reply).unwrap()).map_err(|error| error.to_string())
}

fn names(texts: &[&str]) -> Vec<baton_host::model::NameOrPattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// `f/1` and `f/2` run foremen, `e/1` and `e/2` errands: each plugin is granted what the test says.
async fn stage(foremen: Grants, errands: Grants) -> Host {
    let builder = strict_host().plugin_file(guest("foreman")).granted(foremen);
    let builder = builder.plugin_file(guest("errand")).granted(errands);
    let actors = [("f/1", "foreman"), ("f/2", "foreman"), ("e/1", "errand"), ("e/2", "errand")];
    actors.iter().fold(builder, |builder, (name, plugin)| builder.actor(actor(name, plugin))).build().await.unwrap()
}

#[tokio::test]
async fn a_message_reaches_whom_it_may_and_nobody_else() {
    let host = stage(Grants::default(), Grants { call: names(&["e/2", "new/*"]), ..Grants::default() }).await;
    assert_eq!(ask(&host, "e/1", json!({ "call": ["e/2", "dirs"] })).await, Ok(json!([])));
    assert_eq!(ask(&host, "e/1", json!({ "send": ["e/2", "dirs"] })).await, Ok(json!("ok")));
    // Each may send to itself; a call to itself would wait for ever, and says so.
    assert_eq!(ask(&host, "e/1", json!({ "send": ["e/1", "dirs"] })).await, Ok(json!("ok")));
    assert!(ask(&host, "e/1", json!({ "call": ["e/1", "dirs"] })).await.unwrap_err().contains("deadlock"));
    // Whether somebody is there makes no difference to one who may not know.
    for to in ["f/1", "nobody", "e/21", "e"] {
        for how in ["call", "send"] {
            let why = ask(&host, "e/1", json!({ how: [to, "dirs"] })).await.unwrap_err();
            assert!(why.contains("denied"), "{how} {to}: {why}");
        }
    }
    assert!(ask(&host, "e/1", json!({ "call": ["new/1", "dirs"] })).await.unwrap_err().contains("unknown-actor"));
    assert!(host.dead_letters().is_empty(), "nothing that was denied left");
}

#[tokio::test]
async fn an_actor_sees_whom_it_may_reach_and_itself() {
    let foremen = Grants { call: names(&["f/*"]), supervise: names(&["e/1"]), ..Grants::default() };
    let host = stage(foremen, Grants::default()).await;
    for who in ["f/1", "f/2"] {
        assert_eq!(ask(&host, who, json!({ "set": ["role", "hand"] })).await, Ok(json!("ok")));
    }
    for (whom, seen) in [("f/1", true), ("f/2", true), ("e/1", true), ("e/2", false), ("nobody", false)] {
        let there = ask(&host, "f/1", json!({ "whereis": whom })).await.unwrap();
        assert_eq!(!there.is_null(), seen, "{whom}: {there}");
        assert_eq!(ask(&host, "f/1", json!({ "monitor": whom })).await.is_ok(), seen, "{whom}");
    }
    assert_eq!(ask(&host, "f/1", json!({ "having": ["role", "hand"] })).await, Ok(json!(["f/1", "f/2"])));
    assert_eq!(ask(&host, "f/1", json!({ "get": ["f/2", "role"] })).await, Ok(json!("hand")));

    let host = stage(Grants::default(), Grants::default()).await;
    for who in ["f/1", "f/2"] {
        assert_eq!(ask(&host, who, json!({ "set": ["role", "hand"] })).await, Ok(json!("ok")));
    }
    assert_eq!(ask(&host, "f/1", json!({ "having": ["role", "hand"] })).await, Ok(json!(["f/1"])));
    assert_eq!(ask(&host, "f/1", json!({ "get": ["f/2", "role"] })).await, Ok(Value::Null));
    assert_eq!(ask(&host, "f/1", json!({ "whereis": "f/1" })).await, Ok(json!("running")));
}

#[tokio::test]
async fn a_group_is_for_those_it_was_granted() {
    let host = stage(Grants { groups: names(&["lobby"]), ..Grants::default() }, Grants::default()).await;
    for what in [json!({ "join": "lobby" }), json!({ "dispatch": ["lobby", "hello"] })] {
        assert_eq!(ask(&host, "f/1", what).await, Ok(json!("ok")));
    }
    assert_eq!(ask(&host, "f/1", json!({ "members": "lobby" })).await, Ok(json!(["f/1"])));
    for what in [json!({ "join": "board" }), json!({ "dispatch": ["board", "hello"] }), json!({ "members": "board" })] {
        let why = ask(&host, "f/1", what.clone()).await.unwrap_err();
        assert!(why.contains("denied"), "{what}: {why}");
    }
}
