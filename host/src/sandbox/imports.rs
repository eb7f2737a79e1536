//! What a guest may ask for in a turn, by the contract's interface `host`. How each version of it names and types that is in
//! [`contract`](super::contract).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tracing::Level;
use wasmtime::StoreContextMut;

use super::granted::lacks;
use super::guest::Data;
use super::{Effect, NestedCall, Out, trap};
use crate::model::{ActorName, Body, LimitMet, MessageId, NameError, SendError, log_of};

/// Bytes of a guest's code and text that go on: to logs, to callers, into other guests' memories.
pub(super) const CODE_BYTES: usize = 64;
pub(super) const TEXT_BYTES: usize = 4 << 10;
/// Most random bytes in one request; the contract names it.
const RANDOM_BYTES: u32 = 64 << 10;
/// Longest name of a timer, in bytes.
const TIMER_NAME_BYTES: usize = 255;
/// Timers that one turn may cancel: cancelling has no answer, so more is a trap.
const TURN_TIMER_CHANGES: usize = 10_000;
/// Monitors that one turn may take back, for the same reason.
const TURN_DEMONITORS: usize = 10_000;

pub(super) type Cx<'a> = StoreContextMut<'a, Data>;

/// Why a guest is not given what it asked for. Each version of the contract has its own words for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Denied,
    /// Which limit, or rule about sizes.
    Limit(String),
    /// A name, or a description of something, that breaks the rules for it, and which.
    Unfit(String),
}

impl From<NameError> for Refused {
    fn from(error: NameError) -> Self {
        Self::Unfit(error.to_string())
    }
}

