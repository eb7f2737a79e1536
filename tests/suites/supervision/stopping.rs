//! How long what is below a supervisor may take to stop, and what is told of what took longer.

use std::time::Duration;

use baton_host::model::NotSaved;
use baton_host::{Saved, Shutdown};

use super::{endless, over, recorded, supervisor, with, worker};
use crate::harness::{StoreDouble, actor, name};
use crate::journal::{journal, say_to};

#[tokio::test]
async fn a_tight_supervisor_cuts_a_slow_terminate_short_and_saves_the_others() {
    let store = StoreDouble::new();
    let mut slow = actor("slow", "endless");
    slow.shutdown = Shutdown::Infinity;
    // They stop in reverse: the slow one has what is left.
    let mut tight = supervisor("tight").child(slow).child(worker("b"));
    tight.shutdown = Shutdown::After(Duration::from_secs(1));
    let host = with(&store, &[endless("terminate")], [tight.into(), worker("r").into()]).await;
    for each in ["slow", "b", "r"] {
        say_to(&host, each, "x").await;
    }
    let report = host.shutdown(None).await;
    let saved: Vec<_> = report.stopped.iter().map(|(who, saved)| (who.as_str(), saved.clone())).collect();
    assert!(
        matches!(
            &saved[..],
            [("r", Saved::Committed(1)), ("b", Saved::Committed(1)), ("slow", Saved::Not(NotSaved::Budget(..=1_000)))]
        ),
        "{saved:?}"
    );
    assert!(!report.all_saved());
}

#[tokio::test]
async fn terminate_is_told_the_tighter_budget() {
    let ms = |ms| Shutdown::After(Duration::from_millis(ms));
    let cases = [
        (Shutdown::Infinity, Shutdown::Infinity, None),
        (ms(60_000), ms(4_000), Some(2_000..=3_500)),
        (Shutdown::Infinity, ms(4_000), Some(2_000..=3_500)),
        (ms(4_000), ms(60_000), Some(2_000..=3_500)),
        (ms(4_000), Shutdown::Infinity, Some(2_000..=3_500)),
    ];
    let tells = journal().named("tells").on(
        "terminate",
        "(i32.store (i32.const 46000) (local.get $limited)) (i64.store (i32.const 46004) (local.get $budget))
         (global.set $len (i32.const 12)) (call $journal_state (i32.const 0))",
    );
    for (own, above, expected) in cases {
        let store = StoreDouble::new();
        let mut spec = actor("a", "tells");
        spec.shutdown = own;
        let mut tight = supervisor("s").child(spec);
        tight.shutdown = above;
        let host = with(&store, std::slice::from_ref(&tells), [tight.into()]).await;
        say_to(&host, "a", "x").await;
        assert!(host.shutdown(None).await.all_saved());
        let told = recorded(&store, "a").await;
        let limited = u32::from_le_bytes(told[..4].try_into().unwrap()) == 1;
        let budget = u64::from_le_bytes(told[4..].try_into().unwrap());
        match expected {
            None => assert!(!limited, "{own}, {above}: {budget}"),
            Some(range) => assert!(limited && range.contains(&budget), "{own}, {above}: {budget}"),
        }
    }
}

#[tokio::test]
async fn a_brutal_kill_of_a_child_is_as_wished_and_one_of_its_supervisor_is_named() {
    let store = StoreDouble::new();
    let mut wished = worker("wished");
    wished.shutdown = Shutdown::BrutalKill;
    let mut brutal = over("brutal", &["a"]);
    brutal.shutdown = Shutdown::BrutalKill;
    let host = with(&store, &[], [supervisor("s").child(wished).child(worker("b")).into(), brutal.into()]).await;
    for each in ["wished", "a", "b"] {
        say_to(&host, each, "S").await;
        say_to(&host, each, "x").await;
    }
    let mut report = host.shutdown(None).await;
    report.stopped.sort_by(|(a, _), (b, _)| a.cmp(b));
    let saved = [("a", Saved::Not(NotSaved::Killed)), ("b", Saved::Committed(2)), ("wished", Saved::Kept)];
    assert_eq!(report.stopped, saved.map(|(who, saved)| (name(who), saved)));
    for (each, left) in [("a", "S"), ("wished", "S"), ("b", "Sx")] {
        assert_eq!(recorded(&store, each).await, left.as_bytes(), "{each}");
    }
}

#[tokio::test]
async fn a_child_that_crashes_in_terminate_is_named_and_the_others_are_saved() {
    let store = StoreDouble::new();
    let breaks = journal().named("breaks").on("terminate", "unreachable");
    let above = over("s", &["a"]).child(actor("b", "breaks")).child(worker("c"));
    let host = with(&store, &[breaks], [above.into()]).await;
    for each in ["a", "b", "c"] {
        say_to(&host, each, "x").await;
    }
    let report = host.shutdown(None).await;
    let order: Vec<_> = report.stopped.iter().map(|(who, _)| who.as_str()).collect();
    assert_eq!(order, ["c", "b", "a"]);
    let named: Vec<_> = report.not_saved().collect();
    assert!(matches!(&named[..], [(who, NotSaved::Crashed(_))] if who.as_str() == "b"), "{report:?}");
}

#[tokio::test]
async fn a_stop_of_a_supervisor_stops_all_below_it_and_no_others() {
    let store = StoreDouble::new();
    let above = supervisor("s").child(over("t", &["a", "b"])).child(worker("c"));
    let host = with(&store, &[], [above.into(), worker("r").into()]).await;
    for each in ["a", "b", "c"] {
        say_to(&host, each, "x").await;
    }
    host.stop(&name("s")).await.unwrap();
    assert_eq!(super::actors(&host), ["r"]);
    let report = host.shutdown(None).await;
    assert_eq!(report.stopped.len(), 1, "who had ended before is no part of it: {report:?}");
    for each in ["a", "b", "c"] {
        assert_eq!(recorded(&store, each).await, b"x");
    }
}
