//! What is no state is refused, and does no harm: `bad-states`.

use std::sync::Arc;
use std::time::Instant;

use super::super::Ground;
use super::super::actor::{Actor, taken_over};
use super::super::dice::Dice;
use super::super::fault::Fault;
use super::super::media::show;
use super::super::play::{Case, Start, play};
use super::super::report::{Broken, Finding, Found};
use super::super::senders;
use super::sizes::state_after_all;
use super::{alike, count};
use crate::model::{Origin, Refusal, State};

/// Bytes of the longest rubbish.
const LONG: usize = 1 << 20;
/// Damaged states in one round.
const DAMAGED: usize = 4;

#[derive(Default)]
struct Counted {
    refused: usize,
    accepted: usize,
}

pub(super) async fn look(ground: &Ground<'_>) -> Found {
    let args = ground.first_args()?;
    let own = state_after_all(ground, &args).await?;
    let about = ground.stage.program.description();
    outside(ground, &args, own.as_ref()).await?;
    let mut dice = Dice::of(ground.options.seed, "bad-states");
    let until = ground.until(20);
    let mut counted = Counted::default();
    let real = real(ground, own.as_ref());
    for schema in about.reads_from..=about.reads_to {
        // The range may be wide; the time is not.
        if schema > about.reads_from && Instant::now() >= until {
            break;
        }
        for (what, data) in rubbish(&mut dice) {
            given(ground, &args, &what, State { schema, data }, &mut counted).await?;
        }
    }
    let mut rounds = 0;
    while !real.is_empty() && rounds < ground.options.rounds.max(1) && (rounds == 0 || Instant::now() < until) {
        rounds += 1;
        let Some((name, state)) = dice.pick(&real) else { break };
        for _ in 0..DAMAGED {
            let (what, data) = damaged(&mut dice, name, &state.data);
            if data != state.data {
                given(ground, &args, &what, State { schema: state.schema, data }, &mut counted).await?;
            }
        }
    }
    working(ground, &args).await?;
    let Counted { refused, accepted } = counted;
    if refused == 0 && own.is_some() {
        let why = format!(
            "it takes any bytes for a state: all of {} that were no state, or damaged, were taken over",
            count(accepted, "piece")
        );
        return Err(Broken::new(why).advice("check in `continue` that the bytes are a state, to the last one, and refuse them as corrupt if not: a host then keeps them for you to look at, and does not go on with something made up"));
    }
    let notes = match own {
        Some(_) if accepted > 0 => vec![format!(
            "{accepted} damaged ones still said something that is a state, and were taken over as one; a host finds such damage by its own checksum"
        )],
        _ => Vec::new(),
    };
    Ok(Finding::Kept {
        why: format!("{refused} of {} refused, none trapped", count(refused + accepted, "bad state")),
        notes,
    })
}

/// Schemas that it does not read.
async fn outside(ground: &Ground<'_>, args: &Arc<[u8]>, own: Option<&State>) -> Result<(), Broken> {
    let about = ground.stage.program.description();
    let below = about.reads_from.checked_sub(1);
    let above = about.reads_to.checked_add(1);
    let far = Some(u32::MAX).filter(|far| *far > about.reads_to);
    for schema in [below, above, far].into_iter().flatten() {
        // A real state tempts most.
        let data = own.map(|state| state.data.clone()).unwrap_or_default();
        let told = format!("given a state of schema {schema}, which it says it does not read");
        let taken = taken_over(ground.stage, args, State { schema, data }, Origin::Restored).await;
        let why = match taken.map_err(|fault| fault.breaks(&told))? {
            Err(Refusal::Incompatible(_)) => continue,
            Err(other) => format!("{told}, it refused it, but not as incompatible: {other}"),
            Ok(_) => format!("{told}, it took it over"),
        };
        return Err(Broken::new(why).advice("look at the schema first in `continue`, and refuse as incompatible what is not between `reads-from` and `reads-to`"));
    }
    Ok(())
}

