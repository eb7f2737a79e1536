//! Keeps actors up, and takes them down. What follows from what happened is decided in `tree`; `run` carries it out.

mod answer;
mod handle;
mod report;
mod restart;
mod run;
mod tree;

pub(crate) use handle::Supervisor;
pub use report::ShutdownReport;
pub(crate) use run::Surroundings;
