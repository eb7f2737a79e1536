//! Children, links, groups and names: what an actor can ask of those around it, under OTP's names. A plugin that asks for
//! none of it does not import it.

use serde::Serialize;

pub use crate::bindings::baton::actor::supervision::{
    ChildInfo, ChildKind, ChildSpec, ChildState, Counts, Phase, Restart, Shutdown, SupervisionError,
};
use crate::{Cx, Failure, SendError};

/// Kind of [`Message::Other`](crate::bindings::baton::actor::types::Message) that tells of the end of a linked actor.
pub(crate) const EXIT: &str = "exit";

/// What that message says.
#[derive(serde::Deserialize)]
pub(crate) struct Exit {
    pub(crate) actor: String,
    pub(crate) reason: String,
}

/// The host's interface of the same name. Apart from `Host`, and never behind a `dyn` in a plugin: whatever is in a table
/// of functions is imported, used or not.
pub(crate) trait Supervision {
    fn start_child(&self, supervisor: Option<&str>, child: &ChildSpec) -> Result<(), SupervisionError>;
    fn terminate_child(&self, child: &str) -> Result<(), SupervisionError>;
    fn restart_child(&self, child: &str) -> Result<(), SupervisionError>;
    fn delete_child(&self, child: &str) -> Result<(), SupervisionError>;
    fn which_children(&self, supervisor: Option<&str>) -> Result<Vec<ChildInfo>, SupervisionError>;
    fn count_children(&self, supervisor: Option<&str>) -> Result<Counts, SupervisionError>;
    fn whereis(&self, actor: &str) -> Option<Phase>;
    fn members(&self, group: &str) -> Result<Vec<String>, SupervisionError>;
    fn attribute(&self, actor: &str, key: &str) -> Option<String>;
    fn having(&self, key: &str, value: &str) -> Result<Vec<String>, SupervisionError>;
    fn link(&self, actor: &str) -> Result<(), SendError>;
    fn unlink(&self, actor: &str) -> Result<(), SendError>;
    fn exit(&self, actor: &str, reason: &str) -> Result<(), SendError>;
    fn join(&self, group: &str) -> Result<(), SendError>;
    fn leave(&self, group: &str) -> Result<(), SendError>;
    fn dispatch(&self, group: &str, body: &[u8]) -> Result<(), SendError>;
    fn set_attribute(&self, key: &str, value: Option<&str>) -> Result<(), SendError>;
}

impl ChildSpec {
    /// A child with what OTP's workers have: permanent, and 5 s to stop; and without arguments.
    #[must_use]
    pub fn new(name: impl Into<String>, plugin: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            plugin: plugin.into(),
            args: Vec::new(),
            restart: Restart::Permanent,
            shutdown: Shutdown::AfterMs(5_000),
            significant: false,
        }
    }

    /// Sets what its `init` is given.
    #[must_use]
    pub fn with_args(self, args: impl Into<Vec<u8>>) -> Self {
        Self { args: args.into(), ..self }
    }

    /// Sets when it is started again.
    #[must_use]
    pub fn with_restart(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }

    /// Sets how long it may take to stop.
    #[must_use]
    pub fn with_shutdown(self, shutdown: Shutdown) -> Self {
        Self { shutdown, ..self }
    }

    /// Lets its end count for its supervisor's `auto_shutdown`, when it is not started again.
    #[must_use]
    pub fn significant(self) -> Self {
        Self { significant: true, ..self }
    }
}

/// Children. These act at once, and wait at most for what is left of the turn.
impl Cx {
    /// Starts a child below a supervisor, below the root if none is named, and returns when its
    /// [`init`](crate::Actor::init) has.
    ///
    /// # Errors
    /// [`SupervisionError::AlreadyStarted`] if the name is taken, [`SupervisionError::Failed`] if it would not start, and
    /// others; then it is not there.
    pub fn start_child(&self, supervisor: Option<&str>, child: &ChildSpec) -> Result<(), SupervisionError> {
        self.supervision().start_child(supervisor, child)
    }

