//! What a language costs: the same counter in each, measured through a host. Run by `cargo xtask bench languages`, which
//! prints the table of the book's page "Which language".

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use baton_host::{ActorName, ActorSpec, CallOptions, Host, PluginName};

/// Actors that are started, and measured together.
const ACTORS: usize = 200;
/// Calls of one actor, one after the other, after a tenth as many to warm up.
const CALLS: usize = 5_000;
/// Times that an actor is stopped with its state, and started again with it.
const HANDOVERS: usize = 50;

/// A counter, in the words of the table.
struct Language {
    name: &'static str,
    file: &'static str,
}

const LANGUAGES: [Language; 7] = [
    Language { name: "AssemblyScript", file: "counter-assemblyscript" },
    Language { name: "C", file: "counter-c" },
    Language { name: "Zig", file: "counter-zig" },
    Language { name: "Rust", file: "counter" },
    Language { name: "JavaScript", file: "counter-javascript" },
    Language { name: "Go", file: "counter-go" },
    Language { name: "Python", file: "counter-python" },
];

/// What one language came to.
struct Figures {
    bytes: usize,
    compile: Duration,
    load: Duration,
    start: Duration,
    memory_bytes: u64,
    call: (Duration, Duration),
    handover: Duration,
}

#[tokio::main]
async fn main() {
    let guests = std::env::var_os("BATON_GUESTS").map_or_else(|| "target/guests/out".into(), PathBuf::from);
    println!(
        "| language | component | compiled in | loaded in | an actor started in | memory of an idle actor | a call, median | at 99 % | stopped and started again with its state |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for Language { name, file } in LANGUAGES {
        let wasm = guests.join(format!("{file}.wasm"));
        if !wasm.is_file() {
            println!("| {name} | not built: `cargo xtask guests` |");
            continue;
        }
        let Figures { bytes, compile, load, start, memory_bytes, call, handover } = measure(&wasm).await;
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |",
            size(bytes as u64),
            time(compile),
            time(load),
            time(start),
            size(memory_bytes),
            time(call.0),
            time(call.1),
            time(handover)
        );
    }
}

async fn measure(wasm: &Path) -> Figures {
    let bytes = fs::read(wasm).expect("it was there");
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let cache = dir.path().join("code");
    let build = || async {
        let began = Instant::now();
        let host = Host::builder().instances(1_000).code_cache(&cache).plugin_file(wasm).build().await;
        (host.expect("it is a plugin"), began.elapsed())
    };
    let (host, compile) = build().await;
    host.shutdown(None).await;
    let (host, load) = build().await;

    let before = private_bytes();
    let began = Instant::now();
    for number in 0..ACTORS {
        let name: ActorName = format!("counter/{number}").parse().expect("is a name");
        let plugin: PluginName = "counter".parse().expect("is a name");
        host.start(ActorSpec::new(name.clone(), plugin)).await.expect("it starts");
        // It is idle, and past `continue`, once it has answered.
        ask(&host, &name, r#"{"add":1}"#).await;
    }
    let start = began.elapsed() / u32::try_from(ACTORS).expect("few");
    let memory_bytes = private_bytes().saturating_sub(before) / ACTORS as u64;

    let name: ActorName = "counter/0".parse().expect("is a name");
    let mut times = Vec::with_capacity(CALLS);
    for round in 0..CALLS + CALLS / 10 {
        let began = Instant::now();
        ask(&host, &name, r#"{"add":1}"#).await;
        if round >= CALLS / 10 {
            times.push(began.elapsed());
        }
    }
    times.sort_unstable();
    let call = (times[CALLS / 2], times[CALLS * 99 / 100]);

    let mut handovers = Vec::with_capacity(HANDOVERS);
    for _ in 0..HANDOVERS {
        let began = Instant::now();
        host.restart(&name).await.expect("it is started again");
        ask(&host, &name, r#""get""#).await;
        handovers.push(began.elapsed());
    }
    handovers.sort_unstable();
    host.shutdown(None).await;
    Figures { bytes: bytes.len(), compile, load, start, memory_bytes, call, handover: handovers[HANDOVERS / 2] }
}

async fn ask(host: &Host, actor: &ActorName, message: &'static str) {
    host.call(actor, message, CallOptions::default()).await.expect("it answers");
}

/// Memory of this process that it shares with no other.
fn private_bytes() -> u64 {
    let smaps = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let lines = smaps.lines().filter(|line| line.starts_with("Private_"));
    let numbers = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    numbers.sum::<u64>() * 1_024
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        10_240..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

fn time(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    match micros {
        ..100.0 => format!("{micros:.1} µs"),
        ..1_000.0 => format!("{micros:.0} µs"),
        ..100_000.0 => format!("{:.1} ms", micros / 1e3),
        _ => format!("{:.1} s", micros / 1e6),
    }
}
