//! The world around the actor, as it is played: who answers its calls, who is in which group; and what it asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;

use crate::model::{
    ActorName, ActorSpec, Body, CallError, ChildInfo, Counts, ErrorCode, GroupName, HostError, Phase, SendError,
};
use crate::sandbox::{ChildChange, NestedCall, Outside, Played, Supervised};

/// Questions that are kept of one turn; the limit `turn_calls` is below that.
const ASKED: usize = 10_000;

/// Something that it asked in the middle of a turn, and that acts at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) what: String,
    pub(super) body: Vec<u8>,
}

/// One actor's surroundings, over all of its instances.
#[derive(Debug)]
pub(super) struct World {
    /// Time and chance.
    pub(super) played: Arc<Played>,
    scenery: Mutex<Scenery>,
}

#[derive(Debug, Default)]
struct Scenery {
    answers: HashMap<ActorName, Result<Vec<u8>, CallError>>,
    members: HashMap<GroupName, Vec<ActorName>>,
    supervises: bool,
    asked: Vec<Asked>,
}

impl World {
    pub(super) fn new(seed: u64, now_ms: u64) -> Self {
        Self { played: Arc::new(Played::new(seed, now_ms)), scenery: Mutex::default() }
    }

    fn scenery(&self) -> MutexGuard<'_, Scenery> {
        // Each change leaves it whole.
        self.scenery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn answer(&self, of: ActorName, answer: Result<Vec<u8>, CallError>) {
        self.scenery().answers.insert(of, answer);
    }

    pub(super) fn members_are(&self, group: GroupName, are: Vec<ActorName>) {
        self.scenery().members.insert(group, are);
    }

    pub(super) fn lets_supervise(&self, may: bool) {
        self.scenery().supervises = may;
    }

    pub(super) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.scenery().asked)
    }

    fn note(&self, what: String, body: &[u8]) {
        let asked = &mut self.scenery().asked;
        if asked.len() < ASKED {
            asked.push(Asked { what, body: body.to_vec() });
        }
    }

    fn changes(&self, what: String) -> Supervised<()> {
        self.note(what, &[]);
        let may = self.scenery().supervises;
        Box::pin(async move { if may { Ok(()) } else { Err(denied()) } })
    }
}

fn denied() -> HostError {
    HostError::new(ErrorCode::Denied, "the script does not let it supervise")
}

impl Outside for World {
    fn call(&self, call: NestedCall) -> BoxFuture<'static, Result<Body, CallError>> {
        self.note(format!("called {}", call.to), &call.body);
        let unknown = || Err(SendError::UnknownActor(call.to.to_string()).into());
        let answer = self.scenery().answers.get(&call.to).cloned().unwrap_or_else(unknown);
        Box::pin(async move { answer.map(Body::from) })
    }

    fn may_supervise(&self, _: &ActorName, _: &ActorName) -> bool {
        // Links and exits are effects, which are seen.
        true
    }

    fn start_child(&self, _: &ActorName, supervisor: Option<ActorName>, child: ActorSpec) -> Supervised<()> {
        let below = supervisor.map(|name| format!(" below {name}")).unwrap_or_default();
        self.changes(format!("started the child {} of plugin {}{below}", child.name, child.plugin))
    }

    fn change_child(&self, _: &ActorName, child: ActorName, change: ChildChange) -> Supervised<()> {
        self.changes(format!("changed the child {child}: {change:?}"))
    }

    fn which_children(&self, _: &ActorName, _: Option<ActorName>) -> Supervised<Vec<ChildInfo>> {
        self.note("asked which children there are".to_owned(), &[]);
        let may = self.scenery().supervises;
        Box::pin(async move { if may { Ok(Vec::new()) } else { Err(denied()) } })
    }

    fn count_children(&self, _: &ActorName, _: Option<ActorName>) -> Supervised<Counts> {
        self.note("asked how many children there are".to_owned(), &[]);
        Box::pin(async { Err(denied()) })
    }

    fn whereis(&self, actor: &ActorName) -> Option<Phase> {
        self.note(format!("asked where {actor} is"), &[]);
        None
    }

    fn members(&self, group: &GroupName) -> Vec<ActorName> {
        self.note(format!("asked for the members of {group}"), &[]);
        self.scenery().members.get(group).cloned().unwrap_or_default()
    }

    fn attribute(&self, actor: &ActorName, key: &str) -> Option<String> {
        self.note(format!("asked for the attribute {key:?} of {actor}"), &[]);
        None
    }

    fn having(&self, key: &str, value: &str) -> Vec<ActorName> {
        self.note(format!("looked for actors by the attribute {key:?} = {value:?}"), &[]);
        Vec::new()
    }
}
