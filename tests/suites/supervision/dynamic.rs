//! Children that come and go at run time, and what waits for what.

use std::time::{Duration, Instant};

use baton_host::{AutoShutdown, Backoff, CallOptions, ChildState, Children, ErrorCode, Restart, Saved, SupervisorSpec};
use futures_util::FutureExt;
use futures_util::future::join_all;

use super::{PATIENCE, actors, crash, is, over, recorded, runs_as, supervisor, with, worker};
use crate::harness::{Op, StoreDouble, WatGuest, actor, host, name, until};
use crate::journal::{SHUTDOWN, TERMINATED, say_to, told_to};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_children_that_crash_at_once_all_come_back() {
    const CHILDREN: u32 = 1_000;
    let guest = WatGuest::new("crashes").when('!', "unreachable");
    let mut above = SupervisorSpec::dynamic(name("d"));
    above.intensity.max_restarts = CHILDREN;
    let building = host().instances(CHILDREN + 100).plugin_bytes("guest.wasm", guest.build()).child(above);
    let host = building.build().await.unwrap();
    let d = name("d");
    let names: Vec<_> = (0..CHILDREN).map(|each| name(&format!("d/{each:04}"))).collect();
    let started = join_all(names.iter().map(|each| host.start_child(Some(&d), actor(each.as_str(), "crashes")))).await;
    assert!(started.into_iter().all(|each| each.is_ok()));
    for each in &names {
        host.cast(each, "!", None).unwrap();
    }
    // They wait behind that, and are handled by those that come after.
    let counts = join_all(names.iter().map(|each| host.call(each, "x", CallOptions::default()))).await;
    assert!(counts.into_iter().all(|count| count.unwrap() == 1_u32.to_le_bytes().as_slice()));
    // An actor may answer before its supervisor has heard that it is up.
    for each in &names {
        assert_eq!(is(&host, each.as_str(), ChildState::Running).await.restarts, 1);
    }
    let children = host.which_children(Some(&d)).await.unwrap().len();
    assert_eq!((children, host.actors().len(), host.dead_letters().len()), (1_000, 1_000, 1_000));
    assert_eq!(is(&host, "d", ChildState::Running).await.restarts, 0);
    let report = host.shutdown(None).await;
    assert!(report.all_saved() && report.stopped.len() == names.len());
}

