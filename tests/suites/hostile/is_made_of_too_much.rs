//! Memories, tables, core instances, data and names by the hundred, or by the megabyte.

use std::fmt::Write as _;

use baton_host::{ErrorCode, Host, HostError};

use crate::bad_input::{Stage, says};
use crate::harness::{WatGuest, host};

async fn refused(bytes: Vec<u8>) -> HostError {
    let error = host().plugin_bytes("bad.wasm", bytes).build().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Plugin);
    let told = format!("{error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert!(told.len() < 10_000 && !told.contains('\u{1b}'), "{} bytes", told.len());
    error
}

/// What the error says with its cause.
fn whole(error: &HostError) -> String {
    format!("{error}: {}", std::error::Error::source(error).map(ToString::to_string).unwrap_or_default())
}

/// The actor does not start, and says why.
async fn does_not_start(guest: WatGuest, adapt: impl FnOnce(&mut baton_host::Limits), words: &[&str]) {
    let mut stage = Stage::set(&guest, |spec| adapt(&mut spec.limits)).await;
    let info = stage.comes_to(baton_host::model::Phase::Failed).await;
    says(info.last_exit.unwrap(), words);
    stage.goes_on().await;
    stage.end().await;
}

#[tokio::test]
async fn memories_tables_and_core_instances_are_counted_for_each_actor() {
    let memories = |many: usize| WatGuest::new("bad").with(&"(memory 1)".repeat(many - 1));
    let tables = |many: usize| WatGuest::new("bad").with(&"(table 1 funcref)".repeat(many));
    does_not_start(memories(5), |_| {}, &["it is made of too many: memory count", "limit memories = 4; raise it with"])
        .await;
    does_not_start(tables(17), |_| {}, &["table count", "limit tables = 16; raise it with"]).await;
    does_not_start(
        WatGuest::new("bad"),
        |limits| limits.core_instances = 1,
        &["instance count", "limit core_instances = 1;"],
    )
    .await;
    // What is raised is enough.
    let stage = Stage::set(&memories(10), |spec| spec.limits.memories = 10).await;
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn more_than_there_is_room_for_in_any_pool_is_no_plugin() {
    let module = "(core module $m (memory (export \"memory\") 1) (table 1 funcref) (func (export \"f\")))";
    for (many, what) in [(17, "17 Wasm linear memories"), (200, "200 core module instances")] {
        let mut text = format!("(component {module}\n");
        for n in 0..many {
            let _ = writeln!(text, "(core instance $i{n} (instantiate $m))");
        }
        let _ = write!(text, "(func $f (canon lift (core func $i0 \"f\"))) (instance $l");
        for function in ["describe", "init", "continue", "handle", "snapshot", "terminate"] {
            let _ = write!(text, " (export \"{function}\" (func $f))");
        }
        text.push_str(") (export \"baton:actor/lifecycle@0.1.0\" (instance $l)))");
        let error = refused(wat::parse_str(&text).unwrap()).await;
        says(whole(&error), &["plugin bad.wasm: ", what, "exceeds the configured maximum"]);
    }
}

#[tokio::test]
async fn data_and_names_by_the_megabyte_cost_their_own_size_and_harm_nobody() {
    let data = format!("(data (i32.const 65536) \"{}\")", "x".repeat(8 << 20));
    let name = format!("(func $\"{}\" unreachable)", "n".repeat(90_000));
    let guest = WatGuest::new("bad")
        .memory_pages(200)
        .with(&data)
        .with(&name)
        .when('!', &format!("(call $\"{}\")", "n".repeat(90_000)));
    let mut stage = Stage::set(&guest, |_| {}).await;
    assert_eq!(stage.count("x").await, 1);
    stage.crash("!").await;
    let letter = stage.host.dead_letters().pop().unwrap();
    assert!(letter.backtrace.iter().all(|frame| frame.len() < 300), "{:?}", letter.backtrace[0].len());
    stage.goes_on().await;
    stage.end().await;
    // A custom section of a size that is not there.
    let mut bytes = WatGuest::new("bad").build();
    bytes.extend([0, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    refused(bytes).await;
    // And one that is.
    let mut bytes = WatGuest::new("bad").build();
    let mut section = vec![0, 0x80, 0x80, 0x80, 0x08, 4];
    section.extend(b"junk");
    section.resize(5 + (16 << 20), 0x1b);
    bytes.extend(section);
    let found = Host::inspect("bad.wasm", bytes).await.unwrap();
    assert!(found.bytes > 16 << 20);
}
