//! One host goes, and another has its actors.

use baton_host::events::EventDetail;
use baton_host::model::{OwnedElsewhere, Phase};
use baton_host::{Pattern, Template};

use super::{Shared, builder, durable, id_of, info, metric, say, settings, start, until_in, was_told, with};
use crate::harness::{plugin, until};

#[tokio::test]
async fn what_a_host_that_stops_had_goes_on_at_one_that_runs_with_its_state() {
    let shared = Shared::new();
    let a = start(&shared.door(), settings("a"), &["j/1", "j/2"]).await;
    let b = start(&shared.door(), with(OwnedElsewhere::Wait, "b"), &["j/1", "j/2"]).await;
    for one in ["j/1", "j/2"] {
        say(&a, one, "1").await;
        until_in(&b, one, Phase::Elsewhere).await;
    }
    assert!(a.shutdown(None).await.all_saved());
    for one in ["j/1", "j/2"] {
        until_in(&b, one, Phase::Running).await;
        assert_eq!(say(&b, one, "2").await, "12");
        assert_eq!(info(&b, one).unwrap().owner, None);
    }
    b.shutdown(None).await;
}

#[tokio::test]
async fn what_a_host_that_crashed_had_is_taken_over_once_its_lease_has_ended_and_not_before() {
    let shared = Shared::new();
    let a = builder(&shared.door(), settings("a")).actor(durable("j/1")).build().await.unwrap();
    say(&a, "j/1", "1").await;
    let a_id = id_of(&a).await;
    // As a kill does: nothing is released, and nobody leaves.
    drop(a);
    let door = shared.door();
    let b = builder(&door, settings("b")).actor(durable("j/1")).build().await.unwrap();
    until_in(&b, "j/1", Phase::Elsewhere).await;
    let looked = door.asked(crate::harness::Op::Head, &crate::harness::name("j/1"));
    until("it has looked again", || door.asked(crate::harness::Op::Head, &crate::harness::name("j/1")) > looked + 3)
        .await;
    assert_eq!(shared.owner("j/1").await, Some(a_id.clone()), "its lease still runs");
    shared.0.end_lease(&a_id);
    until_in(&b, "j/1", Phase::Running).await;
    assert_eq!(say(&b, "j/1", "2").await, "12");
    was_told(&b, |event| matches!(event, EventDetail::TakenOver { node: Some(node), .. } if node == "a")).await;
    assert_eq!(metric(&b, "baton_takeovers_total"), 1);
    b.shutdown(None).await;
}

#[tokio::test]
async fn one_that_only_waits_leaves_what_a_host_had_to_its_node() {
    let shared = Shared::new();
    let a = builder(&shared.door(), settings("a")).actor(durable("j/1")).build().await.unwrap();
    say(&a, "j/1", "1").await;
    let a_id = id_of(&a).await;
    drop(a);
    shared.0.end_lease(&a_id);
    let b = builder(&shared.door(), with(OwnedElsewhere::Wait, "b")).actor(durable("j/1")).build().await.unwrap();
    until_in(&b, "j/1", Phase::Elsewhere).await;
    let note = info(&b, "j/1").unwrap().note.unwrap();
    assert!(note.ends_with("whose lease on the store has ended"), "{note}");
    let again = with(OwnedElsewhere::Refuse, "a");
    let a = builder(&shared.door(), again).actor(durable("j/1")).build().await.unwrap();
    assert_eq!(say(&a, "j/1", "2").await, "12", "it is that node's own");
    a.shutdown(None).await;
    until_in(&b, "j/1", Phase::Running).await;
    b.shutdown(None).await;
}

#[tokio::test]
async fn actors_of_templates_that_ran_at_a_host_that_is_gone_run_again_before_anybody_calls_them() {
    let shared = Shared::new();
    let template = || {
        let mut template = Template::new(Pattern::new("cart/*").unwrap(), plugin("journal"));
        template.spec_mut().state = durable("x").state;
        template
    };
    let a = builder(&shared.door(), settings("a")).template(template()).build().await.unwrap();
    for one in ["cart/1", "cart/2"] {
        say(&a, one, "1").await;
    }
    // Renewed often, it soon sees that another one is gone.
    let lease_ttl = std::time::Duration::from_secs(4);
    let b = super::HostsSettings { lease_ttl, ..settings("b") };
    let b = builder(&shared.door(), b).template(template()).build().await.unwrap();
    super::joined(&b).await;
    let a_id = id_of(&a).await;
    until("b knows of a", || metric(&b, "baton_lease_renewals_total") > 0).await;
    drop(a);
    shared.0.end_lease(&a_id);
    for one in ["cart/1", "cart/2"] {
        until_in(&b, one, Phase::Running).await;
        assert_eq!(say(&b, one, "2").await, "12");
    }
    b.shutdown(None).await;
}

#[tokio::test]
async fn a_listed_actor_that_sleeps_stays_with_its_host_until_that_is_gone() {
    let shared = Shared::new();
    let sleepy = || {
        let mut spec = durable("j/1");
        spec.state.passivate_after = Some(std::time::Duration::from_millis(20));
        spec
    };
    // Nobody is kept from sleeping for long.
    let mut rules = baton_host::Passivation::default();
    rules.least_resident = std::time::Duration::ZERO;
    let a = builder(&shared.door(), settings("a")).passivation(rules).actor(sleepy()).build().await.unwrap();
    say(&a, "j/1", "1").await;
    let door = shared.door();
    let b = builder(&door, settings("b")).actor(durable("j/1")).build().await.unwrap();
    until_in(&b, "j/1", Phase::Elsewhere).await;
    until_in(&a, "j/1", Phase::Asleep).await;
    let looked = door.asked(crate::harness::Op::Head, &crate::harness::name("j/1"));
    until("b has looked", || door.asked(crate::harness::Op::Head, &crate::harness::name("j/1")) > looked + 3).await;
    assert_eq!(info(&b, "j/1").unwrap().phase, Phase::Elsewhere);
    assert_eq!(say(&a, "j/1", "2").await, "12", "it wakes where it slept");
    until_in(&a, "j/1", Phase::Asleep).await;
    assert!(a.shutdown(None).await.all_saved());
    until_in(&b, "j/1", Phase::Running).await;
    assert_eq!(say(&b, "j/1", "3").await, "123");
    b.shutdown(None).await;
}
