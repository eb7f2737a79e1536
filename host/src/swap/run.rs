//! The course of one swap: check, rehearse, switch in batches, watch, and back where that is called for. It carries out what
//! `rollout` decides.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::one::{One, Wish, one};
use super::options::{MOST_AT_ONCE, OnFailure, SwapOptions};
use super::rehearse::rehearse;
use super::report::{
    LISTED, Remarks, SwapEvent, SwapEventKind, SwapFailure, SwapOutcome, SwapPhase, SwapReport, SwapStatus,
};
use super::rollout::{Verdict, batches, percentiles, verdict};
use super::survey::{Survey, survey};
use super::traced::Traced;
use super::{Control, Ground};
use crate::actor::Cell;
use crate::events::{About, EventDetail};
use crate::model::{ActorName, Digest, HostError, Part, PluginName};
use crate::sandbox::Program;
use crate::store::now_ms;

/// How often actors are looked for that came meanwhile.
const ROUNDS: usize = 3;

/// One swap on its way.
pub(super) struct Swap {
    pub(super) ground: Ground,
    pub(super) plugin: PluginName,
    pub(super) from: Program,
    pub(super) to: Program,
    pub(super) options: SwapOptions,
    /// Whether it leads back to what ran before.
    pub(super) back: bool,
    pub(super) status: watch::Sender<SwapStatus>,
    pub(super) events: broadcast::Sender<SwapEvent>,
    pub(super) control: watch::Receiver<Control>,
    pub(super) closed: watch::Receiver<bool>,
    pub(super) traced: Traced,
}

/// What has come of it so far.
#[derive(Default)]
struct Tally {
    switched: usize,
    later: usize,
    failed: usize,
    failures: Vec<SwapFailure>,
    /// All that failed, on the way there or back.
    tried: HashSet<ActorName>,
    /// What those ran before that ran neither version: an earlier swap had left them out.
    others: HashMap<ActorName, Program>,
    pauses_us: Vec<u64>,
    went_back: usize,
    stay: Remarks,
    lost: Remarks,
    /// Faults of the new version that there were before.
    faults_before: u64,
    took: Duration,
}

impl Tally {
    fn stays(&mut self, actor: ActorName, why: impl Into<String>) {
        self.stay.add(&actor, why);
        self.tried.insert(actor);
    }
}

/// Why a swap does not go on.
enum Halt {
    Back(String),
    Stop(String),
}

impl Swap {
    pub(super) async fn run(mut self) {
        let mut tally = Tally::default();
        let (outcome, why) = match self.prepared().await {
            Err(why) => (SwapOutcome::Refused, Some(why)),
            Ok(survey) => self.carried_out(survey, &mut tally).await,
        };
        let report = self.report(outcome, why, tally);
        let Self { ground, plugin, from, to, status, events, traced, .. } = self;
        traced.end(&report);
        // Whatever nobody runs now goes.
        drop((from, to));
        ground.catalog.sweep(&plugin);
        ground.metrics.of_plugin(&plugin).swap(report.outcome.name());
        match report.outcome {
            SwapOutcome::Done => tracing::info!(%plugin, switched = report.switched, "swapped"),
            outcome => {
                let why = report.why.as_deref().unwrap_or("");
                tracing::warn!(%plugin, %outcome, why, "the swap did not come to its end");
            }
        }
        let ended = told(&status.borrow(), Some(&report));
        ground.events.tell(About::plugin(&plugin, &status.borrow().to.version), ended);
        let (swap, kind) = (status.borrow().id, SwapEventKind::Ended { report: Box::new(report.clone()) });
        // Nobody may listen.
        drop(events.send(SwapEvent { swap, plugin, time_ms: now_ms(), kind }));
        status.send_modify(|status| {
            status.phase = SwapPhase::Ended;
            status.report = Some(report);
        });
    }

    fn tell(&self, kind: SwapEventKind) {
        let (swap, plugin) = (self.status.borrow().id, self.plugin.clone());
        // Nobody may listen.
        drop(self.events.send(SwapEvent { swap, plugin, time_ms: now_ms(), kind }));
    }

