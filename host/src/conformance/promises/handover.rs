//! Nobody notices that it was handed over: `handover`, the heart of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::Ground;
use super::super::actor::{Kind, Stage};
use super::super::dice::{Dice, STEPS};
use super::super::fault::Fault;
use super::super::media::Media;
use super::super::play::{Case, Seen, Start, play};
use super::super::replay;
use super::super::report::{Broken, Finding, Found};
use super::super::script::Step;
use super::super::senders;
use super::super::shrink::shrink;
use super::super::turn::{self, Turn};
use super::count;

/// How long a failing run is made smaller.
const SHRINKING: Duration = Duration::from_secs(10);

pub(super) async fn look(ground: &Ground<'_>) -> Found {
    ground.first_args()?;
    let bodies = ground.needed_bodies()?;
    let mut dice = Dice::of(ground.options.seed, "handover");
    let until = ground.until(50);
    let (mut runs, mut messages, mut handovers) = (0, 0, 0);
    while runs < ground.options.rounds.max(1) && (runs == 0 || Instant::now() < until) {
        let start = Start::with(dice.pick(&ground.args).unwrap_or(&Arc::from([])));
        // Short ones first: most of what is wrong shows in a few messages.
        let steps = dice.run(&bodies, &senders(), (3 + 2 * runs).min(STEPS));
        messages += steps.len();
        for case in cases(&mut dice, &steps) {
            handovers += case.handovers.len();
            if let Some(trouble) = differs(ground.stage, &start, &case).await {
                return Err(smallest(ground, &start, case, trouble).await);
            }
            if runs > 0 && Instant::now() >= until {
                break;
            }
        }
        runs += 1;
    }
    let (messages, handovers) = (messages.to_string() + " messages and pauses", count(handovers, "time"));
    let why = format!("{} of {messages} together, handed over {handovers}", count(runs, "run"));
    Ok(Finding::kept(why))
}

/// The same steps, handed over in every way.
fn cases(dice: &mut Dice, steps: &[Step]) -> Vec<Case> {
    let mut here_and_there = Case::plain(steps.to_vec());
    for at in 0..steps.len() {
        if dice.one_in(4) {
            here_and_there.handovers.insert(at, if dice.one_in(2) { Kind::Snapshot } else { Kind::Terminate });
        }
    }
    // The look comes first: a snapshot that changes something would be blamed on the handover.
    vec![
        Case::everywhere(steps, Kind::Look),
        Case::everywhere(steps, Kind::Snapshot),
        Case::everywhere(steps, Kind::Terminate),
        here_and_there,
    ]
}

/// What is wrong with a case, and at which of its steps.
#[derive(Debug)]
struct Trouble {
    at: usize,
    what: What,
    control: Seen,
    seen: Seen,
}

#[derive(Debug)]
enum What {
    /// Words that go on after "the one that was handed over".
    Differs(String),
    /// The one that lived on did not live on.
    Control(Fault),
    /// It could not be handed over, or fell over afterwards.
    Fault(Fault, bool),
}

async fn differs(stage: &Stage, start: &Start, case: &Case) -> Option<Trouble> {
    let mut control = play(stage, start, &Case::plain(case.steps.clone())).await;
    if let Some((fault, _)) = control.fault.take() {
        let at = control.turns.len().saturating_sub(1);
        return Some(Trouble { at, what: What::Control(fault), control, seen: Seen::default() });
    }
    let mut seen = play(stage, start, case).await;
    let (at, what) = match difference(stage.media, &control, &seen) {
        Some((at, words)) => (at, What::Differs(words)),
        None => {
            let (fault, at_handover) = seen.fault.take()?;
            let at = if at_handover { seen.turns.len() } else { seen.turns.len().saturating_sub(1) };
            (at, What::Fault(fault, at_handover))
        }
    };
    Some(Trouble { at, what, control, seen })
}

/// The first step at which two runs differ; where one ended early, only what both have is compared.
fn difference(media: Media, control: &Seen, seen: &Seen) -> Option<(usize, String)> {
    let steps = control.turns.iter().zip(&seen.turns).enumerate();
    for (at, (expected, found)) in steps {
        for (one, other) in expected.iter().zip(found) {
            if let Some(words) = turn::difference(media, one, other) {
                return Some((at, words));
            }
        }
        // A fault is told by itself.
        if expected.len() != found.len() && !(seen.fault.is_some() && at + 1 == seen.turns.len()) {
            let told = |turns: &[Turn]| match turns.get(expected.len().min(found.len())) {
                Some(turn) => format!("was told `{}`", turn.said),
                None => "was told nothing more".to_owned(),
            };
            return Some((at, format!("{} where the one that lived on {}", told(found), told(expected))));
        }
    }
    None
}

