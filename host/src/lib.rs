//! Baton supervises sandboxed WebAssembly actors, saves their state when they stop, and hands it to their replacements.
//!
//! ```no_run
//! use baton_host::{ActorSpec, CallOptions, Host};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let host = Host::builder()
//!     .data_dir("data")
//!     .plugin_file("counter.wasm")
//!     .actor(ActorSpec::new("counter/1".parse()?, "counter".parse()?))
//!     .build()
//!     .await?;
//! let reply = host.call(&"counter/1".parse()?, r#"{"add":3}"#, CallOptions::default()).await?;
//! println!("{}", String::from_utf8_lossy(&reply));
//! let report = host.shutdown(None).await;
//! assert!(report.all_saved());
//! # Ok(())
//! # }
//! ```
//!
//! The rooms of this crate stand in floors, and imports run downward only; `ARCHITECTURE.md` draws the house.

mod actor;
pub mod admin;
mod catalog;
pub mod config;
pub mod conformance;
pub mod events;
mod host;
pub mod logs;
pub mod model;
mod registry;
mod router;
mod sandbox;
pub mod store;
mod supervisor;
pub mod swap;
pub mod telemetry;
pub mod toolchain;

pub use host::{
    ActorInfo, CallOptions, CastOptions, DEFAULT_CALL_TIMEOUT, DEFAULT_INSTANCES, DeadLetter, Host, HostBuilder,
    HostsInfo, Inspection, LeaseState, Link, Monitor, Need, NewTemplates, OwnedBy, PastExit, PluginInfo, Prepared,
    ShutdownReport, Startup, StateInfo, ThisHost, TurnTimes,
};
pub use model::{
    ActorName, ActorSpec, AutoShutdown, Backoff, Body, CallError, ChildInfo, ChildSpec, ChildState, Children,
    CoreDumps, Counts, Description, ErrorCode, ExitReason, Grants, GroupName, HostError, HostsSettings, Intensity,
    Limits, MessageId, OwnedElsewhere, Passivation, Pattern, PluginName, Restart, Saved, SendError, Shutdown, Strategy,
    SupervisorSpec, Template,
};
