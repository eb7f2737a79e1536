//! What is done about a state that cannot be used: as its policy says, and never something else.

use std::sync::Arc;
use std::time::Duration;

use baton_host::model::{BadStatePolicy, Durability, HoldCause, Message, Phase, StateRules};
use baton_host::store::{Record, RecordError, SnapshotStore, StoreError};
use baton_host::{ActorSpec, CallError, CallOptions, Host, SendError};
use serde_json::{Value, json};

use super::{Stage, ask, bad, count, record, says};
use crate::harness::{Op, StoreDouble, WatGuest, actor, guest, host, name, until};

const REFUSE: &str = "(if (local.get $some) (then (return (call $refuse (i32.const 1))))) (call $ok)";

fn policy(on_bad_state: BadStatePolicy) -> impl FnOnce(&mut ActorSpec) {
    move |spec| spec.state.on_bad_state = Some(on_bad_state)
}

/// Records 1, 2 and 3 hold the counts 1, 2 and 3.
async fn three_records() -> Arc<StoreDouble> {
    let store = StoreDouble::new();
    for n in 1..=3 {
        let stage = Stage::on(&store, &WatGuest::new("bad"), |_| {}).await;
        assert_eq!(stage.count("x").await, n);
        assert!(stage.host.shutdown(None).await.all_saved());
    }
    store
}

/// From now on these records are damaged.
fn damage(store: &StoreDouble, records: &'static [u64]) {
    store.tamper(move |record| match record.header.actor == bad() && records.contains(&record.header.sequence) {
        true => Err(StoreError::Corrupt(RecordError::Checksum { bytes: 9 })),
        false => Ok(record),
    });
}

async fn sequences(store: &StoreDouble) -> Vec<u64> {
    let head = store.head(&bad()).await.unwrap().unwrap().0;
    head.records.iter().map(|record| record.sequence).collect()
}

/// How often `continue` may have been asked: generations of the actor.
async fn generation(store: &StoreDouble) -> u64 {
    store.head(&bad()).await.unwrap().unwrap().0.generation
}

#[tokio::test]
async fn previous_goes_on_from_the_newest_record_that_can_be_used_and_says_what_that_costs() {
    let store = three_records().await;
    damage(&store, &[3]);
    let stage = Stage::on(&store, &WatGuest::new("bad"), policy(BadStatePolicy::Previous)).await;
    assert_eq!(stage.count("x").await, 3, "2 and one");
    let info = stage.bad();
    assert_eq!((info.bad_states, info.restarts), (1, 0));
    let told = info.last_bad_state.unwrap();
    assert!(told.contains("checksum") && told.contains("goes on from record 2: 1 commits are given up"), "{told}");
    assert_eq!(store.quarantined(&bad()).await.unwrap().len(), 1);
    assert!(stage.host.shutdown(None).await.all_saved());
    assert_eq!(sequences(&store).await, [4, 3, 2], "the damaged one is kept like any other");
    mended_from(&store, 4).await;
}

/// A healthy version takes the newest record over.
async fn mended_from(store: &Arc<StoreDouble>, next: u32) {
    store.mend();
    let stage = Stage::on(store, &WatGuest::new("bad").version("9.0.0"), |_| {}).await;
    assert_eq!(stage.count("x").await, next);
    stage.end().await;
}

#[tokio::test]
async fn previous_goes_as_far_back_as_records_are_kept_and_then_holds() {
    let store = three_records().await;
    damage(&store, &[3, 2]);
    let stage = Stage::on(&store, &WatGuest::new("bad"), policy(BadStatePolicy::Previous)).await;
    assert_eq!(stage.count("x").await, 2, "1 and one");
    drop(stage);
    damage(&store, &[3, 2, 1]);
    let stage = Stage::on(&store, &WatGuest::new("bad"), policy(BadStatePolicy::Previous)).await;
    let hold = stage.held().await;
    assert_eq!(hold.sequence, Some(3), "the newest one is what is told");
    stage.end().await;
    assert_eq!(sequences(&store).await, [3, 2, 1]);
    mended_from(&store, 4).await;
}

