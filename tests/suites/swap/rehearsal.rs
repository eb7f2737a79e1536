//! Rehearsal: what would fail is known before anything is touched, and the world notices nothing.

use std::sync::Arc;
use std::time::Duration;

use baton_host::store::SnapshotStore;
use baton_host::swap::{SwapOptions, SwapOutcome};

use super::super::journal::{journal, say, start, told};
use super::numbers::{Whim, mean, new, old, spec};
use super::{newer, of, swap};
use crate::harness::{Op, StoreDouble, actor, host, name, plugin};

fn rehearsed() -> SwapOptions {
    let mut options = SwapOptions::default();
    options.watch = Duration::ZERO;
    options
}

#[tokio::test]
async fn what_would_fail_is_found_before_anything_is_touched() {
    let whims = [Whim::Refuses, Whim::Traps, Whim::Hangs, Whim::EatsMemory, Whim::HasNoState, Whim::None];
    let store = StoreDouble::new();
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let building = host().store(shared).plugin_bytes("old.wasm", old().build());
    let building = whims.iter().enumerate().fold(building, |building, (n, whim)| building.actor(spec(n, *whim)));
    let host = building.build().await.unwrap();
    let writes = |store: &StoreDouble| {
        store.log().iter().filter(|(op, _)| matches!(op, Op::Commit | Op::Switch | Op::Release)).count()
    };
    let before = writes(&store);
    let plan = host.plan_swap(&plugin("numbers"), of(&mean()), &rehearsed()).await.unwrap();
    let rehearsal = plan.rehearsal.clone().unwrap();
    assert_eq!((rehearsal.taken_over, rehearsal.failed.count), (1, 5), "{rehearsal:?}");
    assert!(!plan.is_clean());
    let report = host.swap(&plugin("numbers"), of(&mean()), rehearsed()).await.unwrap().ended().await.unwrap();
    assert_eq!(report.outcome, SwapOutcome::Refused, "{report:?}");
    assert_eq!(writes(&store), before, "nothing was written");
    assert!(host.actors().iter().all(|actor| actor.generation == 1 && actor.restarts == 0));
    assert_eq!(host.plugins().len(), 1, "the refused version is unloaded");
    host.shutdown(None).await;
}

#[tokio::test]
async fn it_takes_the_state_of_the_moment_and_nobody_hears_of_it() {
    let store = StoreDouble::new();
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let building = host().store(shared).plugin_bytes("old.wasm", journal().build());
    let building = building.plugin_bytes("other.wasm", journal().named("other").build());
    let host = building.actor(actor("other/1", "other")).actor(actor("j/1", "journal")).build().await.unwrap();
    say(&host, "not saved").await;
    let sends = newer().on(
        "continue",
        "(global.set $len (local.get $data_len))
         (call $send (i32.const 45010) (i32.const 7) (i32.const 45020) (i32.const 1) (i32.const 3200))
         (call $set_timer (i32.const 45000) (i32.const 1) (i64.const 0) (i32.const 3200)) (call $ok)",
    );
    let plan = host.plan_swap(&plugin("journal"), of(&sends), &rehearsed()).await.unwrap();
    let rehearsal = plan.rehearsal.unwrap();
    assert_eq!((rehearsal.taken_over, rehearsal.bytes_before, rehearsal.bytes_after), (1, 9, 9), "{rehearsal:?}");
    let counted: Vec<_> = rehearsal.effects.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    assert_eq!(counted, [("send", 1), ("timer", 1)]);
    let calls = newer().on(
        "continue",
        "(call $call (i32.const 45010) (i32.const 7) (i32.const 45020) (i32.const 1) (i64.const 1000) (i32.const 3200))
         (if (i32.load8_u (i32.const 3200)) (then unreachable)) (call $ok)",
    );
    let plan = host.plan_swap(&plugin("journal"), of(&calls), &rehearsed()).await.unwrap();
    let rehearsal = plan.rehearsal.unwrap();
    assert_eq!((rehearsal.inconclusive.count, rehearsal.failed.count), (1, 0), "{rehearsal:?}");
    assert!(rehearsal.inconclusive.first[0].what.contains("calls `other/1`"), "{rehearsal:?}");
    assert_eq!(host.actor(&name("other/1")).unwrap().handled, 0);
    assert_eq!(told(&host).await.generation, 1);
    assert_eq!(say(&host, ",").await, "not saved,");
    host.shutdown(None).await;
}

#[tokio::test]
async fn it_ends_in_time_and_needs_no_instance_of_an_actor() {
    let building = host().instances(3).plugin_bytes("old.wasm", old().build());
    let host = (0..3).fold(building, |building, n| building.actor(spec(n, Whim::None))).build().await.unwrap();
    let mut options = rehearsed();
    options.rehearsal = Some(Duration::ZERO);
    let plan = host.plan_swap(&plugin("numbers"), of(&new()), &options).await.unwrap();
    assert_eq!(plan.rehearsal.unwrap().not_reached, 3);
    let report = host.swap(&plugin("numbers"), of(&new()), rehearsed()).await.unwrap().ended().await.unwrap();
    assert_eq!((report.outcome, report.switched), (SwapOutcome::Done, 3), "{report:?}");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_schema_that_the_new_version_does_not_read_never_reaches_its_code() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    let report = swap(&host, &newer().schema(3, (2, 3)), rehearsed()).await;
    assert_eq!(report.outcome, SwapOutcome::Refused, "{report:?}");
    assert!(report.why.unwrap().contains("schema 1"));
    // Those who insist leave it out.
    let mut options = rehearsed();
    options.on_failure = baton_host::swap::OnFailure::Skip;
    let report = swap(&host, &newer().schema(3, (2, 3)), options).await;
    assert_eq!((report.outcome, report.switched), (SwapOutcome::Done, 0), "{report:?}");
    assert_eq!(say(&host, "b").await, "ab");
    assert_eq!(told(&host).await.generation, 1);
    host.shutdown(None).await;
}
