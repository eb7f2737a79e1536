//! Its own conversations come out as written: `scripts`.

use std::sync::Arc;

use super::super::Ground;
use super::super::actor::Kind;
use super::super::fixtures::{Fixture, Fixtures};
use super::super::media::{Media, show};
use super::super::play::{Case, Seen, Start, play};
use super::super::report::{Broken, Finding, Found};
use super::super::script::{Expect, Step, parse};
use super::super::turn::{Done, Turn};
use super::beginning::init_with;
use super::{count, lines};
use crate::model::{ActorName, State};

pub(super) async fn look(ground: &Ground<'_>) -> Found {
    let scripts = &ground.fixtures.scripts;
    if scripts.is_empty() {
        let place = ground.fixtures.place("scripts");
        return Ok(Finding::NotTried(format!("there are none: put conversations into {place}, one file each")));
    }
    let args = plain_args(ground).await?;
    let mut steps = 0;
    for script in scripts {
        steps += one(ground, &args, script).await?;
    }
    Ok(Finding::kept(format!(
        "{} of {}, each plain and handed over before each step",
        count(scripts.len(), "script"),
        count(steps, "step")
    )))
}

async fn one(ground: &Ground<'_>, args: &Arc<[u8]>, script: &Fixture) -> Result<usize, Broken> {
    let media = ground.stage.media;
    let name = &script.name;
    let wrong = |why: String| Broken::new(format!("{name} cannot be played: {why}")).advice("correct the script");
    let steps = parse(&script.bytes, media).map_err(wrong)?;
    let state = first_state(&steps, ground.fixtures).map_err(wrong)?;
    let args = first_args(&steps, ground.fixtures).map_err(wrong)?.unwrap_or_else(|| args.clone());
    let start = Start { state, ..Start::with(&args) };
    let ways = [
        (Case::plain(steps.clone()), ""),
        (Case::everywhere(&steps, Kind::Snapshot), ", handed over before each step (`snapshot`, then a new instance)"),
        (
            Case::everywhere(&steps, Kind::Terminate),
            ", handed over before each step (`terminate`, then a new instance)",
        ),
    ];
    for (case, how) in ways {
        let seen = play(ground.stage, &start, &case).await;
        if let Err((at, why)) = check(media, &steps, &seen) {
            let advice = match how.is_empty() {
                true => "the plugin or the script is wrong",
                false => "it came out as written without handovers: something that `handle` uses is not in the state",
            };
            let why = format!("{name}, step {}{how}: {why}", at + 1);
            return Err(Broken::new(why).steps(lines(&seen)).advice(advice));
        }
        if let Some((fault, at_handover)) = seen.fault {
            let at = seen.turns.len() + usize::from(at_handover);
            let steps: Vec<String> = seen.turns.iter().flatten().map(Turn::line).collect();
            return Err(fault.breaks(&format!("{name}, step {at}{how}")).steps(steps));
        }
    }
    Ok(steps.len())
}

/// What a script starts with that names no arguments: none, where the plugin does without.
async fn plain_args(ground: &Ground<'_>) -> Result<Arc<[u8]>, Broken> {
    match init_with(ground.stage, &[]).await {
        Ok((Ok(_), _)) => Ok(Arc::from([])),
        _ => ground.first_args(),
    }
}

/// The arguments that a script names.
fn first_args(steps: &[Step], fixtures: &Fixtures) -> Result<Option<Arc<[u8]>>, String> {
    let Some(Step::Args(file)) = steps.first() else { return Ok(None) };
    let found = fixtures.args.iter().find(|args| args.name == format!("args/{file}"));
    let args = found.ok_or_else(|| format!("step 1: there is no {}", fixtures.place(&format!("args/{file}"))))?;
    Ok(Some(args.bytes.as_slice().into()))
}

