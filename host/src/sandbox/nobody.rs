//! For instances that are to have no effect: one that describes itself, and one that was replaced.

use futures_util::future::BoxFuture;

use super::{ChildChange, NestedCall, Outside, Supervised};
use crate::model::{
    ActorName, ActorSpec, Body, CallError, ChildInfo, Counts, ErrorCode, GroupName, HostError, Phase, SendError,
};

/// Nobody is there, and nothing may be started. It says so to whoever asks.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Outside for Nobody {
    fn call(&self, call: NestedCall) -> BoxFuture<'static, Result<Body, CallError>> {
        Box::pin(async move { Err(SendError::UnknownActor(call.to.to_string()).into()) })
    }

    fn may_supervise(&self, _: &ActorName, _: &ActorName) -> bool {
        false
    }

    fn start_child(&self, _: &ActorName, _: Option<ActorName>, _: ActorSpec) -> Supervised<()> {
        nothing_here()
    }

    fn change_child(&self, _: &ActorName, _: ActorName, _: ChildChange) -> Supervised<()> {
        nothing_here()
    }

    fn which_children(&self, _: &ActorName, _: Option<ActorName>) -> Supervised<Vec<ChildInfo>> {
        nothing_here()
    }

    fn count_children(&self, _: &ActorName, _: Option<ActorName>) -> Supervised<Counts> {
        nothing_here()
    }

    fn whereis(&self, _: &ActorName) -> Option<Phase> {
        None
    }

    fn members(&self, _: &GroupName) -> Vec<ActorName> {
        Vec::new()
    }

    fn attribute(&self, _: &ActorName, _: &str) -> Option<String> {
        None
    }

    fn having(&self, _: &str, _: &str) -> Vec<ActorName> {
        Vec::new()
    }
}

fn nothing_here<T>() -> Supervised<T> {
    let denied = || HostError::new(ErrorCode::Denied, "an instance without an actor of its own supervises nothing");
    Box::pin(async move { Err(denied()) })
}
