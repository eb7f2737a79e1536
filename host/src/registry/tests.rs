//! After Horde's `registry_test` and the tests of Elixir's `Registry`.

use std::sync::Arc;

use super::watch::WATCHES;
use super::{Refused, Registry};
use crate::actor::Cell;
use crate::model::{ActorName, ActorSpec, CallError, ExitReason, GroupName, Message, Phase, PluginName};

fn name(name: &str) -> ActorName {
    ActorName::new(name).expect("valid")
}

fn group(name: &str) -> GroupName {
    GroupName::new(name).expect("valid")
}

fn spec(actor: &str) -> ActorSpec {
    ActorSpec::new(name(actor), PluginName::new("p").expect("valid"))
}

fn register(registry: &Registry, actor: &str) -> Arc<Cell> {
    registry.register(Arc::new(Cell::new(spec(actor)))).expect("free")
}

fn members(registry: &Registry, of: &str) -> Vec<String> {
    registry.members(&group(of)).iter().map(ToString::to_string).collect()
}

#[test]
fn two_cannot_have_one_name_and_the_second_hears_who_has_it() {
    let registry = Registry::default();
    let first = register(&registry, "a");
    let second = Arc::new(Cell::new(ActorSpec { groups: vec![group("g")], ..spec("a") }));
    let who = registry.register(second).expect_err("taken");
    assert!(Arc::ptr_eq(&who, &first));
    assert!(Arc::ptr_eq(&registry.whereis(&name("a")).expect("there"), &first));
    assert_eq!(members(&registry, "g"), [""; 0], "who has no name joins no group");
}

#[test]
fn a_freed_name_is_anyones_and_its_old_bearer_cannot_free_it_again() {
    let registry = Registry::default();
    let old = register(&registry, "a");
    registry.unregister(&old);
    assert!(registry.whereis(&name("a")).is_none());
    let new = register(&registry, "a");
    registry.join(&new, group("g")).expect("its own");
    registry.unregister(&old);
    assert!(Arc::ptr_eq(&registry.whereis(&name("a")).expect("there"), &new));
    assert_eq!(members(&registry, "g"), ["a"]);
}

#[test]
fn who_has_lost_its_name_speaks_no_more_for_it() {
    let registry = Registry::default();
    let old = register(&registry, "a");
    registry.unregister(&old);
    let new = register(&registry, "a");
    registry.join(&new, group("g")).expect("its own");
    assert_eq!(registry.join(&old, group("h")), Err(Refused::Gone));
    assert_eq!(registry.set_attribute(&old, "k".into(), Some("v".into())), Err(Refused::Gone));
    registry.leave(&old, &group("g"));
    assert_eq!((members(&registry, "g"), members(&registry, "h")), (vec!["a".into()], Vec::new()));
}

#[test]
fn a_name_begins_with_what_its_spec_says() {
    let registry = Registry::default();
    let mut spec = spec("a");
    spec.groups = vec![group("g"), group("h"), group("g")];
    spec.attributes.insert("region".into(), "eu".into());
    let cell = registry.register(Arc::new(Cell::new(spec))).expect("free");
    assert_eq!((members(&registry, "g"), members(&registry, "h")), (vec!["a".into()], vec!["a".into()]));
    assert_eq!(registry.attribute(&name("a"), "region").as_deref(), Some("eu"));
    assert_eq!(registry.having("region", "eu"), [name("a")]);
    registry.set_attribute(&cell, "region".into(), None).expect("its own");
    assert_eq!(registry.attribute(&name("a"), "region"), None);
}

#[test]
fn a_spec_that_asks_for_too_much_gets_as_much_as_there_may_be() {
    let registry = Registry::default();
    let groups = (0..=crate::model::GROUPS).map(|n| group(&n.to_string())).collect();
    let cell = registry.register(Arc::new(Cell::new(ActorSpec { groups, ..spec("a") }))).expect("free");
    assert_eq!((members(&registry, "63"), members(&registry, "64")), (vec!["a".into()], Vec::new()));
    assert_eq!(registry.join(&cell, group("more")), Err(Refused::Groups));
}

#[test]
fn a_group_has_many_members_in_the_order_in_which_they_came() {
    let registry = Registry::default();
    let cells = ["c", "a", "b"].map(|actor| register(&registry, actor));
    for cell in &cells {
        registry.join(cell, group("g")).expect("its own");
    }
    assert_eq!(members(&registry, "g"), ["c", "a", "b"]);
    let targets = registry.targets(&group("g"));
    assert!(targets.iter().zip(&cells).all(|(target, cell)| Arc::ptr_eq(target, cell)) && targets.len() == 3);
    registry.leave(&cells[1], &group("g"));
    assert_eq!(members(&registry, "g"), ["c", "b"]);
    assert_eq!(members(&registry, "unknown"), [""; 0]);
    assert!(registry.targets(&group("unknown")).is_empty());
}

#[test]
fn death_leaves_all_groups_and_forgets_all_attributes() {
    let registry = Registry::default();
    let cells = ["a", "b"].map(|actor| register(&registry, actor));
    for cell in &cells {
        for of in ["g", "h"] {
            registry.join(cell, group(of)).expect("its own");
        }
        registry.set_attribute(cell, "region".into(), Some("eu".into())).expect("its own");
    }
    registry.unregister(&cells[0]);
    assert_eq!((members(&registry, "g"), members(&registry, "h")), (vec!["b".into()], vec!["b".into()]));
    assert_eq!((registry.having("region", "eu"), registry.attribute(&name("a"), "region")), (vec![name("b")], None));
    // A new bearer begins with nothing.
    register(&registry, "a");
    assert_eq!((members(&registry, "g"), registry.attribute(&name("a"), "region")), (vec!["b".into()], None));
}

