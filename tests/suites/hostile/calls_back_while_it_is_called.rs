//! Re-entrance: whoever calls itself, by whatever way round, is told of the deadlock; nobody is entered twice.

use std::fmt::Write as _;

use crate::bad_input::{ask, count};
use crate::harness::{WatGuest, actor, host, name};

/// Actors `1` to `LONG` in a row.
const LONG: usize = 60;
/// Place of `deadlock` in the contract's `call-error`.
const DEADLOCK: u8 = 6;

/// `row/N` calls `row/N+1`, whose name it gets as `args`, and the last one the first.
fn in_a_row() -> WatGuest {
    // `init` keeps its args: the name to call.
    let keep = "(memory.copy (i32.const 45300) (local.get $args) (local.get $args_len))
        (global.set $len (local.get $args_len))
        (drop (call $ok)) (i32.store8 (i32.const 2052) (i32.const 1)) (i32.const 2048)";
    let call = "(call $call (i32.const 45300) (global.get $len) (i32.const 45050) (i32.const 1) (i64.const 60000) (i32.const 45100))
         (if (i32.load8_u (i32.const 45100)) (then
           (i32.store8 (i32.const 45200) (i32.load8_u (i32.const 45104)))
           (return (call $bytes (i32.const 45200) (i32.const 1)))))
         (return (call $bytes (i32.load (i32.const 45104)) (i32.load (i32.const 45108))))";
    WatGuest::new("row")
        .with("(global $len (mut i32) (i32.const 0)) (data (i32.const 45050) \"!\")")
        .on("init", keep)
        .when('!', call)
}

#[tokio::test]
async fn a_circle_of_many_is_told_as_a_deadlock_to_the_last_and_hangs_nobody() {
    let mut building =
        host().plugin_bytes("row.wasm", in_a_row().build()).plugin_bytes("well.wasm", WatGuest::new("well").build());
    for n in 1..=LONG {
        let mut spec = actor(&format!("row/{n}"), "row");
        let mut next = String::new();
        let _ = write!(next, "row/{}", n % LONG + 1);
        spec.args = next.into();
        building = building.actor(spec);
    }
    let host = building.actor(actor("well/1", "well")).build().await.unwrap();
    // What the last one was told comes back through all of them.
    assert_eq!(ask(&host, "row/1", "!").await.unwrap().as_ref(), [DEADLOCK]);
    assert_eq!(count(&ask(&host, "well/1", "x").await.unwrap()), 1);
    for n in 1..=LONG {
        assert_eq!(host.actor(&name(&format!("row/{n}"))).unwrap().restarts, 0);
    }
    host.shutdown(None).await;
}
