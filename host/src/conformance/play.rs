//! Plays steps to an actor, with handovers where they are wanted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::actor::{Actor, Kind, Stage};
use super::fault::Fault;
use super::script::{How, Step};
use super::turn::{Done, Turn};
use crate::model::{ActorName, Body, EXIT, Message, Origin, Request, State};

/// Steps, and before which of them the actor is handed over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub(super) steps: Vec<Step>,
    pub(super) handovers: BTreeMap<usize, Kind>,
}

impl Case {
    pub(super) fn plain(steps: Vec<Step>) -> Self {
        Self { steps, handovers: BTreeMap::new() }
    }

    /// The same steps with a handover before each, the first one too.
    pub(super) fn everywhere(steps: &[Step], kind: Kind) -> Self {
        Self { steps: steps.to_vec(), handovers: (0..steps.len()).map(|at| (at, kind)).collect() }
    }
}

/// With what an actor begins.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) args: Arc<[u8]>,
    pub(super) state: Option<State>,
    /// Makes chance at the start another one.
    pub(super) salt: u64,
}

impl Start {
    pub(super) fn with(args: &Arc<[u8]>) -> Self {
        Self { args: args.clone(), state: None, salt: 0 }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What beginning brought.
    pub(super) opening: Option<Turn>,
    /// For each step that was played, what came of it.
    pub(super) turns: Vec<Vec<Turn>>,
    /// What ended it early, and whether that was at the handover before the step that did not come.
    pub(super) fault: Option<(Fault, bool)>,
    /// It asked to stop after the last of the turns.
    pub(super) stopped: bool,
    /// Timers that `continue` set at a handover.
    pub(super) renewed: Vec<String>,
}

/// Plays all of it, or as far as it goes.
pub(super) async fn play(stage: &Stage, start: &Start, case: &Case) -> Seen {
    let mut seen = Seen::default();
    let state = start.state.clone().map(|state| (state, Origin::Restored));
    let mut actor = match Actor::begin(stage, &start.args, state, start.salt).await {
        Ok(actor) => actor,
        Err(fault) => return Seen { fault: Some((fault, false)), ..seen },
    };
    seen.opening = Some(opening(&mut actor, "begin"));
    for (at, step) in case.steps.iter().enumerate() {
        if actor.stopped {
            break;
        }
        if let Some(kind) = case.handovers.get(&at) {
            if let Err(fault) = actor.hand_over(*kind).await {
                seen.fault = Some((fault, true));
                break;
            }
            // What it asks for at a handover is its own affair.
            actor.world.take_asked();
            for done in std::mem::take(&mut actor.begun) {
                if let Done::Timer { name, .. } = done {
                    seen.renewed.push(name);
                }
            }
        }
        let (turns, came) = perform(&mut actor, step).await;
        seen.turns.push(turns);
        if let Err(fault) = came {
            seen.fault = Some((fault, false));
            break;
        }
    }
    seen.stopped = actor.stopped;
    seen
}

fn opening(actor: &mut Actor<'_>, said: &str) -> Turn {
    let (asked, done) = (actor.world.take_asked(), std::mem::take(&mut actor.begun));
    Turn { said: said.to_owned(), expects_reply: false, answer: Ok(Vec::new()), asked, done }
}

/// One step: what came of it, and how it ended.
pub(super) async fn perform(actor: &mut Actor<'_>, step: &Step) -> (Vec<Turn>, Result<(), Fault>) {
    match step {
        Step::Say { how, from, body, .. } => {
            let request =
                Request { id: actor.next_id(), sender: from.clone(), body: Body::copy_from_slice(body), sent: None };
            let message = if *how == How::Call { Message::Call(request) } else { Message::Cast(request) };
            said(actor.say(&message).await)
        }
        Step::Advance(ms) => actor.advance(*ms).await,
        Step::Down(who, reason) => said(actor.say(&Message::Down(who.clone(), reason.clone())).await),
        Step::Exit(who, reason) => said(actor.say(&Message::Other(EXIT.to_owned(), exit(who, reason))).await),
        Step::Handoff(kind) => match actor.hand_over(*kind).await {
            Ok(()) => (vec![opening(actor, "handed over")], Ok(())),
            Err(fault) => (Vec::new(), Err(fault)),
        },
        Step::Answer(of, answer) => {
            actor.world.answer(of.clone(), answer.clone());
            quiet()
        }
        Step::Members(group, are) => {
            actor.world.members_are(group.clone(), are.clone());
            quiet()
        }
        Step::Supervise(may) => {
            actor.world.lets_supervise(*may);
            quiet()
        }
        Step::Sent(_) | Step::Args(_) | Step::State { .. } | Step::Stopped => quiet(),
    }
}

fn said(turn: Result<Turn, Fault>) -> (Vec<Turn>, Result<(), Fault>) {
    match turn {
        Ok(turn) => (vec![turn], Ok(())),
        Err(fault) => (Vec::new(), Err(fault)),
    }
}

fn quiet() -> (Vec<Turn>, Result<(), Fault>) {
    (Vec::new(), Ok(()))
}

/// What tells an actor of the end of one that it is linked to.
pub(super) fn exit(who: &ActorName, reason: &str) -> Body {
    Body::from(serde_json::json!({"actor": who.as_str(), "reason": reason}).to_string())
}
