//! Another version of a plugin goes live under traffic.

mod actor;
mod around;
mod back;
mod events;
mod numbers;
mod rehearsal;
mod restart;
mod rollout;
mod side_by_side;
mod torture;
mod turn;
mod watching;

use std::time::Duration;

use baton_host::Host;
use baton_host::swap::{SwapOptions, SwapReport, SwapSource};

use super::journal::journal;
use crate::harness::{WatGuest, plugin};

/// The journal's next version: schema 2, which reads 1 as well.
pub(crate) fn newer() -> WatGuest {
    journal().version("2.0.0").schema(2, (1, 2))
}

/// Without rehearsal and watch.
pub(crate) fn at_once() -> SwapOptions {
    let mut options = SwapOptions::default();
    (options.rehearsal, options.watch) = (None, Duration::ZERO);
    options
}

pub(crate) fn of(guest: &WatGuest) -> SwapSource {
    SwapSource::Bytes("newer.wasm".into(), guest.build())
}

pub(crate) async fn swap(host: &Host, guest: &WatGuest, options: SwapOptions) -> SwapReport {
    host.swap(&plugin("journal"), of(guest), options).await.unwrap().ended().await.unwrap()
}