    /// That the new version is loaded.
    pub(super) fn told_of(&self, to: super::VersionInfo) {
        self.tell(SwapEventKind::Staged { to });
    }

    fn enter(&mut self, phase: SwapPhase) {
        self.traced.enter(phase);
        self.status.send_modify(|status| status.phase = phase);
        self.tell_all(None);
    }

    /// Tells those who listen to all that happens where it stands, and why.
    fn tell_all(&self, why: Option<&str>) {
        let mut detail = told(&self.status.borrow(), None);
        if let EventDetail::Swap { why: told, .. } = &mut detail {
            *told = why.map(str::to_owned);
        }
        self.ground.events.tell(About::plugin(&self.plugin, &self.to.description().version), detail);
    }

    fn count_to(&self, total: usize) {
        self.status.send_modify(|status| (status.total, status.done) = (total, 0));
    }

    /// Looks at all states and tries them, before anything is touched. An error says why the swap does not begin.
    async fn prepared(&mut self) -> Result<Survey, String> {
        let mut found = survey(&self.ground, (&self.from, &self.to), &self.options).await.map_err(|e| e.to_string())?;
        if let Some(within) = self.options.rehearsal {
            self.enter(SwapPhase::Rehearsing);
            found.plan.rehearsal = Some(rehearse(&self.ground, &self.to, &found, within).await);
        }
        self.tell(SwapEventKind::Checked { plan: Box::new(found.plan.clone()) });
        let rehearsed = found.plan.rehearsal.as_ref().map(|rehearsal| &rehearsal.failed);
        let failed = rehearsed.map_or(0, |failed| failed.count);
        // What goes back with a loss takes other states than these.
        let misfits = if self.back { 0 } else { found.plan.misfits.count };
        match verdict((misfits + failed) as u64, 0, &self.options) {
            Verdict::Go => Ok(found),
            Verdict::Stop | Verdict::Back => {
                let first = found.plan.misfits.first.first().or(rehearsed.and_then(|failed| failed.first.first()));
                let first = first.map(|remark| format!("; `{}`: {}", remark.actor, remark.what)).unwrap_or_default();
                Err(format!("{misfits} states do not fit, and {failed} failed in the rehearsal{first}"))
            }
        }
    }

    async fn carried_out(&mut self, mut survey: Survey, tally: &mut Tally) -> (SwapOutcome, Option<String>) {
        tally.faults_before = self.faults();
        let began = Instant::now();
        if self.back {
            survey.misfits = self.left_behind(&survey, tally);
        }
        if let Err(error) = self.begin((&self.from, &self.to), &survey.misfits).await {
            return (SwapOutcome::Refused, Some(error.to_string()));
        }
        let halted = self.rolled_out(survey, tally).await;
        tally.took = began.elapsed();
        let halted = match halted {
            Ok(()) => self.watched(tally).await,
            halted => halted,
        };
        match halted {
            Ok(()) if tally.stay.count > 0 => {
                let stay = tally.stay.count;
                (
                    SwapOutcome::HalfWay,
                    Some(format!("{stay} actors cannot go back and stay with the version that they have")),
                )
            }
            Ok(()) => match self.finish().await {
                Ok(()) => (SwapOutcome::Done, None),
                Err(error) => (SwapOutcome::Done, Some(format!("it is not noted on the disk: {error}"))),
            },
            Err(Halt::Stop(why)) => (SwapOutcome::HalfWay, Some(why)),
            // Back from a way back would lead to what was left.
            Err(Halt::Back(why)) if self.back => (SwapOutcome::HalfWay, Some(why)),
            Err(Halt::Back(why)) => self.gone_back(why, tally).await,
        }
    }

