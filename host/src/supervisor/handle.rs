//! The supervisor's handle: what others ask of it, and wait for.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::report::ShutdownReport;
use super::run::{Event, Run, Surroundings};
use super::tree::Ask;
use crate::actor::{Budget, Cell};
use crate::model::{ActorName, ChildInfo, ChildSpec, Counts, ErrorCode, HostError, Saved};

/// Requests and events that may wait for the loop.
const QUEUE: usize = 16_384;

/// A handle to the loop. It runs until it has shut everything down.
#[derive(Debug, Clone)]
pub(crate) struct Supervisor(mpsc::Sender<Event>);

impl Supervisor {
    /// Starts the loop. `surroundings` is asked for once the handle exists, since who takes actors' messages may need it.
    pub(crate) fn start(surroundings: impl FnOnce(&Self) -> Surroundings) -> Self {
        let (sender, events) = mpsc::channel(QUEUE);
        let supervisor = Self(sender);
        // The loop must not keep itself alive: its own sender is weak.
        let run = Run::new(surroundings(&supervisor), supervisor.0.downgrade());
        tokio::spawn(run.run(events));
        supervisor
    }

    /// Adds a child below a supervisor, or below the root, starts it, and waits until it is up: for an actor's `init`, for
    /// all below a supervisor. `listed`: it stays under the root even if it would not start.
    pub(crate) async fn start_child(
        &self,
        supervisor: Option<ActorName>,
        spec: ChildSpec,
        listed: bool,
    ) -> Result<(), HostError> {
        self.ask(Ask::Start { supervisor, spec: Box::new(spec), listed }).await.map(drop)
    }

    /// Stops a child and waits until it is gone.
    pub(crate) async fn terminate_child(&self, name: ActorName) -> Result<Saved, HostError> {
        self.ask(Ask::Terminate { name }).await
    }

    /// Starts a child that is down.
    pub(crate) async fn restart_child(&self, name: ActorName) -> Result<(), HostError> {
        self.ask(Ask::Again { name }).await.map(drop)
    }

    /// Removes the specification of a child that is down.
    pub(crate) async fn delete_child(&self, name: ActorName) -> Result<(), HostError> {
        self.ask(Ask::Delete { name }).await.map(drop)
    }

    /// Stops a child and starts it again.
    pub(crate) async fn stop_and_start(&self, name: ActorName) -> Result<(), HostError> {
        self.ask(Ask::Restart { name }).await.map(drop)
    }

    /// Ends a child at once.
    pub(crate) async fn kill(&self, name: ActorName) -> Result<(), HostError> {
        self.ask(Ask::Kill { name }).await.map(drop)
    }

    async fn ask(&self, ask: Ask) -> Result<Saved, HostError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Event::Ask { ask, cell: None, reply }).await.map_err(|_| going_down())?;
        answer.await.map_err(|_| going_down())?
    }

    /// A place in the queue, for a start that nobody waits for; none if too much waits.
    pub(crate) fn place(&self) -> Option<Place<'_>> {
        self.0.try_reserve().ok().map(Place)
    }

    /// Waits until there is a place, or the loop has ended.
    pub(crate) async fn room(&self) {
        drop(self.0.reserve().await);
    }

    /// The children of a supervisor or of the root, in the order of their start.
    pub(crate) async fn which_children(&self, supervisor: Option<ActorName>) -> Result<Vec<ChildInfo>, HostError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Event::Which { supervisor, reply }).await.map_err(|_| going_down())?;
        answer.await.map_err(|_| going_down())?
    }

    /// How many they are.
    pub(crate) async fn count_children(&self, supervisor: Option<ActorName>) -> Result<Counts, HostError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Event::Count { supervisor, reply }).await.map_err(|_| going_down())?;
        answer.await.map_err(|_| going_down())?
    }

    /// The whole tree, each supervisor before its children.
    pub(crate) async fn tree(&self) -> Result<Vec<ChildInfo>, HostError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Event::Tree(reply)).await.map_err(|_| going_down())?;
        answer.await.map_err(|_| going_down())
    }

    /// One child; none: nobody has the name.
    pub(crate) async fn child(&self, name: ActorName) -> Result<Option<ChildInfo>, HostError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Event::Child { name, reply }).await.map_err(|_| going_down())?;
        answer.await.map_err(|_| going_down())
    }

    /// Ends everything at once, nothing saved: for a host that was dropped. A loop with a full queue is told a moment
    /// later.
    pub(crate) fn abandon(&self) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.0.try_send(Event::Abandon)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let sender = self.0.clone();
            runtime.spawn(async move { drop(sender.send(event).await) });
        }
    }

    /// Stops everything within `budget`.
    pub(crate) async fn shutdown(&self, budget: Budget) -> ShutdownReport {
        let (done, answer) = oneshot::channel();
        // What cannot be heard of is not taken for saved.
        let lost = || ShutdownReport { stopped: Vec::new(), trouble: Some("the supervisor ended early".into()) };
        if self.0.send(Event::Shutdown { budget, done }).await.is_err() {
            return lost();
        }
        answer.await.unwrap_or_else(|_| lost())
    }
}

/// A place in the supervisor's queue.
#[derive(Debug)]
pub(crate) struct Place<'a>(mpsc::Permit<'a, Event>);

impl Place<'_> {
    /// Starts an actor whose name is registered already, below a dynamic supervisor or below the root.
    pub(crate) fn start(self, supervisor: Option<ActorName>, cell: Arc<Cell>) {
        let (reply, _) = oneshot::channel();
        let spec = Box::new(ChildSpec::Actor(cell.spec.clone()));
        let ask = Ask::Start { supervisor, spec, listed: false };
        self.0.send(Event::Ask { ask, cell: Some(cell), reply });
    }
}

pub(super) fn going_down() -> HostError {
    HostError::new(ErrorCode::ShuttingDown, "the host is going down")
}
