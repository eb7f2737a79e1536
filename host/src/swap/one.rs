//! One actor of a swap: switched where it runs, started again where it is held, left to its next instance where it is down.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Ground;
use super::rollout::misfit;
use crate::actor::Cell;
use crate::actor::switching::{Given, NotSwitched, Order, SwitchStep, Switched, hears, switch};
use crate::model::Phase;
use crate::sandbox::Program;

/// How often an actor that was on its way to something else is looked at again.
const ATTEMPTS: u32 = 3;
/// How long it is waited between two looks at an actor that was started again, in milliseconds.
const LOOK_MS: u64 = 5;

/// What is wanted of all actors of a swap.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) to: Program,
    /// Whether what was done since the last switch may be lost.
    pub(super) allow_loss: bool,
    /// Whether this is a way back, on which the state from before the switch may be taken.
    pub(super) back: bool,
    pub(super) within: Duration,
}

/// What came of one actor.
#[derive(Debug)]
pub(super) enum One {
    Switched(Switched),
    /// It was held, and the new version has taken its state over.
    Resumed {
        generation: u64,
    },
    /// It runs the version already.
    There,
    /// It does not run; its next instance runs the version.
    Later,
    Failed(NotSwitched),
}

/// Switches one actor, whatever it is at.
pub(super) async fn one(ground: &Ground, cell: &Arc<Cell>, wish: &Wish) -> One {
    let mut attempts = ATTEMPTS;
    if !settled(ground, cell, wish.within).await {
        let why = "whether it was switched is not known until its record can be read";
        return One::Failed(NotSwitched { unharmed: false, ..NotSwitched::at(SwitchStep::Busy, why) });
    }
    loop {
        attempts -= 1;
        let (phase, component) = {
            let status = cell.status();
            (status.phase, status.component)
        };
        match phase {
            _ if !hears(phase)
                && let Some(why) = left_behind(cell, wish) =>
            {
                return One::Failed(NotSwitched::at(SwitchStep::Check, why));
            }
            Phase::Held => return resume(ground, cell, wish).await,
            _ if component == Some(wish.to.digest()) => {
                ground.catalog.switched(&cell.spec.plugin, cell.name());
                return One::There;
            }
            phase if hears(phase) => {}
            _ => {
                ground.catalog.switched(&cell.spec.plugin, cell.name());
                return One::Later;
            }
        }
        match running(ground, cell, wish).await {
            Ok(switched) => return One::Switched(switched),
            // It ended, or was about to: what it is at now decides.
            Err(not) if not.step == SwitchStep::Reach && attempts > 0 => tokio::task::yield_now().await,
            Err(not) => return One::Failed(not),
        }
    }
}

/// Why an actor that does not run stays with the version that it has, if it does: its record is not for the other one's eyes.
fn left_behind(cell: &Cell, wish: &Wish) -> Option<String> {
    let schema = cell.status().schema;
    misfit(schema, wish.to.description()).filter(|_| !(wish.back && wish.allow_loss))
}

/// Waits for an actor of which nobody knows which version it runs, until its next instance has read its record; false: it has
/// not.
async fn settled(ground: &Ground, cell: &Cell, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    while ground.catalog.is_unsettled(&cell.spec.plugin, cell.name()) {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
    true
}

/// An actor that runs. On the way back its present state is tried first, where the old version reads it at all.
async fn running(ground: &Ground, cell: &Cell, wish: &Wish) -> Result<Switched, NotSwitched> {
    let order = |given| Order { to: wish.to.clone(), given, allow_loss: wish.allow_loss, within: wish.within };
    // Bounded by itself but for the turn in hand, and for an actor that waits for its state.
    let turn = match cell.status().phase {
        Phase::Running => Duration::from_millis(cell.limits.turn_timeout_ms.saturating_mul(2)),
        _ => Duration::ZERO,
    };
    let asked = |given| switch(cell, order(given), wish.within + turn);
    if !wish.back {
        return asked(Given::Snapshot).await;
    }
    let component = cell.status().component;
    let runs = component.and_then(|digest| ground.catalog.program(&cell.spec.plugin, digest));
    let reads = runs.is_none_or(|program| wish.to.description().reads(program.description().schema));
    let with_state = if reads { asked(Given::Snapshot).await } else { asked(Given::BeforeTheSwitch).await };
    match with_state {
        // The old version will not have it, or the new one will not give it.
        Err(not) if reads && not.unharmed && matches!(not.step, SwitchStep::Continue | SwitchStep::Snapshot) => {
            asked(Given::BeforeTheSwitch).await.map_err(|_| not)
        }
        other => other,
    }
}

/// A held actor tries again with the new code.
async fn resume(ground: &Ground, cell: &Arc<Cell>, wish: &Wish) -> One {
    ground.catalog.switched(&cell.spec.plugin, cell.name());
    if let Err(error) = ground.supervisor.stop_and_start(cell.name().clone()).await {
        return One::Failed(NotSwitched::at(SwitchStep::Reach, error.to_string()));
    }
    let deadline = Instant::now() + wish.within;
    loop {
        let Some(cell) = ground.registry.whereis(cell.name()) else { return One::Later };
        let (phase, held, generation) = {
            let status = cell.status();
            (status.phase, status.held.clone(), status.generation)
        };
        match phase {
            Phase::Running | Phase::Suspended => return One::Resumed { generation },
            // It was held with this version before, and is held again.
            Phase::Held if wish.back => return One::There,
            Phase::Held => {
                let why = held.map_or_else(|| "it is held again".to_owned(), |hold| format!("it is held: {hold}"));
                return One::Failed(NotSwitched { unharmed: false, ..NotSwitched::at(SwitchStep::Continue, why) });
            }
            Phase::Failed | Phase::Elsewhere => return One::Later,
            _ if Instant::now() >= deadline => {
                return One::Failed(NotSwitched::at(SwitchStep::Continue, "it has not taken its state over yet"));
            }
            _ => tokio::time::sleep(Duration::from_millis(LOOK_MS)).await,
        }
    }
}
