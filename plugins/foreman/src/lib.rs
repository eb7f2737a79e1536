//! Supervises by JSON: starts, stops, restarts and lists children, monitors and links other actors, joins groups and
//! dispatches to them, and remembers what it has heard. What it can be asked is [`Command`].
//!
//! A call that is no command is refused; a cast that is none is remembered, as are the ends of others. Its argument says
//! whether it traps exits, `{"trap-exit": true}`; without one it does not, as in OTP. Then it leaves its state as it was
//! when it is told to stop; `"save"` saves it.

mod command;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use baton_guest::{Actor, Cx, Failure, plugin};
use command::Command;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How much of what it heard it keeps; older goes.
const HEARD: usize = 1_000;
/// Longest body of a cast that it keeps, in bytes; of a longer one it keeps that it came.
const BODY_BYTES: usize = 1_024;

/// Schema 1.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Foreman {
    /// Commands.
    handled: u64,
    /// Ends and casts.
    heard: u64,
    latest: VecDeque<Heard>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Heard {
    Down(End),
    Exit(End),
    Cast(Cast),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct End {
    actor: String,
    reason: String,
}

/// The body is JSON text: a state has no place for values of any shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Cast {
    from: Option<String>,
    body: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Args {
    #[serde(default)]
    trap_exit: bool,
}

impl Actor for Foreman {
    type Message = Value;
    type Reply = Value;
    const SCHEMA: u32 = 1;

    fn init(cx: &Cx) -> Result<Self, Failure> {
        cx.args_json::<Option<Args>>()?;
        Ok(Self::default())
    }

    fn traps_exits(&self, cx: &Cx) -> bool {
        cx.args_json::<Option<Args>>().ok().flatten().unwrap_or_default().trap_exit
    }

    fn handle(&mut self, message: Value, cx: &Cx) -> Result<Value, Failure> {
        match Command::deserialize(&message) {
            Ok(command) => {
                self.handled += 1;
                self.obey(command, cx)
            }
            Err(error) if cx.expects_reply() => Err(Failure::new("bad-command", error.to_string())),
            Err(_) => {
                let from = cx.sender().map(str::to_owned);
                let body = Some(message.to_string()).filter(|text| text.len() <= BODY_BYTES);
                self.hear(Heard::Cast(Cast { from, body: body.unwrap_or_else(|| "null".to_owned()) }));
                Ok(Value::Null)
            }
        }
    }

    fn down(&mut self, actor: &str, reason: &str, _: &Cx) -> Result<(), Failure> {
        self.hear(Heard::Down(End { actor: actor.to_owned(), reason: reason.to_owned() }));
        Ok(())
    }

    fn exit(&mut self, actor: &str, reason: &str, _: &Cx) -> Result<(), Failure> {
        self.hear(Heard::Exit(End { actor: actor.to_owned(), reason: reason.to_owned() }));
        Ok(())
    }
}

impl Foreman {
    fn obey(&mut self, command: Command, cx: &Cx) -> Result<Value, Failure> {
        match command {
            Command::Start(start) => cx.start_child(start.supervisor.as_deref(), &start.child())?,
            Command::Terminate(child) => cx.terminate_child(&child)?,
            Command::Restart(child) => cx.restart_child(&child)?,
            Command::Delete(child) => cx.delete_child(&child)?,
            Command::Which(supervisor) => return Ok(command::children(cx.which_children(supervisor.as_deref())?)),
            Command::Count(supervisor) => return Ok(command::counts(cx.count_children(supervisor.as_deref())?)),
            Command::Monitor(actor) => cx.monitor(&actor)?,
            Command::Demonitor(actor) => cx.demonitor(&actor),
            Command::Link(actor) => cx.link(&actor)?,
            Command::Unlink(actor) => cx.unlink(&actor)?,
            Command::Exit(actor, reason) => cx.exit(&actor, &reason)?,
            Command::Join(group) => cx.join(&group)?,
            Command::Leave(group) => cx.leave(&group)?,
            Command::Dispatch(group, value) => cx.dispatch(&group, &value)?,
            Command::Members(group) => return Ok(json!(cx.members(&group)?)),
            Command::Whereis(actor) => return Ok(json!(cx.whereis(&actor).map(command::phase))),
            Command::Set(key, value) => cx.set_attribute(&key, value.as_deref())?,
            Command::Get(actor, key) => return Ok(json!(cx.attribute(&actor, &key))),
            Command::Having(key, value) => return Ok(json!(cx.having(&key, &value)?)),
            Command::Heard => return Ok(self.latest.iter().map(Heard::told).collect()),
            Command::Counts => return Ok(json!({ "handled": self.handled, "heard": self.heard })),
            Command::Save => cx.save(),
            Command::Crash(true) => panic!("it was asked to crash"),
            Command::Stop(true) => cx.stop(),
            Command::Crash(false) | Command::Stop(false) => {}
        }
        Ok(json!("ok"))
    }

    fn hear(&mut self, heard: Heard) {
        self.heard += 1;
        if self.latest.len() >= HEARD {
            self.latest.pop_front();
        }
        self.latest.push_back(heard);
    }
}

impl Heard {
    /// As JSON, such as `{"down": {"actor": "w/1", "reason": "normal"}}`.
    fn told(&self) -> Value {
        match self {
            Self::Down(End { actor, reason }) => json!({ "down": { "actor": actor, "reason": reason } }),
            Self::Exit(End { actor, reason }) => json!({ "exit": { "actor": actor, "reason": reason } }),
            Self::Cast(Cast { from, body }) => {
                let body: Value = serde_json::from_str(body).unwrap_or_default();
                json!({ "cast": { "from": from, "body": body } })
            }
        }
    }
}

plugin!(Foreman);
