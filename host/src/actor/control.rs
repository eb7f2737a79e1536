//! What an operator may ask of a running instance: to be suspended and resumed, and for its state. It is served between
//! turns, before messages.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Cell;
use super::lane::{CONTROL_REQUESTS, NotTaken};
use super::rest::Why;
use super::run::{Instance, Live, Next};
use super::switching::{NotSwitched, Order, Switched, Ticket};
use crate::events::EventDetail;
use crate::model::{Body, ErrorCode, Exit, Failure, HostError, Phase, State, Version, log_of};
use crate::sandbox::TurnBase;

/// Where the answer to a request goes. It is dropped when the instance ends first.
type Answer<T> = oneshot::Sender<Result<T, HostError>>;

/// What an instance is asked for.
#[derive(Debug)]
pub(super) enum Request {
    Suspend(Answer<()>),
    Resume(Answer<()>),
    State(Answer<StateInfo>),
    Sleep(Why),
    Switch(Box<Order>, Arc<Ticket>, oneshot::Sender<Result<Switched, NotSwitched>>),
}

/// An actor's state as its `snapshot` gave it just now. Nothing was saved by that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateInfo {
    /// Generation of the instance that gave it.
    pub generation: u64,
    /// The plugin version that it runs.
    pub version: Version,
    /// Version of the layout of `data`; none: there is nothing worth keeping.
    pub schema: Option<u32>,
    /// Its size, in bytes.
    pub bytes: usize,
    /// The state as the plugin encoded it.
    pub data: Body,
}

/// Lets an actor's messages and timers wait until it is resumed; its mailbox stays as bounded as ever, and it can be stopped
/// and killed. Answers once the turn in hand has ended. A new instance is not suspended.
///
/// # Errors
/// `State` if it does not run, ends meanwhile, or too many requests wait for it.
pub(crate) async fn suspend(cell: &Cell) -> Result<(), HostError> {
    ask(cell, "be suspended", Request::Suspend).await
}

/// Lets a suspended actor go on; one that was not suspended goes on as well.
///
/// # Errors
/// As [`suspend`].
pub(crate) async fn resume(cell: &Cell) -> Result<(), HostError> {
    ask(cell, "be resumed", Request::Resume).await
}

/// Asks an actor for its state through `snapshot`, without saving it. Also one that is suspended. What it asks for in that is
/// dropped, and a crash in it is a crash like any other.
///
/// # Errors
/// As [`suspend`]; and if `snapshot` fails, crashes, or gives a state that could not be saved.
pub(crate) async fn get_state(cell: &Cell) -> Result<StateInfo, HostError> {
    ask(cell, "be asked for its state", Request::State).await
}

