//! What actors ask for in the middle of a turn: calls, and changes of the supervision tree. The latter only where their plugin
//! was granted it.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Router;
use crate::model::{
    ActorName, ActorSpec, Body, CallError, ChildInfo, Counts, ErrorCode, GroupName, HostError, Phase, Request,
};
use crate::sandbox::{ChildChange, NestedCall, Outside, Supervised};
use crate::supervisor::Supervisor;
use crate::telemetry::Parent;

/// Takes the calls that actors make in the middle of a turn.
#[derive(Debug, Clone)]
pub(crate) struct Calls(pub(crate) Arc<Router>);

impl Calls {
    /// The supervisor, if `from` may start, stop and link `child`.
    fn granted(&self, from: &ActorName, child: &ActorName) -> Result<Supervisor, HostError> {
        if !self.may_supervise(from, child) {
            let message = format!("`{from}` may not supervise `{child}`");
            let cure = format!("add \"{child}\", or a pattern such as \"*\", to `supervise` in its plugin's `grants`");
            return Err(HostError::new(ErrorCode::Denied, message).hint(cure));
        }
        self.supervisor()
    }

    fn supervisor(&self) -> Result<Supervisor, HostError> {
        let starting = || HostError::new(ErrorCode::ShuttingDown, "the host is starting");
        self.0.supervisor.get().cloned().ok_or_else(starting)
    }

    /// The supervisor, if `from` may supervise anything at all: it may see what there is to supervise.
    fn shown(&self, from: &ActorName, supervisor: Option<&ActorName>) -> Result<Supervisor, HostError> {
        match supervisor {
            Some(name) if self.may_supervise(from, name) => self.supervisor(),
            _ if self.0.grants_of(from).is_some_and(|grants| !grants.supervise.is_empty()) => self.supervisor(),
            _ => Err(HostError::new(ErrorCode::Denied, format!("`{from}` may supervise nobody"))
                .hint("name what it may supervise in its plugin's `grants`")),
        }
    }
}

impl Outside for Calls {
    fn call(&self, call: NestedCall) -> BoxFuture<'static, Result<Body, CallError>> {
        let router = self.0.clone();
        Box::pin(async move {
            let NestedCall { to, id, body, timeout, from, trace } = call;
            let waiting = router.waits.begin(&from, &to);
            let _until_answered = waiting.map_err(|chain| CallError::Deadlock { actor: to.to_string(), chain })?;
            let request = Request { id, sender: Some(from.clone()), body, sent: None };
            router.ask(&to, request, timeout, Parent::within(trace.as_ref())).await
        })
    }

    fn may_supervise(&self, from: &ActorName, name: &ActorName) -> bool {
        self.0.grants_of(from).is_some_and(|grants| grants.may_supervise(name))
    }

    fn start_child(&self, from: &ActorName, supervisor: Option<ActorName>, child: ActorSpec) -> Supervised<()> {
        let granted = self.granted(from, &child.name);
        let closed = self.0.is_closed();
        Box::pin(async move {
            let tree = granted?;
            if closed {
                return Err(HostError::new(ErrorCode::ShuttingDown, "the host is going down"));
            }
            tree.start_child(supervisor, child.into(), false).await
        })
    }

    fn change_child(&self, from: &ActorName, child: ActorName, change: ChildChange) -> Supervised<()> {
        let (granted, router) = (self.granted(from, &child), self.0.clone());
        Box::pin(async move {
            let tree = granted?;
            match change {
                ChildChange::Terminate => tree.terminate_child(child).await.map(drop),
                ChildChange::Restart => tree.restart_child(child).await,
                ChildChange::Delete => {
                    tree.delete_child(child.clone()).await?;
                    router.deleted(&child);
                    Ok(())
                }
            }
        })
    }

    fn which_children(&self, from: &ActorName, supervisor: Option<ActorName>) -> Supervised<Vec<ChildInfo>> {
        let shown = self.shown(from, supervisor.as_ref());
        Box::pin(async move { shown?.which_children(supervisor).await })
    }

    fn count_children(&self, from: &ActorName, supervisor: Option<ActorName>) -> Supervised<Counts> {
        let shown = self.shown(from, supervisor.as_ref());
        Box::pin(async move { shown?.count_children(supervisor).await })
    }

    fn whereis(&self, actor: &ActorName) -> Option<Phase> {
        self.0.registry.whereis(actor).map(|cell| cell.status().phase)
    }

    fn members(&self, group: &GroupName) -> Vec<ActorName> {
        self.0.registry.members(group)
    }

    fn attribute(&self, actor: &ActorName, key: &str) -> Option<String> {
        self.0.registry.attribute(actor, key)
    }

    fn having(&self, key: &str, value: &str) -> Vec<ActorName> {
        self.0.registry.having(key, value)
    }
}
