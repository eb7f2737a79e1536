//! Calls: of one caller, of many, of one over many actors; bodies from 16 bytes to 1 MiB.

use std::future::Future;
use std::time::{Duration, Instant};

use baton_host::{ActorName, ActorSpec, CallOptions, Host};
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::bare::{Bare, BareInstance, reservation};
use crate::guests::echo;
use crate::measure::{Figure, Series};
use crate::{Run, name, plugin};

/// Actors that are awake at once at most.
const CROWD: usize = 100_000;
/// What an instance has of the kernel's mappings: its memory's parts, its stack and that one's guard.
const MAPPINGS: usize = 7;
/// Callers, and actors, where many call many.
const MANY: usize = 64;

pub(crate) fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

pub(crate) fn threads(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().expect("a runtime")
}

/// A host with `actors` that echo, `echo/0` and so on, which have all answered once.
async fn host(actors: usize) -> (Host, Vec<ActorName>) {
    let names: Vec<ActorName> = (0..actors).map(|n| name(&format!("echo/{n}"))).collect();
    let room = u32::try_from(actors).expect("few") + 10;
    let mut building = Host::builder()
        .instances(room)
        .memory_reservation_bytes(reservation(room))
        .plugin_bytes("echo.wasm", echo("echo").build());
    for actor in &names {
        building = building.actor(ActorSpec::new(actor.clone(), plugin("echo")));
    }
    let host = building.build().await.expect("a host");
    for actor in &names {
        ask(&host, actor, b"hello").await;
    }
    (host, names)
}

pub(crate) async fn ask(host: &Host, actor: &ActorName, body: &'static [u8]) -> usize {
    host.call(actor, body, CallOptions::default()).await.expect("it answers").len()
}

/// As many bytes, for as long as the program runs.
pub(crate) fn body(bytes: usize) -> &'static [u8] {
    vec![b'x'; bytes].leak()
}

pub(crate) fn measure(run: &Run, missing: &mut Vec<String>) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (name, bytes, times) in
        [("16-B", 16, 20_000), ("1-KiB", 1 << 10, 20_000), ("64-KiB", 1 << 16, 4_000), ("1-MiB", 1 << 20, 300)]
    {
        figures.push(one_caller(run, &format!("call/one/{name}"), 1, body(bytes), times));
    }
    for (name, actors) in [("100", 100), ("10000", 10_000)] {
        figures.push(over(run, name, actors));
    }
    if run.is_whole("call/over/100000", missing) {
        match have_room(CROWD) {
            Ok(()) => figures.push(over(run, "100000", CROWD)),
            Err(why) => missing.push(format!("`call/over/100000`: {why}")),
        }
    }
    figures.push(many(run, "call/many/1-worker", 1));
    figures.push(many(run, "call/many/2-workers", 2));
    figures.push(across(run));
    figures.push(telling(run, "call/logging", false));
    figures.push(telling(run, "call/tracing-to-nobody", true));
    figures
}

fn over(run: &Run, name: &str, actors: usize) -> Figure {
    one_caller(run, &format!("call/over/{name}"), actors, body(16), 20_000.max(actors))
}

/// Whether the kernel lets a process have so many instances, which it does not unless told.
fn have_room(instances: usize) -> Result<(), String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let most: usize = read("/proc/sys/vm/max_map_count").trim().parse().unwrap_or(usize::MAX);
    let needed = instances * MAPPINGS;
    match most < needed {
        true => Err(format!("vm.max_map_count is {most}; `sysctl -w vm.max_map_count={needed}` makes room for them")),
        false => Ok(()),
    }
}

/// So many bare guests and so many actors have mappings enough for one process; with more they are there one after the other.
const TOGETHER: usize = 1_000;

/// One caller and all actors on one thread, in turn; beside it the bare guests, in turn as well.
fn one_caller(run: &Run, what: &str, actors: usize, body: &'static [u8], times: usize) -> Figure {
    let runtime = one_thread();
    let (mut own, mut floor) = (Series::new(), Series::new());
    let few = times.min(actors.max(2_000));
    let guests = || {
        let bare = Bare::load(&echo("echo"), u32::try_from(actors).expect("few") + 10);
        (0..actors).map(|_| runtime.block_on(bare.start())).collect::<Vec<BareInstance>>()
    };
    let ask_bare = |guests: &mut [BareInstance], series: &mut Series, times| {
        timed(&runtime, series, times, async |n| assert_eq!(guests[n % actors].call(body).await.len(), body.len()));
    };
    let ask_own = |(host, names): &(Host, Vec<ActorName>), series: &mut Series, times| {
        timed(&runtime, series, times, async |n| assert_eq!(ask(host, &names[n % actors], body).await, body.len()));
    };
    let mut bare = guests();
    // The first round of each warms up.
    ask_bare(&mut bare, &mut Series::new(), few);
    if actors > TOGETHER {
        (0..run.rounds()).for_each(|_| ask_bare(&mut bare, &mut floor, run.times(times)));
        bare = Vec::new();
    }
    let hosted = runtime.block_on(host(actors));
    ask_own(&hosted, &mut Series::new(), few);
    for _ in 0..run.rounds() {
        if actors <= TOGETHER {
            ask_bare(&mut bare, &mut floor, run.times(times));
        }
        ask_own(&hosted, &mut own, run.times(times));
    }
    runtime.block_on(hosted.0.shutdown(None));
    Figure::of(what, &own).above("the same guests on wasmtime alone", &floor)
}

