//! Supervision under test: what the actor asks for is written down, and it is told what the test says.

use std::collections::BTreeMap;

use super::Harness;
use super::recorder::{Recorder, World};
use crate::bindings::baton::actor::types::Message;
use crate::supervision::{
    ChildInfo, ChildKind, ChildSpec, ChildState, Counts, EXIT, Phase, Supervision, SupervisionError,
};
use crate::{Failure, Plugin, SendError};

/// Something that the actor asked of those around it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Asked {
    /// To start a child.
    StartChild {
        /// Below which supervisor; none: the root.
        supervisor: Option<String>,
        /// Which.
        child: ChildSpec,
    },
    /// To end a child.
    TerminateChild(String),
    /// To start a child again.
    RestartChild(String),
    /// To remove a child.
    DeleteChild(String),
    /// To be told when an actor ends.
    Monitor(String),
    /// Not to be told any more.
    Demonitor(String),
    /// To be linked to an actor.
    Link(String),
    /// Not to be any more.
    Unlink(String),
    /// To send an actor an exit.
    Exit {
        /// Whom.
        actor: String,
        /// With which reason.
        reason: String,
    },
    /// To be a member of a group.
    Join(String),
    /// Not to be any more.
    Leave(String),
    /// To send a message to the members of a group.
    Dispatch {
        /// Which.
        group: String,
        /// The message's body.
        body: Vec<u8>,
    },
    /// To set an attribute, or to remove it.
    SetAttribute {
        /// Which.
        key: String,
        /// To what; none: removed.
        value: Option<String>,
    },
}

/// Whom there is around the actor, as the test says.
#[derive(Debug, Default)]
pub(super) struct Around {
    asked: Vec<Asked>,
    refusal: Option<SupervisionError>,
    children: BTreeMap<Option<String>, Vec<ChildInfo>>,
    phases: BTreeMap<String, Phase>,
    groups: BTreeMap<String, Vec<String>>,
    attributes: BTreeMap<String, BTreeMap<String, String>>,
}

impl World {
    fn change(&mut self, asked: Asked) -> Result<(), SupervisionError> {
        self.around.allowed()?;
        self.around.asked.push(asked);
        Ok(())
    }

    pub(super) fn effect(&mut self, asked: Asked) -> Result<(), SendError> {
        self.allowed()?;
        self.around.asked.push(asked);
        Ok(())
    }

    /// The one effect that cannot be refused.
    pub(super) fn demonitor(&mut self, actor: &str) {
        self.around.asked.push(Asked::Demonitor(actor.to_owned()));
    }
}

impl Around {
    fn allowed(&self) -> Result<(), SupervisionError> {
        self.refusal.clone().map_or(Ok(()), Err)
    }

    fn children(&self, supervisor: Option<&str>) -> Result<&[ChildInfo], SupervisionError> {
        self.allowed()?;
        match self.children.get(&supervisor.map(str::to_owned)) {
            Some(children) => Ok(children),
            None if supervisor.is_none() => Ok(&[]),
            None => Err(SupervisionError::UnknownSupervisor),
        }
    }
}

fn count(children: &[ChildInfo]) -> Counts {
    let many = |is: fn(&ChildInfo) -> bool| children.iter().filter(|child| is(child)).count() as u64;
    Counts {
        specs: children.len() as u64,
        active: many(|child| matches!(child.state, ChildState::Starting | ChildState::Up | ChildState::Stopping)),
        supervisors: many(|child| child.kind == ChildKind::Supervisor),
        workers: many(|child| child.kind == ChildKind::Worker),
    }
}

impl Supervision for Recorder {
    fn start_child(&self, supervisor: Option<&str>, child: &ChildSpec) -> Result<(), SupervisionError> {
        self.world().change(Asked::StartChild { supervisor: supervisor.map(str::to_owned), child: child.clone() })
    }

    fn terminate_child(&self, child: &str) -> Result<(), SupervisionError> {
        self.world().change(Asked::TerminateChild(child.to_owned()))
    }

    fn restart_child(&self, child: &str) -> Result<(), SupervisionError> {
        self.world().change(Asked::RestartChild(child.to_owned()))
    }

    fn delete_child(&self, child: &str) -> Result<(), SupervisionError> {
        self.world().change(Asked::DeleteChild(child.to_owned()))
    }

    fn which_children(&self, supervisor: Option<&str>) -> Result<Vec<ChildInfo>, SupervisionError> {
        self.world().around.children(supervisor).map(<[_]>::to_vec)
    }

