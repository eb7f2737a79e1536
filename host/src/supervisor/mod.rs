//! Keeps actors up, and takes them down. What follows an exit is decided in [`restart`]; [`run`] carries it out.

mod restart;
mod run;

pub use run::ShutdownReport;
pub(crate) use run::{ChildKind, Supervisor, Surroundings};
