//! A host whose lease is not renewed in time, and one whose lease has ended.

use std::time::Duration;

use baton_host::events::EventDetail;
use baton_host::model::{HostsSettings, Intensity, Phase};
use baton_host::store::{Cause, SnapshotStore, StoreError};
use baton_host::{CallError, CallOptions, LeaseState, SupervisorSpec};

use super::{Shared, builder, call, durable, id_of, info, joined, metric, say, settings, start, until_in, was_told};
use crate::harness::{Op, actor, name, until};

/// Frozen soon, with time to be renewed left then.
fn short() -> HostsSettings {
    HostsSettings { lease_ttl: Duration::from_secs(6), lease_margin: Duration::from_millis(5_500), ..settings("a") }
}

fn away() -> StoreError {
    StoreError::Unavailable("cut off".into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_not_confirmed_in_time_freezes_and_goes_on_once_it_is() {
    let shared = Shared::new();
    let door = shared.door();
    let settings = HostsSettings { lease_margin: Duration::from_secs(3), ..short() };
    let a = builder(&door, settings).actor(durable("j/1")).actor(actor("j/2", "journal")).build().await.unwrap();
    for one in ["j/1", "j/2"] {
        say(&a, one, "1").await;
    }
    let generations = ["j/1", "j/2"].map(|one| info(&a, one).unwrap().generation);
    let id = id_of(&a).await;
    door.fail(Op::Renew, away());
    until("it is frozen", || a.is_frozen()).await;
    let commits = door.asked(Op::Commit, &name("j/1"));
    let waits = ["j/1", "j/2"].map(|one| {
        let a = a.clone();
        tokio::spawn(async move { call(&a, one, "2").await })
    });
    for one in ["j/1", "j/2"] {
        until("it waits", || info(&a, one).unwrap().waiting == 1).await;
    }
    was_told(&a, |event| matches!(event, EventDetail::Frozen { .. })).await;
    assert_eq!(a.hosts().await.unwrap().this.lease, LeaseState::Frozen);
    assert_eq!(metric(&a, "baton_host_frozen"), 1);
    let handled = ["j/1", "j/2"].map(|one| info(&a, one).unwrap().handled);
    assert_eq!((handled, door.asked(Op::Commit, &name("j/1"))), ([1, 1], commits), "no turn began, no commit left");
    assert!(waits.iter().all(|wait| !wait.is_finished()), "no reply left");
    door.mend();
    for wait in waits {
        assert_eq!(wait.await.unwrap().expect("an answer"), "12");
    }
    was_told(&a, |event| matches!(event, EventDetail::Thawed { .. })).await;
    let after = ["j/1", "j/2"].map(|one| info(&a, one).unwrap().generation);
    assert_eq!((after, id_of(&a).await), (generations, id), "as if nothing had been");
    a.shutdown(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hosts_that_both_believe_they_own_an_actor_one_commits_and_the_other_stops_its_own() {
    let shared = Shared::new();
    let door = shared.door();
    let a = builder(&door, settings("a")).actor(durable("j/1")).build().await.unwrap();
    let b = builder(&shared.door(), settings("b")).actor(durable("j/1")).build().await.unwrap();
    say(&a, "j/1", "1").await;
    // It hears nothing of the end of its lease.
    door.hold(Op::Renew);
    shared.end_lease_of(&a).await;
    until_in(&b, "j/1", Phase::Running).await;
    assert_eq!(say(&b, "j/1", "2").await, "12");
    assert!(!a.is_frozen(), "it believes that it owns it");
    assert_eq!(info(&a, "j/1").unwrap().phase, Phase::Running);
    let refused = call(&a, "j/1", "3").await.expect_err("it cannot be committed");
    let b_id = id_of(&b).await;
    assert!(matches!(&refused, CallError::Fenced { why, .. } if why.contains(&b_id)), "{refused}");
    until("its instance has ended", || info(&a, "j/1").unwrap().last_exit.is_some()).await;
    let seen = info(&a, "j/1").unwrap();
    assert!(seen.last_exit.as_ref().is_some_and(|exit| exit.contains(&b_id)), "{seen:?}");
    was_told(
        &a,
        |event| matches!(event, EventDetail::Crashed { crash: Some(kind), .. } if format!("{kind:?}") == "Fenced"),
    )
    .await;
    assert_eq!(say(&b, "j/1", "4").await, "124", "what the other one did is nowhere");
    door.let_through();
    until_in(&a, "j/1", Phase::Elsewhere).await;
    let (head, _) = shared.0.head(&name("j/1")).await.unwrap().unwrap();
    assert_eq!(head.owner, Some(b_id));
    for host in [a, b] {
        host.shutdown(None).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_under_way_when_the_lease_ended_is_not_written() {
    let shared = Shared::new();
    let door = shared.door();
    let a = builder(&door, settings("a")).actor(durable("j/1")).build().await.unwrap();
    say(&a, "j/1", "1").await;
    let (head, _) = shared.0.head(&name("j/1")).await.unwrap().unwrap();
    door.hold(Op::Renew);
    door.hold(Op::Commit);
    let late = {
        let a = a.clone();
        tokio::spawn(async move { call(&a, "j/1", "2").await })
    };
    until("it is under way", || door.asked(Op::Commit, &name("j/1")) == 2).await;
    shared.end_lease_of(&a).await;
    // Nobody has claimed it since.
    assert_eq!(shared.owner("j/1").await, head.owner);
    door.let_through();
    let answer = late.await.unwrap().expect_err("it was not committed");
    assert_eq!(answer.code(), "fenced", "{answer}");
    let (after, _) = shared.0.head(&name("j/1")).await.unwrap().unwrap();
    assert_eq!(after.sequence, head.sequence, "nothing was written");
    assert_eq!(say(&a, "j/1", "3").await, "13", "it goes on from what was committed");
    a.shutdown(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_lease_has_ended_joins_anew_and_starts_its_actors_again_from_the_store() {
    let shared = Shared::new();
    let door = shared.door();
    // Not one restart is allowed there: this is none.
    let intensity = Intensity { max_restarts: 0, max_seconds: 60 };
    let mut top = SupervisorSpec::new(name("top"));
    top.intensity = intensity;
    let above = (0..5).fold(top, |above, n| above.child(actor(&format!("j/{n}"), "journal")));
    let settings = HostsSettings { lease_ttl: Duration::from_secs(8), ..settings("a") };
    let a = builder(&door, settings).child(above).build().await.unwrap();
    for n in 0..5 {
        let one = format!("j/{n}");
        assert_eq!(say(&a, &one, "a").await, "a");
        say(&a, &one, "S").await;
        say(&a, &one, "lost").await;
    }
    let before = id_of(&a).await;
    shared.end_lease_of(&a).await;
    was_told(&a, |event| matches!(event, EventDetail::LeaseLost { .. })).await;
    joined(&a).await;
    for n in 0..5 {
        let one = format!("j/{n}");
        assert_eq!(say(&a, &one, "b").await, "aSb", "what was not saved is gone");
        let seen = info(&a, &one).unwrap();
        assert_eq!((seen.phase, seen.generation, seen.restarts), (Phase::Running, 2, 0));
        assert!(seen.last_exit.unwrap().contains("lease"));
    }
    assert_ne!(id_of(&a).await, before);
    assert_eq!(metric(&a, "baton_leases_lost_total"), 1);
    let (head, _) = shared.0.head(&name("j/0")).await.unwrap().unwrap();
    assert_eq!(head.current().map(|record| &record.cause), Some(&Cause::Checkpoint), "nothing was written at that end");
    assert!(a.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_host_that_cannot_join_yet_lets_its_actors_wait() {
    let shared = Shared::new();
    let door = shared.door();
    door.fail(Op::Join, away());
    let a = start(&door, settings("a"), &["j/1"]).await;
    until_in(&a, "j/1", Phase::Continuing).await;
    assert!(a.is_frozen() && shared.owner("j/1").await.is_none());
    let waits = {
        let a = a.clone();
        tokio::spawn(async move { call(&a, "j/1", "1").await })
    };
    until("it waits", || info(&a, "j/1").unwrap().waiting == 1).await;
    door.mend();
    assert_eq!(waits.await.unwrap().expect("an answer"), "1");
    a.shutdown(None).await;
}

#[tokio::test]
async fn a_host_that_is_frozen_for_good_can_still_be_stopped() {
    let shared = Shared::new();
    let door = shared.door();
    let a = builder(&door, short()).actor(durable("j/1")).build().await.unwrap();
    say(&a, "j/1", "1").await;
    door.fail(Op::Renew, away());
    until("it is frozen", || a.is_frozen()).await;
    let j = name("j/1");
    let late = a.call(&j, "2", CallOptions { timeout: Some(Duration::from_millis(50)), ..CallOptions::default() });
    assert_eq!(late.await.expect_err("nothing begins").code(), "timeout");
    let report = a.shutdown(Some(Duration::from_millis(200))).await;
    assert!(!report.all_saved(), "nothing leaves");
    let (head, _) = shared.0.head(&name("j/1")).await.unwrap().unwrap();
    assert_eq!(head.current().map(|record| &record.cause), Some(&Cause::Turn));
}
