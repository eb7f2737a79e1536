//! `continue` that goes wrong: on a state, which is then kept and never replaced by an empty start; and without one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use baton_host::model::{HoldCause, Phase, Refusal};
use baton_host::store::StoreError;

use super::{ENDLESS, Stage, bad, mended, record, says, two_counted};
use crate::harness::{WatGuest, until};

/// The next version, whose `continue` does this when it is given a state.
fn next(on_state: &str) -> WatGuest {
    let body = format!("(if (local.get $some) (then {on_state})) (call $ok)");
    WatGuest::new("bad").version("1.1.0").on("continue", &body)
}

#[tokio::test]
async fn a_trap_on_a_state_is_tried_three_times_and_then_held() {
    let (store, before) = two_counted().await;
    let mut stage = Stage::on(&store, &next("unreachable"), |_| {}).await;
    let hold = stage.held().await;
    assert!(matches!(&hold.cause, HoldCause::Crashed { attempts: 3, .. }), "{hold}");
    assert_eq!((hold.sequence, hold.digest), (Some(before.sequence), Some(before.digest)));
    says(&hold, &["`continue` failed 3 times on this state", "unreachable"]);
    let info = stage.bad();
    assert_eq!((info.restarts, info.generation), (0, 4), "three instances, none of them a restart");
    assert_eq!(record(&*store).await.unwrap(), before);
    stage.goes_on().await;
    assert!(stage.host.shutdown(None).await.all_saved());
    assert_eq!(record(&*store).await.unwrap(), before);
    mended(&store).await;
}

#[tokio::test]
async fn a_continue_without_end_is_cut_off_as_often_as_allowed_and_then_held() {
    let (store, before) = two_counted().await;
    let stage = Stage::on(&store, &next(ENDLESS), |spec| {
        spec.limits.continue_timeout_ms = 50;
        spec.limits.continue_attempts = 2;
    })
    .await;
    let hold = stage.held().await;
    assert!(matches!(&hold.cause, HoldCause::Crashed { attempts: 2, .. }), "{hold}");
    says(&hold, &["`continue` ran past its time", "continue_timeout_ms = 50"]);
    stage.end().await;
    assert_eq!(record(&*store).await.unwrap(), before);
    mended(&store).await;
}

#[tokio::test]
async fn a_refusal_holds_the_actor_at_once_in_the_guests_own_words() {
    let refusals = [
        (0, Refusal::Incompatible("no".into()), "incompatible: no"),
        (1, Refusal::Corrupt("no".into()), "corrupt: no"),
        (2, Refusal::Stale("no".into()), "stale: no"),
        (4, Refusal::Other("no".into()), "refused the state: no"),
    ];
    for (case, refusal, words) in refusals {
        let (store, before) = two_counted().await;
        let guest = next(&format!("(return (call $refuse (i32.const {case})))"));
        let stage = Stage::on(&store, &guest, |_| {}).await;
        let hold = stage.held().await;
        assert_eq!(hold.cause, HoldCause::Refused(refusal));
        says(&hold, &["`continue` refused the state", words]);
        assert_eq!(stage.bad().generation, 2, "it was asked once");
        stage.end().await;
        assert_eq!(record(&*store).await.unwrap(), before);
        mended(&store).await;
    }
}

#[tokio::test]
async fn unavailable_is_tried_again_and_does_not_count() {
    let (store, _) = two_counted().await;
    // Generations 2 to 6 cannot; the 7th can: more often than a trap would be tried.
    let guest = WatGuest::new("bad").version("1.1.0").on(
        "continue",
        "(if (i64.lt_u (local.get $generation) (i64.const 7)) (then (return (call $refuse (i32.const 3)))))
         (global.set $count (i32.load (local.get $data))) (call $ok)",
    );
    let stage = Stage::on(&store, &guest, |_| {}).await;
    // Messages wait meanwhile, in order.
    stage.host.cast(&bad(), "x", None).unwrap();
    assert_eq!(stage.count("x").await, 4);
    let info = stage.bad();
    assert_eq!((info.generation, info.restarts, info.phase), (7, 0, Phase::Running));
    stage.end().await;
}

#[tokio::test]
async fn a_continue_that_crashes_without_a_state_is_a_crash_like_any_other() {
    let guest = WatGuest::new("bad").on("continue", "unreachable");
    let mut stage = Stage::set(&guest, |_| {}).await;
    let info = stage.comes_to(Phase::Failed).await;
    assert_eq!(info.restarts, 3);
    says(info.last_exit.unwrap(), &["crash in `continue`", "unreachable"]);
    says(stage.ask("x").await.unwrap_err(), &["`bad/1` stays down", "unreachable", "start it again"]);
    stage.goes_on().await;
    stage.end().await;

    let endless = WatGuest::new("bad").on("continue", ENDLESS);
    let stage = Stage::set(&endless, |spec| {
        spec.limits.continue_timeout_ms = 30;
        spec.intensity.max_restarts = 1;
    })
    .await;
    says(stage.comes_to(Phase::Failed).await.last_exit.unwrap(), &["continue_timeout_ms = 30"]);
    stage.end().await;
}

#[tokio::test]
async fn effects_of_a_continue_that_fails_never_leave() {
    let (store, _) = two_counted().await;
    let guest = next(
        "(call $send (i32.const 45000) (i32.const 6) (i32.const 45000) (i32.const 1) (i32.const 45100))
         (call $save) (return (call $refuse (i32.const 1)))",
    );
    let guest = guest.with("(data (i32.const 45000) \"well/1\")");
    let mut stage = Stage::on(&store, &guest, |_| {}).await;
    stage.held().await;
    stage.goes_on().await;
    assert!(stage.host.dead_letters().is_empty());
    stage.end().await;
    mended(&store).await;
}

#[tokio::test]
async fn a_store_out_of_reach_is_waited_for_and_never_taken_for_an_empty_one() {
    let (store, _) = two_counted().await;
    let asked = Arc::new(AtomicUsize::new(0));
    store.tamper({
        let asked = asked.clone();
        move |record| {
            if record.header.actor != bad() {
                return Ok(record);
            }
            asked.fetch_add(1, Ordering::AcqRel);
            Err(StoreError::Unavailable("gone fishing".into()))
        }
    });
    let mut stage = Stage::on(&store, &WatGuest::new("bad"), |_| {}).await;
    stage.host.cast(&bad(), "x", None).unwrap();
    until("it was tried again", || asked.load(Ordering::Acquire) >= 3).await;
    let info = stage.bad();
    assert_eq!((info.phase, info.waiting, info.handled, info.held), (Phase::Continuing, 1, 0, None));
    stage.goes_on().await;
    store.mend();
    assert_eq!(stage.count("x").await, 4);
    assert_eq!(stage.bad().restarts, 0);
    stage.end().await;
}
