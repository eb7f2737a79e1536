//! A look at each promise.

mod bad_messages;
mod bad_states;
mod beginning;
mod handover;
mod schemas;
mod scripts;
mod sizes;
mod snapshots;

use std::sync::Arc;

use super::Ground;
use super::actor::{Actor, Stage};
use super::fault::Fault;
use super::play::Seen;
use super::promise::Promise;
use super::report::{Broken, Finding, Found, Outcome};
use super::turn::{self, Turn};
use crate::model::{Body, HostError, Message, Request};

pub(super) use sizes::state_after_all;

/// Messages that two instances are asked with whether they behave alike.
const PROBES: usize = 6;
/// Lines of a run that are told, the last ones.
const LINES: usize = 40;

/// Looks at one promise.
pub(super) async fn look(promise: Promise, ground: &Ground<'_>) -> Found {
    match promise {
        Promise::Description => beginning::description(ground).await,
        Promise::Init => beginning::init(ground).await,
        Promise::Fresh => beginning::fresh(ground).await,
        Promise::OwnSnapshots => snapshots::look(ground).await,
        Promise::Schemas => schemas::look(ground).await,
        Promise::BadStates => bad_states::look(ground).await,
        Promise::BadMessages => bad_messages::look(ground).await,
        Promise::Handover => handover::look(ground).await,
        Promise::Scripts => scripts::look(ground).await,
        Promise::Sizes => sizes::look(ground).await,
    }
}

/// Of a file that cannot be loaded nothing more is known.
pub(super) fn unloadable(error: &HostError, promises: &[Promise], took_ms: u64) -> Vec<Outcome> {
    let told = error.to_string();
    let cure = error.cure();
    let why = cure.and_then(|cure| told.strip_suffix(&format!(" ({cure})"))).unwrap_or(&told).to_owned();
    let not =
        |promise: &Promise| Outcome::of(*promise, Ok(Finding::NotTried("the plugin cannot be loaded".to_owned())), 0);
    let first = Broken { advice: cure.map(ToString::to_string), ..Broken::new(why) };
    let first = Outcome::of(Promise::Description, Err(first), took_ms);
    let others = promises.iter().filter(|promise| **promise != Promise::Description).map(not);
    std::iter::once(first).chain(others).collect()
}

/// Those arguments of `fixtures/args` that `init` takes; without any there, the empty ones if it takes them.
pub(super) async fn args(ground: &Ground<'_>) -> Vec<Arc<[u8]>> {
    let empty: &[u8] = &[];
    let given: Vec<&[u8]> = match ground.fixtures.args.as_slice() {
        [] => vec![empty],
        args => args.iter().map(|args| args.bytes.as_slice()).collect(),
    };
    let mut taken: Vec<Arc<[u8]>> = Vec::new();
    for args in given {
        if let Ok((Ok(_), _)) = beginning::init_with(ground.stage, args).await {
            taken.push(args.into());
        }
    }
    taken
}

/// A message from outside.
fn call(actor: &Actor<'_>, body: &[u8]) -> Message {
    Message::Call(request(actor, body))
}

fn request(actor: &Actor<'_>, body: &[u8]) -> Request {
    Request { id: actor.next_id(), sender: None, body: Body::copy_from_slice(body), sent: None }
}

/// Asks two instances the same, and says where they differ.
async fn alike(
    stage: &Stage,
    one: &mut Actor<'_>,
    other: &mut Actor<'_>,
    bodies: &[&[u8]],
) -> Result<Option<(Vec<String>, String)>, Fault> {
    other.stands_as(one);
    let mut lines = Vec::new();
    for body in bodies.iter().take(PROBES) {
        if one.stopped || other.stopped {
            break;
        }
        let message = call(one, body);
        let (expected, found) = (one.say(&message).await?, other.say(&message).await?);
        if let Some(words) = turn::difference(stage.media, &expected, &found) {
            lines.push(found.line());
            return Ok(Some((lines, words)));
        }
        lines.push(found.line());
    }
    Ok(None)
}

/// The lines of a run; where it is long, the last ones.
fn lines(seen: &Seen) -> Vec<String> {
    let mut lines: Vec<String> = seen.turns.iter().flatten().map(Turn::line).collect();
    if lines.len() > LINES {
        let left_out = lines.len() - LINES;
        lines.drain(..left_out);
        lines.insert(0, format!("({left_out} messages before)"));
    }
    lines
}

/// `1 state`, `2 states`.
fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
