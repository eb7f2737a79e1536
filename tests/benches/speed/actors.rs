//! Actors: starting them, starting them again with their states, handing 10,000 over, swapping 10,000 under load, and the
//! first replies of a host.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use baton_host::swap::{Batch, SwapOptions, SwapOutcome, SwapSource};
use baton_host::{ActorName, ActorSpec, CallOptions, Host, HostBuilder, Pattern, Template};
use tokio::task::JoinSet;

use crate::bare::Bare;
use crate::calls::{one_thread, threads};
use crate::guests::{component, echo, keeper};
use crate::measure::{Figure, Series};
use crate::{Run, name, plugin};

/// Actors of the large runs.
const CROWD: usize = 10_000;
/// Callers that wait for answers at the same time.
const CALLERS: usize = 64;

/// Starts, with the state in memory and the code compiled; beside it instances on wasmtime alone.
pub(crate) fn starts(run: &Run) -> Vec<Figure> {
    let actors = 2_000;
    let (mut own, mut floor) = (Series::new(), Series::new());
    for round in 0..run.rounds() + 1 {
        let runtime = one_thread();
        let mut discarded = (Series::new(), Series::new());
        let (own, floor) = if round == 0 { (&mut discarded.0, &mut discarded.1) } else { (&mut own, &mut floor) };
        {
            let bare = Bare::load(&echo("echo"), actors + 10);
            let mut live = Vec::new();
            floor.round_of(actors as usize, |_| live.push(runtime.block_on(bare.start())));
        }
        let building = Host::builder().instances(actors + 10).plugin_bytes("echo.wasm", echo("echo").build());
        let host = runtime.block_on(building.build()).expect("a host");
        let specs: Vec<_> = (0..actors).map(|n| ActorSpec::new(name(&format!("echo/{n}")), plugin("echo"))).collect();
        runtime.block_on(async {
            let began = Instant::now();
            for spec in specs {
                let began = Instant::now();
                host.start(spec).await.expect("it starts");
                own.add(began.elapsed());
            }
            own.end_round(Some(began.elapsed()));
        });
        runtime.block_on(host.shutdown(None));
    }
    vec![Figure::of("start", &own).above("instance and `init` on wasmtime alone", &floor)]
}

/// One actor with a state of 1 KiB in sled: stopped, its state synced, started again, its first reply.
pub(crate) fn restarts(run: &Run) -> Vec<Figure> {
    let runtime = one_thread();
    let dir = run.dir("restart");
    let host = runtime.block_on(building(&dir, 1).build()).expect("a host");
    let actor = name("keeper/0");
    runtime.block_on(host.call(&actor, "x", CallOptions::default())).expect("its first message starts it");
    let mut own = Series::new();
    let mut floor = Series::new();
    let mut disk = crate::stores::BareFile::create(&run.dir("restart-floor"));
    for round in 0..run.rounds() + 1 {
        let times = run.times(400);
        let mut discarded = (Series::new(), Series::new());
        let (own, floor) = if round == 0 { (&mut discarded.0, &mut discarded.1) } else { (&mut own, &mut floor) };
        floor.round_of(times, |_| disk.append(1_024));
        own.round_of(times, |_| {
            runtime.block_on(async {
                host.restart(&actor).await.expect("it is started again");
                host.call(&actor, "x", CallOptions::default()).await.expect("it answers");
            });
        });
    }
    runtime.block_on(host.shutdown(None));
    vec![Figure::of("restart/1-KiB", &own).above("1 KiB appended to a file and synced", &floor)]
}

