//! What it gives it takes over, and it ends in time: `own-snapshots`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::Ground;
use super::super::actor::{Actor, taken_over_at};
use super::super::dice::Dice;
use super::super::fault::Fault;
use super::super::play::{Case, Start, perform};
use super::super::report::{Broken, Finding, Found};
use super::super::senders;
use super::super::turn::Turn;
use super::{alike, count};
use crate::model::{Legacy, Origin, State, StopReason};
use crate::sandbox::TurnBase;

/// Most steps before a state is taken, and before an end.
const STEPS: usize = 20;
/// What an end is given beyond its budget before it counts as late: others use the machine as well.
const GRACE: Duration = Duration::from_millis(250);
/// How long one that does not end is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// What is waited for an end without a budget.
const NO_BUDGET: Duration = Duration::from_secs(10);

/// Reasons to end, in the contract's words; the last one is of a later contract.
const REASONS: [(&str, Option<StopReason>); 7] = [
    ("shutdown", Some(StopReason::Shutdown)),
    ("upgrade", Some(StopReason::Upgrade)),
    ("restart", Some(StopReason::Restart)),
    ("normal", Some(StopReason::Normal)),
    ("passivate", Some(StopReason::Passivate)),
    ("relocate", Some(StopReason::Relocate)),
    ("a-reason-of-tomorrow", None),
];
/// Budgets in milliseconds, the tightest first: one that does not care is found out soonest there.
const BUDGETS: [Option<u64>; 4] = [Some(1), Some(100), Some(5_000), None];

pub(super) async fn look(ground: &Ground<'_>) -> Found {
    ground.first_args()?;
    let bodies = ground.needed_bodies()?;
    let mut dice = Dice::of(ground.options.seed, "own-snapshots");
    let until = ground.until(15);
    let (mut states, mut none, mut rounds) = (0, 0, 0);
    while rounds < ground.options.rounds.max(1) && (rounds == 0 || Instant::now() < until) {
        rounds += 1;
        let start = Start::with(dice.pick(&ground.args).unwrap_or(&Arc::from([])));
        let case = Case::plain(dice.run(&bodies, &senders(), STEPS));
        let origin = match dice.below(4) {
            0 => Origin::Switched,
            1 => Origin::Restored,
            2 => Origin::Checkpoint(Some(3)),
            _ => Origin::Checkpoint(None),
        };
        match taken(ground, &start, &case, origin, &bodies).await? {
            true => states += 1,
            false => none += 1,
        }
    }
    let mut notes = ends(ground, &mut dice, &bodies).await?;
    if states == 0 {
        notes.push("its `snapshot` never gave a state: whatever it holds is lost with its instance".to_owned());
    }
    if none > 0 && states > 0 {
        notes.push(format!("{none} of {rounds} times it had nothing worth keeping"));
    }
    let why = format!(
        "{} after random messages were taken over, and {} ends",
        count(states, "state"),
        REASONS.len() * BUDGETS.len()
    );
    Ok(Finding::Kept { why, notes })
}

/// Whether there was a state, and it was taken over, twice, and the heir behaved alike.
async fn taken(
    ground: &Ground<'_>,
    start: &Start,
    case: &Case,
    origin: Origin,
    bodies: &[&[u8]],
) -> Result<bool, Broken> {
    let stage = ground.stage;
    let (mut actor, lines) = played(ground, start, case).await?;
    if actor.stopped {
        return Ok(true);
    }
    let state = actor.snapshot().await.map_err(|fault| fault.breaks("after these messages").steps(lines.clone()))?;
    let Some(state) = state else { return Ok(false) };
    let now_ms = actor.world.played.now_ms();
    let mut heir = heir(ground, start, state, origin, (&lines, now_ms), "a state of its own").await?;
    let again = heir
        .snapshot()
        .await
        .map_err(|fault| fault.breaks("having taken a state of its own over").steps(lines.clone()))?;
    if let Some(again) = again {
        heir = self::heir(
            ground,
            start,
            again,
            Origin::Switched,
            (&lines, now_ms),
            "the state that it gave after it had taken over",
        )
        .await?;
    }
    match alike(stage, &mut actor, &mut heir, bodies).await {
        Ok(None) => Ok(true),
        Ok(Some((said, words))) => {
            let steps = lines.into_iter().chain(["(handed over, twice)".to_owned()]).chain(said).collect();
            let why = format!("the one that took over twice {words}");
            Err(Broken::new(why)
                .steps(steps)
                .advice("put all that `handle` uses into the state, and take all of it back in `continue`"))
        }
        Err(fault) => Err(fault.breaks("after it had been handed over").steps(lines)),
    }
}

