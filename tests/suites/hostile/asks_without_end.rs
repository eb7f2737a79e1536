//! Calls of others, and questions to the supervision tree, without end in one turn.

use crate::bad_input::limits::five_times;
use crate::bad_input::{Stage, says};
use crate::harness::WatGuest;

const KEEP: &str = "(if (i32.load8_u (i32.const 45100)) (then
    (memory.copy (i32.const 47000) (i32.load (i32.const 45108)) (i32.load (i32.const 45112)))
    (i32.store (i32.const 45108) (i32.const 47000))))";
const WHY: &str = "(return (call $bytes (i32.load (i32.const 45108)) (i32.load (i32.const 45112))))";

#[tokio::test]
async fn a_turn_asks_others_so_many_times_and_no_more() {
    let calls = [
        "$call (i32.const 45200) (i32.const 6) (i32.const 45200) (i32.const 1) (i64.const 1000)",
        "$whereis_is_free",
        "$terminate_child (i32.const 45200) (i32.const 6)",
        "$which_children (i32.const 0) (i32.const 0) (i32.const 0)",
    ];
    for call in calls.into_iter().filter(|call| !call.contains("free")) {
        let each = format!("(call {call} (i32.const 45100)) {KEEP}");
        let guest = WatGuest::new("bad")
            .supervises()
            .with("(data (i32.const 45200) \"well/1\")")
            .when('!', &five_times(&each))
            .when('w', WHY);
        let stage = Stage::set(&guest, |spec| spec.limits.turn_calls = 3).await;
        let refused = stage.count("!").await;
        // What the tree is asked without a grant is refused anyway; the last refusals name the limit.
        assert!(refused == 2 || refused == 5, "{call}: {refused}");
        let why = stage.ask("w").await.unwrap();
        says(String::from_utf8_lossy(&why), &["limit turn_calls = 3; raise it with `limits.turn_calls = …`"]);
        // Neither grows without end over turns: the next one has its own.
        assert_eq!(stage.count("!").await, refused);
        stage.host.shutdown(None).await;
    }
}
