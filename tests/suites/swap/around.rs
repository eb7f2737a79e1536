//! What an actor has around it goes on over a switch: ties, names that others know it by, what it wants to be told, how it
//! is saved; and who starts meanwhile.

use std::sync::Arc;
use std::time::Duration;

use baton_host::model::{Durability, Message, StateRules};
use baton_host::store::{Cause, SnapshotStore};
use baton_host::swap::SwapOutcome;
use baton_host::{ExitReason, GroupName, Pattern, Template};
use futures_util::FutureExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::super::bad_input::limits::Lines;
use super::super::journal::{journal, once, say, say_to, shut_down_behind, start, with};
use super::{at_once, newer, swap};
use crate::harness::{Op, StoreDouble, WatGuest, actor, host, name, plugin, until};

#[tokio::test]
async fn links_groups_and_attributes_outlive_a_switch() {
    let store = StoreDouble::new();
    let (team, mut spec) = (GroupName::new("team").unwrap(), actor("j/1", "journal"));
    spec.groups = vec![team.clone()];
    spec.attributes = [("room".to_owned(), "kitchen".to_owned())].into_iter().collect();
    let host = with(&store, &journal(), spec).await;
    let mut linked = Box::pin(host.link(&name("j/1")).unwrap().ended());
    assert_eq!(swap(&host, &newer(), at_once()).await.outcome, SwapOutcome::Done);
    assert_eq!(host.members(&team), [name("j/1")]);
    assert_eq!(host.having("room", "kitchen"), [name("j/1")]);
    assert_eq!(host.dispatch(&team, &"a".into()), 1);
    until("it is handled", || host.actor(&name("j/1")).unwrap().handled > 0).await;
    assert_eq!(say(&host, "b").await, "ab");
    assert!((&mut linked).now_or_never().is_none(), "to whom it is linked, it has not ended");
    host.kill(&name("j/1")).await.unwrap();
    assert_eq!(linked.await, ExitReason::Killed);
    host.shutdown(None).await;
}

/// What is logged while a journal of `old` is switched to `new`, hears `b`, and stops with its host.
async fn logged(store: &Arc<StoreDouble>, old: &WatGuest, new: &WatGuest) -> String {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish();
    let _here = subscriber.set_default();
    let host = with(store, old, actor("j/1", "journal")).await;
    say(&host, "a").await;
    assert_eq!(swap(&host, new, at_once()).await.outcome, SwapOutcome::Done);
    until("the last call of the old one is over", || host.plugins().len() == 1).await;
    assert_eq!(say(&host, "b").await, "ab");
    host.shutdown(None).await;
    lines.text()
}

/// Says at its end which reason it was given: `0` for the first one of the contract.
fn says_why(guest: &WatGuest) -> WatGuest {
    guest.clone().with(r#"(data (i32.const 45040) "why: ")"#).on(
        "terminate",
        "(i32.store8 (i32.const 45045) (i32.add (i32.const 48) (local.get $reason)))
         (call $log (i32.const 2) (i32.const 45040) (i32.const 6) (i32.const 0) (i32.const 0))
         (call $journal_state (i32.const 0))",
    )
}

/// It does not want to be told of its end.
fn careless(guest: &WatGuest) -> WatGuest {
    guest.clone().on("init", "(drop (call $ok)) (i32.store8 (i32.const 2052) (i32.const 0)) (i32.const 2048)")
}

#[tokio::test]
async fn the_old_version_is_told_of_the_upgrade_and_the_new_one_of_its_own_end() {
    let text = logged(&StoreDouble::new(), &says_why(&journal()), &says_why(&newer())).await;
    let found: Vec<_> = text.lines().filter_map(|line| line.split_once("why: ")?.1.chars().next()).collect();
    assert_eq!(found, ['2', '1'], "upgrade, then shutdown: {text}");
}

#[tokio::test]
async fn whether_its_end_is_told_is_the_new_versions_wish_from_then_on() {
    let store = StoreDouble::new();
    let text = logged(&store, &says_why(&careless(&journal())), &says_why(&newer())).await;
    assert!(text.contains("why: 1") && !text.contains("why: 2"), "{text}");
    let (head, _) = store.head(&name("j/1")).await.unwrap().unwrap();
    let saved = store.load(&name("j/1"), head.current().unwrap()).await.unwrap();
    assert_eq!(saved.data, b"ab");

    let text = logged(&StoreDouble::new(), &says_why(&journal()), &says_why(&careless(&newer()))).await;
    assert!(text.contains("why: 2") && !text.contains("why: 1"), "{text}");
}

