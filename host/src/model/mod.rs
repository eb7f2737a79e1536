//! The words that every other room uses: plain data, no I/O, no runtime, no engine, no database.

mod error;
mod handoff;
mod limits;
mod message;
mod name;
mod spec;
mod stop;

pub use error::{CallError, ErrorCode, HostError, SendError};
pub use handoff::{Description, Handoff, Legacy, Origin, Refusal, State};
pub use limits::Limits;
pub use message::{Body, Failure, Message, MessageId, Request};
pub use name::{ActorName, Digest, NAME_BYTES, NameError, PluginName, Version};
pub use spec::{ActorSpec, BadStatePolicy, Intensity, Pattern, Restart, Shutdown, Template};
pub use stop::{Crash, CrashKind, Exit, Hold, HoldCause, NotSaved, Phase, Saved, StopReason};
