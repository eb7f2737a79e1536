//! The types of the contract's `supervision`.

use std::time::Duration;

use wasmtime::component::{ComponentType, Lift, Lower};

use crate::model::{self, ActorName, ActorSpec, Body, ErrorCode, HostError, Limits, PluginName};
use crate::sandbox::imports::{Refused, TEXT_BYTES, bounded};

/// Longest shutdown, in milliseconds: a day, as in `baton.toml`.
const SHUTDOWN_MS: u64 = 24 * 60 * 60 * 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(in crate::sandbox::contract) enum Restart {
    #[component(name = "permanent")]
    Permanent,
    #[component(name = "transient")]
    Transient,
    #[component(name = "temporary")]
    Temporary,
}

impl From<Restart> for model::Restart {
    fn from(restart: Restart) -> Self {
        match restart {
            Restart::Permanent => Self::Permanent,
            Restart::Transient => Self::Transient,
            Restart::Temporary => Self::Temporary,
        }
    }
}

impl From<model::Restart> for Restart {
    fn from(restart: model::Restart) -> Self {
        match restart {
            model::Restart::Permanent => Self::Permanent,
            model::Restart::Transient => Self::Transient,
            model::Restart::Temporary => Self::Temporary,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(variant)]
pub(in crate::sandbox::contract) enum Shutdown {
    #[component(name = "brutal-kill")]
    BrutalKill,
    #[component(name = "after-ms")]
    AfterMs(u64),
    #[component(name = "infinity")]
    Infinity,
}

impl From<model::Shutdown> for Shutdown {
    fn from(shutdown: model::Shutdown) -> Self {
        match shutdown {
            model::Shutdown::BrutalKill => Self::BrutalKill,
            model::Shutdown::After(after) => Self::AfterMs(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            model::Shutdown::Infinity => Self::Infinity,
        }
    }
}

impl TryFrom<Shutdown> for model::Shutdown {
    type Error = Refused;

    fn try_from(shutdown: Shutdown) -> Result<Self, Refused> {
        Ok(match shutdown {
            Shutdown::BrutalKill => Self::BrutalKill,
            Shutdown::AfterMs(ms) if (1..=SHUTDOWN_MS).contains(&ms) => Self::After(Duration::from_millis(ms)),
            Shutdown::AfterMs(ms) => {
                let why =
                    format!("its shutdown of {ms} ms is not within 1 to {SHUTDOWN_MS}; brutal-kill waits not at all");
                return Err(Refused::Unfit(why));
            }
            Shutdown::Infinity => Self::Infinity,
        })
    }
}

#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(in crate::sandbox::contract) struct ChildSpec {
    pub(in crate::sandbox::contract) name: String,
    pub(in crate::sandbox::contract) plugin: String,
    pub(in crate::sandbox::contract) args: Vec<u8>,
    pub(in crate::sandbox::contract) restart: Restart,
    pub(in crate::sandbox::contract) shutdown: Shutdown,
    pub(in crate::sandbox::contract) significant: bool,
}

impl ChildSpec {
    /// The actor that is meant, with the limits of the one that starts it.
    pub(in crate::sandbox::contract) fn checked(self, limits: &Limits) -> Result<ActorSpec, Refused> {
        let name = ActorName::new(&self.name)?;
        let plugin = PluginName::new(&self.plugin)?;
        if self.args.len() > limits.message_bytes {
            let met = model::LimitMet::new("message_bytes", limits.message_bytes);
            let why = format!("args of {} bytes: {met}", self.args.len());
            return Err(Refused::Limit(why));
        }
        let spec = ActorSpec {
            args: Body::from(self.args),
            restart: self.restart.into(),
            shutdown: self.shutdown.try_into()?,
            significant: self.significant,
            limits: limits.clone(),
            ..ActorSpec::new(name, plugin)
        };
        // What only its supervisor can tell, it tells.
        match model::ChildSpec::from(spec.clone()).problems().into_iter().next() {
            Some((_, why)) => Err(Refused::Unfit(why)),
            None => Ok(spec),
        }
    }
}

/// The last case of it and of the two below is part of the contract; this release has no need of it.
#[derive(Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub(in crate::sandbox::contract) enum ChildKind {
    #[component(name = "worker")]
    Worker,
    #[component(name = "supervisor")]
    Supervisor,
    #[allow(dead_code)]
    #[component(name = "other")]
    Other(String),
}

#[derive(Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub(in crate::sandbox::contract) enum ChildState {
    #[component(name = "down")]
    Down,
    #[component(name = "starting")]
    Starting,
    #[component(name = "up")]
    Up,
    #[component(name = "restarting")]
    Restarting,
    #[component(name = "stopping")]
    Stopping,
    #[component(name = "failed")]
    Failed,
    #[allow(dead_code)]
    #[component(name = "other")]
    Other(String),
}

