//! What a sleep is to others: nothing.

use std::time::Duration;

use baton_host::model::{Durability, ExitReason, Phase, StateRules};
use baton_host::swap::{SwapOptions, SwapOutcome, SwapSource};
use baton_host::{CallOptions, MessageId, SupervisorSpec};
use futures_util::FutureExt;

use super::{at_once, awake, counter, counters, instances, number, phase, say, until_asleep, until_let_go};
use crate::harness::{Op, StoreDouble, actor, name, plugin, until};

#[tokio::test]
async fn an_idle_actor_sleeps_gives_everything_back_and_its_next_call_wakes_it() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).build().await.unwrap();
    for count in 1..=3 {
        assert_eq!(say(&host, "c/1", "a").await, count);
        until_let_go(&host, "c/1").await;
        until("its instance is gone", || instances(&host) == 0).await;
        assert!(host.child(&name("c/1")).await.unwrap().is_none(), "it has no place in the tree");
    }
    assert!(host.dead_letters().is_empty());
    host.shutdown(None).await;
}

#[tokio::test]
async fn actors_of_every_kind_sleep_and_those_with_a_place_in_the_tree_keep_it() {
    let store = StoreDouble::new();
    let above = SupervisorSpec::new(name("above")).child(actor("below/1", "counter"));
    let host = counters(&store, at_once()).actor(actor("listed/1", "counter")).child(above).build().await.unwrap();
    host.start(actor("started/1", "counter")).await.unwrap();
    for round in 1..=3 {
        for child in ["listed/1", "below/1", "started/1"] {
            assert_eq!(say(&host, child, "a").await, round);
            until_asleep(&host, child).await;
            let info = host.actor(&name(child)).unwrap();
            assert_eq!((info.restarts, info.last_exit, info.handled), (0, None, u64::from(round)), "{child}");
            let place = host.child(&name(child)).await.unwrap().unwrap();
            assert_eq!((place.state.to_string().as_str(), place.restarts, place.last_exit), ("running", 0, None));
        }
    }
    until("no instance is left", || instances(&host) == 0).await;
    let report = host.shutdown(None).await;
    assert!(report.all_saved() && report.stopped.len() == 3, "{report:?}");
}

