//! What goes from one instance to the next.

use std::collections::BTreeMap;

use crate::{Origin, StopReason};

/// What a replacement is handed: made by [`Harness::terminate`](super::Harness::terminate), or by hand from the bytes
/// that an older version once wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    pub(super) name: String,
    pub(super) args: Vec<u8>,
    pub(super) schema: u32,
    pub(super) data: Vec<u8>,
    pub(super) origin: Origin,
    pub(super) generation: u64,
    pub(super) written_by: String,
    pub(super) age_ms: u64,
    pub(super) timers: BTreeMap<String, u64>,
    pub(super) now_ms: u64,
}

impl Handover {
    /// A state as it came out of a store, left at a shutdown.
    #[must_use]
    pub fn from_bytes(name: &str, schema: u32, data: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.to_owned(),
            args: Vec::new(),
            schema,
            data: data.into(),
            origin: Origin::Terminated(StopReason::Shutdown),
            generation: 1,
            written_by: "0.0.0".to_owned(),
            age_ms: 0,
            timers: BTreeMap::new(),
            now_ms: 0,
        }
    }

    /// Sets how the state came to be left.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Sets how old the state is when it is taken over. The replacement's clock is that much ahead.
    #[must_use]
    pub fn with_age_ms(mut self, age_ms: u64) -> Self {
        self.age_ms = age_ms;
        self
    }

    /// Sets what the replacement is started with.
    #[must_use]
    pub fn with_args(mut self, args: impl Into<Vec<u8>>) -> Self {
        self.args = args.into();
        self
    }

    /// Sets the version of the plugin that wrote the state.
    #[must_use]
    pub fn with_written_by(mut self, version: &str) -> Self {
        version.clone_into(&mut self.written_by);
        self
    }

    /// Layout of the state.
    #[must_use]
    pub fn schema(&self) -> u32 {
        self.schema
    }

    /// The state as bytes. Keep those of each released layout in a test: they are what it will really be handed.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}
