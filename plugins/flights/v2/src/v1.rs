//! What 1.0.0 left.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Flights;
use crate::histogram::Histogram;

/// Schema 1: never to be changed.
#[derive(Serialize, Deserialize)]
pub(crate) struct FlightsV1 {
    flights: u64,
    delay_sum: i64,
    delay_square_sum: u64,
    delay_max: Option<i32>,
    distance_sum: u64,
    destinations: BTreeSet<String>,
    first: Option<String>,
    last: Option<String>,
}

impl From<FlightsV1> for Flights {
    fn from(old: FlightsV1) -> Self {
        Self {
            flights: old.flights,
            delay_sum: old.delay_sum,
            delay_square_sum: old.delay_square_sum,
            delay_max: old.delay_max,
            distance_sum: old.distance_sum,
            destinations: old.destinations,
            first: old.first,
            last: old.last,
            // The single delays are gone: the histogram can only begin here.
            since: old.flights,
            histogram: Histogram::default(),
        }
    }
}