impl Data {
    pub(super) fn log(&mut self, level: Level, message: &str, fields: &[(String, String)]) {
        self.turn.log_lines += 1;
        let limit = self.env.limits.turn_log_lines;
        if self.turn.log_lines > limit {
            if self.turn.log_lines == limit + 1 {
                log_of!(warn, target: "baton::guest", self.env.label, "more log lines in this turn are dropped ({})", LimitMet::new("turn_log_lines", limit));
            }
            return;
        }
        if !self.env.may_log() {
            return;
        }
        let line = log_line(message, fields, self.env.limits.log_line_bytes);
        self.env.ambient.hear(&line);
        let label = &self.env.label;
        match level {
            Level::TRACE => log_of!(trace, target: "baton::guest", label, "{line}"),
            Level::DEBUG => log_of!(debug, target: "baton::guest", label, "{line}"),
            Level::INFO => log_of!(info, target: "baton::guest", label, "{line}"),
            Level::WARN => log_of!(warn, target: "baton::guest", label, "{line}"),
            Level::ERROR => log_of!(error, target: "baton::guest", label, "{line}"),
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.env.ambient.now_ms()
    }

    pub(super) fn random(&self, count: u32) -> wasmtime::Result<Vec<u8>> {
        if count > RANDOM_BYTES {
            let why = format!("it asked for {count} random bytes; at most {RANDOM_BYTES} at once");
            return Err(trap::Misuse(why).into());
        }
        let mut bytes = vec![0; count as usize];
        self.env.ambient.fill(&mut bytes).map_err(|e| trap::Misuse(format!("no random bytes: {e}")))?;
        Ok(bytes)
    }

    /// What is left of the turn's time; none: it has no end.
    pub(super) fn remaining_ms(&self) -> Option<u64> {
        let left = self.turn.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn save(&mut self) {
        // Once says it all; a guest that says it without end must not fill the host's memory.
        if !std::mem::replace(&mut self.turn.saves, true) {
            self.turn.effects.push(Effect::Save);
        }
    }

    pub(super) fn stop(&mut self) {
        if !std::mem::replace(&mut self.turn.stops, true) {
            self.turn.effects.push(Effect::Stop);
        }
    }

    pub(super) fn next_id(&mut self) -> MessageId {
        let id = self.turn.base.id.child(self.turn.ordinal);
        self.turn.ordinal += 1;
        id
    }

    /// Counts one thing more that is to leave, if there is room for it.
    pub(super) fn leave_room(&mut self, bytes: usize) -> Result<(), Refused> {
        let limits = &self.env.limits;
        if self.turn.sent >= limits.turn_sends {
            return Err(Refused::Limit(LimitMet::new("turn_sends", limits.turn_sends).to_string()));
        }
        if self.turn.sent_bytes + bytes > limits.turn_send_bytes {
            return Err(Refused::Limit(LimitMet::new("turn_send_bytes", limits.turn_send_bytes).to_string()));
        }
        self.turn.sent += 1;
        self.turn.sent_bytes += bytes;
        Ok(())
    }

    pub(super) fn check_body(&self, body: &[u8]) -> Result<(), Refused> {
        let (bytes, limit) = (body.len(), self.env.limits.message_bytes);
        match bytes > limit {
            true => Err(Refused::Limit(format!("{bytes} bytes: {}", LimitMet::new("message_bytes", limit)))),
            false => Ok(()),
        }
    }

    /// Counts one question more to others, if it may ask one.
    pub(super) fn one_call_more(&mut self) -> Result<(), Refused> {
        let limit = self.env.limits.turn_calls;
        if self.turn.calls >= limit {
            return Err(Refused::Limit(LimitMet::new("turn_calls", limit).to_string()));
        }
        self.turn.calls += 1;
        Ok(())
    }

    /// An effect on another actor that carries nothing.
    pub(super) fn effect_on(&mut self, actor: &str, effect: impl FnOnce(ActorName) -> Out) -> Result<(), Refused> {
        let actor = ActorName::new(actor)?;
        self.leave_room(0)?;
        self.turn.effects.push(Effect::Out(effect(actor)));
        Ok(())
    }

    pub(super) fn demonitor(&mut self, actor: &str) -> wasmtime::Result<()> {
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

    pub(super) fn monitor(&mut self, actor: &str) -> Result<(), Refused> {
        let seen = ActorName::new(actor)?;
        if !self.env.grants.grants().may_see(self.env.actor(), &seen) {
            self.tell_no_call("to monitor", &seen);
            return Err(Refused::Denied);
        }
        self.effect_on(actor, Out::Monitor)
    }

    /// Whether it may call and send to an actor; a refusal is told in the log.
    fn may_call(&self, to: &ActorName) -> Result<(), Refused> {
        if self.env.grants.grants().may_call(self.env.actor(), to) {
            return Ok(());
        }
        self.tell_no_call("a message to", to);
        Err(Refused::Denied)
    }

    fn tell_no_call(&self, what: &str, to: &ActorName) {
        let line = format!("call = [\"{to}\"], or a pattern such as \"*\",");
        self.env.grants.tell(&self.env.label, &lacks(&format!("{what} `{to}`"), &line));
    }

    pub(super) fn send(&mut self, to: &str, body: Vec<u8>) -> Result<(), Refused> {
        let to = ActorName::new(to)?;
        self.may_call(&to)?;
        self.check_body(&body)?;
        self.leave_room(body.len())?;
        let id = self.next_id();
        self.turn.effects.push(Effect::Out(Out::Send { to, id, body: Body::from(body) }));
        Ok(())
    }

    pub(super) fn prepare_call(&mut self, to: &str, body: Vec<u8>, timeout_ms: u64) -> Result<NestedCall, Refused> {
        self.one_call_more()?;
        let to = ActorName::new(to)?;
        self.may_call(&to)?;
        if body.len() > self.env.limits.message_bytes {
            let error = SendError::TooLarge {
                actor: to.to_string(),
                bytes: body.len(),
                max_bytes: self.env.limits.message_bytes,
            };
            return Err(Refused::Limit(error.to_string()));
        }
        let id = self.next_id();
        let (from, timeout) = (self.env.actor().clone(), Duration::from_millis(timeout_ms));
        let trace = self.turn.base.trace.clone();
        Ok(NestedCall { to, id, body: Body::from(body), timeout, from, trace })
    }

    pub(super) fn cancel_timer(&mut self, name: String) -> wasmtime::Result<()> {
        // No timer has such a name.
        if name.is_empty() || name.len() > TIMER_NAME_BYTES {
            return Ok(());
        }
        self.change_of_timers()?;
        self.turn.effects.push(Effect::CancelTimer(name));
        Ok(())
    }

    pub(super) fn set_timer(&mut self, name: String, after_ms: u64) -> wasmtime::Result<Result<(), Refused>> {
        if name.is_empty() || name.len() > TIMER_NAME_BYTES {
            let why = format!("a timer's name has 1 to {TIMER_NAME_BYTES} bytes, this one {}", name.len());
            return Ok(Err(Refused::Limit(why)));
        }
        self.change_of_timers()?;
        // The same name replaces, and needs no room.
        let turn = &mut self.turn;
        let timers = turn.base.timers.as_deref();
        if !timers.is_some_and(|timers| timers.contains_key(&name)) && !turn.timers_new.contains(&name) {
            if timers.map_or(0, BTreeMap::len) + turn.timers_new.len() >= self.env.limits.timers {
                return Ok(Err(Refused::Limit(LimitMet::new("timers", self.env.limits.timers).to_string())));
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

/// A guest's text, cut, on one line.
pub(super) fn bounded(text: &str, limit: usize) -> String {
    log_line(text, &[], limit)
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
