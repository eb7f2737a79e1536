//! What it gives fits: `sizes`. And whether it gives a state at all.

use std::sync::Arc;

use super::super::Ground;
use super::super::actor::Actor;
use super::super::report::{Broken, Finding, Found};
use super::super::turn::Turn;
use super::call;
use crate::model::State;

pub(super) async fn look(ground: &Ground<'_>) -> Found {
    let args = ground.first_args()?;
    state_after_all(ground, &args).await?;
    let tally = ground.stage.tally();
    let (reply, of) = (tally.reply.0, tally.reply.1.clone());
    let state = tally.state;
    drop(tally);
    let limits = &ground.stage.limits;
    let reply_told = if reply == 0 { "none but empty ones".to_owned() } else { format!("{reply} bytes, to {of}") };
    let why = format!(
        "largest reply {reply_told} (limit message_bytes = {}); largest state {state} bytes (limit snapshot_bytes = {})",
        limits.message_bytes, limits.snapshot_bytes
    );
    Ok(Finding::kept(why))
}

/// Whether it has a state, at least after all messages that there are.
pub(super) async fn has_state(ground: &Ground<'_>, args: &Arc<[u8]>) -> Result<bool, Broken> {
    Ok(state_after_all(ground, args).await?.is_some())
}

/// Its state after each message of `fixtures/messages` was said once.
pub(in super::super) async fn state_after_all(ground: &Ground<'_>, args: &Arc<[u8]>) -> Result<Option<State>, Broken> {
    let mut actor = Actor::begin(ground.stage, args, None, 0).await?;
    let mut lines = Vec::new();
    for body in ground.bodies() {
        if actor.stopped {
            break;
        }
        let message = call(&actor, body);
        let turn = actor.say(&message).await.map_err(|fault| {
            let last = super::super::turn::said(&message);
            let steps: Vec<String> = lines.iter().map(Turn::line).chain([last]).collect();
            fault.breaks("at the last of these messages").steps(steps)
        })?;
        lines.push(turn);
    }
    Ok(actor.snapshot().await?)
}
