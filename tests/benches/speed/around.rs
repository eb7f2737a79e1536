//! What else an actor costs: memory while it is idle, and its neighbours' patience where it never ends a turn.

use std::fs;
use std::time::{Duration, Instant};

use baton_host::{ActorSpec, CallOptions, Host, Limits};

use crate::Run;
use crate::bare::Bare;
use crate::calls::{block_on, one_thread, threads};
use crate::guests::{echo, endless};
use crate::measure::{Figure, Series};
use crate::{name, plugin};

/// Counters, in each language.
const LANGUAGES: [(&str, &str); 7] = [
    ("assemblyscript", "counter-assemblyscript"),
    ("c", "counter-c"),
    ("zig", "counter-zig"),
    ("rust", "counter"),
    ("javascript", "counter-javascript"),
    ("go", "counter-go"),
    ("python", "counter-python"),
];

/// Memory of an idle actor that no other process shares, once it has answered.
pub(crate) fn memory(run: &Run, missing: &mut Vec<String>) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (language, file) in LANGUAGES {
        let path = run.guests.join(format!("{file}.wasm"));
        let Ok(wasm) = fs::read(&path) else {
            missing.push(format!("memory/{language}: {} is not built (`cargo xtask guests`)", path.display()));
            continue;
        };
        let mut own = Series::new();
        own.count(of_each(wasm, "counter", 200, r#"{"add":1}"#));
        own.end_round(None);
        figures.push(Figure::bytes(format!("memory/{language}"), &own));
    }
    let (mut own, mut floor) = (Series::new(), Series::new());
    for _ in 0..run.large_rounds() {
        floor.count(of_each_bare(2_000));
        floor.end_round(None);
        own.count(of_each(echo("echo").build(), "echo", 2_000, "x"));
        own.end_round(None);
    }
    figures.push(Figure::bytes("memory/wat", &own).above("its instance on wasmtime alone", &floor));
    figures
}

fn of_each(wasm: Vec<u8>, of: &str, actors: u32, message: &'static str) -> u64 {
    block_on(async {
        // Of some languages an instance has three memories, and a host has room for little more than one for each.
        let host = Host::builder().instances((actors + 10) * 3).plugin_bytes("guest.wasm", wasm);
        let host = host.build().await.expect("a host");
        let before = private_bytes();
        for n in 0..actors {
            let actor = name(&format!("idle/{n}"));
            host.start(ActorSpec::new(actor.clone(), plugin(of))).await.expect("it starts");
            host.call(&actor, message, CallOptions::default()).await.expect("it answers");
        }
        let each = private_bytes().saturating_sub(before) / u64::from(actors);
        host.shutdown(None).await;
        each
    })
}

fn of_each_bare(actors: u32) -> u64 {
    let runtime = one_thread();
    let bare = Bare::load(&echo("echo"), actors + 10);
    let mut live = Vec::new();
    let before = private_bytes();
    for _ in 0..actors {
        let mut instance = runtime.block_on(bare.start());
        runtime.block_on(instance.call(b"x"));
        live.push(instance);
    }
    private_bytes().saturating_sub(before) / u64::from(actors)
}

/// Memory of this process that it shares with no other.
fn private_bytes() -> u64 {
    let smaps = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let lines = smaps.lines().filter(|line| line.starts_with("Private_"));
    lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>() * 1_024
}

/// One worker, some guests in endless loops that are started again as often as their time is up, and a neighbour that is
/// asked every 2 ms from outside.
pub(crate) fn neighbours(run: &Run) -> Vec<Figure> {
    let alone = wait_beside(run, 0);
    let beside = |loops| {
        let figure = Figure::of(format!("neighbours/{loops}-endless"), &wait_beside(run, loops));
        figure.above("the same neighbour alone", &alone)
    };
    [4, 16].map(beside).into()
}

fn wait_beside(run: &Run, loops: usize) -> Series {
    let runtime = threads(1);
    let building = Host::builder()
        .plugin_bytes("well.wasm", echo("well").build())
        .plugin_bytes("bad.wasm", endless("bad").build())
        .actor(ActorSpec::new(name("well/1"), plugin("well")));
    let limits = Limits { turn_timeout_ms: 600_000, turn_guest_ms: 600_000, ..Limits::default() };
    let building = (0..loops).fold(building, |building, n| {
        let mut spec = ActorSpec::new(name(&format!("bad/{n}")), plugin("bad"));
        spec.limits = limits.clone();
        building.actor(spec)
    });
    let host = runtime.block_on(building.build()).expect("a host");
    for n in 0..loops {
        host.cast(&name(&format!("bad/{n}")), "x", None).expect("it is taken");
    }
    let mut series = Series::new();
    let outside = one_thread();
    for _ in 0..run.rounds() {
        for _ in 0..run.times(500) {
            let began = Instant::now();
            outside.block_on(host.call(&name("well/1"), "x", CallOptions::default())).expect("it answers");
            series.add(began.elapsed());
            std::thread::sleep(Duration::from_millis(2));
        }
        series.end_round(None);
    }
    (0..loops).for_each(|n| drop(runtime.block_on(host.kill(&name(&format!("bad/{n}"))))));
    runtime.block_on(host.shutdown(Some(Duration::from_secs(5))));
    runtime.shutdown_timeout(Duration::from_secs(5));
    series
}
