//! End-to-end suites, one binary: each is named after what it promises.
#![allow(clippy::unwrap_used, missing_docs)]

pub(crate) use baton_tests as harness;

mod bindings;
mod cli;
mod lifecycle;
mod store_conformance;
mod store_sled;