    /// Tells a child to end, and returns when it has. Its specification stays, unless its supervisor is dynamic or the
    /// child temporary.
    ///
    /// # Errors
    /// [`SupervisionError::UnknownChild`] if no supervisor has such a child, and others.
    pub fn terminate_child(&self, child: &str) -> Result<(), SupervisionError> {
        self.supervision().terminate_child(child)
    }

    /// Starts a child again that has ended.
    ///
    /// # Errors
    /// [`SupervisionError::Running`] or [`SupervisionError::Restarting`] if it has not, and others.
    pub fn restart_child(&self, child: &str) -> Result<(), SupervisionError> {
        self.supervision().restart_child(child)
    }

    /// Removes the specification of a child that has ended.
    ///
    /// # Errors
    /// [`SupervisionError::Running`] or [`SupervisionError::Restarting`] if it has not, and others.
    pub fn delete_child(&self, child: &str) -> Result<(), SupervisionError> {
        self.supervision().delete_child(child)
    }

    /// The children of a supervisor, of the root if none is named, in the order of their start.
    ///
    /// # Errors
    /// [`SupervisionError::Limit`] if they are more than 10,000, and others.
    pub fn which_children(&self, supervisor: Option<&str>) -> Result<Vec<ChildInfo>, SupervisionError> {
        self.supervision().which_children(supervisor)
    }

    /// How many children a supervisor has, or the root if none is named.
    ///
    /// # Errors
    /// [`SupervisionError::UnknownSupervisor`], and others.
    pub fn count_children(&self, supervisor: Option<&str>) -> Result<Counts, SupervisionError> {
        self.supervision().count_children(supervisor)
    }
}

/// Names. These act at once.
impl Cx {
    /// Where the actor of that name stands; none: nobody has it.
    #[must_use]
    pub fn whereis(&self, actor: &str) -> Option<Phase> {
        self.supervision().whereis(actor)
    }

    /// The members of a group, in the order in which they came.
    ///
    /// # Errors
    /// [`SupervisionError::Limit`] if they are more than 10,000, [`SupervisionError::BadSpec`] if it can be no group's name.
    pub fn members(&self, group: &str) -> Result<Vec<String>, SupervisionError> {
        self.supervision().members(group)
    }

    /// The value of an actor's attribute.
    #[must_use]
    pub fn attribute(&self, actor: &str, key: &str) -> Option<String> {
        self.supervision().attribute(actor, key)
    }

    /// The actors whose attribute `key` is `value`, in the order of their names.
    ///
    /// # Errors
    /// As [`members`](Self::members).
    pub fn having(&self, key: &str, value: &str) -> Result<Vec<String>, SupervisionError> {
        self.supervision().having(key, value)
    }
}

/// Effects: they leave when the turn has ended without a panic. An error is a limit of the host, or a name that breaks
/// the rules.
impl Cx {
    /// Asks for [`down`](crate::Actor::down) when that actor ends, or at once where nobody has the name. Monitors are the
    /// instance's: set those again in [`resumed`](crate::Actor::resumed) that should outlive it.
    ///
    /// # Errors
    /// As all effects.
    pub fn monitor(&self, actor: &str) -> Result<(), SendError> {
        self.host().monitor(actor)
    }

    /// Takes that back.
    pub fn demonitor(&self, actor: &str) {
        self.host().demonitor(actor);
    }

    /// From then on the end of one of the two ends the other as well, unless it was normal; one that
    /// [traps exits](crate::Actor::traps_exits) gets [`exit`](crate::Actor::exit) instead.
    ///
    /// # Errors
    /// As all effects.
    pub fn link(&self, actor: &str) -> Result<(), SendError> {
        self.supervision().link(actor)
    }

    /// Takes that back.
    ///
    /// # Errors
    /// As all effects.
    pub fn unlink(&self, actor: &str) -> Result<(), SendError> {
        self.supervision().unlink(actor)
    }

