//! How the tree's answers are told, and how an instance's end is told to the tree.

use super::restart::End;
use super::tree::Refused;
use crate::actor::StartFailure;
use crate::events::EventDetail;
use crate::model::{
    ActorName, Crash, CrashKind, ErrorCode, Exit, Failure, HostError, NotSaved, Saved, Shutdown, StopReason,
};

/// The code of `init`'s failure by which an actor says that it is not to run: OTP's `ignore`.
const IGNORE: &str = "ignore";

pub(super) fn error(refused: &Refused, failure: Option<&StartFailure>) -> HostError {
    if let (Refused::Start(name, _), Some(failure)) = (refused, failure) {
        return start_error(name, failure);
    }
    let (code, hint) = match refused {
        Refused::GoingDown => (ErrorCode::ShuttingDown, None),
        Refused::NoSupervisor(_) => (ErrorCode::UnknownSupervisor, None),
        Refused::NoChild(_) => (ErrorCode::UnknownActor, None),
        Refused::AlreadyStarted(..) => (ErrorCode::AlreadyStarted, None),
        Refused::AlreadyPresent(_) => (ErrorCode::AlreadyPresent, Some("start it by its name, or delete it first")),
        Refused::Running(_) => (ErrorCode::Running, Some("stop it first")),
        Refused::Restarting(_) => (ErrorCode::Restarting, Some("stop it first")),
        Refused::MaxChildren(..) => (ErrorCode::MaxChildren, Some("stop others first, or raise the limit")),
        Refused::BadSpec(..) => (ErrorCode::ChildSpec, None),
        Refused::Start(..) => (ErrorCode::Start, None),
        Refused::Stopped(_) => (ErrorCode::Stopped, None),
    };
    let error = HostError::new(code, refused.to_string());
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

pub(super) fn start_error(name: &ActorName, failure: &StartFailure) -> HostError {
    let error = HostError::new(ErrorCode::Start, format!("actor `{name}` would not start: {failure}"));
    match failure {
        StartFailure::Crashed(crash) if !crash.backtrace.is_empty() => {
            error.hint(format!("the guest was in {}", crash.backtrace.join(" ← ")))
        }
        _ => error,
    }
}

/// What an exit is to the tree. `shared`: whether other hosts use the store, so that one that was fenced may come back.
pub(super) fn end(exit: &Exit, inbox_left: bool, shared: bool) -> End {
    match exit {
        Exit::Stopped(_, Saved::Not(NotSaved::Killed)) => End::Crashed("killed".into()),
        Exit::Stopped(StopReason::Normal, _) => End::Normal { inbox_left },
        Exit::Stopped(..) => End::Shutdown,
        Exit::Crashed(crash) if crash.kind == CrashKind::Fenced && shared => End::Fenced(exit.to_string()),
        Exit::Crashed(crash) if crash.kind == CrashKind::Fenced => End::Barred(exit.to_string()),
        Exit::Crashed(_) => End::Crashed(exit.to_string()),
        Exit::Refused(Failure { code, .. }) if code == IGNORE => End::Ignored,
        Exit::Refused(_) => End::Crashed(exit.to_string()),
        Exit::Unusable(_) => End::Barred(exit.to_string()),
        Exit::Elsewhere(_) => End::Elsewhere(exit.to_string()),
    }
}

/// What an exit says of the state.
pub(super) fn saved(exit: &Exit) -> Saved {
    match exit {
        Exit::Stopped(_, saved) => saved.clone(),
        Exit::Crashed(crash) => Saved::Not(NotSaved::Crashed(crash.to_string())),
        // Nothing was loaded yet, so nothing is lost.
        Exit::Refused(_) | Exit::Unusable(_) | Exit::Elsewhere(_) => Saved::Kept,
    }
}

/// The same as those hear it who listen to events.
pub(super) fn told(exit: &Exit) -> EventDetail {
    match exit {
        Exit::Stopped(reason, saved) => EventDetail::Stopped {
            reason: reason.to_string(),
            committed: match saved {
                Saved::Committed(sequence) => Some(*sequence),
                _ => None,
            },
            not_saved: match saved {
                Saved::Not(why) => Some(why.to_string()),
                _ => None,
            },
        },
        Exit::Unusable(_) => EventDetail::Stopped { reason: "unusable".to_owned(), committed: None, not_saved: None },
        Exit::Elsewhere(_) => EventDetail::Stopped { reason: "elsewhere".to_owned(), committed: None, not_saved: None },
        Exit::Crashed(Crash { kind, during, message, backtrace, core_dump }) => EventDetail::Crashed {
            why: message.clone(),
            crash: Some(*kind),
            during: during.clone(),
            backtrace: backtrace.clone(),
            core_dump: core_dump.clone(),
        },
        Exit::Refused(failure) => EventDetail::Crashed {
            why: failure.to_string(),
            crash: None,
            during: "init".to_owned(),
            backtrace: Vec::new(),
            core_dump: None,
        },
    }
}

/// An actor that is to be killed at once has nothing saved, and that is what its spec says.
pub(super) fn as_its_spec_wished(shutdown: Shutdown, exit: Exit) -> Exit {
    match exit {
        Exit::Stopped(reason, Saved::Not(NotSaved::Killed)) if shutdown == Shutdown::BrutalKill => {
            Exit::Stopped(reason, Saved::Kept)
        }
        other => other,
    }
}

/// An instance's task that did not end by itself: it was overdue, or the host's own code panicked in it.
pub(super) fn ended_from_outside(error: &tokio::task::JoinError) -> Exit {
    if error.is_cancelled() {
        return Exit::Stopped(StopReason::Shutdown, Saved::Not(NotSaved::Killed));
    }
    Exit::Crashed(Crash::new(CrashKind::Trap, "host", format!("the host's own code panicked: {error}")))
}