#[tokio::test]
async fn a_call_that_comes_while_its_actor_falls_asleep_gets_its_reply() {
    for (held, template) in [(Op::Rest, true), (Op::Rest, false)] {
        let store = StoreDouble::new();
        let host = counters(&store, at_once()).actor(actor("l/1", "counter")).build().await.unwrap();
        let to = if template { "c/1" } else { "l/1" };
        until("it runs", || template || phase(&host, to) == Some(Phase::Running)).await;
        until("nothing is under way", || template || phase(&host, to) == Some(Phase::Asleep)).await;
        let before = store.asked(held, &name(to));
        store.hold_for(held, &name(to));
        assert_eq!(say(&host, to, "a").await, 1);
        until("it is about to sleep", || store.asked(held, &name(to)) > before).await;
        let calls: Vec<_> = (0..3)
            .map(|_| {
                let host = host.clone();
                tokio::spawn(async move { host.call(&name(to), "b", CallOptions::default()).await })
            })
            .collect();
        until("they wait", || host.actor(&name(to)).is_some_and(|info| info.waiting == 3)).await;
        store.let_through_for(&name(to));
        for (call, expected) in calls.into_iter().zip(2..) {
            assert_eq!(number(&call.await.unwrap().unwrap()), expected, "{held:?}, {to}");
        }
        let info = host.actor(&name(to)).unwrap();
        assert!(info.restarts == 0 && info.last_exit.is_none() && host.dead_letters().is_empty());
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn a_sleeper_is_woken_by_its_timer() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).actor(actor("l/1", "counter")).build().await.unwrap();
    for to in ["c/1", "l/1"] {
        assert_eq!(say(&host, to, "T").await, 1);
        until_asleep(&host, to).await;
        let claims = store.asked(Op::Claim, &name(to));
        // The timer counts one.
        until("the timer has woken it", || store.asked(Op::Claim, &name(to)) > claims).await;
        until_asleep(&host, to).await;
        assert_eq!(say(&host, to, "a").await, 3, "{to}");
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn nobody_hears_of_a_sleep_and_everybody_of_an_end_after_it() {
    let store = StoreDouble::new();
    let watchers = ["m/1", "m/2"].map(|watcher| awake(actor(watcher, "counter")));
    let [monitors, links] = watchers;
    let host = counters(&store, at_once()).actor(monitors).actor(links).actor(actor("w/1", "counter"));
    let host = host.build().await.unwrap();
    let mut heard = Box::pin(host.monitor(&name("w/1")).unwrap().ended());
    until_asleep(&host, "w/1").await;
    assert_eq!((say(&host, "m/1", "M").await, say(&host, "m/2", "L").await), (1, 1));
    for count in 1..=3 {
        assert_eq!(say(&host, "w/1", "a").await, count);
        until_asleep(&host, "w/1").await;
    }
    // Neither of them was told anything: each message counts.
    assert_eq!((say(&host, "m/1", "a").await, say(&host, "m/2", "a").await), (2, 2));
    assert!((&mut heard).now_or_never().is_none());
    host.stop(&name("w/1")).await.unwrap();
    assert_eq!(heard.await, ExitReason::Shutdown);
    let both = || ["m/1", "m/2"].iter().all(|watcher| host.actor(&name(watcher)).is_some_and(|info| info.handled == 3));
    until("both are told", both).await;
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_is_watched_by_an_actor_that_sleeps_wakes_it_with_its_end() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).actor(awake(actor("w/1", "counter"))).build().await.unwrap();
    // One monitors, the other is linked and traps exits.
    let watchers = [("c/1", "M"), ("c/2", "L")];
    for (to, how) in watchers {
        assert_eq!(say(&host, to, how).await, 1);
        until_asleep(&host, to).await;
    }
    let claims = watchers.map(|(to, _)| store.asked(Op::Claim, &name(to)));
    host.stop(&name("w/1")).await.unwrap();
    for ((to, _), claims) in watchers.into_iter().zip(claims) {
        until(&format!("{to} is woken"), || store.asked(Op::Claim, &name(to)) > claims).await;
        until_asleep(&host, to).await;
        assert_eq!(say(&host, to, "a").await, 3, "it was told");
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_sleeper_is_watched_and_linked_without_a_word_of_noproc() {
    let store = StoreDouble::new();
    let template = |pattern| baton_host::Template::new(baton_host::Pattern::new(pattern).unwrap(), plugin("counter"));
    let host = counters(&store, at_once()).template(template("w/*"));
    let host = host.actor(awake(actor("m/1", "counter"))).actor(awake(actor("m/2", "counter"))).build().await.unwrap();
    say(&host, "w/1", "a").await;
    until_let_go(&host, "w/1").await;
    assert_eq!(say(&host, "m/1", "M").await, 1);
    assert_eq!(phase(&host, "w/1"), Some(Phase::Asleep), "to be watched wakes nobody");
    assert_eq!(say(&host, "m/2", "L").await, 1);
    assert_eq!((say(&host, "m/1", "a").await, say(&host, "m/2", "a").await), (2, 2), "neither was told of an end");
    assert!(host.monitor(&name("w/1")).unwrap().ended().now_or_never().is_none());
    host.stop(&name("w/1")).await.unwrap();
    let both = || ["m/1", "m/2"].iter().all(|watcher| host.actor(&name(watcher)).is_some_and(|info| info.handled == 3));
    until("both are told of its end", both).await;
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_sleeper_stays_in_its_groups_and_keeps_its_attributes() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).actor(awake(actor("d/1", "counter"))).build().await.unwrap();
    for to in ["c/1", "c/2"] {
        assert_eq!((say(&host, to, "J").await, say(&host, to, "A").await), (1, 2));
        until_asleep(&host, to).await;
    }
    let group = baton_host::GroupName::new("g").unwrap();
    let members = [name("c/1"), name("c/2")];
    assert_eq!(host.members(&group), members);
    assert_eq!(host.having("k", "v"), members);
    say(&host, "d/1", "D").await;
    for to in ["c/1", "c/2"] {
        until("it got what was sent to all", || host.actor(&name(to)).is_some_and(|info| info.handled == 3)).await;
        until_asleep(&host, to).await;
    }
    assert_eq!((host.members(&group), host.having("k", "v")), (members.to_vec(), members.to_vec()));
    // Those who are in a group are there again after the host was away.
    host.shutdown(None).await;
    let host = counters(&store, at_once()).build().await.unwrap();
    until("they were started", || ["c/1", "c/2"].iter().all(|to| store.asked(Op::Claim, &name(to)) >= 3)).await;
    assert_eq!(say(&host, "c/1", "a").await, 4);
    host.shutdown(None).await;
}

#[tokio::test]
async fn an_exit_that_is_sent_to_a_sleeper_ends_it() {
    for (how, restarts) in [("K", 1), ("X", 0)] {
        let store = StoreDouble::new();
        let host = counters(&store, at_once()).actor(actor("w/1", "counter")).actor(awake(actor("m/1", "counter")));
        let host = host.build().await.unwrap();
        assert_eq!(say(&host, "w/1", "a").await, 1);
        until_asleep(&host, "w/1").await;
        say(&host, "m/1", how).await;
        // It traps exits: what is no kill is a message, and wakes it.
        let done =
            || host.actor(&name("w/1")).is_some_and(|info| info.restarts == restarts && info.handled + restarts == 2);
        until("it has heard", done).await;
        assert_eq!(say(&host, "w/1", "a").await, 3 - u32::try_from(restarts).unwrap());
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn an_exit_that_is_sent_to_one_that_is_nothing_but_a_name_reaches_it() {
    let store = StoreDouble::new();
    let template = baton_host::Template::new(baton_host::Pattern::new("w/*").unwrap(), plugin("counter"));
    let host =
        counters(&store, at_once()).template(template).actor(awake(actor("m/1", "counter"))).build().await.unwrap();
    assert_eq!(say(&host, "w/1", "a").await, 1);
    until_let_go(&host, "w/1").await;
    let heard = host.monitor(&name("w/1")).unwrap();
    say(&host, "m/1", "K").await;
    assert_eq!(heard.ended().await, ExitReason::Killed);
    assert_eq!(say(&host, "w/1", "a").await, 2, "its state is that of its sleep");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_sleeper_can_be_stopped_killed_suspended_and_asked_for_its_state() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).build().await.unwrap();
    for listed in [false, true] {
        let to = if listed { "n/1" } else { "c/1" };
        if listed {
            host.start(actor(to, "counter")).await.unwrap();
        }
        assert_eq!(say(&host, to, "a").await, 1);
        until_asleep(&host, to).await;
        assert_eq!(&host.get_state(&name(to)).await.unwrap().data[..], 1_u32.to_le_bytes());
        until_asleep(&host, to).await;
        host.suspend(&name(to)).await.unwrap();
        assert_eq!(phase(&host, to), Some(Phase::Suspended));
        host.resume(&name(to)).await.unwrap();
        until_asleep(&host, to).await;
        host.restart(&name(to)).await.unwrap();
        until_asleep(&host, to).await;
        host.kill(&name(to)).await.unwrap();
        until("it was killed", || {
            host.actor(&name(to)).is_some_and(|info| info.restarts == 1 || info.last_exit.is_some())
        })
        .await;
        assert_eq!(say(&host, to, "a").await, 2);
        until_asleep(&host, to).await;
        host.stop(&name(to)).await.unwrap();
        assert_eq!(phase(&host, to), None, "who was stopped does not sleep");
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_slept_when_the_host_stopped_sleeps_when_it_starts_and_wakes_as_before() {
    let store = StoreDouble::new();
    let mut host = counters(&store, at_once()).build().await.unwrap();
    for (round, in_peace) in (1..).zip([true, false, true]) {
        assert_eq!(say(&host, "c/1", "a").await, round);
        until_let_go(&host, "c/1").await;
        if in_peace {
            host.shutdown(None).await;
        }
        // One that vanishes says nothing to anybody.
        drop(host);
        host = counters(&store, at_once()).build().await.unwrap();
        until_let_go(&host, "c/1").await;
        let claims = usize::try_from(round).unwrap();
        assert_eq!((instances(&host), store.asked(Op::Claim, &name("c/1"))), (0, claims), "nobody was started");
    }
    assert_eq!(say(&host, "c/1", "a").await, 4);
    host.shutdown(None).await;
}

#[tokio::test]
async fn sleepers_run_the_version_that_was_swapped_in_while_they_slept() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).actor(actor("l/1", "counter")).build().await.unwrap();
    for to in ["c/1", "l/1"] {
        assert_eq!(say(&host, to, "a").await, 1);
        until_asleep(&host, to).await;
    }
    until_let_go(&host, "c/1").await;
    let newer = SwapSource::Bytes("newer.wasm".into(), counter().version("2.0.0").build());
    let mut options = SwapOptions::default();
    options.watch = Duration::ZERO;
    let report = host.swap(&plugin("counter"), newer, options).await.unwrap().ended().await.unwrap();
    assert_eq!(report.outcome, SwapOutcome::Done, "{report:?}");
    for to in ["c/1", "l/1"] {
        assert_eq!(say(&host, to, "a").await, 2);
        let runs = || host.actor(&name(to)).and_then(|info| info.version);
        let version = runs().map(|version| version.to_string());
        assert!(version.as_deref().is_none_or(|version| version == "2.0.0"), "{to}: {version:?}");
        until_asleep(&host, to).await;
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_asks_again_after_a_sleep_gets_the_first_reply() {
    let store = StoreDouble::new();
    let mut template = baton_host::Template::new(baton_host::Pattern::new("d/*").unwrap(), plugin("counter"));
    template.spec_mut().state = StateRules { durability: Some(Durability::Turn), ..StateRules::default() };
    let host = counters(&store, at_once()).template(template).build().await.unwrap();
    let ask = |id: &'static str| {
        let options = CallOptions { id: Some(MessageId::new(id).unwrap()), ..CallOptions::default() };
        let host = host.clone();
        async move { number(&host.call(&name("d/1"), "a", options).await.unwrap()) }
    };
    assert_eq!(ask("one").await, 1);
    until_let_go(&host, "d/1").await;
    assert_eq!((ask("one").await, ask("two").await), (1, 2));
    until_let_go(&host, "d/1").await;
    assert_eq!((ask("two").await, ask("one").await, ask("three").await), (2, 1, 3));
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_is_done_to_the_state_of_a_sleeper_is_what_it_wakes_with() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).actor(actor("l/1", "counter")).build().await.unwrap();
    let yes = baton_host::store::tools::Consent { yes: true, ..Default::default() };
    for to in ["c/1", "l/1"] {
        for count in 1..=2 {
            assert_eq!(say(&host, to, "a").await, count);
            until_asleep(&host, to).await;
        }
        host.rollback(&name(to), None, yes).await.unwrap();
        assert_eq!(say(&host, to, "a").await, 2, "{to}: one was taken back");
        until_asleep(&host, to).await;
        host.forget(&name(to), yes).await.unwrap();
        assert_eq!(say(&host, to, "a").await, 1, "{to}");
    }
    host.shutdown(None).await;
}
