//! Actors that sleep, with 1 KiB of state each in sled: what it takes until the first of their messages is answered, and what
//! more actors than instances can do.

use std::time::{Duration, Instant};

use baton_host::{CallOptions, Host, Passivation};
use baton_tests::Dice;
use tokio::task::JoinSet;

use crate::actors::building;
use crate::calls::threads;
use crate::measure::{Figure, Series};
use crate::stores::BareFile;
use crate::{Run, name};

/// Callers that wait for answers at the same time.
const CALLERS: usize = 64;
/// How long nobody may need an actor before it sleeps: longer than a round, so that none falls asleep within one.
const AFTER: Duration = Duration::from_millis(1_500);

/// Actors of whom most sleep at any time, and how many may be awake.
const NAMED: usize = 100_000;
const AWAKE: u32 = 8_000;

pub(crate) fn measure(run: &Run, missing: &mut Vec<String>) -> Vec<Figure> {
    let mut figures = wakes(run);
    figures.extend(run.is_whole(MOST, missing).then(|| zipf(run)));
    figures
}

/// The figure of those of whom most sleep.
const MOST: &str = "sleep/most-of-100000";

fn wakes(run: &Run) -> Vec<Figure> {
    let (few, many) = (run.times(400), run.times(4_000).next_multiple_of(CALLERS));
    let dir = run.dir("sleep");
    let runtime = threads(2);
    let mut rules = Passivation::default();
    (rules.after, rules.least_resident) = (Some(AFTER), Duration::ZERO);
    let host = runtime.block_on(building(&dir, many).passivation(rules).build()).expect("a host");
    let mut disk = BareFile::create(&run.dir("sleep-floor"));
    let [mut one, mut crowd, mut floor] = std::array::from_fn(|_| Series::new());
    for round in 0..=run.large_rounds() {
        let mut discarded = (Series::new(), Series::new());
        let (one, crowd) = if round == 0 { (&mut discarded.0, &mut discarded.1) } else { (&mut one, &mut crowd) };
        runtime.block_on(async {
            all_sleep(&host).await;
            let began = Instant::now();
            for n in 0..few {
                let began = Instant::now();
                ask(&host, n).await;
                one.add(began.elapsed());
            }
            one.end_round(Some(began.elapsed()));
            all_sleep(&host).await;
            let began = Instant::now();
            crowd.merge(&all_ask(&host, |caller| (caller..many).step_by(CALLERS)).await);
            crowd.end_round(Some(began.elapsed()));
        });
        if round > 0 {
            floor.round_of(few, |_| disk.append(1_024));
        }
    }
    runtime.block_on(host.shutdown(None));
    vec![
        Figure::of("wake/1-KiB", &one).above("1 KiB appended to a file and synced", &floor),
        Figure::of("wake/64-callers", &crowd),
    ]
}

/// Callers who never rest, of actors of whom a few are busy and most are not: some of their calls wake an actor, for which
/// another has to go to sleep.
fn zipf(run: &Run) -> Figure {
    let runtime = threads(2);
    let mut rules = Passivation::default();
    (rules.max_resident, rules.least_resident) = (Some(AWAKE), Duration::from_millis(50));
    let awake = usize::try_from(AWAKE).expect("few");
    let building = building(&run.dir("zipf"), awake + awake / 4).passivation(rules);
    let host = runtime.block_on(building.build()).expect("a host");
    let each = run.times(40_000) / CALLERS;
    let mut series = Series::new();
    runtime.block_on(async {
        all_ask(&host, |caller| (caller..NAMED).step_by(CALLERS)).await;
        for round in 0..=run.large_rounds() {
            let began = Instant::now();
            let seed = |caller: usize| (round * CALLERS + caller) as u64;
            let drawn = |caller| {
                let mut dice = Dice::with_seed(seed(caller));
                std::iter::repeat_with(move || dice.zipf(NAMED)).take(each)
            };
            let took = all_ask(&host, drawn).await;
            // The first round warms up.
            if round > 0 {
                series.merge(&took);
                series.end_round(Some(began.elapsed()));
            }
        }
    });
    runtime.block_on(host.shutdown(None));
    Figure::of(MOST, &series)
}

/// Each caller asks those that are its own, one after the other.
async fn all_ask<I: Iterator<Item = usize> + Send + 'static>(host: &Host, of: impl Fn(usize) -> I) -> Series {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (host, asked) = (host.clone(), of(caller));
        callers.spawn(async move {
            let mut series = Series::new();
            for n in asked {
                let began = Instant::now();
                ask(&host, n).await;
                series.add(began.elapsed());
            }
            series
        });
    }
    let mut all = Series::new();
    while let Some(ended) = callers.join_next().await {
        all.merge(&ended.expect("it ends"));
    }
    all
}

async fn ask(host: &Host, n: usize) {
    host.call(&name(&format!("keeper/{n}")), "x", CallOptions::default()).await.expect("it answers");
}

/// Waits until nothing is there of any of them but its name.
async fn all_sleep(host: &Host) {
    while host.actors().iter().any(|actor| actor.name.as_str().starts_with("keeper/")) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