/// An actor after these steps.
async fn played<'a>(ground: &Ground<'a>, start: &Start, case: &Case) -> Result<(Actor<'a>, Vec<String>), Broken> {
    let mut actor = Actor::begin(ground.stage, &start.args, None, 0).await?;
    let mut lines = Vec::new();
    for step in &case.steps {
        if actor.stopped {
            break;
        }
        let (turns, came) = perform(&mut actor, step).await;
        lines.extend(turns.iter().map(Turn::line));
        if let Err(fault) = came {
            lines.push(step.words());
            return Err(fault.breaks("at the last of these messages").steps(lines));
        }
    }
    Ok((actor, lines))
}

async fn heir<'a>(
    ground: &Ground<'a>,
    start: &Start,
    state: State,
    origin: Origin,
    (lines, now_ms): (&[String], u64),
    what: &str,
) -> Result<Actor<'a>, Broken> {
    let told = format!("given {what} ({} bytes, origin {origin:?})", state.data.len());
    let taken = taken_over_at(ground.stage, &start.args, state, origin, now_ms).await;
    let taken = taken.and_then(|taken| taken.map_err(Fault::Refused));
    taken.map_err(|fault| fault.breaks(&told).steps(lines.to_vec()))
}

/// Every reason to end, with every budget.
async fn ends(ground: &Ground<'_>, dice: &mut Dice, bodies: &[&[u8]]) -> Result<Vec<String>, Broken> {
    let mut notes = Vec::new();
    for budget in BUDGETS {
        for (word, reason) in &REASONS {
            let start = Start::with(dice.pick(&ground.args).unwrap_or(&Arc::from([])));
            let case = Case::plain(dice.run(bodies, &senders(), STEPS));
            let (mut actor, lines) = played(ground, &start, &case).await?;
            if !actor.trap_exit {
                return Ok(vec!["`init` says that it does not trap exits: its `terminate` is never called".to_owned()]);
            }
            let legacy = match end(&mut actor, word, budget).await {
                Ok(legacy) => legacy,
                // Once may have been the machine's fault.
                Err(Late::Slow(_)) => {
                    let (mut actor, _) = played(ground, &start, &case).await?;
                    end(&mut actor, word, budget).await.map_err(|late| late.breaks(word, budget, &lines))?
                }
                Err(late) => return Err(late.breaks(word, budget, &lines)),
            };
            match legacy {
                Some(Legacy::Save(state)) => {
                    let state = ground
                        .stage
                        .check(state)
                        .map_err(|fault| fault.breaks("told to terminate").steps(lines.clone()))?;
                    let now_ms = actor.world.played.now_ms();
                    let origin = reason.clone().map_or(Origin::Restored, Origin::Terminated);
                    heir(
                        ground,
                        &start,
                        state,
                        origin,
                        (&lines, now_ms),
                        &format!("what its `terminate` ({word}) left"),
                    )
                    .await?;
                }
                Some(Legacy::Forget) => {
                    let note = format!("its `terminate` ({word}) has its state erased");
                    if !notes.contains(&note) {
                        notes.push(note);
                    }
                }
                Some(Legacy::Keep) | None => {}
            }
        }
    }
    Ok(notes)
}

/// What is wrong with an end.
enum Late {
    Slow(Duration),
    Broken(Broken),
}

impl Late {
    fn breaks(self, reason: &str, budget: Option<u64>, lines: &[String]) -> Broken {
        let told = budget.map_or("without a limit".to_owned(), |ms| format!("with {ms} ms left"));
        let broken = match self {
            Self::Slow(took) => Broken::new(format!(
                "told to terminate ({reason}) {told}, it took {} ms or more", took.as_millis()
            ))
            .advice("look at the budget in `terminate`, and save what there is in that time; past it the host ends the instance, and what it would have saved is lost"),
            Self::Broken(broken) => {
                Broken { why: format!("told to terminate ({reason}) {told}, {}", broken.why), ..broken }
            }
        };
        broken.steps(lines.to_vec())
    }
}

/// One end. None: it failed, with no time to do better.
async fn end(actor: &mut Actor<'_>, reason: &str, budget: Option<u64>) -> Result<Option<Legacy>, Late> {
    let told = budget.map(Duration::from_millis);
    let within = told.map_or(NO_BUDGET, |told| told + PATIENCE);
    let began = Instant::now();
    let answer = actor.guest.terminate_watched(reason, told, within, TurnBase::outside()).await;
    let took = began.elapsed();
    if took > told.map_or(NO_BUDGET, |told| told + GRACE) {
        return Err(Late::Slow(took));
    }
    let answer = answer.map_err(|crash| Late::Broken(Fault::crash(crash, &actor.world).into()))?;
    match answer {
        Ok(legacy) => Ok(Some(legacy)),
        Err(_) if budget == Some(1) => Ok(None),
        Err(failure) => Err(Late::Broken(Fault::Failed { during: "terminate", failure }.into())),
    }
}
