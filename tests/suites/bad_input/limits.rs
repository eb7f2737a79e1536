//! Guests that want more than they may have.

use std::io;
use std::sync::{Arc, Mutex};

use baton_host::CallError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use super::{Stage, ask, bad, count, says};
use crate::harness::{WatGuest, actor, name, until};

#[tokio::test]
async fn memory_beyond_its_limit_is_refused_and_a_trap_after_it_names_the_limit() {
    let grow = "(i32.store (i32.const 45000) (memory.grow (i32.const 100)))";
    let guest = WatGuest::new("bad")
        .when('m', &format!("{grow} (return (call $bytes (i32.const 45000) (i32.const 4)))"))
        .when('!', &format!("{grow} unreachable"));
    let stage = Stage::set(&guest, |spec| spec.limits.memory_bytes = 1 << 20).await;
    assert_eq!(stage.count("m").await, u32::MAX, "memory.grow answers -1");
    assert_eq!(stage.count("x").await, 1, "it goes on");
    says(stage.crash("!").await, &["memory_bytes = 1048576", "6684672", "unreachable"]);
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
    // With room enough, the same guest gets it.
    let stage = Stage::set(&guest, |_| {}).await;
    assert_eq!(stage.count("m").await, 2);
    stage.end().await;
}

#[tokio::test]
async fn tables_are_bounded_like_memory() {
    let guest = WatGuest::new("bad").with("(table $t 1 funcref)").when(
        't',
        "(i32.store (i32.const 45000) (table.grow $t (ref.null func) (i32.const 1000)))
                    (return (call $bytes (i32.const 45000) (i32.const 4)))",
    );
    let stage = Stage::set(&guest, |spec| spec.limits.table_elements = 1_000).await;
    assert_eq!(stage.count("t").await, u32::MAX);
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn a_message_that_does_not_fit_into_its_memory_is_a_crash_of_its_own() {
    let stage = Stage::set(&WatGuest::new("bad"), |spec| spec.limits.memory_bytes = 131_072).await;
    assert_eq!(stage.count("x").await, 1);
    let error = ask(&stage.host, "bad/1", vec![b'x'; 200_000]).await.unwrap_err();
    says(error, &["`bad/1` crashed", "memory_bytes = 131072"]);
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn a_reply_that_is_too_large_names_its_limit() {
    let large = "(return (call $bytes (i32.const 40000) (i32.const 2000)))";
    let stage = Stage::set(&WatGuest::new("bad").when('!', large), |spec| spec.limits.message_bytes = 1_024).await;
    says(stage.crash("!").await, &["a reply of 2000 bytes", "message_bytes = 1024"]);
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn more_random_bytes_than_the_contract_says_are_a_crash() {
    let ask_for = |bytes: u32| format!("(call $random (i32.const {bytes}) (i32.const 45000))");
    let guest = WatGuest::new("bad").when('!', &ask_for(65_537)).when('r', &ask_for(65_536));
    let stage = Stage::set(&guest, |_| {}).await;
    assert_eq!(stage.count("r").await, 1);
    says(stage.crash("!").await, &["65537 random bytes", "at most 65536"]);
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

/// Does `each` five times, whose result is a `result` at 45,100, and answers with how many were refused; the text of the
/// last refusal is left at 45,108.
pub(crate) fn five_times(each: &str) -> String {
    format!(
        "(i32.store (i32.const 45000) (i32.const 0))
         (loop $again
           {each}
           (i32.store (i32.const 45000) (i32.add (i32.load (i32.const 45000)) (i32.load8_u (i32.const 45100))))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 5))))
         (return (call $bytes (i32.const 45000) (i32.const 4)))"
    )
}

/// `w`: why the last one was refused.
pub(super) const WHY: &str = "(return (call $bytes (i32.load (i32.const 45108)) (i32.load (i32.const 45112))))";

fn sender(to: &str, bytes: u32) -> WatGuest {
    let send = format!(
        "(call $send (i32.const 45200) (i32.const {}) (i32.const 40000) (i32.const {bytes}) (i32.const 45100))",
        to.len()
    );
    // What the host hands in is allocated anew with each call: the text is moved where it stays.
    let keep = "(memory.copy (i32.const 47000) (i32.load (i32.const 45108)) (i32.load (i32.const 45112)))
                (i32.store (i32.const 45108) (i32.const 47000))";
    let each = format!("{send} (if (i32.load8_u (i32.const 45100)) (then {keep}))");
    WatGuest::new("bad")
        .with(&format!("(data (i32.const 45200) \"{to}\")"))
        .when('!', &five_times(&each))
        .when('w', WHY)
}

#[tokio::test]
async fn a_flood_of_messages_ends_at_its_limit_and_the_rest_leaves() {
    let mut stage = Stage::set(&sender("well/1", 1), |spec| spec.limits.turn_sends = 3).await;
    assert_eq!(stage.count("!").await, 2, "of five");
    says(String::from_utf8_lossy(&stage.ask("w").await.unwrap()), &["limit turn_sends = 3"]);
    stage.well += 3;
    stage.goes_on().await;
    assert_eq!(stage.bad().restarts, 0);
    // The next turn has its own.
    assert_eq!(stage.count("!").await, 2);
    stage.well += 3;
    stage.end().await;
}

#[tokio::test]
async fn what_one_turn_sends_is_bounded_in_bytes() {
    let mut stage = Stage::set(&sender("well/1", 100), |spec| spec.limits.turn_send_bytes = 250).await;
    assert_eq!(stage.count("!").await, 3);
    says(String::from_utf8_lossy(&stage.ask("w").await.unwrap()), &["limit turn_send_bytes = 250"]);
    stage.well += 2;
    stage.goes_on().await;
    stage.end().await;
    let stage = Stage::set(&sender("well/1", 200), |spec| spec.limits.message_bytes = 199).await;
    assert_eq!(stage.count("!").await, 5);
    says(String::from_utf8_lossy(&stage.ask("w").await.unwrap()), &["200 bytes: limit message_bytes = 199"]);
    stage.end().await;
}

#[tokio::test]
async fn messages_to_nobody_are_dead_letters_and_to_no_name_are_refused() {
    let stage = Stage::set(&sender("nobody", 1), |_| {}).await;
    assert_eq!(stage.count("!").await, 0);
    until("they are buried", || stage.host.dead_letters().len() == 5).await;
    let letter = stage.host.dead_letters().remove(0);
    assert_eq!((letter.to.as_str(), letter.from), ("nobody", Some(bad())));
    says(letter.why, &["no actor `nobody` runs here"]);
    stage.end().await;
    let stage = Stage::set(&sender("a/../b", 1), |_| {}).await;
    assert_eq!(stage.count("!").await, 5);
    says(String::from_utf8_lossy(&stage.ask("w").await.unwrap()), &["actor name", "has the segment '..'"]);
    assert!(stage.host.dead_letters().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn more_timers_than_it_may_have_are_refused() {
    // The name is `0`, `1`, `2`, …
    let set = "(i32.store8 (i32.const 45200) (i32.add (i32.const 48) (local.get $i)))
               (call $set_timer (i32.const 45200) (i32.const 1) (i64.const 3600000) (i32.const 45100))";
    let nameless = "(call $set_timer (i32.const 45200) (i32.const 0) (i64.const 3600000) (i32.const 45100))";
    let long = "(call $set_timer (i32.const 40000) (i32.const 256) (i64.const 3600000) (i32.const 45100))";
    let guest =
        WatGuest::new("bad").when('!', &five_times(set)).when('n', &five_times(nameless)).when('l', &five_times(long));
    let stage = Stage::set(&guest, |spec| spec.limits.timers = 2).await;
    assert_eq!((stage.count("n").await, stage.count("l").await), (5, 5));
    assert_eq!(stage.count("!").await, 3);
    assert_eq!(stage.count("!").await, 3, "two are set already, and setting them again replaces them");
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

/// Does `what` 50,000 times.
pub(super) fn often(what: &str) -> String {
    format!(
        "(loop $again {what} (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 50000))))"
    )
}

#[tokio::test]
async fn what_has_no_answer_is_bounded_too() {
    let store = crate::harness::StoreDouble::new();
    let cancel = "(call $cancel_timer (i32.const 45000) (i32.const 1))";
    let guest = WatGuest::new("bad")
        .memory_pages(4)
        .with("(data (i32.const 45000) \"t\")")
        .when('t', cancel)
        .when('!', &often(cancel))
        // Kept, these would be three gigabytes.
        .when('l', &often("(call $cancel_timer (i32.const 131072) (i32.const 60000))"))
        .when('s', &often("(call $save)"));
    let stage = Stage::on(&store, &guest, |_| {}).await;
    assert_eq!((stage.count("t").await, stage.count("l").await), (1, 2), "no timer has such a name");
    assert_eq!(stage.count("s").await, 3);
    assert_eq!(stage.bad().sequence, Some(1), "one turn, one checkpoint");
    says(stage.crash("!").await, &["it changed its timers more than 10000 times in one turn"]);
    assert_eq!(stage.count("x").await, 4);
    stage.end().await;
}

#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// What was logged so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_says_so() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish();
    let _here = subscriber.set_default();
    let log = "(call $log (i32.const 2) (i32.const 40000) (i32.const 2000) (i32.const 0) (i32.const 0))
               (i32.store8 (i32.const 45100) (i32.const 0))";
    let guest = WatGuest::new("bad")
        .when('!', &five_times(log))
        .with(&format!("(data (i32.const 40000) \"said\\n{}\")", "y".repeat(1_995)));
    let stage = Stage::set(&guest, |spec| {
        spec.limits.turn_log_lines = 3;
        spec.limits.log_line_bytes = 100;
    })
    .await;
    assert_eq!(stage.count("!").await, 0);
    stage.end().await;
    let text = lines.text();
    let said: Vec<_> = text.lines().filter(|line| line.contains("said ")).collect();
    assert_eq!(said.len(), 3, "{text}");
    assert!(said.iter().all(|line| line.matches('y').count() < 100 && line.contains("actor=bad/1")), "{said:?}");
    assert_eq!(text.matches("limit turn_log_lines").count(), 1);
}

#[tokio::test]
async fn fields_of_a_log_line_cannot_fill_the_hosts_memory() {
    // 8,000 fields whose key and value are the same 64 KiB: a gigabyte, told with 128 KiB of real bytes.
    let flood = "(loop $more
           (i32.store (i32.add (i32.const 131072) (local.get $i)) (i32.const 393216))
           (i32.store (i32.add (i32.const 131076) (local.get $i)) (i32.const 65536))
           (local.set $i (i32.add (local.get $i) (i32.const 8)))
           (br_if $more (i32.lt_u (local.get $i) (i32.const 128000))))
         (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 131072) (i32.const 8000))";
    let stage = Stage::set(&WatGuest::new("bad").memory_pages(8).when('!', flood), |_| {}).await;
    stage.crash("!").await;
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_taken() {
    let mut stage = Stage::set(&WatGuest::new("bad"), |spec| spec.limits.message_bytes = 10).await;
    let error = ask(&stage.host, "bad/1", vec![b'x'; 11]).await.unwrap_err();
    assert!(matches!(&error, CallError::NotSent(_)) && error.code() == "too-large", "{error}");
    says(&error, &["11 bytes", "`bad/1`", "message_bytes = 10"]);
    let cast = stage.host.cast(&bad(), vec![b'x'; 11], None).unwrap_err();
    assert_eq!(cast.code(), "too-large");
    assert_eq!(stage.count("0123456789").await, 1);
    stage.goes_on().await;
    stage.end().await;
}

#[tokio::test]
async fn more_instances_than_there_is_room_for_are_told_so() {
    let guest = WatGuest::new("bad").build();
    let host = crate::harness::host().instances(3).plugin_bytes("bad.wasm", guest).build().await.unwrap();
    let mut refused = None;
    for n in 1..=4 {
        if let Err(error) = host.start(actor(&format!("bad/{n}"), "bad")).await {
            refused = Some((n, error));
        }
    }
    let (n, error) = refused.expect("there is room for three");
    assert_eq!(n, 4);
    says(
        error,
        &[
            "actor `bad/4` would not start",
            "no room for another instance",
            "limit instances = 3; raise it with `instances = …`",
        ],
    );
    for n in 1..=3 {
        assert_eq!(count(&ask(&host, &format!("bad/{n}"), "x").await.unwrap()), 1);
    }
    host.stop(&name("bad/1")).await.unwrap();
    host.start(actor("bad/4", "bad")).await.expect("there is room again");
    host.shutdown(None).await;
}