/// Of whose ends an actor is told in its mailbox, and why they ended.
fn downs(cell: &Cell) -> Vec<(String, String)> {
    let nobody = |_: &ActorName| -> CallError { unreachable!("no call waits") };
    let down = |message| match message {
        Message::Down(actor, reason) => (actor.to_string(), reason),
        other => panic!("{other:?}"),
    };
    cell.mailbox.drain(nobody).into_iter().map(|envelope| down(envelope.open().message)).collect()
}

fn down(actor: &str, reason: &str) -> (String, String) {
    (actor.into(), reason.into())
}

#[test]
fn who_monitors_is_told_once_and_why() {
    let registry = Registry::default();
    let [a, b, x] = ["a", "b", "x"].map(|actor| register(&registry, actor));
    for watcher in [&a, &a, &b] {
        registry.monitor(watcher, &name("x")).expect("fine");
    }
    registry.demonitor(&b, &name("x"));
    registry.ended(&x, &ExitReason::Crash("boom".into()));
    registry.ended(&x, &ExitReason::Normal);
    assert_eq!((downs(&a), downs(&b)), (vec![down("x", "crash: boom")], Vec::new()));
}

#[test]
fn who_watches_somebody_who_is_not_there_hears_so_at_once() {
    let registry = Registry::default();
    let [a, failed] = ["a", "failed"].map(|actor| register(&registry, actor));
    failed.enter(Phase::Failed);
    for gone in ["nobody", "failed", "nobody"] {
        registry.monitor(&a, &name(gone)).expect("fine");
    }
    let noproc = |actor| down(actor, "noproc");
    assert_eq!(downs(&a), [noproc("nobody"), noproc("failed"), noproc("nobody")], "each of them is told");
    registry.monitor(&a, &name("a")).expect("fine");
    registry.ended(&a, &ExitReason::Normal);
    assert_eq!(downs(&a), [], "nobody hears of its own end");
}

#[test]
fn who_came_to_watch_after_the_last_end_hears_when_the_name_is_freed() {
    let registry = Registry::default();
    let [a, x] = ["a", "x"].map(|actor| register(&registry, actor));
    registry.ended(&x, &ExitReason::Normal);
    registry.monitor(&a, &name("x")).expect("it may be started again");
    let mut library = registry.watch(&name("x")).expect("room");
    assert!(library.try_recv().is_err() && downs(&a).is_empty());
    registry.unregister(&x);
    assert_eq!((downs(&a), library.try_recv()), (vec![down("x", "noproc")], Ok(ExitReason::Noproc)));
}

#[test]
fn an_end_is_only_that_of_the_one_who_has_the_name() {
    let registry = Registry::default();
    let [a, old] = ["a", "x"].map(|actor| register(&registry, actor));
    registry.unregister(&old);
    let new = register(&registry, "x");
    registry.monitor(&a, &name("x")).expect("fine");
    registry.ended(&old, &ExitReason::Killed);
    assert_eq!(downs(&a), []);
    assert_eq!(registry.monitor(&old, &name("a")), Err(Refused::Gone));
    registry.ended(&new, &ExitReason::Shutdown);
    assert_eq!(downs(&a), [down("x", "shutdown")]);
}

#[test]
fn the_next_instance_watches_nobody() {
    let registry = Registry::default();
    let [a, x] = ["a", "x"].map(|actor| register(&registry, actor));
    registry.monitor(&a, &name("x")).expect("fine");
    registry.link(&a, &name("x")).expect("fine");
    registry.ended(&a, &ExitReason::Crash("boom".into()));
    registry.ended(&x, &ExitReason::Crash("boom".into()));
    assert_eq!(downs(&a), []);
}

#[test]
fn the_library_hears_of_an_end_as_it_is() {
    let registry = Registry::default();
    let x = register(&registry, "x");
    let mut watching = [0; 2].map(|_| registry.watch(&name("x")).expect("room"));
    registry.ended(&x, &ExitReason::Killed);
    for watcher in &mut watching {
        assert_eq!(watcher.try_recv(), Ok(ExitReason::Killed));
    }
    assert_eq!(registry.watch(&name("nobody")).expect("room").try_recv(), Ok(ExitReason::Noproc));
}

#[test]
fn an_actor_watches_only_so_many_and_cannot_fill_its_mailbox_with_those_who_are_gone() {
    let registry = Registry::default();
    let [a, x] = ["a", "x"].map(|actor| register(&registry, actor));
    registry.link(&a, &name("x")).expect("room");
    for n in 1..WATCHES {
        registry.monitor(&a, &name(&format!("gone/{n}"))).expect("room");
    }
    assert_eq!(a.mailbox.waiting().0, WATCHES - 1);
    let full = || Err(Refused::Watches(name("a")));
    assert_eq!(registry.monitor(&a, &name("gone")), full());
    assert_eq!(registry.link(&a, &name("gone")), full());
    registry.link(&a, &name("x")).expect("it is linked already");
    let b = register(&registry, "b");
    assert_eq!(registry.link(&b, &name("a")), full(), "a link counts for both");
    registry.monitor(&b, &name("a")).expect("to be watched costs nothing");
    downs(&a);
    registry.link(&b, &name("a")).expect("room again");
    registry.unlink(&x, &name("a"));
}
