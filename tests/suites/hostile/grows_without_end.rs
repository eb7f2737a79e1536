//! Memory and tables that grow in a loop, in one guest and in many.

use baton_host::HostBuilder;

use crate::bad_input::{ask, count, says};
use crate::harness::{WatGuest, actor, host};

/// Grows by a page, touches it, and goes on until it is refused; then traps, or answers with its pages.
fn grows() -> WatGuest {
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        (memory.fill (i32.const 65536) (i32.const 1) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65536)))";
    WatGuest::new("bad")
        .with("(table $t 1 funcref)")
        .when('!', &format!("{grow} unreachable"))
        .when('g', &format!("{grow} (i32.store (i32.const 45000) (memory.size)) (return (call $bytes (i32.const 45000) (i32.const 4)))"))
        .when('t', "(loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) unreachable")
}

fn many(building: HostBuilder, many: usize) -> HostBuilder {
    (0..many).fold(building, |building, n| {
        let mut spec = actor(&format!("bad/{n}"), "bad");
        spec.limits.memory_bytes = 16 << 20;
        building.actor(spec)
    })
}

#[tokio::test]
async fn what_one_takes_ends_at_its_limit() {
    let building = many(host().plugin_bytes("bad.wasm", grows().build()), 1);
    let host = building.build().await.unwrap();
    let error = ask(&host, "bad/0", "!").await.unwrap_err();
    says(
        error,
        &[
            "it trapped after meeting the limit memory_bytes = 16777216; raise it with `limits.memory_bytes = …`",
            "unreachable",
        ],
    );
    let error = ask(&host, "bad/0", "t").await.unwrap_err();
    says(error, &["limit table_elements = 100000; raise it with"]);
    host.shutdown(None).await;
}

#[tokio::test]
async fn one_memory_ends_where_the_addresses_set_aside_for_it_end() {
    let building = host().memory_reservation_bytes(8 << 20).plugin_bytes("bad.wasm", grows().build());
    let host = many(building, 1).build().await.unwrap();
    let pages = count(&ask(&host, "bad/0", "g").await.unwrap());
    assert!((112..=128).contains(&pages), "it grows by 16 pages, of which 128 are 8 MiB, not {pages}");
    says(
        ask(&host, "bad/0", "!").await.unwrap_err(),
        &[
            "limit memory_reservation_bytes = 8388608; raise it with `memory_reservation_bytes = …` at the top of baton.toml",
        ],
    );
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_all_take_together_ends_at_the_hosts() {
    let building = host().guests_memory_bytes(40 << 20).plugin_bytes("bad.wasm", grows().build());
    let host = many(building, 5).build().await.unwrap();
    let mut pages = Vec::new();
    for n in 0..5 {
        pages.push(count(&ask(&host, &format!("bad/{n}"), "g").await.unwrap()));
    }
    // 16 MiB less the 2 that are not counted go into 40 less than three times.
    assert_eq!(pages[0], pages[1], "{pages:?}");
    assert!(pages[0] > 240 && pages.iter().sum::<u32>() <= (40 + 5 * 2) * 16, "{pages:?}");
    let error = ask(&host, "bad/4", "!").await.unwrap_err();
    says(
        error,
        &["limit guests_memory_bytes = 41943040; raise it with `guests_memory_bytes = …` at the top of baton.toml"],
    );
    // Whoever ends gives its share back.
    for n in 0..4 {
        ask(&host, &format!("bad/{n}"), "!").await.unwrap_err();
    }
    // It is given back when the instance is dropped, a moment after its caller was told.
    while count(&ask(&host, "bad/4", "g").await.unwrap()) < pages[0] {
        tokio::task::yield_now().await;
    }
    host.shutdown(None).await;
}