/// States that are states.
fn real(ground: &Ground<'_>, own: Option<&State>) -> Vec<(String, State)> {
    let about = ground.stage.program.description();
    let known = ground.fixtures.states.iter().filter(|(schema, _)| about.reads(*schema));
    let known = known.map(|(schema, file)| (file.name.clone(), State { schema: *schema, data: file.bytes.clone() }));
    known.chain(own.map(|state| ("its own state".to_owned(), state.clone()))).collect()
}

fn rubbish(dice: &mut Dice) -> Vec<(String, Vec<u8>)> {
    let named = |data: Vec<u8>| (format!("the state {}", show(&data)), data);
    let mut out: Vec<_> = [
        Vec::new(),
        vec![0],
        vec![0; 64],
        vec![0xff; 16],
        b"null".to_vec(),
        b"{}".to_vec(),
        b"\"text\"".to_vec(),
        b"[".repeat(50_000),
        vec![0; LONG],
        vec![0xff; LONG],
    ]
    .map(named)
    .into();
    out.extend([1, 3, 8, 64, 1_000, LONG].map(|length| named(dice.bytes(length))));
    out
}

/// Something that was a state.
fn damaged(dice: &mut Dice, name: &str, data: &[u8]) -> (String, Vec<u8>) {
    match dice.below(3) {
        0 if !data.is_empty() => {
            let kept = dice.below(data.len());
            (format!("the first {kept} of {} bytes of {name}", data.len()), data[..kept].to_vec())
        }
        1 => {
            let after = 1 + dice.below(9);
            let bytes = [data, &dice.bytes(after)].concat();
            (format!("{name} with {} after it", count(after, "byte")), bytes)
        }
        _ => {
            let bytes = dice.damaged(data);
            (format!("{name}, damaged to {}", show(&bytes)), bytes)
        }
    }
}

/// It refuses, or what it has taken over is a state like any other.
async fn given(
    ground: &Ground<'_>,
    args: &Arc<[u8]>,
    what: &str,
    state: State,
    counted: &mut Counted,
) -> Result<(), Broken> {
    let stage = ground.stage;
    let told = format!("given {what} as a state of schema {}", state.schema);
    let breaks = |fault: Fault| fault.breaks(&told);
    let Ok(mut actor) = taken_over(stage, args, state, Origin::Restored).await.map_err(breaks)? else {
        counted.refused += 1;
        return Ok(());
    };
    counted.accepted += 1;
    let later = |fault: Fault| {
        fault.breaks(&format!("{told}, it took it over; then")).advice(
            "check the state as a whole in `continue` (`validate`), and refuse as corrupt what breaks its rules",
        )
    };
    let Some(became) = actor.snapshot().await.map_err(later)? else { return Ok(()) };
    let again = taken_over(stage, args, became, Origin::Switched).await.map_err(later)?;
    let mut heir: Actor<'_> = again.map_err(|refusal| later(Fault::Refused(refusal)))?;
    let bodies = ground.bodies();
    match alike(stage, &mut actor, &mut heir, &bodies).await.map_err(later)? {
        None => Ok(()),
        Some((said, words)) => {
            let why = format!("{told}, it took it over; handed over once more, it {words}");
            Err(Broken::new(why).steps(said).advice("refuse as corrupt what is not a state to the last byte"))
        }
    }
}

/// A fresh instance works, after all that.
async fn working(ground: &Ground<'_>, args: &Arc<[u8]>) -> Result<(), Broken> {
    let bodies = ground.bodies();
    let steps = Dice::of(ground.options.seed, "after bad states").run(&bodies, &senders(), 5);
    let seen = play(ground.stage, &Start::with(args), &Case::plain(steps)).await;
    match seen.fault {
        Some((fault, _)) => Err(fault.breaks("begun anew after refusals")),
        None => Ok(()),
    }
}