impl From<model::ChildState> for ChildState {
    fn from(state: model::ChildState) -> Self {
        match state {
            model::ChildState::Down => Self::Down,
            model::ChildState::Starting => Self::Starting,
            model::ChildState::Running => Self::Up,
            model::ChildState::Restarting => Self::Restarting,
            model::ChildState::Stopping => Self::Stopping,
            model::ChildState::Failed => Self::Failed,
        }
    }
}

#[derive(Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub(in crate::sandbox::contract) enum Phase {
    #[component(name = "starting")]
    Starting,
    #[component(name = "continuing")]
    Continuing,
    #[component(name = "running")]
    Running,
    #[component(name = "suspended")]
    Suspended,
    #[component(name = "stopping")]
    Stopping,
    #[component(name = "restarting")]
    Restarting,
    #[component(name = "held")]
    Held,
    #[component(name = "failed")]
    Failed,
    #[allow(dead_code)]
    #[component(name = "other")]
    Other(String),
}

impl From<model::Phase> for Phase {
    fn from(phase: model::Phase) -> Self {
        match phase {
            model::Phase::Starting => Self::Starting,
            model::Phase::Continuing => Self::Continuing,
            // One that sleeps handles messages like any other.
            model::Phase::Running | model::Phase::Asleep => Self::Running,
            model::Phase::Stopping => Self::Stopping,
            model::Phase::Restarting => Self::Restarting,
            // To others it is parked, whatever it waits for.
            model::Phase::Held | model::Phase::Elsewhere => Self::Held,
            model::Phase::Failed => Self::Failed,
            model::Phase::Suspended => Self::Suspended,
        }
    }
}

#[derive(Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub(in crate::sandbox::contract) struct ChildInfo {
    name: String,
    supervisor: Option<String>,
    kind: ChildKind,
    state: ChildState,
    restart: Restart,
    shutdown: Shutdown,
    significant: bool,
    restarts: u64,
    #[component(name = "last-exit")]
    last_exit: Option<String>,
}

impl From<model::ChildInfo> for ChildInfo {
    fn from(child: model::ChildInfo) -> Self {
        Self {
            name: child.name.to_string(),
            supervisor: child.supervisor.map(|name| name.to_string()),
            kind: if child.supervises.is_some() { ChildKind::Supervisor } else { ChildKind::Worker },
            state: child.state.into(),
            restart: child.restart.into(),
            shutdown: child.shutdown.into(),
            significant: child.significant,
            restarts: child.restarts,
            last_exit: child.last_exit.map(|how| bounded(&how, TEXT_BYTES)),
        }
    }
}

#[derive(Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub(in crate::sandbox::contract) struct Counts {
    specs: u64,
    active: u64,
    supervisors: u64,
    workers: u64,
}

impl From<model::Counts> for Counts {
    fn from(counts: model::Counts) -> Self {
        let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Self {
            specs: wide(counts.specs),
            active: wide(counts.active),
            supervisors: wide(counts.supervisors),
            workers: wide(counts.workers),
        }
    }
}

#[derive(Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub(in crate::sandbox::contract) enum SupervisionError {
    #[component(name = "denied")]
    Denied,
    #[component(name = "unknown-supervisor")]
    UnknownSupervisor,
    #[component(name = "unknown-child")]
    UnknownChild,
    #[component(name = "already-started")]
    AlreadyStarted,
    #[component(name = "already-present")]
    AlreadyPresent,
    #[component(name = "running")]
    Running,
    #[component(name = "restarting")]
    Restarting,
    #[component(name = "max-children")]
    MaxChildren,
    #[component(name = "unknown-plugin")]
    UnknownPlugin,
    #[component(name = "bad-spec")]
    BadSpec(String),
    #[component(name = "failed")]
    Failed(String),
    #[component(name = "shutting-down")]
    ShuttingDown,
    #[component(name = "limit")]
    Limit(String),
    #[component(name = "other")]
    Other(String),
}

