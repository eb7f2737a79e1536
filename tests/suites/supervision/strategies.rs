//! Who is restarted with whom, what their states are then, and what happens where that is not allowed any more.

use std::time::Duration;

use baton_host::{ChildState, ErrorCode, ExitReason, Saved, SendError, Strategy};

use super::{actors, crash, endless, ignores, is, over, recorded, refuses, runs_as, supervisor, with, worker};
use crate::harness::{Op, StoreDouble, actor, name, until};
use crate::journal::{CHECKPOINT, RESTART, SHUTDOWN, TERMINATED, journal, say_to, told_to};

#[tokio::test]
async fn siblings_restart_as_the_strategy_says_and_keep_their_states() {
    let cases: [(Strategy, &[&str], &[&str]); 3] = [
        (Strategy::OneForOne, &["b"], &[]),
        (Strategy::OneForAll, &["a", "b", "c"], &["c", "a"]),
        (Strategy::RestForOne, &["b", "c"], &["c"]),
    ];
    for (strategy, again, stopped) in cases {
        let store = StoreDouble::new();
        let mut above = over("s", &["a", "b", "c"]);
        above.strategy = strategy;
        let host = with(&store, &[], [above.into()]).await;
        for each in ["a", "b", "c"] {
            say_to(&host, each, "S").await;
            say_to(&host, each, "x").await;
        }
        let before = store.log().len();
        crash(&host, "b").await;
        for each in ["a", "b", "c"] {
            let generation = if again.contains(&each) { 2 } else { 1 };
            runs_as(&host, each, generation).await;
            let told = told_to(&host, each).await;
            let expected = match each {
                "b" => (true, CHECKPOINT, 1, "Sy"),
                _ if generation == 2 => (true, TERMINATED, RESTART, "Sxy"),
                _ => (false, 0, 0, "Sxy"),
            };
            let journal = say_to(&host, each, "y").await;
            assert_eq!((told.had_state, told.origin, told.detail, journal.as_str()), expected, "{strategy}, {each}");
        }
        // They stop in reverse, one after the other, and only then is any of them started.
        let log = store.log().split_off(before);
        let of = |op: Op| {
            log.iter()
                .enumerate()
                .filter(move |(_, (done, who))| *done == op && (op != Op::Release || who.as_str() != "b"))
        };
        let released: Vec<_> = of(Op::Release).map(|(_, (_, who))| who.as_str()).collect();
        assert_eq!(released, stopped, "{strategy}");
        let last_release = of(Op::Release).next_back().map_or(0, |(at, _)| at);
        assert!(of(Op::Claim).all(|(at, _)| at >= last_release), "{strategy}: {log:?}");
        assert!(host.shutdown(None).await.all_saved());
    }
}

