//! What a plugin may do in the world outside: nothing that it is not granted, whatever it tries, and each refusal says what
//! would grant it. The guest is `errand`, a real one that speaks WASI through its ordinary bindings.

mod actors;
mod files;
mod http;
mod loading;
mod sockets;

use baton_host::{CallOptions, Grants, Host, HostBuilder, Limits};
use serde_json::{Value, json};

use crate::harness::{actor, guest, name, plugin, strict_host};

/// A host with the actor `errand/1`, which may do what `grants` say.
struct Stage {
    host: Host,
}

impl Stage {
    async fn set(grants: Grants) -> Self {
        Self::with(strict_host(), grants, |_| {}).await
    }

    async fn with(builder: HostBuilder, grants: Grants, limit: impl FnOnce(&mut Limits)) -> Self {
        let mut spec = actor("errand/1", "errand");
        limit(&mut spec.limits);
        let builder = builder.plugin_file(guest("errand")).grants(plugin("errand"), grants);
        Self { host: builder.actor(spec).build().await.unwrap() }
    }

    /// What it answers, or why not.
    async fn ask(&self, errand: Value) -> Result<Value, String> {
        let reply = self.host.call(&name("errand/1"), errand.to_string(), CallOptions::default()).await;
        reply.map(|reply| serde_json::from_slice(&reply).unwrap()).map_err(|error| error.to_string())
    }

    async fn done(&self, errand: Value) -> Value {
        match self.ask(errand.clone()).await {
            Ok(answer) => answer,
            Err(why) => panic!("{errand}: {why}"),
        }
    }

    /// It is refused, in WASI's own words, and the guest lives on.
    async fn refused(&self, errand: Value, word: &str) {
        match self.ask(errand.clone()).await {
            Err(why) => assert!(why.contains(word), "{errand}: {why}"),
            Ok(answer) => panic!("{errand} was not refused: {answer}"),
        }
        assert_eq!(self.host.actor(&name("errand/1")).unwrap().restarts, 0, "{errand}");
    }
}

#[tokio::test]
async fn a_plugin_without_grants_sees_and_reaches_nothing() {
    let stage = Stage::set(Grants::default()).await;
    assert_eq!(stage.done(json!("dirs")).await, json!([]));
    assert_eq!(stage.done(json!("env")).await, json!({}));
    stage.refused(json!({ "tcp": ["127.0.0.1:1", "x"] }), "access-denied").await;
    stage.refused(json!({ "udp": ["127.0.0.1:1", "x"] }), "access-denied").await;
    stage.refused(json!({ "listen": "127.0.0.1:0" }), "access-denied").await;
    stage.refused(json!({ "lookup": "localhost" }), "permanent-resolver-failure").await;
    let request = json!({ "http": { "method": "GET", "scheme": "http", "authority": "127.0.0.1:1", "path": "/" } });
    stage.refused(request, "HttpRequestDenied").await;
    stage.refused(json!({ "call": ["errand/2", "dirs"] }), "denied").await;
    stage.refused(json!({ "send": ["errand/2", "dirs"] }), "denied").await;
}

#[tokio::test]
async fn an_environment_is_what_was_granted_of_it() {
    let mut grants = Grants { env: vec![], ..Grants::default() };
    for text in ["MODE=prod", "TZ", "HOME", "EMPTY="] {
        grants.env.push(baton_host::model::EnvGrant::new(text).unwrap());
    }
    // Whoever has an environment fills in what is to come from it; what it does not have stays away.
    grants.fill_env(|name| (name == "TZ").then(|| "Europe/Berlin".to_owned()));
    let stage = Stage::set(grants).await;
    assert_eq!(stage.done(json!("env")).await, json!({ "MODE": "prod", "TZ": "Europe/Berlin", "EMPTY": "" }));
}