/// The same trouble with fewer messages and one handover, in words.
async fn smallest(ground: &Ground<'_>, start: &Start, case: Case, trouble: Trouble) -> Broken {
    let stage = ground.stage;
    let until = Instant::now() + SHRINKING;
    let mut first = case;
    first.steps.truncate(trouble.at + 1);
    let handed_over = !matches!(trouble.what, What::Control(_));
    first.handovers.retain(|at, _| handed_over && *at <= trouble.at);
    let still = async |case: &Case| {
        // Something else that goes wrong is not the same failure made smaller.
        let found = differs(stage, start, case).await?;
        (std::mem::discriminant(&found.what) == std::mem::discriminant(&trouble.what)).then_some(found)
    };
    let (case, trouble) = match still(&first).await {
        Some(found) => shrink(first, found, until, still).await,
        None => (first, trouble),
    };
    let script = match trouble.what {
        What::Differs(_) => replay::script(stage.media, args_file(ground, start), &case, &trouble.control),
        What::Control(_) | What::Fault(..) => None,
    };
    Broken { script: script.map(Box::new), ..told(stage, start, &case, trouble).await }
}

/// The file of the arguments that it was started with; none: it was started without any.
fn args_file<'a>(ground: &'a Ground<'_>, start: &Start) -> Option<&'a str> {
    if start.args.is_empty() {
        return None;
    }
    let file = ground.fixtures.args.iter().find(|file| *file.bytes == *start.args);
    file.map(|file| file.name.trim_start_matches("args/"))
}

async fn told(stage: &Stage, start: &Start, case: &Case, trouble: Trouble) -> Broken {
    let steps = steps(case, &trouble);
    let broken = match trouble.what {
        What::Control(fault) => fault.breaks("at the last of these messages, without any handover"),
        What::Fault(fault, true) => fault.breaks("when it was to be handed over after these messages"),
        What::Fault(fault, false) => fault.breaks("after it had been handed over, at the last of these messages"),
        What::Differs(words) => {
            let looked = case.handovers.values().all(|kind| *kind == Kind::Look);
            let who = if looked { "the one whose state was looked at" } else { "the one that was handed over" };
            let advice = advice(stage, start, case, &trouble.control, &trouble.seen).await;
            Broken::new(format!("{who} {words}")).advice(advice)
        }
    };
    broken.steps(steps)
}

/// Why it may differ.
async fn advice(stage: &Stage, start: &Start, case: &Case, control: &Seen, seen: &Seen) -> String {
    let kinds: Vec<_> = case.handovers.values().collect();
    if kinds.iter().all(|kind| **kind == Kind::Look) {
        return "`snapshot` is a look at the state: it may not change anything".to_owned();
    }
    if let Some(name) = seen.renewed.first() {
        return format!(
            "its `continue` set the timer {name:?} anew: timers are kept over a handover, so set them only where nothing was there to take over (`started`)"
        );
    }
    // The same without a handover, chance at the start being another: does it differ as well?
    let twin = Start { salt: 1, ..start.clone() };
    let twin = play(stage, &twin, &Case::plain(case.steps.clone())).await;
    if difference(stage.media, control, &twin).is_some() {
        return "it differs without a handover, too, if only chance at its start is another: what was drawn then belongs into the state; and an order that is left to chance, as that of a map's entries may be, has to be made one (sort before you send or answer)".to_owned();
    }
    let by = if kinds.iter().all(|kind| **kind == Kind::Terminate) { "terminate" } else { "snapshot" };
    format!(
        "something that `handle` uses is not in the state that `{by}` gives, is not taken back by `continue`, or is made anew at a start (a time, a counter, a cache that is never filled)"
    )
}

/// The messages, what was answered, and where it was handed over.
fn steps(case: &Case, trouble: &Trouble) -> Vec<String> {
    let mut out = Vec::new();
    let handed = |at: usize| {
        case.handovers.get(&at).map(|kind| match kind {
            Kind::Snapshot => "(handed over here: `snapshot`, then a new instance)",
            Kind::Terminate => "(handed over here: `terminate`, then a new instance)",
            Kind::Look => "(its state is looked at here: `snapshot`, and the instance lives on)",
        })
    };
    let played = if matches!(trouble.what, What::Control(_)) { &trouble.control } else { &trouble.seen };
    for (at, step) in case.steps.iter().enumerate().take(trouble.at + 1) {
        out.extend(handed(at).map(str::to_owned));
        match played.turns.get(at) {
            Some(turns) if !turns.is_empty() => {
                if let Step::Advance(ms) = step {
                    out.push(format!("{ms} ms pass"));
                }
                out.extend(turns.iter().map(Turn::line));
            }
            _ => out.push(step.words()),
        }
    }
    let last = trouble.control.turns.get(trouble.at).filter(|_| matches!(trouble.what, What::Differs(_)));
    if let Some(last) = last.and_then(|turns| turns.last()) {
        out.push(format!("(the one that lived on: {})", last.line()));
    }
    out
}
