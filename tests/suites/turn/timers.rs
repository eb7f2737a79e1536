//! Timers and monitors of a turn: they are part of its commit, and go on in the next instance.

use super::{clerk, dead, durable, handled, plain, say, saying, until_handled, until_runs, with, with_guests};
use crate::harness::{Op, StoreDouble, actor, name, until};

#[tokio::test]
async fn a_timer_that_was_set_in_a_turn_survives_the_loss_of_the_host_and_fires_once() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a")]).await;
    say(&host, "a", "T3").await;
    drop(host);
    let host = with(&store, [durable("a")]).await;
    until_handled(&host, "a", 1).await;
    drop(host);
    let host = with(&store, [durable("a")]).await;
    assert_eq!(say(&host, "a", "b").await, "T3tb");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_timer_whose_turn_was_lost_with_the_host_fires_again() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a")]).await;
    say(&host, "a", "T1").await;
    store.hold_for(Op::Commit, &name("a"));
    until("its turn is at its commit", || store.asked(Op::Commit, &name("a")) == 2).await;
    drop(host);
    let host = with(&store, [durable("a")]).await;
    until_runs(&host, "a").await;
    store.let_through();
    until_handled(&host, "a", 1).await;
    assert_eq!(say(&host, "a", "b").await, "T1tb");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_monitor_goes_on_in_the_next_instance_and_tells_once() {
    let store = StoreDouble::new();
    let host = with(&store, [plain("r/1"), durable("a")]).await;
    say(&host, "a", "M").await;
    host.restart(&name("a")).await.unwrap();
    saying(&host, "a", "!").await.unwrap().expect_err("it traps");
    until("the third one runs", || host.actor(&name("a")).unwrap().generation == 3).await;
    until_runs(&host, "a").await;
    // One message after it runs, its monitors are set.
    say(&host, "a", "b").await;
    host.stop(&name("r/1")).await.unwrap();
    until("it has heard of it", || host.actor(&name("a")).unwrap().sequence == Some(4)).await;
    assert_eq!(say(&host, "a", "c").await, "Mbr/1shutdownc");
    // It was told, and does not ask again.
    host.restart(&name("a")).await.unwrap();
    assert_eq!(say(&host, "a", "d").await, "Mbr/1shutdowncd");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_monitor_survives_the_loss_of_the_host() {
    let store = StoreDouble::new();
    let host = with(&store, [plain("r/1"), durable("a")]).await;
    say(&host, "a", "M").await;
    drop(host);
    let host = with(&store, [plain("r/1"), durable("a")]).await;
    assert_eq!(say(&host, "a", "b").await, "Mb");
    host.stop(&name("r/1")).await.unwrap();
    until_handled(&host, "a", 2).await;
    assert_eq!(say(&host, "a", "c").await, "Mbr/1shutdownc");
    host.shutdown(None).await;
    // Where the other is not there any more, it hears that.
    let store = StoreDouble::new();
    let host = with(&store, [plain("r/1"), durable("a")]).await;
    say(&host, "a", "M").await;
    drop(host);
    let host = with(&store, [durable("a")]).await;
    until_handled(&host, "a", 1).await;
    assert_eq!(say(&host, "a", "b").await, "Mr/1noprocb");
    host.shutdown(None).await;
}

#[tokio::test]
async fn word_of_an_end_that_crashes_its_watcher_does_not_do_so_twice() {
    let store = StoreDouble::new();
    let host = with(&store, [plain("r/1"), durable("a")]).await;
    // `X` at the beginning of its journal makes it trap where it hears of an end.
    say(&host, "a", "XM").await;
    host.stop(&name("r/1")).await.unwrap();
    until("it has crashed", || dead(&host) == ["a"]).await;
    assert_eq!(say(&host, "a", "b").await, "XMb");
    assert_eq!((dead(&host).len(), host.actor(&name("a")).unwrap().restarts), (1, 1));
    drop(host);
    let host = with(&store, [durable("a")]).await;
    assert_eq!(say(&host, "a", "c").await, "XMbc");
    host.shutdown(None).await;
}

#[tokio::test]
async fn while_the_host_starts_nobody_is_told_that_one_listed_later_is_not_there() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), plain("r/1")]).await;
    say(&host, "a", "M").await;
    drop(host);
    let mut slow = actor("slow", "slow");
    slow.limits.start_timeout_ms = 300;
    let guests = [clerk(), clerk().named("slow").on("init", "(loop (br 0)) (unreachable)")];
    let host = with_guests(&store, &guests, [durable("a"), slow, plain("r/1")]).await;
    assert_eq!(say(&host, "a", "b").await, "Mb");
    host.stop(&name("r/1")).await.unwrap();
    until_handled(&host, "a", 2).await;
    assert_eq!(say(&host, "a", "c").await, "Mbr/1shutdownc");
    host.shutdown(None).await;
    // One that is not listed at all is told of once all are started.
    let host = with_guests(&store, &guests, [durable("b"), plain("r/1")]).await;
    say(&host, "b", "M").await;
    drop(host);
    let host = with_guests(&store, &guests, [durable("b")]).await;
    until_handled(&host, "b", 1).await;
    assert_eq!(say(&host, "b", "c").await, "Mr/1noprocc");
    assert_eq!((dead(&host), handled(&host, "b")), (vec![], 2));
    host.shutdown(None).await;
}
