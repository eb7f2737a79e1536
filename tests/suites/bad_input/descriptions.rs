//! Plugins that say nonsense of themselves, or nothing.

use baton_host::{ErrorCode, HostError};

use super::{ENDLESS, says};
use crate::harness::{WatGuest, host};

async fn refused(guest: &WatGuest) -> HostError {
    let error = host().plugin_bytes("that.wasm", guest.build()).build().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Plugin);
    says(&error, &["plugin that.wasm: `describe` failed"]);
    error
}

#[tokio::test]
async fn a_description_that_cannot_be_used_says_which_part() {
    let good = || WatGuest::new("bad");
    let long = "a".repeat(65);
    let media = format!("text/{}", "x".repeat(200));
    let cases: [(WatGuest, &[&str]); 11] = [
        (WatGuest::new(""), &["plugin name \"\"", "does not begin with a lower-case letter"]),
        (WatGuest::new("Bad"), &["plugin name \"Bad\"", "lower-case"]),
        (WatGuest::new("../bad"), &["plugin name \"../bad\""]),
        (WatGuest::new(&long), &["65 bytes; at most 64"]),
        (good().version("one"), &["version \"one\"", "MAJOR.MINOR.PATCH"]),
        (good().version("1.0"), &["MAJOR.MINOR.PATCH"]),
        (good().schema(3, (1, 2)), &["writes schema 3 and reads 1 to 2", "its own state"]),
        (good().schema(3, (4, 2)), &["reads-from 4 is above reads-to 2"]),
        (good().messages("junk"), &["`messages` is not a media type", "application/json"]),
        (good().messages("ta\u{df}/x"), &["`messages` is not a media type"]),
        (good().messages(&media), &["`messages` is not a media type of at most 127 bytes"]),
    ];
    for (guest, words) in cases {
        let error = refused(&guest).await;
        says(&error, &["its description cannot be used"]);
        says(&error, words);
    }
}

#[tokio::test]
async fn text_that_is_no_utf_8_is_refused() {
    let guest = WatGuest::new("bad").with("(data (i32.const 1100) \"\\ff\\fe\\fd\")");
    says(refused(&guest).await, &["`describe` failed"]);
}

#[tokio::test]
async fn a_trap_in_describe_says_where() {
    let guest = WatGuest::new("bad").on("describe", "unreachable");
    says(refused(&guest).await, &["unreachable", "the guest was in", "describe"]);
}

#[tokio::test]
async fn a_describe_without_end_is_cut_off() {
    says(refused(&WatGuest::new("bad").on("describe", ENDLESS)).await, &["ran past its time", "5000"]);
}

#[tokio::test]
async fn a_description_grants_nothing() {
    // Sends and timers are refused with a limit; a call finds nobody.
    let guest = WatGuest::new("bad").with("(data (i32.const 45000) \"well/1\")").on(
        "describe",
        "(call $send (i32.const 45000) (i32.const 6) (i32.const 45000) (i32.const 1) (i32.const 45100))
         (call $set_timer (i32.const 45000) (i32.const 6) (i64.const 0) (i32.const 45200))
         (call $call (i32.const 45000) (i32.const 6) (i32.const 45000) (i32.const 1) (i64.const 10) (i32.const 45300))
         (if (i32.eqz (i32.and (i32.and (i32.load8_u (i32.const 45100)) (i32.load8_u (i32.const 45200)))
                               (i32.load8_u (i32.const 45300)))) (then unreachable))
         (i32.const 1024)",
    );
    host().plugin_bytes("that.wasm", guest.build()).build().await.unwrap();
}

#[tokio::test]
async fn metadata_cannot_fill_the_hosts_memory() {
    // 4,000 entries whose key and value are the same 64 KiB: half a gigabyte, told with 128 KiB of real bytes.
    let guest = WatGuest::new("bad").memory_pages(8).on(
        "describe",
        "(local $at i32)
         (loop $more
           (i32.store (i32.add (i32.const 262144) (local.get $at)) (i32.const 65536))
           (i32.store (i32.add (i32.const 262148) (local.get $at)) (i32.const 65536))
           (local.set $at (i32.add (local.get $at) (i32.const 8)))
           (br_if $more (i32.lt_u (local.get $at) (i32.const 64000))))
         (i32.store (i32.const 1060) (i32.const 262144)) (i32.store (i32.const 1064) (i32.const 4000))
         (i32.const 1024)",
    );
    refused(&guest).await;
}