#[tokio::test]
async fn checkpoints_go_on_with_the_new_version() {
    let store = StoreDouble::new();
    let mut spec = actor("j/1", "journal");
    let every = Durability::Interval { turns: Some(2), every: None };
    spec.state = StateRules { durability: Some(every), ..StateRules::default() };
    let host = with(&store, &journal(), spec).await;
    say(&host, "a").await;
    assert_eq!(swap(&host, &newer(), at_once()).await.outcome, SwapOutcome::Done);
    say(&host, "b").await;
    // The switch is a record of its own: from there it is counted anew.
    let saved = async || {
        let (head, _) = store.head(&name("j/1")).await.unwrap().unwrap();
        let record = store.load(&name("j/1"), head.current().unwrap()).await.unwrap();
        (String::from_utf8(record.data).unwrap(), record.header.cause, record.header.state.unwrap().schema)
    };
    assert_eq!(saved().await, ("a".to_owned(), Cause::Switched, 2));
    say(&host, "c").await;
    until("it is saved", || host.actor(&name("j/1")).unwrap().sequence > Some(2)).await;
    assert_eq!(saved().await, ("abc".to_owned(), Cause::Checkpoint, 2));
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_is_started_by_a_message_during_a_swap_runs_what_it_leads_to() {
    for fails in [false, true] {
        let store = StoreDouble::new();
        let shared: Arc<dyn SnapshotStore> = store.clone();
        let template = Template::new(Pattern::new("k/*").unwrap(), plugin("journal"));
        // It reads what the new one writes: so nobody has to stay behind.
        let old = journal().schema(1, (1, 2));
        let building = host().store(shared).plugin_bytes("old.wasm", old.build()).template(template);
        let host = building.actor(actor("j/1", "journal")).build().await.unwrap();
        say(&host, "a").await;
        let before = store.asked(Op::Switch, &name("j/1"));
        store.hold(Op::Switch);
        let swapping = tokio::spawn({
            let host = host.clone();
            let mut options = at_once();
            options.switch_timeout = Duration::from_millis(if fails { 300 } else { 60_000 });
            async move { swap(&host, &newer(), options).await }
        });
        until("it commits", || store.asked(Op::Switch, &name("j/1")) > before).await;
        assert_eq!(say_to(&host, "k/1", "x").await, "x");
        let version = |of: &str| host.actor(&name(of)).unwrap().version.unwrap().to_string();
        assert_eq!(version("k/1"), "2.0.0");
        if fails {
            store.fail_for(Op::Switch, &name("j/1"), baton_host::store::StoreError::Unavailable("full".into()));
        }
        store.let_through();
        let report = swapping.await.unwrap();
        let (outcome, runs) = if fails { (SwapOutcome::WentBack, "1.0.0") } else { (SwapOutcome::Done, "2.0.0") };
        assert_eq!(report.outcome, outcome, "{report:?}");
        assert_eq!((version("j/1").as_str(), version("k/1").as_str()), (runs, runs), "{report:?}");
        store.mend();
        assert_eq!(say_to(&host, "k/1", "y").await, "xy", "{fails}");
        assert_eq!(say(&host, "b").await, "ab");
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn what_waits_in_an_inbox_is_in_the_record_of_the_switch() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    assert!(shut_down_behind(&start(&store).await, &store, &["b", "c", "d"]).await.all_saved());
    // Its first turn, which is `c`, ends only when its record is marked.
    store.hold(Op::TakeUp);
    let host = start(&store).await;
    until("the first is in hand", || host.actor(&name("j/1")).unwrap().waiting == 1).await;
    let swapping = tokio::spawn({
        let host = host.clone();
        async move { swap(&host, &newer(), at_once()).await }
    });
    until("a swap waits", || host.swap_status(&plugin("journal")).is_some_and(|status| status.total > 0)).await;
    store.let_through();
    assert_eq!(swapping.await.unwrap().outcome, SwapOutcome::Done);
    let (head, _) = store.head(&name("j/1")).await.unwrap().unwrap();
    let record = store.load(&name("j/1"), head.current().unwrap()).await.unwrap();
    assert_eq!(record.header.cause, Cause::Switched);
    let inbox = record.header.inbox.iter().map(|message| match message {
        Message::Cast(request) => request.body.to_vec(),
        other => panic!("{other:?}"),
    });
    assert_eq!(inbox.fold(record.data, |all, body| [all, body].concat()), b"abcd");
    // Whoever is ended now goes on from there.
    drop(host);
    let next = with(&store, &newer(), actor("j/1", "journal")).await;
    until("nothing waits", || next.actor(&name("j/1")).is_some_and(|actor| actor.generation > 0 && actor.waiting == 0))
        .await;
    assert_eq!(say(&next, "e").await, "abcde");
    next.shutdown(None).await;
}
