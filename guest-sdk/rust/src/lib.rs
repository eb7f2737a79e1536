#![doc = include_str!("../README.md")]

mod actor;
#[rustfmt::skip]
#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    unused_qualifications,
    rust_2018_idioms,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "generated from wit/ and checked by a test to be current"
)]
#[doc(hidden)]
pub mod bindings;
mod codec;
mod cx;
mod errors;
#[cfg(target_arch = "wasm32")]
mod exports;
mod instance;
mod macros;
mod state;
pub mod supervision;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use actor::{Actor, Leave, Plugin, Predecessor};
pub use bindings::baton::actor::{
    host::{CallError, Level},
    types::{Description, Failure, Origin, Refusal, StopReason},
};
pub use codec::{Codec, Json, Raw};
pub use cx::Cx;
pub use errors::SendError;
pub use state::Migrations;

/// What the macros need. No part of the API.
#[doc(hidden)]
pub mod __private {
    #[cfg(target_arch = "wasm32")]
    pub use crate::exports::{Exports, Slot};
    pub use crate::instance::Instance;
    pub use crate::macros::is_plugin_name;
    pub use crate::state::{Layout, decode, go_back, migrate};
}
