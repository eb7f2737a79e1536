//! Thousands of traps a second: nothing of an instance is used again, and all that it had is given back.

use std::process::Command;
use std::time::Instant;

use baton_host::{CallOptions, Host, Intensity};

use crate::bad_input::{ask, count};
use crate::harness::{WatGuest, actor, host, name, number_from};

/// Traps after which the host's memory is taken for what it always is, and those that are played in all unless told.
const FIRST: usize = 10_000;
const TRAPS: usize = 20_000;
/// Set where the play is on: this process is the host's alone.
const ON_STAGE: &str = "BATON_TEST_TRAPS_ON_STAGE";

/// Fills some memory and traps, in one way or another.
fn traps() -> WatGuest {
    let fill = "(drop (memory.grow (i32.const 4))) (memory.fill (i32.const 65536) (i32.const 7) (i32.const 300000))";
    WatGuest::new("bad")
        .with("(func $deeper (result i32) (i32.add (call $deeper) (i32.const 1)))")
        .when('0', "unreachable")
        .when('1', &format!("{fill} unreachable"))
        .when('2', &format!("{fill} (i32.store (i32.const -4) (i32.const 1))"))
        .when('3', "(drop (call $deeper))")
        .when('4', "(return (i32.const 3))")
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it is there");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

async fn trap(host: &Host, n: usize) {
    let kind = char::from(b'0' + u8::try_from(n % 5).expect("a digit"));
    let answer = host.call(&name("bad/1"), kind.to_string(), CallOptions::default()).await;
    assert_eq!(answer.expect_err("it traps").code(), "crashed");
}

/// Not a test of its own: plays the traps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "another test runs it in a process of its own"]
async fn stage() {
    if std::env::var_os(ON_STAGE).is_none() {
        return;
    }
    let all = number_from("BATON_TRAPS", TRAPS);
    let mut spec = actor("bad/1", "bad");
    spec.intensity = Intensity { max_restarts: u32::MAX, max_seconds: 1 };
    let building =
        host().plugin_bytes("bad.wasm", traps().build()).plugin_bytes("well.wasm", WatGuest::new("well").build());
    let host = building.actor(spec).actor(actor("well/1", "well")).build().await.unwrap();
    let (began, mut after_first) = (Instant::now(), 0);
    for n in 1..=all {
        trap(&host, n).await;
        if n == FIRST {
            after_first = resident_kib();
        }
        if n % 1_000 == 0 {
            // Its neighbour has seen nothing of this.
            assert_eq!(usize::try_from(count(&ask(&host, "well/1", "x").await.unwrap())).unwrap(), n / 1_000);
        }
    }
    let (last, took) = (resident_kib(), began.elapsed());
    println!(
        "traps {all} in {:.1} s; resident after {FIRST}: {after_first} KiB, at the end: {last} KiB",
        took.as_secs_f64()
    );
    assert!(last * 100 <= after_first * 105, "{last} KiB are more than 5 % above {after_first}");
    assert_eq!(count(&ask(&host, "bad/1", "x").await.unwrap()), 1, "the next instance is like the first");
    host.shutdown(None).await;
}

#[cfg(target_os = "linux")]
#[test]
fn memory_after_thousands_of_traps_is_what_it_was() {
    let mut play = Command::new(std::env::current_exe().expect("a test has a file"));
    play.args(["hostile::traps_without_end::stage", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    let played = play.env(ON_STAGE, "1").output().expect("it runs");
    let text = String::from_utf8_lossy(&played.stdout);
    println!("{text}");
    assert!(played.status.success() && text.contains("resident after"), "{}", String::from_utf8_lossy(&played.stderr));
}
