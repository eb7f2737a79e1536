//! Plugins that say nonsense of themselves, or nothing.

use std::fmt::Write as _;

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
    let words = ["`name` of its description cannot be read", "at address 1100 with length 3", "no UTF-8"];
    says(refused(&guest).await, &words);
}

#[tokio::test]
async fn a_description_that_lies_elsewhere_says_which_field_and_where_it_was_to_lie() {
    // What stands in the record instead: at its offset, a number.
    type Case = (&'static [(u32, u32)], &'static [&'static str]);
    let cases: [Case; 5] = [
        (
            &[(0, 0x7fff_ff00)],
            &["`name` of its description", "at address 2147483392 with length 3", "outside of its memory"],
        ),
        (&[(12, 70_000_000)], &["`version` of its description", "with length 70000000"]),
        (&[(28, 0xffff_0000)], &["`messages` of its description", "at address 4294901760"]),
        (
            &[(36, 8), (40, 1 << 20)],
            &["`metadata` of its description", "a list of that address and length lies outside"],
        ),
        (&[(36, 6), (40, 1)], &["`metadata` of its description", "not a multiple of the alignment"]),
    ];
    for (numbers, words) in cases {
        let mut body = String::new();
        for (offset, number) in numbers {
            let _ = write!(body, "(i32.store (i32.const {}) (i32.const {number}))", 1_024 + offset);
        }
        let error = refused(&WatGuest::new("bad").on("describe", &format!("{body} (i32.const 1024)"))).await;
        says(&error, words);
        says(&error, &["record `description` of wit/actor/0.1.0/actor.wit", "Plugins from the WIT alone"]);
    }
    for (address, words) in [
        ("(i32.const 1026)", "the address that it returned is not a multiple of 4"),
        ("(i32.const -4)", "the address that it returned lies outside of its memory"),
        // A record of zeros.
        ("(i32.const 0)", "plugin name \"\""),
    ] {
        let error = refused(&WatGuest::new("bad").on("describe", address)).await;
        says(&error, &[words, "record `description` of wit/actor/0.1.0/actor.wit"]);
    }
}

#[tokio::test]
async fn nothing_of_a_configuration_is_recommended_to_one_that_cannot_say_who_it_is() {
    for body in [ENDLESS, "unreachable", "(call $describe)"] {
        let error = refused(&WatGuest::new("bad").on("describe", body)).await.to_string();
        assert!(!["raise it", "baton inspect", "[[actor]]"].iter().any(|word| error.contains(word)), "{error}");
    }
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
