//! More messages than an actor can take.

use baton_host::model::Phase;
use baton_host::{MessageId, SendError};

use super::{Stage, ask, bad, count, says};
use crate::harness::{WatGuest, actor, host, name, until};

/// Answers `?` with the first letters of all that it has handled. Asked `w`, it waits until `never/1` is stopped.
fn writes_down() -> WatGuest {
    let wait = "(call $call (i32.const 45000) (i32.const 7) (i32.const 45000) (i32.const 1) (i64.const 60000) (i32.const 45100))";
    let note = "(i32.store8 (i32.add (i32.const 46000) (global.get $noted)) (call $letter (local.get $body) (local.get $body_len)))
                (global.set $noted (i32.add (global.get $noted) (i32.const 1)))
                (call $bytes (i32.const 46000) (global.get $noted))";
    WatGuest::new("bad")
        .with("(data (i32.const 45000) \"never/1\") (global $noted (mut i32) (i32.const 0))")
        .when('w', wait)
        .on("handle", note)
}

/// `bad/1` in the middle of a turn, which ends when `never/1`, which never gets its state, is stopped.
async fn busy(adapt: impl FnOnce(&mut baton_host::ActorSpec)) -> Stage {
    let never = WatGuest::new("never").on("continue", "(call $refuse (i32.const 3))");
    let builder = host().plugin_bytes("never.wasm", never.build()).actor(actor("never/1", "never"));
    let stage = Stage::with(builder, &writes_down(), adapt).await;
    stage.host.cast(&bad(), "w", MessageId::new("w").ok()).unwrap();
    until("it waits", || stage.host.actor(&name("never/1")).unwrap().waiting == 1).await;
    stage
}

async fn let_go(stage: &Stage) {
    stage.host.stop(&name("never/1")).await.unwrap();
}

fn cast(stage: &Stage, body: &str) -> Result<MessageId, SendError> {
    stage.host.cast(&bad(), body.to_owned(), Some(MessageId::new("id").unwrap()))
}

#[tokio::test]
async fn a_mailbox_full_of_messages_refuses_with_its_numbers_and_keeps_what_it_took() {
    let mut stage = busy(|spec| spec.limits.mailbox_messages = 3).await;
    for body in ["a", "b", "c"] {
        cast(&stage, body).unwrap();
    }
    let error = cast(&stage, "d").unwrap_err();
    assert!(matches!(&error, SendError::MailboxFull { messages: 3, max_messages: 3, .. }), "{error}");
    says(
        &error,
        &["mailbox of `bad/1` is full", "holds 3 messages", "mailbox_messages = 3", "try again later, or raise"],
    );
    let error = stage.ask("e").await.unwrap_err();
    assert_eq!(error.code(), "mailbox-full");
    stage.goes_on().await;
    let_go(&stage).await;
    until("all are handled", || stage.bad().handled == 4).await;
    assert_eq!(stage.ask("?").await.unwrap(), "wabc?");
    stage.end().await;
}

#[tokio::test]
async fn a_mailbox_full_of_bytes_refuses_with_its_numbers() {
    let mut stage = busy(|spec| spec.limits.mailbox_bytes = 20).await;
    // Each is five bytes and the two of its id.
    for body in ["a....", "b...."] {
        cast(&stage, body).unwrap();
    }
    let error = cast(&stage, "c....").unwrap_err();
    assert!(matches!(&error, SendError::MailboxFull { messages: 2, bytes: 14, max_bytes: 20, .. }), "{error}");
    says(&error, &["14 bytes", "mailbox_bytes = 20"]);
    // A smaller one still fits.
    cast(&stage, "d").unwrap();
    stage.goes_on().await;
    let_go(&stage).await;
    until("all are handled", || stage.bad().handled == 4).await;
    let id = Some(MessageId::new("id").unwrap());
    let options = baton_host::CallOptions { id, ..Default::default() };
    assert_eq!(stage.host.call(&bad(), "?", options).await.unwrap(), "wabd?");
    stage.end().await;
}

#[tokio::test]
async fn a_guest_that_fills_anothers_mailbox_leaves_dead_letters_and_no_gap_in_order() {
    let flood = "(loop $again
           (i32.store8 (i32.const 45200) (i32.add (i32.const 97) (local.get $i)))
           (call $send (i32.const 45000) (i32.const 5) (i32.const 45200) (i32.const 1) (i32.const 45100))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 5))))";
    let flooder = WatGuest::new("flooder").with("(data (i32.const 45000) \"bad/1\")").when('!', flood);
    let never = WatGuest::new("never").on("continue", "(call $refuse (i32.const 3))");
    let builder = host()
        .plugin_bytes("never.wasm", never.build())
        .plugin_bytes("flooder.wasm", flooder.build())
        .actor(actor("never/1", "never"))
        .actor(actor("flooder/1", "flooder"));
    let stage = Stage::with(builder, &writes_down(), |spec| spec.limits.mailbox_messages = 3).await;
    cast(&stage, "w").unwrap();
    until("it waits", || stage.host.actor(&name("never/1")).unwrap().waiting == 1).await;
    assert_eq!(count(&ask(&stage.host, "flooder/1", "!").await.unwrap()), 1);
    until("two found no room", || stage.host.dead_letters().len() == 2).await;
    let dead = stage.host.dead_letters();
    assert_eq!(dead.iter().map(|letter| letter.body.as_slice()).collect::<Vec<_>>(), [b"d", b"e"]);
    says(&dead[0].why, &["mailbox of `bad/1` is full"]);
    let_go(&stage).await;
    until("all are handled", || stage.bad().handled == 4).await;
    assert_eq!(stage.ask("?").await.unwrap(), "wabc?");
    stage.end().await;
}

#[tokio::test]
async fn an_actor_that_never_gets_its_state_takes_messages_up_to_its_bound() {
    let never = WatGuest::new("bad").on("continue", "(call $refuse (i32.const 3))");
    let stage = Stage::set(&never, |spec| spec.limits.mailbox_messages = 2).await;
    for _ in 0..2 {
        cast(&stage, "x").unwrap();
    }
    assert_eq!(cast(&stage, "x").unwrap_err().code(), "mailbox-full");
    assert_eq!(stage.bad().phase, Phase::Continuing);
    stage.end().await;
}
