//! The contract's `host` interface: what a guest may ask for in a turn.

use std::time::{Duration, Instant};

use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::ambient::Ambient;
use super::granted::lacks;
use super::guest::Data;
use super::{Effect, NestedCall, Out, abi, trap};
use crate::model::{ActorName, Body, LimitMet, MessageId, SendError};

/// Most random bytes in one request; the contract names it.
const RANDOM_BYTES: u32 = 64 << 10;
/// Longest name of a timer, in bytes.
const TIMER_NAME_BYTES: usize = 255;
/// Timers that one turn may cancel: cancelling has no answer, so more is a trap.
const TURN_TIMER_CHANGES: usize = 10_000;
/// Monitors that one turn may take back, for the same reason.
const TURN_DEMONITORS: usize = 10_000;

pub(super) fn add_to(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    linker.instance(abi::TYPES)?;
    let mut host = linker.instance(abi::HOST)?;
    host.func_wrap("log", |mut cx: Cx<'_>, (level, message, fields): LogLine| {
        cx.data_mut().log(level, &message, &fields);
        Ok(())
    })?;
    host.func_wrap("now-ms", |cx: Cx<'_>, ()| Ok((cx.data().env.ambient.now_ms(),)))?;
    host.func_wrap("random", |cx: Cx<'_>, (count,): (u32,)| {
        random(&cx.data().env.ambient, count).map(|bytes| (bytes,))
    })?;
    host.func_wrap("remaining-ms", |cx: Cx<'_>, ()| {
        let left = cx.data().turn.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        Ok((left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),))
    })?;
    host.func_wrap("save", |mut cx: Cx<'_>, ()| {
        let turn = &mut cx.data_mut().turn;
        // Once says it all; a guest that says it without end must not fill the host's memory.
        if !std::mem::replace(&mut turn.saves, true) {
            turn.effects.push(Effect::Save);
        }
        Ok(())
    })?;
    host.func_wrap("send", |mut cx: Cx<'_>, (to, body): (String, Vec<u8>)| Ok((cx.data_mut().send(&to, body),)))?;
    host.func_wrap_async("call", |mut cx: Cx<'_>, (to, body, timeout_ms): (String, Vec<u8>, u64)| {
        let prepared = cx.data_mut().prepare_call(&to, body, timeout_ms);
        let outside = cx.data().env.outside.clone();
        Box::new(async move {
            let answer = match prepared {
                Ok(call) => outside.call(call).await.map(|reply| reply.to_vec()).map_err(Into::into),
                Err(error) => Err(error),
            };
            Ok((answer,))
        })
    })?;
    host.func_wrap("set-timer", |mut cx: Cx<'_>, (name, after_ms): (String, u64)| {
        cx.data_mut().set_timer(name, after_ms).map(|set| (set,))
    })?;
    host.func_wrap("cancel-timer", |mut cx: Cx<'_>, (name,): (String,)| cx.data_mut().cancel_timer(name))?;
    host.func_wrap("monitor", |mut cx: Cx<'_>, (actor,): (String,)| Ok((cx.data_mut().monitor(&actor),)))?;
    host.func_wrap("demonitor", |mut cx: Cx<'_>, (actor,): (String,)| cx.data_mut().demonitor(&actor))?;
    host.func_wrap("stop", |mut cx: Cx<'_>, ()| {
        let turn = &mut cx.data_mut().turn;
        if !std::mem::replace(&mut turn.stops, true) {
            turn.effects.push(Effect::Stop);
        }
        Ok(())
    })
}

pub(super) type Cx<'a> = StoreContextMut<'a, Data>;
type LogLine = (abi::Level, String, Vec<(String, String)>);

fn random(ambient: &Ambient, count: u32) -> wasmtime::Result<Vec<u8>> {
    if count > RANDOM_BYTES {
        return Err(trap::Misuse(format!("it asked for {count} random bytes; at most {RANDOM_BYTES} at once")).into());
    }
    let mut bytes = vec![0; count as usize];
    ambient.fill(&mut bytes).map_err(|e| trap::Misuse(format!("no random bytes: {e}")))?;
    Ok(bytes)
}

impl Data {
    fn log(&mut self, level: abi::Level, message: &str, fields: &[(String, String)]) {
        self.turn.log_lines += 1;
        let limit = self.env.limits.turn_log_lines;
        let actor = &self.env.actor;
        if self.turn.log_lines > limit {
            if self.turn.log_lines == limit + 1 {
                tracing::warn!(target: "baton::guest", %actor, "more log lines in this turn are dropped ({})", LimitMet::new("turn_log_lines", limit));
            }
            return;
        }
        if !self.env.may_log() {
            return;
        }
        let line = log_line(message, fields, self.env.limits.log_line_bytes);
        self.env.ambient.hear(&line);
        match level {
            abi::Level::Trace => tracing::trace!(target: "baton::guest", %actor, "{line}"),
            abi::Level::Debug => tracing::debug!(target: "baton::guest", %actor, "{line}"),
            abi::Level::Info => tracing::info!(target: "baton::guest", %actor, "{line}"),
            abi::Level::Warn => tracing::warn!(target: "baton::guest", %actor, "{line}"),
            abi::Level::Error => tracing::error!(target: "baton::guest", %actor, "{line}"),
        }
    }

    pub(super) fn next_id(&mut self) -> MessageId {
        let id = self.turn.base.id.child(self.turn.ordinal);
        self.turn.ordinal += 1;
        id
    }

    /// Counts one thing more that is to leave, if there is room for it.
    pub(super) fn leave_room(&mut self, bytes: usize) -> Result<(), abi::SendError> {
        let limits = &self.env.limits;
        if self.turn.sent >= limits.turn_sends {
            return Err(abi::SendError::Limit(LimitMet::new("turn_sends", limits.turn_sends).to_string()));
        }
        if self.turn.sent_bytes + bytes > limits.turn_send_bytes {
            return Err(abi::SendError::Limit(LimitMet::new("turn_send_bytes", limits.turn_send_bytes).to_string()));
        }
        self.turn.sent += 1;
        self.turn.sent_bytes += bytes;
        Ok(())
    }

    pub(super) fn check_body(&self, body: &[u8]) -> Result<(), abi::SendError> {
        let (bytes, limit) = (body.len(), self.env.limits.message_bytes);
        match bytes > limit {
            true => Err(abi::SendError::Limit(format!("{bytes} bytes: {}", LimitMet::new("message_bytes", limit)))),
            false => Ok(()),
        }
    }

    /// Counts one question more to others, if it may ask one.
    pub(super) fn one_call_more(&mut self) -> Result<(), LimitMet> {
        let limit = self.env.limits.turn_calls;
        if self.turn.calls >= limit {
            return Err(LimitMet::new("turn_calls", limit));
        }
        self.turn.calls += 1;
        Ok(())
    }

    /// An effect on another actor that carries nothing.
    pub(super) fn effect_on(
        &mut self,
        actor: &str,
        effect: impl FnOnce(ActorName) -> Out,
    ) -> Result<(), abi::SendError> {
        let actor = ActorName::new(actor)?;
        self.leave_room(0)?;
        self.turn.effects.push(Effect::Out(effect(actor)));
        Ok(())
    }

    fn demonitor(&mut self, actor: &str) -> wasmtime::Result<()> {
        // No actor has such a name.
        let Ok(actor) = ActorName::new(actor) else { return Ok(()) };
        if self.turn.demonitors >= TURN_DEMONITORS {
            let why = format!("it took back more than {TURN_DEMONITORS} monitors in one turn");
            return Err(trap::Misuse(why).into());
        }
        self.turn.demonitors += 1;
        self.turn.effects.push(Effect::Out(Out::Demonitor(actor)));
        Ok(())
    }

    fn monitor(&mut self, actor: &str) -> Result<(), abi::SendError> {
        let seen = ActorName::new(actor)?;
        if !self.env.grants.grants().may_see(&self.env.actor, &seen) {
            self.tell_no_call("to monitor", &seen);
            return Err(abi::SendError::Denied);
        }
        self.effect_on(actor, Out::Monitor)
    }

    /// Whether it may call and send to an actor; a refusal is told in the log.
    fn may_call(&self, to: &ActorName) -> Result<(), ()> {
        if self.env.grants.grants().may_call(&self.env.actor, to) {
            return Ok(());
        }
        self.tell_no_call("a message to", to);
        Err(())
    }

    fn tell_no_call(&self, what: &str, to: &ActorName) {
        let line = format!("call = [\"{to}\"], or a pattern such as \"*\",");
        self.env.grants.tell(&self.env.actor, &lacks(&format!("{what} `{to}`"), &line));
    }

    fn send(&mut self, to: &str, body: Vec<u8>) -> Result<(), abi::SendError> {
        let to = ActorName::new(to)?;
        self.may_call(&to).map_err(|()| abi::SendError::Denied)?;
        self.check_body(&body)?;
        self.leave_room(body.len())?;
        let id = self.next_id();
        self.turn.effects.push(Effect::Out(Out::Send { to, id, body: Body::from(body) }));
        Ok(())
    }

    fn prepare_call(&mut self, to: &str, body: Vec<u8>, timeout_ms: u64) -> Result<NestedCall, abi::CallError> {
        self.one_call_more().map_err(|met| abi::CallError::Limit(met.to_string()))?;
        let to = ActorName::new(to).map_err(|_| abi::CallError::UnknownActor)?;
        self.may_call(&to).map_err(|()| abi::CallError::Denied)?;
        if body.len() > self.env.limits.message_bytes {
            let error = SendError::TooLarge {
                actor: to.to_string(),
                bytes: body.len(),
                max_bytes: self.env.limits.message_bytes,
            };
            return Err(abi::CallError::Limit(error.to_string()));
        }
        let id = self.next_id();
        let (from, timeout) = (self.env.actor.clone(), Duration::from_millis(timeout_ms));
        Ok(NestedCall { to, id, body: Body::from(body), timeout, from })
    }

    fn cancel_timer(&mut self, name: String) -> wasmtime::Result<()> {
        // No timer has such a name.
        if name.is_empty() || name.len() > TIMER_NAME_BYTES {
            return Ok(());
        }
        self.change_of_timers()?;
        self.turn.effects.push(Effect::CancelTimer(name));
        Ok(())
    }

    fn set_timer(&mut self, name: String, after_ms: u64) -> wasmtime::Result<Result<(), abi::SendError>> {
        if name.is_empty() || name.len() > TIMER_NAME_BYTES {
            let why = format!("a timer's name has 1 to {TIMER_NAME_BYTES} bytes, this one {}", name.len());
            return Ok(Err(abi::SendError::Limit(why)));
        }
        self.change_of_timers()?;
        // The same name replaces, and needs no room.
        let turn = &mut self.turn;
        if !turn.base.timers.contains_key(&name) && !turn.timers_new.contains(&name) {
            if turn.base.timers.len() + turn.timers_new.len() >= self.env.limits.timers {
                return Ok(Err(abi::SendError::Limit(LimitMet::new("timers", self.env.limits.timers).to_string())));
            }
            turn.timers_new.insert(name.clone());
        }
        let now_ms = self.env.ambient.now_ms();
        turn.effects.push(Effect::SetTimer { name, due_ms: now_ms.saturating_add(after_ms) });
        Ok(Ok(()))
    }

    fn change_of_timers(&mut self) -> wasmtime::Result<()> {
        if self.turn.timer_changes >= TURN_TIMER_CHANGES {
            let why = format!("it changed its timers more than {TURN_TIMER_CHANGES} times in one turn");
            return Err(trap::Misuse(why).into());
        }
        self.turn.timer_changes += 1;
        Ok(())
    }
}

/// What a terminal or an editor would obey, or show elsewhere than where it stands: control characters, ends of lines, and
/// those that turn the direction of writing.
fn obeyed(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

/// One line: the message and its fields, without what is obeyed, cut at `limit` bytes.
pub(super) fn log_line(message: &str, fields: &[(String, String)], limit: usize) -> String {
    let fields = fields.iter().flat_map(|(key, value)| [" ", key.as_str(), "=", value.as_str()]);
    let mut line = String::new();
    for c in std::iter::once(message).chain(fields).flat_map(str::chars) {
        let c = if obeyed(c) { ' ' } else { c };
        if line.len() + c.len_utf8() > limit {
            break;
        }
        line.push(c);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_is_one_line_and_bounded() {
        let fields = [("key".to_owned(), "va\nlue".to_owned())];
        assert_eq!(log_line("a\r\nb", &fields, 100), "a  b key=va lue");
        assert_eq!(log_line("ääää", &fields, 5), "ää");
        assert_eq!(log_line("\u{1b}[2J\u{202e}txt\u{2028}\u{9b}1m", &[], 100), " [2J txt  1m");
    }
}