    /// Notes that the swap begins: from here on new instances run the new version.
    async fn begin(&self, (from, to): (&Program, &Program), misfits: &HashSet<ActorName>) -> Result<(), HostError> {
        let cells = self.ground.registry.all();
        let own = cells.iter().filter(|cell| cell.spec.plugin == self.plugin && cell.spec.version.is_none());
        let mut running: Vec<(ActorName, Digest)> =
            own.filter_map(|cell| Some((cell.name().clone(), cell.status().component?))).collect();
        // Those that do not fit stay where they are, awake or asleep.
        let awake: HashSet<ActorName> = running.iter().map(|(actor, _)| actor.clone()).collect();
        let asleep = misfits.iter().filter(|actor| !awake.contains(*actor));
        running.extend(
            asleep.map(|actor| (actor.clone(), self.ground.catalog.base_of(&self.plugin, actor, from.digest()))),
        );
        let (catalog, plugin) = (self.ground.catalog.clone(), self.plugin.clone());
        let (part, ways) = (self.options.part.clone(), (from.digest(), to.digest()));
        let give_up = (self.back, self.back && self.options.allow_loss);
        let begun = tokio::task::spawn_blocking(move || catalog.begin(&plugin, ways, part, give_up, running)).await;
        begun.unwrap_or_else(|error| Err(HostError::new(crate::model::ErrorCode::Swap, "it panicked").source(error)))
    }

    async fn finish(&self) -> Result<(), HostError> {
        let (catalog, plugin) = (self.ground.catalog.clone(), self.plugin.clone());
        let finished = tokio::task::spawn_blocking(move || catalog.finish(&plugin)).await;
        finished.unwrap_or_else(|error| Err(HostError::new(crate::model::ErrorCode::Swap, "it panicked").source(error)))
    }

