//! Actors whose store is killed under them.

use baton_host::model::{Durability, StateRules};
use baton_host::{CallOptions, MessageId};

use super::*;
use crate::harness::{self, actor, guest};

on_each! {
    actors_wait_for_a_server_that_is_killed_and_go_on
}

/// Times that the server is killed.
const KILLS: u64 = 3;

async fn actors_wait_for_a_server_that_is_killed_and_go_on(kind: ServerKind) {
    let Some(mut server) = Server::start(kind) else { return };
    let url = format!("{}&answer_timeout_ms=2000", server.url("fleet"));
    let rules = StateRules { durability: Some(Durability::Turn), ..StateRules::default() };
    let build = || {
        let host = harness::host().store_url(url.parse().expect("a URL"));
        host.plugin_file(guest("counter")).keeping(rules).actor(actor("counter/1", "counter")).build()
    };
    let host = build().await.expect("starts");
    let (told, mut heard) = tokio::sync::mpsc::channel(64);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let counting = tokio::spawn({
        let host = host.clone();
        async move {
            let mut acknowledged = 0u64;
            while !*stopped.borrow() {
                // Whoever has no answer asks again, with the same id, until it has one.
                let options = CallOptions { id: Some(MessageId::random()), ..CallOptions::default() };
                let began = Instant::now();
                while let Err(error) = host.call(&name("counter/1"), "{\"add\": 1}", options.clone()).await {
                    assert!(began.elapsed() < PATIENCE, "it goes on: {error}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                acknowledged += 1;
                let _ = told.try_send(());
            }
            acknowledged
        }
    });
    for _ in 0..KILLS {
        while heard.try_recv().is_ok() {}
        for _ in 0..10 {
            heard.recv().await.expect("it counts");
        }
        server.kill();
        until("the host sees that", || async { host.store().trouble() }).await;
        server.restart();
    }
    for _ in 0..10 {
        heard.recv().await.expect("it goes on");
    }
    stop.send_replace(true);
    let acknowledged = counting.await.expect("it ends");
    // Without a stop in good order: what was acknowledged is there all the same.
    drop(host);
    let host = build().await.expect("starts again");
    let found = until("it has taken its state over", || async {
        host.call(&name("counter/1"), "\"get\"", CallOptions::default())
            .await
            .inspect_err(|error| println!("{error}"))
            .ok()
    });
    let found = String::from_utf8(found.await.to_vec()).expect("text");
    assert_eq!(found.trim(), acknowledged.to_string());
    assert!(host.shutdown(None).await.all_saved());
}