    fn count_children(&self, supervisor: Option<&str>) -> Result<Counts, SupervisionError> {
        self.world().around.children(supervisor).map(count)
    }

    fn whereis(&self, actor: &str) -> Option<Phase> {
        self.world().around.phases.get(actor).cloned()
    }

    fn members(&self, group: &str) -> Result<Vec<String>, SupervisionError> {
        let world = self.world();
        world.around.allowed()?;
        Ok(world.around.groups.get(group).cloned().unwrap_or_default())
    }

    fn attribute(&self, actor: &str, key: &str) -> Option<String> {
        self.world().around.attributes.get(actor)?.get(key).cloned()
    }

    fn having(&self, key: &str, value: &str) -> Result<Vec<String>, SupervisionError> {
        let world = self.world();
        world.around.allowed()?;
        let has = |attributes: &BTreeMap<String, String>| attributes.get(key).is_some_and(|held| held == value);
        let having = world.around.attributes.iter().filter(|(_, attributes)| has(attributes));
        Ok(having.map(|(actor, _)| actor.clone()).collect())
    }

    fn link(&self, actor: &str) -> Result<(), SendError> {
        self.world().effect(Asked::Link(actor.to_owned()))
    }

    fn unlink(&self, actor: &str) -> Result<(), SendError> {
        self.world().effect(Asked::Unlink(actor.to_owned()))
    }

    fn exit(&self, actor: &str, reason: &str) -> Result<(), SendError> {
        self.world().effect(Asked::Exit { actor: actor.to_owned(), reason: reason.to_owned() })
    }

    fn join(&self, group: &str) -> Result<(), SendError> {
        self.world().effect(Asked::Join(group.to_owned()))
    }

    fn leave(&self, group: &str) -> Result<(), SendError> {
        self.world().effect(Asked::Leave(group.to_owned()))
    }

    fn dispatch(&self, group: &str, body: &[u8]) -> Result<(), SendError> {
        self.world().effect(Asked::Dispatch { group: group.to_owned(), body: body.to_vec() })
    }

    fn set_attribute(&self, key: &str, value: Option<&str>) -> Result<(), SendError> {
        self.world().effect(Asked::SetAttribute { key: key.to_owned(), value: value.map(str::to_owned) })
    }
}

/// Supervision.
impl<P: Plugin> Harness<P> {
    /// Tells the actor that one it is linked to has ended. A host tells those alone who trap exits.
    ///
    /// # Errors
    /// Its failure.
    pub fn exit(&mut self, actor: &str, reason: &str) -> Result<(), Failure> {
        let told = super::json(&serde_json::json!({ "actor": actor, "reason": reason }));
        self.instance.handle(Message::Other((EXIT.to_owned(), told))).map(drop)
    }

    /// Whether the actor has said that it traps exits.
    #[must_use]
    pub fn traps_exits(&self) -> bool {
        self.trap_exit
    }

    /// What the actor has asked of those around it since this was asked last, in order. What was refused is not among it,
    /// nor is what only looks something up.
    #[must_use]
    pub fn asked(&mut self) -> Vec<Asked> {
        std::mem::take(&mut self.host.world().around.asked)
    }

    /// Lets the host refuse whatever of supervision acts at once from now on; `None` ends that. For effects there is
    /// [`refuse_sends`](Self::refuse_sends).
    pub fn refuse_supervision(&mut self, error: Option<SupervisionError>) {
        self.host.world().around.refusal = error;
    }

    /// Sets the children of a supervisor, or of the root. A supervisor for which this was never done is unknown.
    pub fn set_children(&mut self, supervisor: Option<&str>, children: Vec<ChildInfo>) {
        self.host.world().around.children.insert(supervisor.map(str::to_owned), children);
    }

    /// Sets where another actor stands; none: nobody has the name.
    pub fn set_phase(&mut self, actor: &str, phase: Option<Phase>) {
        let phases = &mut self.host.world().around.phases;
        match phase {
            Some(phase) => phases.insert(actor.to_owned(), phase),
            None => phases.remove(actor),
        };
    }

    /// Sets the members of a group.
    pub fn set_members(&mut self, group: &str, members: &[&str]) {
        let members = members.iter().map(|&member| member.to_owned()).collect();
        self.host.world().around.groups.insert(group.to_owned(), members);
    }

    /// Sets an attribute of another actor.
    pub fn set_attribute(&mut self, actor: &str, key: &str, value: &str) {
        let attributes = &mut self.host.world().around.attributes;
        attributes.entry(actor.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
    }
}

#[cfg(test)]
mod tests;
