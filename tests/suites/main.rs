//! End-to-end suites, one binary: each is named after what it promises.
#![allow(clippy::unwrap_used, missing_docs)]

pub(crate) use baton_tests as harness;

mod api;
mod architecture;
mod authoring;
mod bad_input;
mod bank;
mod bank_killed;
mod bindings;
mod by_hand;
mod cli;
mod cli_store;
mod cli_supervision;
mod cli_swap;
mod code_cache;
mod completions;
mod conformance;
mod contract_versions;
mod control;
mod core_modules;
mod damaged_heads;
mod ending;
mod events;
mod figures;
mod fuzz;
mod grants;
mod hostile;
mod journal;
mod languages;
mod lifecycle;
mod logs;
mod operating;
mod passivation;
mod process_disk;
#[cfg(target_os = "linux")]
mod process_faults;
mod process_handoff;
mod schemas;
mod store_conformance;
mod store_files;
mod store_growth;
mod store_hosts;
mod store_migrate;
mod store_redb;
mod store_sled;
mod store_tools;
mod supervision;
mod supervision_command;
mod supply_chain;
mod swap;
mod telemetry;
mod top;
mod turn;
mod two_hosts;
mod under_fire;