/// Times each of `times` runs of `what` in one task.
fn timed(runtime: &Runtime, series: &mut Series, times: usize, mut what: impl AsyncFnMut(usize)) {
    runtime.block_on(async {
        let began = Instant::now();
        let mut before = began;
        for n in 0..times {
            what(n).await;
            let now = Instant::now();
            series.add(now - before);
            before = now;
        }
        series.end_round(Some(before - began));
    });
}

/// 64 callers, each of an actor of its own, on so many workers; beside it as many threads with bare guests.
fn many(run: &Run, what: &str, workers: usize) -> Figure {
    let runtime = threads(workers);
    let (host, names) = runtime.block_on(host(MANY));
    let bare = Bare::load(&echo("echo"), u32::try_from(workers).expect("few") + 1);
    let body = body(16);
    let (mut own, mut floor) = (Series::new(), Series::new());
    let each = run.times(2_000);
    for _ in 0..run.rounds() {
        let took = within(|| {
            let threads: Vec<_> = (0..workers)
                .map(|_| {
                    let mut instance = one_thread().block_on(bare.start());
                    std::thread::spawn(move || {
                        let mut series = Series::new();
                        timed_open(&one_thread(), &mut series, each * MANY / workers, async |_| {
                            instance.call(body).await;
                        });
                        series
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| floor.merge(&thread.join().expect("it ends")));
        });
        floor.end_round(Some(took));
        let took = within(|| {
            let callers: Vec<_> = names
                .iter()
                .map(|actor| {
                    let (host, actor) = (host.clone(), actor.clone());
                    runtime.spawn(async move {
                        let mut series = Series::new();
                        for _ in 0..each {
                            let began = Instant::now();
                            ask(&host, &actor, body).await;
                            series.add(began.elapsed());
                        }
                        series
                    })
                })
                .collect();
            for caller in callers {
                own.merge(&runtime.block_on(caller).expect("it ends"));
            }
        });
        own.end_round(Some(took));
    }
    runtime.block_on(host.shutdown(None));
    Figure::of(what, &own).above_in_number("bare guests, one on each thread, by how many in a second", &floor)
}

/// As [`timed`], with the round left open.
fn timed_open(runtime: &Runtime, series: &mut Series, times: usize, mut what: impl AsyncFnMut(usize)) {
    runtime.block_on(async {
        for n in 0..times {
            let began = Instant::now();
            what(n).await;
            series.add(began.elapsed());
        }
    });
}

/// One caller outside of the host's two workers: each call wakes another thread, and its answer this one.
fn across(run: &Run) -> Figure {
    let runtime = threads(2);
    let (host, names) = runtime.block_on(host(1));
    let body = body(16);
    let (mut own, mut floor) = (Series::new(), Series::new());
    let (there, mut asked) = tokio::sync::mpsc::channel::<tokio::sync::oneshot::Sender<()>>(1);
    runtime.spawn(async move {
        while let Some(reply) = asked.recv().await {
            reply.send(()).expect("whoever asked waits");
        }
    });
    for _ in 0..run.rounds() {
        let times = run.times(10_000);
        timed(&runtime, &mut floor, times, async |_| {
            let (reply, answer) = tokio::sync::oneshot::channel();
            there.send(reply).await.expect("it is there");
            answer.await.expect("it answers");
        });
        timed(&runtime, &mut own, times, async |_| assert_eq!(ask(&host, &names[0], body).await, body.len()));
    }
    runtime.block_on(host.shutdown(None));
    Figure::of("call/other-thread", &own).above("a channel there and one back, with no guest", &floor)
}

/// What it takes that the process logs at `info`; or that traces begin, and nobody takes them. Beside it the same host with
/// neither.
fn telling(run: &Run, what: &str, traces: bool) -> Figure {
    let runtime = one_thread();
    let (host, names) = runtime.block_on(host(1));
    let other = Host::builder().traces(traces).plugin_bytes("echo.wasm", echo("echo").build());
    let other = other.actor(ActorSpec::new(names[0].clone(), plugin("echo")));
    let other = runtime.block_on(other.build()).expect("a host");
    let body = body(16);
    let (mut own, mut floor) = (Series::new(), Series::new());
    for round in 0..run.rounds() + 1 {
        let mut discarded = (Series::new(), Series::new());
        let (own, floor) = if round == 0 { (&mut discarded.0, &mut discarded.1) } else { (&mut own, &mut floor) };
        timed(&runtime, floor, run.times(20_000), async |_| assert_eq!(ask(&host, &names[0], body).await, body.len()));
        let log = tracing_subscriber::fmt().with_env_filter("info").with_writer(std::io::sink).finish();
        let listens = log.set_default();
        timed(&runtime, own, run.times(20_000), async |_| assert_eq!(ask(&other, &names[0], body).await, body.len()));
        drop(listens);
    }
    runtime.block_on(host.shutdown(None));
    runtime.block_on(other.shutdown(None));
    Figure::of(what, &own).above("the same call with nobody who listens", &floor)
}

fn within(what: impl FnOnce()) -> Duration {
    let began = Instant::now();
    what();
    began.elapsed()
}

/// Runs to its end on one thread.
pub(crate) fn block_on<T>(what: impl Future<Output = T>) -> T {
    one_thread().block_on(what)
}