async fn ask<T>(cell: &Cell, what: &str, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, HostError> {
    let actor = cell.name();
    let phase = cell.status().phase;
    if !matches!(phase, Phase::Running | Phase::Suspended | Phase::Asleep) {
        return Err(error(format!("actor `{actor}` is {phase}: only one that runs can {what}")));
    }
    let (tell, answer) = oneshot::channel();
    let ended = || error(format!("actor `{actor}` could not {what}: its instance ended meanwhile"));
    cell.lane.ask(request(tell)).map_err(|why| match why {
        NotTaken::NobodyThere => ended(),
        NotTaken::TooMany => {
            let message = format!("actor `{actor}` could not {what}: {CONTROL_REQUESTS} requests wait for it already");
            error(message).hint("try again once the turn in hand has ended")
        }
    })?;
    answer.await.unwrap_or_else(|_| Err(ended()))
}

fn error(message: String) -> HostError {
    HostError::new(ErrorCode::State, message)
}

impl Instance {
    /// Does what was asked for, between two turns.
    pub(super) async fn serve_request(&mut self, live: &mut Live, request: Request, suspended: &mut bool) -> Next {
        match request {
            Request::Suspend(answer) => self.suspend(answer, suspended, true),
            Request::Resume(answer) => self.suspend(answer, suspended, false),
            Request::Sleep(why) => return self.fall_asleep(live, why, *suspended).await,
            Request::Switch(order, ticket, answer) => return self.switch(live, (*order, ticket), answer).await,
            // Nobody waits for it any more.
            Request::State(answer) if answer.is_closed() => {}
            Request::State(answer) => {
                let given = self.ask_for_state(live).await;
                let actor = self.cell.name();
                let told = match &given {
                    Ok(Ok(state)) => Ok(state.clone()),
                    Ok(Err(why)) => Err(error(format!("actor `{actor}` gave no state: {why}"))),
                    Err(exit) => Err(error(format!("actor `{actor}` ended when it was asked for its state: {exit}"))),
                };
                // Whoever asked and is gone does not miss it.
                drop(answer.send(told));
                if let Err(exit) = given {
                    return Next::End(exit);
                }
            }
        }
        Next::Go
    }

    fn suspend(&self, answer: Answer<()>, suspended: &mut bool, yes: bool) {
        if *suspended != yes {
            *suspended = yes;
            self.cell.enter(if yes { Phase::Suspended } else { Phase::Running });
            self.tell(if yes { EventDetail::Suspended } else { EventDetail::Resumed });
            log_of!(info, self.cell.label(), "{}", if yes { "suspended" } else { "resumed" });
        }
        // Whoever asked and is gone does not miss it.
        drop(answer.send(Ok(())));
    }

    /// The state, or why there is none to show; or how the instance ended over it.
    async fn ask_for_state(&self, live: &mut Live) -> Result<Result<StateInfo, String>, Exit> {
        let snapshot = match self.signals.uncut(live.guest.snapshot(TurnBase::outside())).await {
            Ok(Ok(snapshot)) => snapshot,
            Ok(Err(crash)) => return Err(Exit::Crashed(crash)),
            Err(why) => return Err(self.cut_short(why)),
        };
        // It is not a turn of its own: what it asks for has no place.
        drop(live.guest.take_effects());
        Ok(self.state_info(live.lease.head.generation, snapshot))
    }

    fn state_info(&self, generation: u64, snapshot: Result<Option<State>, Failure>) -> Result<StateInfo, String> {
        let state = snapshot.map_err(|failure| format!("`snapshot` failed: {failure}"))?;
        if let Some(state) = &state {
            self.acceptable(state)?;
        }
        let version = self.parts.program.description().version.clone();
        let (schema, data) = state.map_or((None, Vec::new()), |state| (Some(state.schema), state.data));
        Ok(StateInfo { generation, version, schema, bytes: data.len(), data: data.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::lane::Heard;
    use super::*;
    use crate::model::{ActorName, ActorSpec, ExitReason, PluginName};

    fn cell(phase: Phase) -> Cell {
        let name = ActorName::new("a").expect("valid");
        let cell = Cell::new(ActorSpec::new(name, PluginName::new("p").expect("valid")));
        cell.enter(phase);
        cell
    }

    #[tokio::test]
    async fn only_a_running_actor_can_be_asked() {
        use Phase::{Continuing, Failed, Held, Restarting, Starting, Stopping};
        for phase in [Starting, Continuing, Stopping, Restarting, Held, Failed] {
            let cell = cell(phase);
            let _killed = cell.lane.attend();
            for refused in [suspend(&cell).await, resume(&cell).await, get_state(&cell).await.map(drop)] {
                let refused = refused.expect_err("it does not run");
                assert_eq!(refused.code(), ErrorCode::State);
                assert!(refused.to_string().contains(&format!("`a` is {phase}")), "{refused}");
            }
        }
    }

    #[tokio::test]
    async fn whoever_asks_hears_that_the_instance_has_ended() {
        let cell = cell(Phase::Running);
        let ended = "ended meanwhile";
        assert!(suspend(&cell).await.expect_err("nobody is there").to_string().contains(ended));
        let _killed = cell.lane.attend();
        let (answer, ()) = tokio::join!(get_state(&cell), async { cell.lane.leave() });
        assert!(answer.expect_err("it has ended").to_string().contains(ended));
        let _killed = cell.lane.attend();
        let (answer, ()) = tokio::join!(get_state(&cell), async { cell.lane.refuse_requests() });
        assert!(answer.expect_err("it is about to end").to_string().contains(ended));
        assert!(resume(&cell).await.expect_err("nothing is taken any more").to_string().contains(ended));
    }

    #[tokio::test]
    async fn requests_that_wait_are_bounded_and_exits_go_before_them() {
        let cell = cell(Phase::Running);
        let _killed = cell.lane.attend();
        let fill = futures_util::future::join_all((0..CONTROL_REQUESTS).map(|_| suspend(&cell)));
        let rest = async {
            let refused = resume(&cell).await.expect_err("too many");
            assert!(refused.to_string().contains("64 requests wait"), "{refused}");
            let exit = super::super::ExitSignal::sent(cell.name().clone(), &ExitReason::Shutdown);
            cell.hear_exit(exit).expect("heard");
            assert!(matches!(cell.lane.next().await, Heard::Exit(_)));
            for _ in 0..CONTROL_REQUESTS {
                let Heard::Asked(Request::Suspend(answer)) = cell.lane.next().await else { panic!("no suspend") };
                answer.send(Ok(())).expect("someone waits");
            }
        };
        let (answers, ()) = tokio::join!(fill, rest);
        assert!(answers.iter().all(Result::is_ok) && answers.len() == CONTROL_REQUESTS);
    }
}