    /// Does to an actor what the end of this one would, were they linked. The reason is `normal`, `shutdown`,
    /// `killed`, which nobody traps, or a text of one's own, which is a crash; one that was heard of can be passed on as
    /// it is.
    ///
    /// # Errors
    /// As all effects.
    pub fn exit(&self, actor: &str, reason: &str) -> Result<(), SendError> {
        self.supervision().exit(actor, reason)
    }

    /// Makes this actor a member of a group.
    ///
    /// # Errors
    /// As all effects.
    pub fn join(&self, group: &str) -> Result<(), SendError> {
        self.supervision().join(group)
    }

    /// Takes that back.
    ///
    /// # Errors
    /// As all effects.
    pub fn leave(&self, group: &str) -> Result<(), SendError> {
        self.supervision().leave(group)
    }

    /// Sends `message` as JSON to all members of a group, this actor included if it is one.
    ///
    /// # Errors
    /// As all effects, or [`SendError::Encode`].
    pub fn dispatch<M: Serialize + ?Sized>(&self, group: &str, message: &M) -> Result<(), SendError> {
        let body = serde_json::to_vec(message).map_err(|error| SendError::Encode(error.to_string()))?;
        self.dispatch_bytes(group, &body)
    }

    /// [`dispatch`](Self::dispatch) with the body as it is.
    ///
    /// # Errors
    /// As all effects.
    pub fn dispatch_bytes(&self, group: &str, body: &[u8]) -> Result<(), SendError> {
        self.supervision().dispatch(group, body)
    }

    /// Sets an attribute of this actor; none removes it.
    ///
    /// # Errors
    /// As all effects.
    pub fn set_attribute(&self, key: &str, value: Option<&str>) -> Result<(), SendError> {
        self.supervision().set_attribute(key, value)
    }
}

/// So that `cx.start_child(…)?` can stand in [`Actor::handle`](crate::Actor::handle).
impl From<SupervisionError> for Failure {
    fn from(error: SupervisionError) -> Self {
        use SupervisionError as E;
        let (code, message) = match error {
            E::Denied => ("supervision-denied", "this actor is not allowed to do that".to_owned()),
            E::UnknownSupervisor => ("unknown-supervisor", "there is no supervisor of that name".to_owned()),
            E::UnknownChild => ("unknown-child", "no supervisor has a child of that name".to_owned()),
            E::AlreadyStarted => ("already-started", "an actor of that name runs already".to_owned()),
            E::AlreadyPresent => {
                ("already-present", "a child of that name is there and does not run: restart or delete it".to_owned())
            }
            E::Running => ("running", "the child runs".to_owned()),
            E::Restarting => ("restarting", "the child is about to be started again".to_owned()),
            E::MaxChildren => ("max-children", "the supervisor has as many children as it may have".to_owned()),
            E::UnknownPlugin => ("unknown-plugin", "the host has no plugin of that name".to_owned()),
            E::BadSpec(why) => ("bad-spec", why),
            E::Failed(why) => ("start-failed", why),
            E::ShuttingDown => ("shutting-down", "the host is going down".to_owned()),
            E::Limit(limit) => ("supervision-limit", format!("a limit of the host was reached: {limit}")),
            E::Other(why) => ("supervision-failed", why),
        };
        Self::new(code, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_code_of_its_own() {
        use SupervisionError as E;
        let all = [
            E::Denied,
            E::UnknownSupervisor,
            E::UnknownChild,
            E::AlreadyStarted,
            E::AlreadyPresent,
            E::Running,
            E::Restarting,
            E::MaxChildren,
            E::UnknownPlugin,
            E::BadSpec("why".into()),
            E::Failed("why".into()),
            E::ShuttingDown,
            E::Limit("listed = 10000".into()),
            E::Other("why".into()),
        ];
        let codes: std::collections::BTreeSet<_> = all.iter().map(|error| Failure::from(error.clone()).code).collect();
        assert_eq!(codes.len(), all.len(), "{codes:?}");
    }
}
