//! The work whose instructions and allocations `cargo xtask count` counts: `count DIR` does each kind of it so many times, in
//! a runtime of one thread, and says on a line of its own what it did and how often. [`counts_begin_anew`] stands before and
//! after each: the host's start, and the first times that something is done, are outside.

use std::path::Path;

use baton_host::logs::Logs;
use baton_host::model::{Durability, StateRules};
use baton_host::telemetry::TRACE_TARGET;
use baton_host::{ActorName, ActorSpec, CallOptions, Host, HostBuilder, Passivation, Pattern, Template};
use baton_tests::{WatGuest, name, plugin};
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{Registry, fmt, reload};

/// A body as small messages have it.
const BODY: &[u8] = b"0123456789abcdef";
/// How often something is done before it is counted: what is made once is there then, and as many replies are remembered as
/// an actor remembers by default.
const BEFORE: u32 = 120;
/// Addresses for the guests' memories: who counts instructions has few.
const RESERVATION_BYTES: usize = 16 << 20;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [dir] = &words[..] else { panic!("count DIR, not {words:?}") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(all(Path::new(dir)));
}

async fn all(dir: &Path) {
    calls(dir).await;
    commits(dir).await;
    wakes(dir).await;
}

/// The counts begin anew here, and those before are written: it is found by its name.
#[inline(never)]
fn counts_begin_anew() {
    std::hint::black_box(());
}

async fn counted(what: &str, times: u32, mut work: impl AsyncFnMut(u32)) {
    for n in 0..BEFORE {
        work(n).await;
    }
    counts_begin_anew();
    for n in 0..times {
        work(n).await;
    }
    counts_begin_anew();
    println!("{what} {times}");
}

/// Calls of an actor whose state is kept when it stops: with nobody who listens to `tracing`, and with the log that `baton run`
/// has, at two levels.
async fn calls(dir: &Path) {
    let host = host(dir, "calls").actor(spec("a")).build().await.expect("a host");
    let actor = name("a");
    counted("call", 1_000, async |_| ask(&host, &actor).await).await;
    let logs = Logs::new();
    let level = |level: &str| EnvFilter::builder().parse(level).expect("a filter");
    let (filter, handle) = reload::Layer::new(level("warn"));
    let lines = fmt::layer().with_writer(logs.writer(std::io::sink()).expect("a thread")).with_ansi(false);
    let others = filter_fn(|meta| meta.target() != TRACE_TARGET).with_max_level_hint(LevelFilter::TRACE);
    let filter = filter.and(others);
    Registry::default().with(vec![lines.and_then(logs.layer()).with_filter(filter).boxed()]).init();
    counted("call, log at warn", 1_000, async |_| ask(&host, &actor).await).await;
    handle.reload(level("info")).expect("it is there");
    counted("call, log at info", 1_000, async |_| ask(&host, &actor).await).await;
    assert!(host.shutdown(None).await.all_saved(), "all is saved");
}

/// Calls whose state, reply included, is synced before they are answered.
async fn commits(dir: &Path) {
    let mut spec = spec("a");
    spec.state = StateRules { durability: Some(Durability::Turn), ..StateRules::default() };
    let host = host(dir, "commits").actor(spec).build().await.expect("a host");
    let actor = name("a");
    counted("commit", 300, async |_| ask(&host, &actor).await).await;
    assert!(host.shutdown(None).await.all_saved(), "all is saved");
}

/// Calls of actors that sleep, where there is room for one: each waits until the other has gone to sleep, its state synced.
async fn wakes(dir: &Path) {
    let mut rules = Passivation::default();
    (rules.max_resident, rules.least_resident) = (Some(1), std::time::Duration::ZERO);
    let template = Template::new(Pattern::new("a/*").expect("a pattern"), plugin("counted"));
    let host = host(dir, "wakes").passivation(rules).template(template).build().await.expect("a host");
    let actors = [name("a/0"), name("a/1")];
    counted("wake", 100, async |n| ask(&host, &actors[n as usize % 2]).await).await;
    assert!(host.shutdown(None).await.all_saved(), "all is saved");
}

fn host(dir: &Path, store: &str) -> HostBuilder {
    let guest = WatGuest::new("counted").build();
    let building = Host::builder().instances(1).memory_reservation_bytes(RESERVATION_BYTES);
    building.data_dir(dir.join(store)).code_cache(dir.join("code")).plugin_bytes("counted.wasm", guest)
}

fn spec(actor: &str) -> ActorSpec {
    ActorSpec::new(name(actor), plugin("counted"))
}

async fn ask(host: &Host, actor: &ActorName) {
    let reply = host.call(actor, BODY, CallOptions::default()).await.expect("it answers");
    assert_eq!(reply.len(), 4, "a count");
}
