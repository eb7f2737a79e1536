//! What becomes of the actors of a swap: in batches, with failures, with faults, and with what comes in between.

use std::sync::Arc;
use std::time::Duration;

use baton_host::Restart;
use baton_host::model::{ExitReason, Phase};
use baton_host::store::{SnapshotStore, StoreError};
use baton_host::swap::{
    Batch, OnFailure, SwapEventKind, SwapEvents, SwapOptions, SwapOutcome, SwapPhase, SwapReport, SwapSource,
};
use baton_host::{CallOptions, Host, Pattern, Template};

use super::super::journal::{journal, say, say_to, start, with};
use super::numbers::{Whim, mean, new, old, spec};
use super::{at_once, newer, of, swap};
use crate::harness::{Op, StoreDouble, WatGuest, actor, host, name, plugin, until};

/// Longer than any test.
const AGES: Duration = Duration::from_secs(3_600);

fn version(host: &Host, actor: &str) -> String {
    host.actor(&name(actor)).unwrap().version.unwrap().to_string()
}

/// How many actors run each version, by its major number.
fn versions(host: &Host) -> [usize; 4] {
    let mut counts = [0; 4];
    for actor in host.actors() {
        counts[actor.version.unwrap().as_str()[..1].parse::<usize>().unwrap()] += 1;
    }
    counts
}

/// `count` actors that count numbers; those of `whims` do what these say.
async fn crowd(count: usize, whims: &[(usize, Whim)]) -> Host {
    let building = host().plugin_bytes("old.wasm", old().build());
    let whim = |n| whims.iter().find(|(of, _)| *of == n).map_or(Whim::None, |(_, whim)| *whim);
    (0..count).fold(building, |building, n| building.actor(spec(n, whim(n)))).build().await.unwrap()
}

async fn begin(host: &Host, guest: &WatGuest, options: SwapOptions) -> baton_host::swap::Swap {
    host.swap(&plugin("numbers"), of(guest), options).await.unwrap()
}

async fn carried_out(host: &Host, guest: &WatGuest, options: SwapOptions) -> SwapReport {
    begin(host, guest, options).await.ended().await.unwrap()
}

async fn back(host: &Host, of: &str, options: SwapOptions) -> SwapReport {
    host.swap(&plugin(of), SwapSource::Back, options).await.unwrap().ended().await.unwrap()
}

fn batches(actors: usize) -> SwapOptions {
    let mut options = at_once();
    (options.batch, options.pause) = (Batch::Actors(actors), AGES);
    options
}

/// Waits for a phase of the swap of `numbers`.
async fn phase(host: &Host, phase: SwapPhase) {
    until("the swap is there", || host.swap_status(&plugin("numbers")).unwrap().phase == phase).await;
}

async fn next(events: &mut SwapEvents) -> SwapEventKind {
    events.next().await.unwrap().unwrap().kind
}

