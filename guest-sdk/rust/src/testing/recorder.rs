//! A host that writes down what it is asked, and answers as the test says.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};

use serde::de::DeserializeOwned;

use super::supervised::{Around, Asked};
use crate::cx::Host;
use crate::supervision::Supervision;
use crate::{CallError, Level, SendError};

/// A message that the actor sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Name of the actor that it goes to.
    pub to: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Sent {
    /// The body read as JSON.
    ///
    /// # Errors
    /// What was expected, and where.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// A call that the actor made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Name of the actor called.
    pub to: String,
    /// Body of the message.
    pub body: Vec<u8>,
    /// How many milliseconds the actor would wait.
    pub timeout_ms: u64,
}

impl Called {
    /// The body read as JSON.
    ///
    /// # Errors
    /// What was expected, and where.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// How bad it is.
    pub level: Level,
    /// What happened.
    pub message: String,
    /// What is known about it, by name.
    pub fields: Vec<(String, String)>,
}

/// All that the host knows and has been asked.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) now_ms: u64,
    pub(super) remaining_ms: Option<u64>,
    pub(super) random: u64,
    pub(super) refusal: Option<SendError>,
    pub(super) answers: BTreeMap<String, VecDeque<Result<Vec<u8>, CallError>>>,
    pub(super) sent: Vec<Sent>,
    pub(super) called: Vec<Called>,
    pub(super) logged: Vec<Logged>,
    pub(super) timers: BTreeMap<String, u64>,
    pub(super) saves: u64,
    pub(super) stopped: bool,
    pub(super) around: Around,
}

#[derive(Debug)]
pub(super) struct Recorder(RefCell<World>);

impl Recorder {
    pub(super) fn new(world: World) -> Self {
        Self(RefCell::new(world))
    }

    pub(super) fn world(&self) -> RefMut<'_, World> {
        self.0.borrow_mut()
    }

    pub(super) fn answer(&self, actor: &str, answer: Result<Vec<u8>, CallError>) {
        self.world().answers.entry(actor.to_owned()).or_default().push_back(answer);
    }

    /// The timer that comes due first, at `until_ms` at the latest.
    pub(super) fn next_timer(&self, until_ms: u64) -> Option<(String, u64)> {
        let world = self.world();
        let (name, due_ms) = world.timers.iter().min_by_key(|(_, due_ms)| **due_ms)?;
        (*due_ms <= until_ms).then(|| (name.clone(), *due_ms))
    }
}

impl World {
    pub(super) fn allowed(&self) -> Result<(), SendError> {
        self.refusal.clone().map_or(Ok(()), Err)
    }
}

impl Host for Recorder {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        self.world().logged.push(Logged { level, message: message.to_owned(), fields: fields.to_vec() });
    }

    fn now_ms(&self) -> u64 {
        self.world().now_ms
    }

    /// The same bytes in every run, so that a test that fails fails again.
    fn random(&self, count: u32) -> Vec<u8> {
        let mut world = self.world();
        let mut next = || {
            // SplitMix64.
            world.random = world.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = world.random;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)).to_le_bytes()[0]
        };
        (0..count).map(|_| next()).collect()
    }

    fn remaining_ms(&self) -> Option<u64> {
        self.world().remaining_ms
    }

    fn save(&self) {
        self.world().saves += 1;
    }

    fn send(&self, to: &str, body: &[u8]) -> Result<(), SendError> {
        let mut world = self.world();
        world.allowed()?;
        world.sent.push(Sent { to: to.to_owned(), body: body.to_vec() });
        Ok(())
    }

    fn call(&self, to: &str, body: &[u8], timeout_ms: u64) -> Result<Vec<u8>, CallError> {
        let mut world = self.world();
        world.called.push(Called { to: to.to_owned(), body: body.to_vec(), timeout_ms });
        world.answers.get_mut(to).and_then(VecDeque::pop_front).unwrap_or(Err(CallError::UnknownActor))
    }

    fn set_timer(&self, name: &str, after_ms: u64) -> Result<(), SendError> {
        let mut world = self.world();
        world.allowed()?;
        let due_ms = world.now_ms.saturating_add(after_ms);
        world.timers.insert(name.to_owned(), due_ms);
        Ok(())
    }

    fn cancel_timer(&self, name: &str) {
        self.world().timers.remove(name);
    }

    fn monitor(&self, actor: &str) -> Result<(), SendError> {
        self.world().effect(Asked::Monitor(actor.to_owned()))
    }

    fn demonitor(&self, actor: &str) {
        self.world().demonitor(actor);
    }

    fn stop(&self) {
        self.world().stopped = true;
    }

    fn supervision(&self) -> &dyn Supervision {
        self
    }
}