#[tokio::test]
async fn fresh_begins_anew_with_the_messages_that_were_accepted_and_loses_no_record() {
    let store = StoreDouble::new();
    let stage = Stage::on(&store, &WatGuest::new("bad"), |_| {}).await;
    assert_eq!(stage.count("x").await, 1);
    stage.host.suspend(&bad()).await.unwrap();
    stage.host.cast(&bad(), "kept", None).unwrap();
    assert!(stage.host.shutdown(None).await.all_saved());
    let before = record(&*store).await.unwrap();
    assert_eq!(before.inbox_messages, Some(1));

    let next = WatGuest::new("bad").version("1.1.0").on("continue", REFUSE);
    let stage = Stage::on(&store, &next, policy(BadStatePolicy::Fresh)).await;
    assert_eq!(stage.count("x").await, 2, "the message that waited, and this one");
    let told = stage.bad().last_bad_state.unwrap();
    assert!(told.contains("refused this state") && told.contains("begins anew"), "{told}");
    assert!(stage.host.shutdown(None).await.all_saved());
    let head = store.head(&bad()).await.unwrap().unwrap().0;
    assert_eq!(head.records[1], before, "it is still there");
}

#[tokio::test]
async fn stop_leaves_the_actor_down_and_its_supervisor_does_not_start_it_again() {
    let store = three_records().await;
    damage(&store, &[3]);
    let stage = Stage::on(&store, &WatGuest::new("bad"), policy(BadStatePolicy::Stop)).await;
    let info = stage.comes_to(Phase::Failed).await;
    assert_eq!((info.restarts, info.bad_states), (0, 1));
    assert!(info.last_exit.unwrap().contains("its state cannot be used"));
    match stage.ask("x").await.unwrap_err() {
        CallError::NotSent(SendError::Down { why, .. }) => assert!(why.contains("checksum"), "{why}"),
        other => panic!("{other}"),
    }
    stage.end().await;
    assert_eq!(sequences(&store).await, [3, 2, 1]);
    mended_from(&store, 4).await;
}

#[tokio::test]
async fn a_refusal_is_remembered_over_hosts_and_only_for_that_component() {
    let store = three_records().await;
    let next = || WatGuest::new("bad").version("1.1.0").on("continue", "unreachable");
    let stage = Stage::on(&store, &next(), |_| {}).await;
    assert!(matches!(stage.held().await.cause, HoldCause::Crashed { attempts: 3, .. }));
    stage.end().await;
    let before = generation(&store).await;
    let refusals = store.head(&bad()).await.unwrap().unwrap().0.refusals;
    assert_eq!((refusals.len(), refusals[0].version.as_str()), (1, "1.1.0"));

    let stage = Stage::on(&store, &next(), |_| {}).await;
    let hold = stage.held().await;
    assert!(matches!(&hold.cause, HoldCause::RefusedBefore { version, .. } if version == "1.1.0"), "{hold}");
    says(&hold, &["refused this state before", "unreachable", "baton store retry"]);
    stage.end().await;
    assert_eq!(generation(&store).await, before + 1, "`continue` was not tried again");

    let other = WatGuest::new("bad").version("1.2.0").on("continue", "unreachable");
    let stage = Stage::on(&store, &other, |_| {}).await;
    assert!(matches!(stage.held().await.cause, HoldCause::Crashed { attempts: 3, .. }), "another one is asked");
    stage.end().await;
    mended_from(&store, 4).await;
}

#[tokio::test]
async fn a_component_that_refuses_every_record_is_asked_once_for_each_and_then_held() {
    let store = three_records().await;
    let next = || WatGuest::new("bad").version("1.1.0").on("continue", REFUSE);
    let stage = Stage::on(&store, &next(), policy(BadStatePolicy::Previous)).await;
    stage.held().await;
    stage.end().await;
    let head = store.head(&bad()).await.unwrap().unwrap().0;
    let refused: Vec<_> = head.refusals.iter().map(|refused| refused.record).collect();
    let records: Vec<_> = head.records.iter().rev().map(|record| record.digest).collect();
    assert_eq!(refused, records);
}

