//! Turns without end, each of them short: timers that are due at once, and messages to itself.

use crate::bad_input::{Stage, ask, count};
use crate::harness::{WatGuest, until};

#[tokio::test]
async fn a_timer_that_is_always_due_keeps_nobody_from_anything() {
    // On every message, the timer's own included.
    let again = "(call $set_timer (i32.const 45200) (i32.const 1) (i64.const 0) (i32.const 45100))";
    let handle = format!(
        "{again} (global.set $count (i32.add (global.get $count) (i32.const 1)))
         (i32.store (i32.const 3000) (global.get $count)) (call $bytes (i32.const 3000) (i32.const 4))"
    );
    goes_on(&WatGuest::new("bad").with("(data (i32.const 45200) \"t\")").on("handle", &handle)).await;
}

#[tokio::test]
async fn messages_to_oneself_keep_nobody_from_anything_and_are_bounded() {
    // Two for each one: its mailbox is full soon.
    let send = "(call $send (i32.const 45200) (i32.const 5) (i32.const 45200) (i32.const 1) (i32.const 45100))";
    let handle = format!(
        "{send} {send} (global.set $count (i32.add (global.get $count) (i32.const 1)))
         (i32.store (i32.const 3000) (global.get $count)) (call $bytes (i32.const 3000) (i32.const 4))"
    );
    goes_on(&WatGuest::new("bad").with("(data (i32.const 45200) \"bad/1\")").on("handle", &handle)).await;
}

async fn goes_on(guest: &WatGuest) {
    let mut stage = Stage::set(guest, |spec| spec.limits.mailbox_messages = 50).await;
    stage.host.cast(&crate::bad_input::bad(), "!", None).unwrap();
    until("it is at it", || stage.bad().handled > 100).await;
    for _ in 0..100 {
        stage.goes_on().await;
    }
    assert!(stage.bad().waiting <= 50);
    // One that is not full of its own messages answers, too.
    assert!(count(&ask(&stage.host, "well/1", "x").await.unwrap()) > 100);
    stage.host.kill(&crate::bad_input::bad()).await.unwrap();
    stage.host.shutdown(None).await;
}