impl From<HostError> for SupervisionError {
    fn from(error: HostError) -> Self {
        let why = || bounded(&error.to_string(), TEXT_BYTES);
        match error.code() {
            ErrorCode::Denied => Self::Denied,
            ErrorCode::UnknownSupervisor => Self::UnknownSupervisor,
            ErrorCode::UnknownActor => Self::UnknownChild,
            ErrorCode::AlreadyStarted => Self::AlreadyStarted,
            ErrorCode::AlreadyPresent => Self::AlreadyPresent,
            ErrorCode::Running => Self::Running,
            ErrorCode::Restarting => Self::Restarting,
            ErrorCode::MaxChildren => Self::MaxChildren,
            ErrorCode::UnknownPlugin => Self::UnknownPlugin,
            ErrorCode::ChildSpec => Self::BadSpec(why()),
            ErrorCode::Start | ErrorCode::Stopped => Self::Failed(why()),
            ErrorCode::ShuttingDown => Self::ShuttingDown,
            _ => Self::Other(why()),
        }
    }
}

impl From<Refused> for SupervisionError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied => Self::Denied,
            Refused::Limit(why) => Self::Limit(why),
            Refused::Unfit(why) => Self::BadSpec(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(adapt: impl FnOnce(&mut ChildSpec)) -> Result<ActorSpec, Refused> {
        let mut child = ChildSpec {
            name: "w/1".into(),
            plugin: "worker".into(),
            args: b"3".to_vec(),
            restart: Restart::Transient,
            shutdown: Shutdown::AfterMs(250),
            significant: true,
        };
        adapt(&mut child);
        child.checked(&Limits { message_bytes: 10, turn_sends: 7, ..Limits::default() })
    }

    #[test]
    fn a_child_has_what_was_asked_for_and_the_limits_of_who_starts_it() {
        let spec = child(|_| {}).expect("a good one");
        assert_eq!((spec.name.as_str(), spec.plugin.as_str(), &spec.args[..]), ("w/1", "worker", &b"3"[..]));
        assert_eq!(spec.restart, model::Restart::Transient);
        assert_eq!(spec.shutdown, model::Shutdown::After(Duration::from_millis(250)));
        assert!(spec.significant);
        assert_eq!((spec.limits.message_bytes, spec.limits.turn_sends), (10, 7));
    }

    #[test]
    fn a_child_that_cannot_be_is_refused_with_the_reason() {
        type Adapt = fn(&mut ChildSpec);
        let cases: [(Adapt, &str); 7] = [
            (|c| c.name = String::new(), "actor name"),
            (|c| c.name = "a//b".into(), "a//b"),
            (|c| c.plugin = "Worker".into(), "plugin name"),
            (|c| c.args = vec![0; 11], "limit message_bytes = 10"),
            (|c| c.shutdown = Shutdown::AfterMs(0), "0 ms"),
            (|c| c.shutdown = Shutdown::AfterMs(SHUTDOWN_MS + 1), "86400001 ms"),
            (|c| c.restart = Restart::Permanent, "significant and permanent"),
        ];
        for (adapt, expected) in cases {
            let error = child(adapt).expect_err(expected);
            let (Refused::Unfit(why) | Refused::Limit(why)) = &error else { panic!("{error:?}") };
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn every_refusal_of_the_host_has_its_word() {
        use SupervisionError as E;
        let cases = [
            (ErrorCode::Denied, E::Denied),
            (ErrorCode::UnknownSupervisor, E::UnknownSupervisor),
            (ErrorCode::UnknownActor, E::UnknownChild),
            (ErrorCode::AlreadyStarted, E::AlreadyStarted),
            (ErrorCode::AlreadyPresent, E::AlreadyPresent),
            (ErrorCode::Running, E::Running),
            (ErrorCode::Restarting, E::Restarting),
            (ErrorCode::MaxChildren, E::MaxChildren),
            (ErrorCode::UnknownPlugin, E::UnknownPlugin),
            (ErrorCode::ChildSpec, E::BadSpec("why".into())),
            (ErrorCode::Start, E::Failed("why".into())),
            (ErrorCode::Stopped, E::Failed("why".into())),
            (ErrorCode::ShuttingDown, E::ShuttingDown),
            (ErrorCode::Store, E::Other("why".into())),
        ];
        for (code, expected) in cases {
            assert_eq!(E::from(HostError::new(code, "why")), expected, "{code}");
        }
    }
}