#[tokio::test]
async fn a_refusal_that_the_store_does_not_take_is_remembered_in_the_process() {
    let store = three_records().await;
    store.fail(Op::Refuse, StoreError::Unavailable("no".into()));
    let next = WatGuest::new("bad").version("1.1.0").on("continue", REFUSE);
    let stage = Stage::on(&store, &next, policy(BadStatePolicy::Fresh)).await;
    assert_eq!(stage.count("x").await, 1, "it is not tried for ever");
    assert_eq!(store.head(&bad()).await.unwrap().unwrap().0.refusals, []);
    stage.end().await;
}

#[tokio::test]
async fn unavailable_is_no_refusal() {
    let store = three_records().await;
    let next = WatGuest::new("bad").version("1.1.0").on("continue", &REFUSE.replace("const 1", "const 3"));
    let stage = Stage::on(&store, &next, policy(BadStatePolicy::Fresh)).await;
    until("it has tried again", || stage.bad().generation > 5).await;
    assert_eq!((stage.bad().phase, stage.bad().bad_states), (Phase::Continuing, 0));
    stage.host.shutdown(None).await;
    assert_eq!(store.head(&bad()).await.unwrap().unwrap().0.refusals, []);
    mended_from(&store, 4).await;
}

/// From now on states seem to be an hour old.
fn an_hour_ago(mut record: Record) -> Result<Record, StoreError> {
    if let Some(state) = &mut record.header.state {
        state.time_ms -= 3_600_000;
    }
    Ok(record)
}

#[tokio::test]
async fn a_state_older_than_it_may_be_is_dealt_with_as_on_stale_says() {
    let rules = |on_stale| {
        move |spec: &mut ActorSpec| {
            spec.state = StateRules {
                // It is not this one that counts.
                on_bad_state: Some(BadStatePolicy::Stop),
                on_stale,
                max_age: Some(Duration::from_secs(60)),
                ..StateRules::default()
            };
        }
    };
    let store = three_records().await;
    store.tamper(an_hour_ago);
    let stage = Stage::on(&store, &WatGuest::new("bad"), rules(None)).await;
    let hold = stage.held().await;
    let HoldCause::Stale { age_ms, max_age_ms: 60_000 } = hold.cause else { panic!("{hold}") };
    assert!((3_600_000..3_700_000).contains(&age_ms), "{age_ms}");
    stage.end().await;
    let stage = Stage::on(&store, &WatGuest::new("bad"), rules(Some(BadStatePolicy::Stop))).await;
    stage.comes_to(Phase::Failed).await;
    stage.end().await;
    let stage = Stage::on(&store, &WatGuest::new("bad"), rules(Some(BadStatePolicy::Fresh))).await;
    assert_eq!(stage.count("x").await, 1);
    drop(stage);
    store.mend();
    let stage = Stage::on(&store, &WatGuest::new("bad"), rules(Some(BadStatePolicy::Fresh))).await;
    assert_eq!(stage.count("x").await, 4, "young enough");
    stage.end().await;
}

#[tokio::test]
async fn an_actors_own_rules_count_before_those_of_its_plugin() {
    let store = three_records().await;
    damage(&store, &[3]);
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let rules = StateRules { on_bad_state: Some(BadStatePolicy::Previous), ..StateRules::default() };
    let builder = || host().store(shared.clone()).plugin_bytes("bad.wasm", WatGuest::new("bad").build()).keeping(rules);
    let asked = async |host: &Host| host.call(&bad(), "x", CallOptions::default()).await;
    let one = builder().actor(actor("bad/1", "bad")).build().await.unwrap();
    assert_eq!(count(&asked(&one).await.unwrap()), 3, "its plugin's");
    drop(one);
    let mut own = actor("bad/1", "bad");
    own.state.on_bad_state = Some(BadStatePolicy::Fresh);
    let two = builder().actor(own).build().await.unwrap();
    assert_eq!(count(&asked(&two).await.unwrap()), 1, "its own");
    drop(two);
    mended_from(&store, 4).await;
}