#[tokio::test]
async fn a_start_for_a_name_that_is_being_stopped_waits_until_it_is_free() {
    let store = StoreDouble::new();
    let host = with(&store, &[], [SupervisorSpec::dynamic(name("d")).into(), over("s", &["listed"]).into()]).await;
    host.start_child(Some(&name("d")), worker("d/1")).await.unwrap();
    for each in ["d/1", "listed"] {
        say_to(&host, each, "x").await;
    }
    store.hold(Op::Release);
    let mut waiting = Vec::new();
    for (above, child) in [("d", "d/1"), ("s", "listed")] {
        let (stopper, starter) = (host.clone(), host.clone());
        let stopping = tokio::spawn(async move { stopper.stop(&name(child)).await });
        is(&host, child, ChildState::Stopping).await;
        let mut starting = Box::pin(async move { starter.start_child(Some(&name(above)), worker(child)).await });
        assert!((&mut starting).now_or_never().is_none());
        // The tree answers in order: it has heard of the start now.
        host.tree().await.unwrap();
        assert!((&mut starting).now_or_never().is_none());
        waiting.push((stopping, starting));
    }
    store.let_through();
    let mut answers = Vec::new();
    for (stopping, starting) in waiting {
        assert_eq!(stopping.await.unwrap().unwrap(), Saved::Committed(1));
        answers.push(starting.await);
    }
    assert!(answers[0].is_ok());
    assert_eq!(say_to(&host, "d/1", "y").await, "xy");
    assert_eq!(answers[1].as_ref().expect_err("it stays known").code(), ErrorCode::AlreadyPresent);
    host.restart_child(&name("listed")).await.unwrap();
    assert_eq!(say_to(&host, "listed", "y").await, "xy");
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_dynamic_supervisor_has_as_many_children_as_it_may_have_and_forgets_those_that_ended() {
    let store = StoreDouble::new();
    let mut above = SupervisorSpec::dynamic(name("d"));
    above.children = Children::Dynamic { max_children: 2 };
    let host = with(&store, &[], [above.into()]).await;
    let d = name("d");
    let start = |child: &str| {
        let mut spec = worker(child);
        spec.restart = Restart::Transient;
        host.start_child(Some(&d), spec)
    };
    start("d/1").await.unwrap();
    start("d/2").await.unwrap();
    let full = start("d/3").await.expect_err("one too many");
    assert_eq!(full.code(), ErrorCode::MaxChildren);
    assert!(full.to_string().contains("max_children = 2"), "{full}");
    assert_eq!(start("d/1").await.expect_err("it runs").code(), ErrorCode::AlreadyStarted);
    host.stop(&name("d/1")).await.unwrap();
    start("d/3").await.unwrap();
    // One that ends by itself makes room as well.
    say_to(&host, "d/2", "Q").await;
    until("it is gone", || host.actor(&name("d/2")).is_none()).await;
    assert!(host.child(&name("d/2")).await.unwrap().is_none());
    start("d/4").await.unwrap();
    assert_eq!(actors(&host), ["d/3", "d/4"]);
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_supervisor_ends_with_its_significant_children() {
    for (auto, ends_with) in [(AutoShutdown::AnySignificant, "b"), (AutoShutdown::AllSignificant, "c")] {
        let store = StoreDouble::new();
        let mut above = over("s", &["a"]);
        (above.auto_shutdown, above.restart) = (auto, Restart::Transient);
        for each in ["b", "c"] {
            let mut significant = worker(each);
            (significant.restart, significant.significant) = (Restart::Transient, true);
            above = above.child(significant);
        }
        let host = with(&store, &[], [above.into()]).await;
        say_to(&host, "a", "x").await;
        // A crash is no end: it is started again.
        crash(&host, "b").await;
        runs_as(&host, "b", 2).await;
        for each in ["b", "c"] {
            assert_eq!(is(&host, "s", ChildState::Running).await.restarts, 0);
            say_to(&host, each, "Q").await;
            if each == ends_with {
                break;
            }
            is(&host, each, ChildState::Down).await;
        }
        is(&host, "s", ChildState::Down).await;
        assert!(actors(&host).is_empty(), "{auto}");
        assert_eq!(recorded(&store, "a").await, b"x");
        host.restart_child(&name("s")).await.unwrap();
        let told = told_to(&host, "a").await;
        assert_eq!((told.origin, told.detail), (TERMINATED, SHUTDOWN));
        assert!(host.shutdown(None).await.all_saved());
    }
}

#[tokio::test]
async fn a_restart_waits_as_its_backoff_says_and_messages_wait_with_it() {
    const FIRST: Duration = Duration::from_millis(250);
    let store = StoreDouble::new();
    let mut above = over("s", &["a", "b"]);
    above.backoff = Some(Backoff { first: FIRST, max: Duration::from_secs(3_600) });
    let host = with(&store, &[], [above.into()]).await;
    for nth in 1..=2 {
        let began = Instant::now();
        crash(&host, "a").await;
        host.cast(&name("a"), "x", None).unwrap();
        assert_eq!(say_to(&host, "b", "y").await.len(), nth, "its sibling goes on");
        assert_eq!(say_to(&host, "a", "z").await, "xz");
        assert!(began.elapsed() >= FIRST * u32::try_from(nth).unwrap(), "{nth}: {:?}", began.elapsed());
    }
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn what_waits_to_be_restarted_can_be_stopped_and_holds_up_no_shutdown() {
    let store = StoreDouble::new();
    let mut above = supervisor("s").child(worker("a")).child(worker("b"));
    above.backoff = Some(Backoff { first: Duration::from_secs(3_600), max: Duration::from_secs(3_600) });
    let host = with(&store, &[], [above.into()]).await;
    for each in ["a", "b"] {
        crash(&host, each).await;
        is(&host, each, ChildState::Restarting).await;
    }
    assert_eq!(host.restart_child(&name("a")).await.expect_err("soon").code(), ErrorCode::Restarting);
    host.stop(&name("a")).await.unwrap();
    is(&host, "a", ChildState::Down).await;
    host.restart_child(&name("a")).await.unwrap();
    assert_eq!(say_to(&host, "a", "x").await, "x");
    let report = tokio::time::timeout(PATIENCE, host.shutdown(None)).await.expect("it does not wait for `b`");
    assert!(report.all_saved(), "{report:?}");
}
