//! Whose an actor is, and who is told.

use baton_host::model::{OwnedElsewhere, Phase};
use baton_host::{CallError, Pattern, SendError, Template};

use super::{Shared, builder, call, id_of, info, say, sent_on, settings, start, until_in, with};
use crate::harness::{name, plugin, until};

#[tokio::test]
async fn whoever_calls_an_actor_that_another_host_owns_is_told_which() {
    let shared = Shared::new();
    let a = start(&shared.door(), settings("a"), &["j/1"]).await;
    say(&a, "j/1", "1").await;
    let b = start(&shared.door(), settings("b"), &["j/1"]).await;
    until_in(&b, "j/1", Phase::Elsewhere).await;
    let seen = info(&b, "j/1").unwrap();
    assert_eq!(seen.owner.as_ref().map(|owner| owner.node.as_str()), Some("a"));
    let note = seen.note.expect("it is said why");
    assert!(note.contains("owned by the host on `a`") && note.contains("http://a.example:7766"), "{note}");
    assert_eq!(sent_on(&b, "j/1").await, ("a".to_owned(), Some("http://a.example:7766".to_owned())));
    let refused = b.cast(&name("j/1"), "x", None).expect_err("it is elsewhere");
    assert_eq!(refused.code(), "owned-elsewhere");
    assert_eq!((seen.restarts, seen.generation), (0, 0), "it was not even tried");
    assert!(b.startup().done, "there is nothing more to wait for");
    assert_eq!(shared.owner("j/1").await, Some(id_of(&a).await));
    assert_eq!(say(&a, "j/1", "2").await, "12", "its owner has not noticed");
    assert!(b.shutdown(None).await.all_saved());
    assert!(a.shutdown(None).await.all_saved());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hosts_that_start_at_once_one_owns_each_actor() {
    let shared = Shared::new();
    let names: Vec<String> = (0..12).map(|n| format!("j/{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (doors, both) = ([shared.door(), shared.door()], [settings("a"), settings("b")]);
    let [first, second] = both;
    let (a, b) = tokio::join!(start(&doors[0], first, &names), start(&doors[1], second, &names));
    for one in &names {
        let settled =
            |host| info(host, one).is_some_and(|info| matches!(info.phase, Phase::Running | Phase::Elsewhere));
        until("both know", || settled(&a) && settled(&b)).await;
        let (in_a, in_b) = (info(&a, one).unwrap().phase, info(&b, one).unwrap().phase);
        assert_ne!(in_a, in_b, "{one}");
        let owner = if in_a == Phase::Running { &a } else { &b };
        assert_eq!(say(owner, one, "x").await, "x");
    }
    for host in [a, b] {
        assert!(host.shutdown(None).await.all_saved());
    }
}

#[tokio::test]
async fn a_host_that_refuses_leaves_an_actor_alone_until_someone_asks_for_it() {
    let shared = Shared::new();
    let a = start(&shared.door(), settings("a"), &["j/1"]).await;
    say(&a, "j/1", "1").await;
    let b = start(&shared.door(), with(OwnedElsewhere::Refuse, "b"), &["j/1", "own"]).await;
    until_in(&b, "j/1", Phase::Elsewhere).await;
    assert!(a.shutdown(None).await.all_saved());
    say(&b, "own", "x").await;
    assert_eq!(info(&b, "j/1").unwrap().phase, Phase::Elsewhere, "nobody asked for it");
    b.restart(&name("j/1")).await.unwrap();
    assert_eq!(say(&b, "j/1", "2").await, "12");
    b.shutdown(None).await;
}

#[tokio::test]
async fn an_actor_of_a_template_that_is_elsewhere_leaves_nothing_behind_and_comes_once_it_is_free() {
    let shared = Shared::new();
    let template = || Template::new(Pattern::new("cart/*").unwrap(), plugin("journal"));
    let a = builder(&shared.door(), settings("a")).template(template()).build().await.unwrap();
    say(&a, "cart/1", "1").await;
    let b = builder(&shared.door(), settings("b")).template(template()).build().await.unwrap();
    for _ in 0..3 {
        assert_eq!(sent_on(&b, "cart/1").await.0, "a");
        until("nothing of it stays", || info(&b, "cart/1").is_none()).await;
    }
    assert_eq!(say(&b, "cart/2", "2").await, "2", "others are its own");
    assert_eq!(sent_on(&a, "cart/2").await.0, "b");
    assert!(a.shutdown(None).await.all_saved());
    assert_eq!(say(&b, "cart/1", "2").await, "12");
    b.shutdown(None).await;
}

#[tokio::test]
async fn a_host_that_stops_is_off_the_list_once_its_actors_are_released() {
    let shared = Shared::new();
    let a = start(&shared.door(), settings("a"), &["j/1"]).await;
    let b = start(&shared.door(), settings("b"), &[]).await;
    let (a_id, b_id) = (id_of(&a).await, id_of(&b).await);
    say(&a, "j/1", "1").await;
    let listed = |host: &baton_host::HostsInfo| host.hosts.iter().map(|lease| lease.id.clone()).collect::<Vec<_>>();
    let both = listed(&b.hosts().await.unwrap());
    assert!(both.contains(&a_id) && both.contains(&b_id), "{both:?}");
    assert!(a.shutdown(None).await.all_saved());
    assert_eq!(shared.owner("j/1").await, None);
    assert_eq!(listed(&b.hosts().await.unwrap()), [b_id]);
    b.shutdown(None).await;
}

#[tokio::test]
async fn a_store_that_is_ones_own_is_not_shared() {
    let host = crate::harness::host().build().await.unwrap();
    assert!(host.hosts().await.is_none() && !host.is_frozen());
    let gone = call(&host, "nobody", "x").await.expect_err("nobody is there");
    assert!(matches!(gone, CallError::NotSent(SendError::UnknownActor(_))));
    host.shutdown(None).await;
}