#[tokio::test]
async fn a_way_back_that_would_lose_something_is_taken_to_the_record_before() {
    let dir = tempfile::tempdir().unwrap();
    let cart = name("cart/1");
    let open = async |version: &str, policy| {
        let mut spec = actor("cart/1", "cart");
        spec.state.on_bad_state = Some(policy);
        if version == "3.0.0" {
            spec.args = crate::schemas::SHOP.into();
        }
        let plugin = guest(&format!("cart-{version}"));
        host().data_dir(dir.path()).plugin_file(plugin).actor(spec).build().await.unwrap()
    };
    let says = async |host: &Host, message: Value| -> Value {
        serde_json::from_slice(&ask(host, "cart/1", message.to_string()).await.unwrap()).unwrap()
    };
    for message in [json!({"add": {"item": "fig", "quantity": 2, "price_cents": 50}}), json!({"coupon": "SPRING"})] {
        let host = open("3.0.0", BadStatePolicy::Hold).await;
        says(&host, message).await;
        assert!(host.shutdown(None).await.all_saved());
    }
    let host = open("2.1.0", BadStatePolicy::Previous).await;
    assert_eq!(says(&host, json!("show")).await["total_cents"], json!(100), "without the coupon");
    let info = host.actor(&cart).unwrap();
    let told = info.last_bad_state.unwrap();
    assert!(told.contains("coupon") && told.contains("record 1: 1 commits"), "{told}");
    assert_eq!((info.bad_states, info.restarts), (1, 0));
    assert!(host.shutdown(None).await.all_saved());
    let host = open("3.0.0", BadStatePolicy::Hold).await;
    assert_eq!(says(&host, json!("show")).await["total_cents"], json!(100));
    let records = host.store().head(&cart).await.unwrap().unwrap().0.records;
    let kept: Vec<_> = records.iter().map(|record| (record.sequence, record.schema)).collect();
    assert_eq!(kept, [(3, Some(2)), (2, Some(3)), (1, Some(3))], "what was given up is kept for now");
    host.shutdown(None).await;
}

#[tokio::test]
async fn an_interval_saves_what_a_crash_would_lose_and_a_crash_is_told_in_numbers() {
    let store = StoreDouble::new();
    let interval = |spec: &mut ActorSpec| {
        spec.state.durability = Some(Durability::Interval { turns: Some(3), every: None });
    };
    let stage = Stage::on(&store, &WatGuest::new("bad"), interval).await;
    for n in 1..=4 {
        assert_eq!(stage.count("x").await, n);
    }
    assert_eq!(record(&*store).await.map(|record| record.sequence), Some(1), "after the third");
    drop(stage);
    let stage = Stage::on(&store, &WatGuest::new("bad"), interval).await;
    assert_eq!(stage.count("x").await, 4, "3 and one");
    stage.end().await;
    mended_from(&store, 5).await;
}

#[tokio::test]
async fn messages_of_a_record_that_is_passed_over_are_handled_all_the_same() {
    let store = three_records().await;
    let stage = Stage::on(&store, &WatGuest::new("bad"), |_| {}).await;
    stage.host.suspend(&bad()).await.unwrap();
    stage.host.cast(&bad(), "waits", None).unwrap();
    assert!(stage.host.shutdown(None).await.all_saved());
    let inbox = store.load(&bad(), &record(&*store).await.unwrap()).await.unwrap().header.inbox;
    assert!(matches!(&inbox[..], [Message::Cast(_)]), "{inbox:?}");
    // Its state is refused, and it is not damaged: what it has to say counts.
    let wrong = |mut record: Record| {
        if record.header.actor == bad() && record.header.sequence == 4 {
            record.header.state.as_mut().unwrap().schema = 99;
        }
        Ok(record)
    };
    store.tamper(wrong);
    let stage = Stage::on(&store, &WatGuest::new("bad"), policy(BadStatePolicy::Previous)).await;
    assert_eq!(stage.count("x").await, 5, "3, the one that waited, and this one");
    stage.end().await;
}
