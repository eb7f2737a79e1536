//! Actors that sleep, with 1 KiB of state each in sled: what it takes until the first of their messages is answered.

use std::time::{Duration, Instant};

use baton_host::{CallOptions, Host, Passivation};
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

pub(crate) fn wakes(run: &Run) -> Vec<Figure> {
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
            let mut callers = JoinSet::new();
            for caller in 0..CALLERS {
                let host = host.clone();
                callers.spawn(async move {
                    let mut series = Series::new();
                    for n in (caller..many).step_by(CALLERS) {
                        let began = Instant::now();
                        ask(&host, n).await;
                        series.add(began.elapsed());
                    }
                    series
                });
            }
            while let Some(ended) = callers.join_next().await {
                crowd.merge(&ended.expect("it ends"));
            }
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

async fn ask(host: &Host, n: usize) {
    host.call(&name(&format!("keeper/{n}")), "x", CallOptions::default()).await.expect("it answers");
}

/// Waits until nothing is there of any of them but its name.
async fn all_sleep(host: &Host) {
    while host.actors().iter().any(|actor| actor.name.as_str().starts_with("keeper/")) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