#[tokio::test]
async fn the_fourth_crash_within_the_window_ends_the_supervisor_and_its_parent_decides() {
    let store = StoreDouble::new();
    let top = supervisor("top").child(over("s", &["a", "b"])).child(worker("beside"));
    let host = with(&store, &[], [top.into(), worker("r").into()]).await;
    for each in ["b", "beside", "r"] {
        say_to(&host, each, "x").await;
    }
    for _ in 0..4 {
        crash(&host, "a").await;
    }
    runs_as(&host, "b", 2).await;
    let told = told_to(&host, "b").await;
    assert_eq!((told.origin, told.detail), (TERMINATED, SHUTDOWN), "it was stopped with its state");
    assert_eq!(say_to(&host, "b", "y").await, "xy");
    assert_eq!(say_to(&host, "a", "z").await, "z", "its supervisor began anew");
    let s = is(&host, "s", ChildState::Running).await;
    assert_eq!(s.restarts, 1);
    assert!(s.last_exit.as_deref().is_some_and(|why| why.contains("more than 3 restarts within 5 s")), "{s:?}");
    for beside in ["beside", "r"] {
        assert_eq!(told_to(&host, beside).await.generation, 1);
    }
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_supervisor_under_the_root_that_gives_up_stays_down_and_the_host_goes_on() {
    let store = StoreDouble::new();
    let host = with(&store, &[], [over("s", &["a", "b"]).into(), worker("r").into()]).await;
    say_to(&host, "b", "x").await;
    for _ in 0..4 {
        crash(&host, "a").await;
    }
    let s = is(&host, "s", ChildState::Failed).await;
    assert!(s.last_exit.is_some_and(|why| why.contains("unreachable")), "it says what the last crash was");
    assert_eq!((actors(&host), recorded(&store, "b").await), (vec!["r".to_owned()], b"x".to_vec()));
    assert_eq!(host.cast(&name("b"), "y", None), Err(SendError::UnknownActor("b".into())));
    say_to(&host, "r", "x").await;
    // By hand it begins anew.
    host.restart_child(&name("s")).await.unwrap();
    assert_eq!(say_to(&host, "b", "y").await, "xy");
    crash(&host, "a").await;
    assert_eq!(say_to(&host, "a", "z").await, "z");
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_failing_init_undoes_what_was_started() {
    let store = StoreDouble::new();
    let host = with(&store, &[refuses(), endless("init")], []).await;
    let mut silent = actor("bad", "endless");
    silent.limits.start_timeout_ms = 100;
    for bad in [actor("bad", "refuses"), silent] {
        let above = supervisor("s").child(over("t", &["a"])).child(bad).child(worker("c"));
        let error = host.start_child(None, above).await.expect_err("it does not start");
        assert_eq!(error.code(), ErrorCode::Start);
        assert!(error.to_string().contains("bad"), "{error}");
        assert!(host.tree().await.unwrap().is_empty() && host.actors().is_empty());
        let claimed = |who: &str| store.log().iter().any(|(op, whose)| *op == Op::Claim && whose.as_str() == who);
        assert!(!claimed("c"), "what stands after it was not begun");
    }
    // All names are free.
    host.start_child(None, over("s", &["a", "bad", "c"])).await.unwrap();
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_listed_supervisor_that_would_not_start_is_shown_and_keeps_nobody_from_starting() {
    let store = StoreDouble::new();
    let above = over("s", &["a"]).child(actor("bad", "refuses"));
    let host = with(&store, &[refuses()], [above.into(), worker("r").into()]).await;
    let s = is(&host, "s", ChildState::Failed).await;
    assert!(s.last_exit.is_some_and(|why| why.contains("`bad`")));
    assert_eq!(actors(&host), ["r"]);
    assert_eq!(host.restart_child(&name("s")).await.expect_err("still").code(), ErrorCode::Start);
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn an_init_that_says_ignore_leaves_a_known_child_that_is_down() {
    let store = StoreDouble::new();
    let above = over("s", &["a"]).child(actor("idle", "ignores")).child(worker("c"));
    let host = with(&store, &[ignores()], [above.into()]).await;
    is(&host, "idle", ChildState::Down).await;
    let counts = host.count_children(Some(&name("s"))).await.unwrap();
    assert_eq!((counts.specs, counts.active, counts.workers, counts.supervisors), (3, 2, 3, 0));
    assert_eq!(actors(&host), ["a", "c"]);
    let again = host.start_child(Some(&name("s")), worker("idle")).await.expect_err("it is known");
    assert_eq!(again.code(), ErrorCode::AlreadyPresent);
    host.delete_child(&name("idle")).await.unwrap();
    host.start_child(Some(&name("s")), worker("idle")).await.unwrap();
    let order: Vec<_> = host.which_children(Some(&name("s"))).await.unwrap();
    let order: Vec<_> = order.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(order, ["a", "c", "idle"], "one that is added stands after the others");
    assert!(host.shutdown(None).await.all_saved());
}

/// Sends these bodies in order, each until it is taken.
async fn send_all(host: &baton_host::Host, to: &str, bodies: std::ops::Range<u32>) {
    for each in bodies {
        while host.cast(&name(to), format!("{each:04}"), None).is_err() {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_restart_loses_no_message_that_a_sibling_had_accepted() {
    const ROUNDS: u32 = 6;
    const EACH: u32 = 400;
    let store = StoreDouble::new();
    let mut roomy = worker("b");
    // All of them may wait at once.
    roomy.limits.mailbox_messages = (ROUNDS * EACH + 1) as usize;
    let mut above = over("s", &["a"]).child(roomy);
    above.strategy = Strategy::OneForAll;
    above.intensity.max_restarts = ROUNDS;
    let host = with(&store, &[], [above.into()]).await;
    for round in 0..ROUNDS {
        let sender = tokio::spawn({
            let host = host.clone();
            async move { send_all(&host, "b", round * EACH..(round + 1) * EACH).await }
        });
        crash(&host, "a").await;
        runs_as(&host, "b", u64::from(round) + 2).await;
        sender.await.unwrap();
    }
    let expected: String = (0..ROUNDS * EACH).map(|each| format!("{each:04}")).collect();
    assert_eq!(say_to(&host, "b", "end").await, expected + "end");
    let dead: Vec<_> = host.dead_letters().into_iter().map(|letter| letter.to).collect();
    assert_eq!(dead, vec!["a"; ROUNDS as usize], "those that crashed it, and no others");
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_sibling_that_crashes_in_terminate_comes_back_with_its_last_record() {
    let store = StoreDouble::new();
    let breaks = journal().named("breaks").on("terminate", "unreachable");
    let mut above = over("s", &["a"]).child(actor("b", "breaks"));
    above.strategy = Strategy::OneForAll;
    let host = with(&store, &[breaks], [above.into()]).await;
    say_to(&host, "b", "S").await;
    say_to(&host, "b", "x").await;
    crash(&host, "a").await;
    runs_as(&host, "b", 2).await;
    assert_eq!(told_to(&host, "b").await.origin, CHECKPOINT);
    assert_eq!(say_to(&host, "b", "y").await, "Sy");
    assert_eq!(is(&host, "s", ChildState::Running).await.restarts, 0);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_supervisor_that_is_stopped_while_it_restarts_a_group_stops() {
    let store = StoreDouble::new();
    let mut above = over("s", &["a", "b", "c"]);
    above.strategy = Strategy::OneForAll;
    let host = with(&store, &[], [above.into()]).await;
    for each in ["b", "c"] {
        say_to(&host, each, "x").await;
    }
    // `c` is stopped first; that takes until its record is taken.
    store.hold(Op::Release);
    crash(&host, "a").await;
    is(&host, "c", ChildState::Stopping).await;
    let stopping = tokio::spawn({
        let host = host.clone();
        async move { host.stop(&name("s")).await }
    });
    is(&host, "s", ChildState::Stopping).await;
    store.let_through();
    stopping.await.unwrap().unwrap();
    assert_eq!(is(&host, "s", ChildState::Down).await.restarts, 0);
    assert!(actors(&host).is_empty());
    assert_eq!((recorded(&store, "b").await, recorded(&store, "c").await), (b"x".to_vec(), b"x".to_vec()));
    host.restart_child(&name("s")).await.unwrap();
    assert_eq!(say_to(&host, "c", "y").await, "xy");
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn whoever_monitors_from_the_library_hears_why_it_ended() {
    let store = StoreDouble::new();
    let mut above = over("s", &["a", "b"]);
    above.strategy = Strategy::OneForAll;
    let host = with(&store, &[], [above.into()]).await;
    let monitor = |who: &str| host.monitor(&name(who)).unwrap();
    assert_eq!(monitor("nobody").ended().await, ExitReason::Noproc);
    let (a, b) = (monitor("a"), monitor("b"));
    crash(&host, "a").await;
    let crashed = a.ended().await;
    assert!(matches!(&crashed, ExitReason::Crash(how) if how.contains("unreachable")), "{crashed}");
    assert_eq!(b.ended().await, ExitReason::Shutdown, "its supervisor stopped it");
    runs_as(&host, "a", 2).await;
    let (a, b) = (monitor("a"), monitor("b"));
    assert!(matches!(host.stop(&name("b")).await.unwrap(), Saved::Committed(_)));
    assert_eq!(b.ended().await, ExitReason::Shutdown, "as OTP's terminate_child");
    host.kill(&name("a")).await.unwrap();
    assert_eq!(a.ended().await, ExitReason::Killed);
    until("it is back", || host.actor(&name("a")).is_some_and(|a| a.generation == 3)).await;
    runs_as(&host, "a", 3).await;
    let a = monitor("a");
    host.shutdown(Some(Duration::from_secs(20))).await;
    assert_eq!(a.ended().await, ExitReason::Shutdown);
}