#[tokio::test]
async fn a_batch_at_a_time_and_a_swap_that_was_stopped_goes_on_or_back() {
    let host = crowd(10, &[]).await;
    let swap = begin(&host, &new(), batches(4)).await;
    phase(&host, SwapPhase::Pausing).await;
    assert_eq!(versions(&host), [0, 6, 4, 0]);
    host.stop_swap(&plugin("numbers")).unwrap();
    let report = swap.ended().await.unwrap();
    assert_eq!((report.outcome, report.switched), (SwapOutcome::HalfWay, 4), "{report:?}");
    assert!(report.why.unwrap().contains("told to stop"));
    // Another version has to wait until that one is finished.
    let error = host.swap(&plugin("numbers"), of(&mean()), at_once()).await.unwrap_err().to_string();
    assert!(error.contains("left half-way"), "{error}");
    // Who is started now is of the new version; who crashes comes back with its own.
    host.start(spec(10, Whim::None)).await.unwrap();
    until("it runs", || host.actor(&name("n/10")).unwrap().phase == Phase::Running).await;
    assert_eq!(versions(&host), [0, 6, 5, 0]);
    let report = carried_out(&host, &new(), at_once()).await;
    assert_eq!((report.outcome, report.switched), (SwapOutcome::Done, 6), "{report:?}");
    assert_eq!(versions(&host), [0, 0, 11, 0]);
    assert_eq!(host.plugins().len(), 1);
    let report = back(&host, "numbers", at_once()).await;
    assert_eq!((report.outcome, report.switched), (SwapOutcome::Done, 11), "{report:?}");
    assert_eq!(versions(&host), [0, 11, 0, 0]);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_swap_that_runs_is_told_to_go_back() {
    let host = crowd(10, &[]).await;
    let swap = begin(&host, &new(), batches(3)).await;
    phase(&host, SwapPhase::Pausing).await;
    let turned = host.swap(&plugin("numbers"), SwapSource::Back, at_once()).await.unwrap();
    assert_eq!(turned.status().id, swap.status().id);
    let report = swap.ended().await.unwrap();
    assert_eq!((report.outcome, report.switched, report.went_back), (SwapOutcome::WentBack, 3, 3), "{report:?}");
    assert_eq!((versions(&host), host.plugins().len()), ([0, 10, 0, 0], 1));
    host.shutdown(None).await;
}

#[tokio::test]
async fn another_swap_waits_for_the_one_that_runs_and_hears_who_began_it() {
    let host = crowd(4, &[]).await;
    let mut options = batches(1);
    options.by = "jo on pts/3".into();
    let swap = begin(&host, &new(), options).await;
    phase(&host, SwapPhase::Pausing).await;
    for guest in [new(), mean()] {
        let error = host.swap(&plugin("numbers"), of(&guest), at_once()).await.unwrap_err().to_string();
        assert!(error.contains("jo on pts/3") && error.contains("2.0.0") || error.contains("half-way"), "{error}");
    }
    host.stop_swap(&plugin("numbers")).unwrap();
    swap.ended().await.unwrap();
    host.shutdown(None).await;
}

#[tokio::test]
async fn more_failures_than_may_be_lead_back_or_stop_or_are_left_out() {
    let whims = [(3, Whim::Refuses), (5, Whim::Traps), (7, Whim::Hangs)];
    for (on_failure, max_failures, outcome, after) in [
        (OnFailure::Back, 0, SwapOutcome::WentBack, [0, 10, 0, 0]),
        (OnFailure::Back, 2, SwapOutcome::WentBack, [0, 10, 0, 0]),
        (OnFailure::Back, 3, SwapOutcome::Done, [0, 3, 0, 7]),
        (OnFailure::Stop, 0, SwapOutcome::HalfWay, [0, 7, 0, 3]),
        (OnFailure::Stop, 1, SwapOutcome::HalfWay, [0, 6, 0, 4]),
        (OnFailure::Skip, 0, SwapOutcome::Done, [0, 3, 0, 7]),
    ] {
        let host = crowd(10, &whims).await;
        let mut options = at_once();
        (options.on_failure, options.max_failures, options.batch) = (on_failure, max_failures, Batch::Actors(2));
        let report = carried_out(&host, &mean(), options).await;
        let case = format!("{on_failure:?} {max_failures}");
        assert_eq!((report.outcome, versions(&host)), (outcome, after), "{case}: {report:?}");
        // Whoever was left out can be switched later.
        if report.outcome != SwapOutcome::HalfWay {
            let report = carried_out(&host, &new(), at_once()).await;
            assert_eq!((report.outcome, versions(&host)), (SwapOutcome::Done, [0, 0, 10, 0]), "{case}: {report:?}");
            assert_eq!(host.plugins().len(), 1, "{case}");
        }
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn who_was_left_out_by_an_earlier_swap_goes_back_to_what_it_ran() {
    let whims = [(0, Whim::Refuses), (9, Whim::Traps)];
    let host = crowd(10, &whims).await;
    let mut skip = at_once();
    skip.on_failure = OnFailure::Skip;
    let report = carried_out(&host, &mean(), skip).await;
    assert_eq!((report.outcome, versions(&host)), (SwapOutcome::Done, [0, 2, 0, 8]), "{report:?}");
    // One that fails with the last one after the first was switched: `n/9` runs 1.0.0, and another one fails for it.
    let other = mean().version("2.5.0").on("continue", &refusing(Whim::Traps));
    let report = carried_out(&host, &other, at_once()).await;
    assert_eq!((report.outcome, report.went_back), (SwapOutcome::WentBack, 9), "{report:?}");
    assert_eq!(versions(&host), [0, 2, 0, 8]);
    host.kill(&name("n/0")).await.unwrap();
    until("it runs again", || host.actor(&name("n/0")).unwrap().phase == Phase::Running).await;
    assert_eq!(version(&host, "n/0"), "1.0.0");
    host.shutdown(None).await;
}

/// A `continue` that refuses the state for actors of this whim, and no others.
fn refusing(whim: Whim) -> String {
    format!(
        "(if (i32.eq (global.get $whim) (i32.const {})) (then (return (call $refuse (i32.const 0)))))
         (if (local.get $some) (then (memory.copy (i32.const 46000) (local.get $data) (local.get $data_len)))) (call $ok)",
        whim as i32
    )
}

#[tokio::test]
async fn a_new_version_that_crashes_within_the_watch_time_leads_back() {
    let store = StoreDouble::new();
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let building = host().store(shared).plugin_bytes("old.wasm", journal().build());
    let host = building.actor(actor("j/1", "journal")).actor(actor("j/2", "journal")).build().await.unwrap();
    for actor in ["j/1", "j/2"] {
        say_to(&host, actor, "a").await;
    }
    let crashing = newer().schema(1, (1, 1)).on("handle", "unreachable");
    let mut options = at_once();
    options.watch = AGES;
    let swapping = host.swap(&plugin("journal"), of(&crashing), options).await.unwrap();
    until("it is watched", || swapping.status().phase == SwapPhase::Watching).await;
    assert!(host.call(&name("j/1"), "b", CallOptions::default()).await.is_err());
    let report = swapping.ended().await.unwrap();
    assert_eq!((report.outcome, report.faults), (SwapOutcome::WentBack, 1), "{report:?}");
    assert!(report.last_faults[0].actor == name("j/1"), "{report:?}");
    for actor in ["j/1", "j/2"] {
        until("it runs", || host.actor(&name(actor)).unwrap().phase == Phase::Running).await;
        assert_eq!((version(&host, actor).as_str(), say_to(&host, actor, "c").await.as_str()), ("1.0.0", "ac"));
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_held_actor_tries_again_with_the_new_version() {
    let store = StoreDouble::new();
    let newest = with(&store, &newer(), actor("j/1", "journal")).await;
    say(&newest, "a").await;
    assert!(newest.shutdown(None).await.all_saved());
    let host = start(&store).await;
    until("it is held", || host.actor(&name("j/1")).unwrap().phase == Phase::Held).await;
    let report = swap(&host, &newer(), at_once()).await;
    assert_eq!((report.outcome, report.switched), (SwapOutcome::Done, 1), "{report:?}");
    assert_eq!(say(&host, "b").await, "ab");
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_sleeps_is_switched_when_it_wakes_and_its_record_from_before_is_kept() {
    let store = StoreDouble::new();
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let template = Template::new(Pattern::new("j/*").unwrap(), plugin("journal"));
    let building = host().store(shared).plugin_bytes("old.wasm", journal().build());
    let host = building.template(template).build().await.unwrap();
    say(&host, "a").await;
    host.stop(&name("j/1")).await.unwrap();
    until("it sleeps", || host.actor(&name("j/1")).is_none()).await;
    let plan = host.plan_swap(&plugin("journal"), of(&newer()), &SwapOptions::default()).await.unwrap();
    assert_eq!(plan.actors.sleeping, 1, "{plan:?}");
    assert_eq!(plan.rehearsal.as_ref().unwrap().taken_over, 1, "{plan:?}");
    let report = swap(&host, &newer(), at_once()).await;
    assert_eq!(report.outcome, SwapOutcome::Done, "{report:?}");
    let (head, _) = store.head(&name("j/1")).await.unwrap().unwrap();
    assert_eq!(head.current().unwrap().schema, Some(1), "nobody has touched it");
    assert_eq!(say(&host, "b").await, "ab");
    assert_eq!(version(&host, "j/1"), "2.0.0");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_suspended_actor_is_switched_and_stays_suspended() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    host.suspend(&name("j/1")).await.unwrap();
    host.cast(&name("j/1"), "b", None).unwrap();
    let report = swap(&host, &newer(), at_once()).await;
    assert_eq!((report.outcome, report.switched), (SwapOutcome::Done, 1), "{report:?}");
    let info = host.actor(&name("j/1")).unwrap();
    assert_eq!((info.phase, info.waiting), (Phase::Suspended, 1));
    host.resume(&name("j/1")).await.unwrap();
    assert_eq!(say(&host, "c").await, "abc");
    host.shutdown(None).await;
}

/// Begins a switch of `j/1` that waits for the store.
async fn under_way(store: &Arc<StoreDouble>, op: Op) -> (Host, tokio::task::JoinHandle<SwapReport>) {
    let host = start(store).await;
    say(&host, "a").await;
    let before = store.asked(op, &name("j/1"));
    store.hold(op);
    let swapping = tokio::spawn({
        let host = host.clone();
        async move { swap(&host, &newer(), at_once()).await }
    });
    until("it waits for the store", || store.asked(op, &name("j/1")) > before).await;
    (host, swapping)
}

#[tokio::test]
async fn a_host_that_goes_down_in_the_middle_of_a_switch_saves_everything() {
    for op in [Op::Commit, Op::Switch] {
        let store = StoreDouble::new();
        let (host, swapping) = under_way(&store, op).await;
        host.cast(&name("j/1"), "b", None).unwrap();
        let down = tokio::spawn({
            let host = host.clone();
            async move { host.shutdown(None).await }
        });
        until("it closes", || !host.is_ready()).await;
        store.let_through();
        assert!(down.await.unwrap().all_saved(), "{op:?}");
        drop((host, swapping));
        // The configuration of the next host has the newer one, which reads both.
        let host = with(&store, &newer(), actor("j/1", "journal")).await;
        assert_eq!(say(&host, "c").await, "abc", "{op:?}");
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn an_actor_that_is_killed_or_stopped_in_the_middle_loses_no_more_than_ever() {
    for op in [Op::Commit, Op::Switch] {
        for kill in [true, false] {
            let store = StoreDouble::new();
            let (host, swapping) = under_way(&store, op).await;
            let ended = tokio::spawn({
                let host = host.clone();
                async move {
                    if kill {
                        host.kill(&name("j/1")).await.unwrap();
                    } else {
                        host.restart(&name("j/1")).await.unwrap();
                    }
                }
            });
            tokio::task::yield_now().await;
            store.let_through();
            ended.await.unwrap();
            let report = swapping.await.unwrap();
            until("it runs", || host.actor(&name("j/1")).unwrap().phase == Phase::Running).await;
            let text = say(&host, "c").await;
            assert!(text == "ac" || kill && text == "c", "{op:?} {kill}: {text}: {report:?}");
            let version = version(&host, "j/1");
            match report.outcome {
                SwapOutcome::Done => assert_eq!(version, "2.0.0", "{op:?} {kill}: {report:?}"),
                SwapOutcome::WentBack => assert_eq!(version, "1.0.0", "{op:?} {kill}: {report:?}"),
                _ => panic!("{op:?} {kill}: {report:?}"),
            }
            host.shutdown(None).await;
        }
    }
}

/// A journal that sends `x` to `other/1` and sets a timer that is due at once, when it has taken over.
fn eager() -> WatGuest {
    newer().on(
        "continue",
        "(memory.copy (i32.const 46000) (local.get $data) (local.get $data_len))
         (global.set $len (local.get $data_len))
         (call $send (i32.const 45010) (i32.const 7) (i32.const 45020) (i32.const 1) (i32.const 3200))
         (call $set_timer (i32.const 45000) (i32.const 1) (i64.const 0) (i32.const 3200))
         (call $ok)",
    )
}

#[tokio::test]
async fn what_the_new_version_sends_leaves_after_the_commit_and_never_without_it() {
    let store = StoreDouble::new();
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let building = host().store(shared).plugin_bytes("old.wasm", journal().build());
    let building = building.plugin_bytes("other.wasm", journal().named("other").build());
    let host = building.actor(actor("other/1", "other")).actor(actor("j/1", "journal")).build().await.unwrap();
    say(&host, "a").await;
    let handled = || host.actor(&name("other/1")).unwrap().handled;
    // A commit that fails.
    store.fail_for(Op::Switch, &name("j/1"), StoreError::Unavailable("the disk is full".into()));
    let mut options = at_once();
    options.switch_timeout = Duration::from_millis(50);
    let report = swap(&host, &eager(), options).await;
    assert_eq!((report.outcome, handled()), (SwapOutcome::WentBack, 0), "{report:?}");
    assert_eq!(say(&host, "b").await, "ab", "no timer either");
    store.mend();
    // One that takes long.
    let before = store.asked(Op::Switch, &name("j/1"));
    store.hold(Op::Switch);
    let swapping = tokio::spawn({
        let host = host.clone();
        async move { swap(&host, &eager(), at_once()).await }
    });
    until("it commits", || store.asked(Op::Switch, &name("j/1")) > before).await;
    assert_eq!(say_to(&host, "other/1", "y").await, "y");
    store.let_through();
    assert_eq!(swapping.await.unwrap().outcome, SwapOutcome::Done);
    until("it is there", || handled() == 2).await;
    assert_eq!(say_to(&host, "other/1", "z").await, "yxz");
    assert_eq!(say(&host, "c").await, "abtc");
    host.shutdown(None).await;
}

#[tokio::test]
async fn the_last_words_of_the_old_version_count_for_nothing() {
    let store = StoreDouble::new();
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let chatty = journal().on(
        "terminate",
        "(call $send (i32.const 45010) (i32.const 7) (i32.const 45020) (i32.const 1) (i32.const 3200))
         (global.set $len (i32.const 0))
         (call $journal_state (i32.const 0))",
    );
    let building = host().store(shared).plugin_bytes("old.wasm", chatty.build());
    let building = building.plugin_bytes("other.wasm", journal().named("other").build());
    let host = building.actor(actor("other/1", "other")).actor(actor("j/1", "journal")).build().await.unwrap();
    say(&host, "a").await;
    let (mut events, commits) = (host.swap_events(), store.asked(Op::Release, &name("j/1")));
    assert_eq!(swap(&host, &newer(), at_once()).await.outcome, SwapOutcome::Done);
    while !matches!(next(&mut events).await, SwapEventKind::Ended { .. }) {}
    // The old version is unloaded once its last instance is gone: its last call is over then.
    // Beside `other`.
    until("its last call is over", || host.plugins().len() == 2).await;
    assert_eq!(say(&host, "b").await, "ab");
    assert_eq!(store.asked(Op::Release, &name("j/1")), commits);
    assert_eq!(say_to(&host, "other/1", "y").await, "y");
    host.shutdown(None).await;
}

#[tokio::test]
async fn timers_and_monitors_outlive_a_switch() {
    let store = StoreDouble::new();
    let mut temporary = actor("j/1", "journal");
    temporary.restart = Restart::Temporary;
    let host = with(&store, &journal(), temporary).await;
    let monitor = host.monitor(&name("j/1")).unwrap();
    say(&host, "L").await;
    assert_eq!(swap(&host, &newer(), at_once()).await.outcome, SwapOutcome::Done);
    let (head, _) = store.head(&name("j/1")).await.unwrap().unwrap();
    assert!(head.current().unwrap().next_timer_ms.is_some(), "the timer is in the new record");
    assert!(host.call(&name("j/1"), "!", CallOptions::default()).await.is_err());
    assert!(matches!(monitor.ended().await, ExitReason::Crash(_)));
    host.shutdown(None).await;
}