    /// Switches all that the survey found, and those that came meanwhile.
    async fn rolled_out(&mut self, survey: Survey, tally: &mut Tally) -> Result<(), Halt> {
        let Survey { awake, misfits, .. } = survey;
        let fit = |cell: &Arc<Cell>| !misfits.contains(cell.name());
        let mut cells: Vec<Arc<Cell>> = awake.into_iter().filter(fit).collect();
        self.tell(SwapEventKind::Began { total: cells.len() });
        for _ in 0..ROUNDS {
            self.count_to(cells.len());
            self.remember(&cells, tally);
            self.in_batches(cells, tally).await?;
            cells = self.left_over(&misfits, tally);
            if cells.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Notes who runs neither of the two versions, for the way back.
    fn remember(&self, cells: &[Arc<Cell>], tally: &mut Tally) {
        let two = [self.from.digest(), self.to.digest()];
        for cell in cells {
            let other = cell.status().component.filter(|component| !two.contains(component));
            if let Some(program) = other.and_then(|other| self.ground.catalog.program(&self.plugin, other)) {
                tally.others.insert(cell.name().clone(), program);
            }
        }
    }

    /// Actors that run another version and were not tried yet.
    fn left_over(&self, misfits: &HashSet<ActorName>, tally: &Tally) -> Vec<Arc<Cell>> {
        let to = self.to.digest();
        let others = self.ground.registry.all().into_iter().filter(|cell| {
            let own = cell.spec.plugin == self.plugin && cell.spec.version.is_none();
            let elsewhere = own && cell.status().component.is_some_and(|component| component != to);
            elsewhere && self.options.part.includes(cell.name()) && !tally.tried.contains(cell.name())
        });
        others.filter(|cell| !misfits.contains(cell.name())).collect()
    }

    async fn in_batches(&mut self, cells: Vec<Arc<Cell>>, tally: &mut Tally) -> Result<(), Halt> {
        let total = cells.len();
        let names: Vec<ActorName> = cells.iter().map(|cell| cell.name().clone()).collect();
        let mut cells = cells.into_iter();
        let mut batches = batches(&names, &self.options);
        while let Some(batch) = batches.pop_front() {
            self.enter(SwapPhase::Switching);
            self.batch(cells.by_ref().take(batch.len()).collect(), tally).await;
            let done = self.status.borrow().done;
            self.tell(SwapEventKind::BatchDone { done, total });
            self.tell_all(None);
            self.judged(tally)?;
            if !batches.is_empty() && !self.options.pause.is_zero() {
                self.enter(SwapPhase::Pausing);
                self.wait(self.options.pause, tally).await?;
            }
        }
        Ok(())
    }

    fn wish(&self, to: &Program, back: bool) -> Wish {
        let SwapOptions { allow_loss, switch_timeout, .. } = self.options;
        Wish { to: to.clone(), allow_loss: back && allow_loss, back, within: switch_timeout }
    }

    async fn batch(&mut self, cells: Vec<Arc<Cell>>, tally: &mut Tally) {
        let wish = self.wish(&self.to.clone(), self.back);
        let mut failures = 0;
        self.each(cells, wish, |swap, cell, outcome| {
            if let One::Failed(not) = &outcome {
                failures += 1;
                swap.tell(SwapEventKind::NotSwitched { actor: cell.name().clone(), why: not.why.clone() });
            }
            swap.count(cell, outcome, tally);
        })
        .await;
        if failures > 0 {
            tracing::warn!(plugin = %self.plugin, failures, "actors were not switched");
        }
    }

    /// Switches so many at once, and hands over what came of each.
    async fn each(&self, cells: Vec<Arc<Cell>>, wish: Wish, mut done: impl FnMut(&Self, &Cell, One)) {
        let at_once = self.options.at_once.clamp(1, MOST_AT_ONCE);
        let mut cells = cells.into_iter();
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < at_once
                && let Some(cell) = cells.next()
            {
                let (ground, wish) = (self.ground.clone(), wish.clone());
                under_way.spawn(async move {
                    let outcome = one(&ground, &cell, &wish).await;
                    (cell, outcome)
                });
            }
            match under_way.join_next().await {
                None => break,
                Some(Ok((cell, outcome))) => {
                    done(self, &cell, outcome);
                    self.status.send_modify(|status| status.done += 1);
                }
                Some(Err(error)) => tracing::error!(%error, "switching an actor panicked"),
            }
        }
    }

    fn count(&self, cell: &Cell, outcome: One, tally: &mut Tally) {
        let actor = cell.name().clone();
        match outcome {
            One::Switched(switched) => {
                tally.switched += 1;
                tally.pauses_us.push(switched.pause_us);
                let pauses = &self.ground.metrics.of_plugin(&self.plugin).swap_pause;
                pauses.time(Duration::from_micros(switched.pause_us));
                if let Some(commits) = switched.given_up.filter(|_| self.options.allow_loss) {
                    tally.lost.add(&actor, format!("{commits} commits, and what was not committed yet"));
                }
                let (generation, pause_us) = (switched.generation, switched.pause_us);
                self.tell(SwapEventKind::Switched { actor, generation, pause_us });
            }
            One::Resumed { generation } => {
                tally.switched += 1;
                self.tell(SwapEventKind::Switched { actor, generation, pause_us: 0 });
            }
            One::There => tally.switched += 1,
            One::Later => tally.later += 1,
            One::Failed(not) => {
                tally.failed += 1;
                tally.tried.insert(actor.clone());
                if tally.failures.len() < LISTED {
                    tally.failures.push(SwapFailure { actor, step: not.step, why: not.why });
                }
            }
        }
    }

    fn faults(&self) -> u64 {
        let faults = self.ground.catalog.faults(&self.plugin, self.to.digest());
        faults.map_or(0, |faults| *faults.borrow())
    }

    /// Whether it goes on, with what has failed so far.
    fn judged(&self, tally: &Tally) -> Result<(), Halt> {
        if *self.closed.borrow() {
            return Err(Halt::Stop("the host is going down".to_owned()));
        }
        match *self.control.borrow() {
            Control::Go => {}
            Control::Stop => return Err(Halt::Stop("it was told to stop".to_owned())),
            Control::Back => return Err(Halt::Back("it was told to go back".to_owned())),
        }
        let faults = self.faults().saturating_sub(tally.faults_before);
        let why = || {
            let first = tally.failures.first().map(|failure| format!("; `{}`: {}", failure.actor, failure.why));
            let fault = self.ground.catalog.last_faults(&self.plugin, self.to.digest()).pop();
            let fault = fault.map(|fault| format!("; `{}`: {}", fault.actor, fault.what)).filter(|_| faults > 0);
            let example = first.or(fault).unwrap_or_default();
            format!("{} actors could not be switched, and the new version failed {faults} times{example}", tally.failed)
        };
        match verdict(tally.failed as u64, faults, &self.options) {
            Verdict::Go => Ok(()),
            Verdict::Stop => Err(Halt::Stop(why())),
            Verdict::Back => Err(Halt::Back(why())),
        }
    }

    /// Waits for so long, unless something comes that it has to heed.
    async fn wait(&mut self, how_long: Duration, tally: &Tally) -> Result<(), Halt> {
        let deadline = Instant::now() + how_long;
        let mut faults = self.ground.catalog.faults(&self.plugin, self.to.digest());
        loop {
            self.judged(tally)?;
            let failed = async {
                // A version that is loaded no more fails no more.
                let changed = match &mut faults {
                    Some(faults) => faults.changed().await.is_ok(),
                    None => false,
                };
                if !changed {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                _ = self.closed.changed() => {}
                _ = self.control.changed() => {}
                () = failed => {}
                () = tokio::time::sleep_until(deadline) => return self.judged(tally),
            }
        }
    }

    async fn watched(&mut self, tally: &Tally) -> Result<(), Halt> {
        let watch = self.options.watch;
        if watch.is_zero() {
            return Ok(());
        }
        self.enter(SwapPhase::Watching);
        self.tell(SwapEventKind::Watching { for_ms: u64::try_from(watch.as_millis()).unwrap_or(u64::MAX) });
        self.wait(watch, tally).await
    }

    /// Takes everyone back who was switched.
    async fn gone_back(&mut self, why: String, tally: &mut Tally) -> (SwapOutcome, Option<String>) {
        tracing::warn!(plugin = %self.plugin, why, "the swap goes back");
        self.enter(SwapPhase::GoingBack);
        self.tell(SwapEventKind::GoingBack { why: why.clone() });
        let (from, to) = (self.from.clone(), self.to.clone());
        (self.back, self.options.part) = (true, Part::All);
        tally.tried.clear();
        // Those who do not run now, and whose records the old version does not read, stay as well.
        let left = match survey(&self.ground, (&to, &from), &self.options).await {
            Ok(found) => self.left_behind(&found, tally),
            Err(error) => {
                tracing::warn!(plugin = %self.plugin, %error, "it goes back without a look at those that sleep");
                HashSet::new()
            }
        };
        if let Err(error) = self.begin((&to, &from), &left).await {
            return (SwapOutcome::HalfWay, Some(format!("{why}; and the way back could not begin: {error}")));
        }
        for _ in 0..ROUNDS {
            let cells = self.to_go_back(&to, tally);
            if cells.is_empty() {
                break;
            }
            self.count_to(cells.len());
            let before = |cell: &Arc<Cell>| tally.others.get(cell.name()).unwrap_or(&from).clone();
            let mut groups: HashMap<Digest, (Program, Vec<Arc<Cell>>)> = HashMap::new();
            for cell in cells {
                let program = before(&cell);
                groups.entry(program.digest()).or_insert_with(|| (program, Vec::new())).1.push(cell);
            }
            for (program, cells) in groups.into_values() {
                let wish = self.wish(&program, true);
                self.each(cells, wish, |swap, cell, outcome| swap.count_back(cell, outcome, &program, tally)).await;
            }
        }
        if tally.stay.count > 0 {
            let stay = tally.stay.count;
            return (
                SwapOutcome::HalfWay,
                Some(format!("{why}; {stay} actors cannot go back and stay with the new version")),
            );
        }
        match self.finish().await {
            Ok(()) => (SwapOutcome::WentBack, Some(why)),
            Err(error) => (SwapOutcome::WentBack, Some(format!("{why}; it is not noted on the disk: {error}"))),
        }
    }

    /// On the way back: those who do not run, and whose records are not for the old version's eyes, unless these may be passed
    /// over.
    fn left_behind(&self, found: &Survey, tally: &mut Tally) -> HashSet<ActorName> {
        let runs = |actor: &ActorName| {
            self.ground.registry.whereis(actor).is_some_and(|cell| cell.status().component.is_some())
        };
        let down = found.misfits.iter().filter(|actor| !self.options.allow_loss && !runs(actor));
        let left: HashSet<ActorName> = down.cloned().collect();
        let mut told: Vec<_> = left.iter().cloned().collect();
        told.sort();
        for actor in told {
            tally.stays(actor, "it does not run, and the old version does not read what it has saved (allow_loss)");
        }
        left
    }

    /// Actors that run the new version, or that it has left held.
    fn to_go_back(&self, new: &Program, tally: &Tally) -> Vec<Arc<Cell>> {
        let own = |cell: &Arc<Cell>| cell.spec.plugin == self.plugin && cell.spec.version.is_none();
        let all = self.ground.registry.all().into_iter().filter(own).filter(|cell| !tally.tried.contains(cell.name()));
        let elsewhere = |cell: &Arc<Cell>| {
            let unsettled = self.ground.catalog.is_unsettled(&self.plugin, cell.name());
            // One between two instances runs what it is to run next.
            let component = cell.status().component;
            let next = || self.ground.catalog.base_of(&self.plugin, cell.name(), new.digest());
            unsettled || component.unwrap_or_else(next) == new.digest()
        };
        all.filter(elsewhere).collect()
    }

    fn count_back(&self, cell: &Cell, outcome: One, old: &Program, tally: &mut Tally) {
        let actor = cell.name().clone();
        match outcome {
            One::Failed(not) => {
                tally.stays(actor, not.why);
                return;
            }
            One::Switched(switched) => {
                if let Some(commits) = switched.given_up.filter(|commits| *commits > 0) {
                    tally.lost.add(&actor, format!("{commits} commits, and what was not committed yet"));
                }
            }
            One::Resumed { .. } | One::There | One::Later => {}
        }
        if old.digest() != self.from.digest() {
            self.ground.catalog.stays(&self.plugin, &actor, old.digest());
        }
        tally.went_back += 1;
        self.tell(SwapEventKind::WentBack { actor });
    }

    fn report(&self, outcome: SwapOutcome, why: Option<String>, mut tally: Tally) -> SwapReport {
        let (median, p99, longest) = percentiles(&mut tally.pauses_us);
        let faults = self.faults().saturating_sub(tally.faults_before);
        let kept = usize::try_from(faults).unwrap_or(usize::MAX);
        let mut last_faults = self.ground.catalog.last_faults(&self.plugin, self.to.digest());
        last_faults.drain(..last_faults.len().saturating_sub(kept));
        SwapReport {
            outcome,
            why,
            switched: tally.switched,
            later: tally.later,
            failed: tally.failed,
            failures: tally.failures,
            faults,
            last_faults,
            went_back: tally.went_back,
            stay: tally.stay,
            lost: tally.lost,
            pause_median_us: median,
            pause_p99_us: p99,
            pause_longest_us: longest,
            took_ms: u64::try_from(tally.took.as_millis()).unwrap_or(u64::MAX),
            on_failure: if self.back { OnFailure::Stop } else { self.options.on_failure },
        }
    }
}

/// Where a swap stands, or what came of it.
fn told(status: &SwapStatus, report: Option<&SwapReport>) -> EventDetail {
    EventDetail::Swap {
        swap: status.id,
        from: status.from.version.clone(),
        to: status.to.version.clone(),
        phase: report.map_or(status.phase, |_| SwapPhase::Ended).to_string(),
        done: status.done,
        total: status.total,
        outcome: report.map(|report| report.outcome.to_string()),
        why: report.and_then(|report| report.why.clone()),
    }
}