/// 10,000 actors with 1 KiB of state each, all bytes synced: from the word to stop until all serve again, in a new host.
pub(crate) fn handoff(run: &Run) -> Vec<Figure> {
    let [mut whole, mut stop, mut first, mut all] = std::array::from_fn(|_| Series::new());
    let [mut start_first, mut floor] = std::array::from_fn(|_| Series::new());
    for round in 0..run.large_rounds() {
        let bare = run.dir(&format!("handoff-floor-{round}"));
        floor.round_of(1, |_| crate::stores::sled_alone(&bare, CROWD, 1_024));
        let dir = run.dir(&format!("handoff-{round}"));
        let runtime = threads(2);
        let host = runtime.block_on(building(&dir, CROWD).build()).expect("a host");
        runtime.block_on(everyone_answers(&host));
        let began = Instant::now();
        let report = runtime.block_on(host.shutdown(None));
        assert!(report.all_saved(), "{:?}", report.trouble);
        drop(host);
        stop.add(began.elapsed());
        let again = Instant::now();
        let host = runtime.block_on(building(&dir, CROWD).build()).expect("a host");
        let answered = runtime.block_on(host.call(&name("keeper/0"), "x", CallOptions::default())).expect("it answers");
        assert_eq!(answered[..], 2_u32.to_le_bytes(), "its state was handed over");
        first.add(began.elapsed());
        start_first.add(again.elapsed());
        runtime.block_on(everyone_answers(&host));
        whole.add(began.elapsed());
        all.add(again.elapsed());
        runtime.block_on(host.shutdown(None));
        for series in [&mut whole, &mut stop, &mut first, &mut all, &mut start_first] {
            series.end_round(None);
        }
    }
    vec![
        Figure::of("handoff/all-serve", &whole).above("10,000 puts of 1 KiB into sled alone, 64 for each sync", &floor),
        Figure::of("handoff/stopped", &stop),
        Figure::of("handoff/first-reply", &first),
        Figure::of("start-up/first-reply", &start_first),
        Figure::of("start-up/all-serve", &all),
    ]
}

/// Actors of a template, each of which its first message starts: those that are listed one by one also end one by one.
pub(crate) fn building(dir: &Path, actors: usize) -> HostBuilder {
    let room = u32::try_from(actors).expect("few") + 10;
    let keepers = Pattern::new("keeper/*").expect("a pattern");
    Host::builder()
        .instances(room)
        .data_dir(dir)
        .plugin_bytes("keeper.wasm", component(&keeper("keeper", "1.0.0")))
        .template(Template::new(keepers, plugin("keeper")))
}

/// Each of them answers once, 64 at the same time.
async fn everyone_answers(host: &Host) {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let host = host.clone();
        callers.spawn(async move {
            for n in (caller..CROWD).step_by(CALLERS) {
                host.call(&name(&format!("keeper/{n}")), "x", CallOptions::default()).await.expect("it answers");
            }
        });
    }
    while let Some(ended) = callers.join_next().await {
        ended.expect("it ends");
    }
}

/// 10,000 actors, each with 1 KiB of state in sled, switched to another version while four callers go on asking.
pub(crate) fn swap(run: &Run) -> Vec<Figure> {
    let [mut whole, mut pause, mut waits] = std::array::from_fn(|_| Series::new());
    let dir = run.dir("swap");
    let runtime = threads(2);
    let host = runtime.block_on(building(&dir, CROWD).build()).expect("a host");
    runtime.block_on(everyone_answers(&host));
    for round in 0..run.large_rounds() {
        let ends = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..4).map(|caller| runtime.spawn(ask_on(host.clone(), caller, ends.clone()))).collect();
        let version = format!("1.0.{}", round + 1);
        let source = SwapSource::Bytes("newer.wasm".into(), component(&keeper("keeper", &version)));
        let report = runtime.block_on(async {
            let began = Instant::now();
            let swap = host.swap(&plugin("keeper"), source, at_once()).await.expect("it begins");
            let report = swap.ended().await.expect("it ends");
            whole.add(began.elapsed());
            report
        });
        assert_eq!(report.outcome, SwapOutcome::Done, "{report:?}");
        ends.store(true, Ordering::Relaxed);
        for caller in callers {
            waits.merge(&runtime.block_on(caller).expect("it ends"));
        }
        pause.count(report.pause_p99_us * 1_000);
        for series in [&mut whole, &mut pause, &mut waits] {
            series.end_round(None);
        }
    }
    runtime.block_on(host.shutdown(None));
    vec![
        Figure::of("swap/all", &whole),
        Figure::of("swap/pause-of-99-%", &pause),
        Figure::of("swap/wait-of-callers", &waits),
    ]
}

fn at_once() -> SwapOptions {
    let mut options = SwapOptions::default();
    (options.rehearsal, options.watch, options.batch) = (None, Duration::ZERO, Batch::Percent(100));
    options
}

/// Asks actors all over the crowd until told to end: how long each answer took.
async fn ask_on(host: Host, caller: usize, ends: Arc<AtomicBool>) -> Series {
    let names: Vec<ActorName> = (0..CROWD).map(|n| name(&format!("keeper/{n}"))).collect();
    let mut series = Series::new();
    let mut at = caller;
    while !ends.load(Ordering::Relaxed) {
        at = (at + 7_919) % CROWD;
        let began = Instant::now();
        host.call(&names[at], "x", CallOptions::default()).await.expect("it answers");
        series.add(began.elapsed());
        // Not all the time: a processor that is always taken says nothing of a pause.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    series
}