/// The state that a script begins with.
fn first_state(steps: &[Step], fixtures: &Fixtures) -> Result<Option<State>, String> {
    let state = steps.iter().find_map(|step| match step {
        Step::State { schema, file } => Some((schema, file)),
        _ => None,
    });
    let Some((schema, file)) = state else { return Ok(None) };
    let found = fixtures.states.iter().find(|(_, state)| state.name == format!("states/{file}"));
    let (_, state) = found.ok_or_else(|| format!("there is no {}", fixtures.place(&format!("states/{file}"))))?;
    Ok(Some(State { schema: *schema, data: state.bytes.clone() }))
}

/// Whether what was seen is what was written, as far as it was played; or the first step where it is not, and how.
fn check(media: Media, steps: &[Step], seen: &Seen) -> Result<(), (usize, String)> {
    let mut sent: Vec<(ActorName, Vec<u8>)> = Vec::new();
    let note = |turns: &mut dyn Iterator<Item = &Turn>, sent: &mut Vec<(ActorName, Vec<u8>)>| {
        for done in turns.flat_map(|turn| &turn.done) {
            if let Done::Sent { to, body } = done {
                sent.push((to.clone(), body.clone()));
            }
        }
    };
    note(&mut seen.opening.iter(), &mut sent);
    for (at, step) in steps.iter().enumerate() {
        let Some(turns) = seen.turns.get(at) else {
            if !seen.stopped || seen.fault.is_some() {
                return Ok(());
            }
            // An actor that has stopped hears nothing more, and what it sent before still counts.
            match step {
                Step::Sent(expected) => {
                    same_sent(media, expected, &sent).map_err(|why| (at, why))?;
                    sent.clear();
                }
                Step::Stopped => {}
                _ => return Err((at, "it had asked to stop before".to_owned())),
            }
            continue;
        };
        note(&mut turns.iter(), &mut sent);
        let wrong = match step {
            Step::Say { expect, .. } => turns.first().and_then(|turn| unexpected(media, expect, turn)),
            Step::Sent(expected) => {
                let same = same_sent(media, expected, &sent);
                sent.clear();
                same.err()
            }
            Step::Stopped if !(seen.stopped && at + 1 >= seen.turns.len()) => {
                Some("it has not asked to stop".to_owned())
            }
            _ => None,
        };
        if let Some(why) = wrong {
            return Err((at, why));
        }
    }
    Ok(())
}

fn unexpected(media: Media, expect: &Expect, turn: &Turn) -> Option<String> {
    match (expect, &turn.answer) {
        (Expect::Anything, _) => None,
        (Expect::Reply(expected), Ok(reply)) => {
            media.difference(expected, reply).map(|words| format!("`{}`: its reply is {words}", turn.said))
        }
        (Expect::Reply(expected), Err(failure)) => {
            Some(format!("`{}` failed ({failure}) instead of being answered with {}", turn.said, show(expected)))
        }
        (Expect::Failure(code), Err(failure)) if failure.code == *code => None,
        (Expect::Failure(code), Err(failure)) => {
            Some(format!("`{}` failed with {failure} instead of the code {code}", turn.said))
        }
        (Expect::Failure(code), Ok(reply)) => {
            Some(format!("`{}` was answered with {} instead of the failure {code}", turn.said, show(reply)))
        }
    }
}

fn same_sent(media: Media, expected: &[(ActorName, Vec<u8>)], sent: &[(ActorName, Vec<u8>)]) -> Result<(), String> {
    for at in 0..expected.len().max(sent.len()) {
        match (expected.get(at), sent.get(at)) {
            (Some((to, body)), Some((other, found))) => {
                if to != other {
                    return Err(format!("message {} was sent to {other} instead of {to}", at + 1));
                }
                if let Some(words) = media.difference(body, found) {
                    return Err(format!("message {}, to {to}, was {words}", at + 1));
                }
            }
            (Some((to, body)), None) => return Err(format!("{} was not sent to {to}", show(body))),
            (None, Some((to, body))) => {
                return Err(format!("{} was sent to {to} beside what was expected", show(body)));
            }
            (None, None) => {}
        }
    }
    Ok(())
}
