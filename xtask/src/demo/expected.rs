//! What the actors should have counted, computed directly from the flights, and where they differ.
//!
//! Counts and sums go over all flights of an airport, whichever plugin saw them. Percentiles and histogram go over the
//! flights that 2.0 saw: 1.0 kept no single delays, so nobody can know more. The calls were made one after the other, so
//! one number says for all airports which those were: the first flight of the file that 2.0 saw.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::flights::Flight;
use crate::failure::{Failure, Result};

/// An airport's flights, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Airport<'a> {
    /// Each with its place in the file, from 0.
    flights: Vec<(u64, &'a Flight)>,
}

/// What an airport's actor says.
#[derive(Clone, Debug)]
pub(super) struct Stats {
    /// Flights that it counted.
    pub(super) flights: u64,
    /// Flights in its histogram.
    pub(super) histogram_flights: u64,
    /// All that it said.
    pub(super) said: Value,
}

impl Stats {
    /// Reads the reply to `stats`.
    pub(super) fn read(airport: &str, reply: &Value) -> Result<Self> {
        let count = |field: &str| {
            reply[field].as_u64().ok_or_else(|| {
                Failure::new(format!("{airport} says no count `{field}`, but {reply}; is this flights 2.0?"))
            })
        };
        let (flights, histogram_flights) = (count("flights")?, count("histogram_flights")?);
        Ok(Stats { flights, histogram_flights, said: reply.clone() })
    }
}

/// The flights, airport by airport.
pub(super) fn airports(flights: &[Flight]) -> BTreeMap<String, Airport<'_>> {
    let mut airports: BTreeMap<String, Airport<'_>> = BTreeMap::new();
    for (place, flight) in (0..).zip(flights) {
        airports.entry(flight.origin.clone()).or_default().flights.push((place, flight));
    }
    airports
}

/// What each call of the stream should be answered: how many flights its airport has by then.
pub(super) fn replies(flights: &[Flight]) -> Vec<Value> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    flights
        .iter()
        .map(|flight| {
            let count = counts.entry(&flight.origin).or_default();
            *count += 1;
            json!({"flights": *count})
        })
        .collect()
}

/// Every difference between what the airports said and what they should have said. `old_at_least` flights were answered
/// before the old host was asked to stop.
pub(super) fn differences(
    airports: &BTreeMap<String, Airport<'_>>,
    said: &BTreeMap<String, Stats>,
    old_at_least: u64,
) -> Vec<String> {
    let total: u64 = airports.values().map(|airport| airport.flights.len() as u64).sum();
    let seen_by_new: u64 = said.values().map(|stats| stats.histogram_flights).sum();
    let mut differences = Vec::new();
    let cut = total.saturating_sub(seen_by_new);
    if !(old_at_least.max(1)..total).contains(&cut) {
        differences.push(format!(
            "2.0 counted {seen_by_new} of {total} flights, but {old_at_least} were answered before it was started"
        ));
    }
    for (name, airport) in airports {
        match said.get(name) {
            None => differences.push(format!("{name} said nothing")),
            Some(stats) => {
                let expected = airport.expected(name, cut, &stats.said);
                let different = expected.iter().filter(|(field, value)| !same(&stats.said[*field], value));
                differences.extend(
                    different
                        .map(|(field, value)| format!("{name}: {field} is {}, should be {value}", stats.said[*field])),
                );
            }
        }
    }
    differences
        .extend(said.keys().filter(|name| !airports.contains_key(*name)).map(|name| format!("{name} has no flights")));
    differences
}

impl Airport<'_> {
    /// What its actor should say, when 2.0 saw the flights from place `cut` on. Only the bounds of the buckets are taken
    /// from what it did say.
    fn expected(&self, name: &str, cut: u64, said: &Value) -> Vec<(&'static str, Value)> {
        let count = self.flights.len() as f64;
        let all = || self.flights.iter().map(|(_, flight)| *flight);
        let sum: i64 = all().map(|flight| flight.delay).sum();
        let squares: i64 = all().map(|flight| flight.delay * flight.delay).sum();
        let mean = sum as f64 / count;
        // Another way to the same number than the plugin's, which subtracts squares of sums.
        let variance = all().map(|flight| (flight.delay as f64 - mean).powi(2)).sum::<f64>() / count;
        let longest = all().map(|flight| flight.delay).max();
        let destinations: BTreeSet<&str> = all().map(|flight| flight.destination.as_str()).collect();

        let later = self.flights.iter().filter(|(place, _)| *place >= cut);
        let mut delays: Vec<i64> = later.map(|(_, flight)| flight.delay).collect();
        delays.sort_unstable();
        let bounds = bounds(&said["histogram"]);
        let percentile =
            |percent| json!(percentile(&delays, percent, &bounds).or(longest).filter(|_| !delays.is_empty()));
        vec![
            ("airport", json!(name)),
            ("flights", json!(self.flights.len())),
            ("mean_delay", json!(mean)),
            ("stddev_delay", json!(variance.sqrt())),
            ("max_delay", json!(longest)),
            ("delay_sum", json!(sum)),
            ("delay_square_sum", json!(squares)),
            ("distance_sum", json!(all().map(|flight| flight.distance).sum::<u64>())),
            ("destinations", json!(destinations.len())),
            ("first", json!(all().map(|flight| &flight.date).min())),
            ("last", json!(all().map(|flight| &flight.date).max())),
            ("histogram_flights", json!(delays.len())),
            ("histogram", histogram(&delays, &bounds)),
            ("p50", percentile(50)),
            ("p90", percentile(90)),
            ("p99", percentile(99)),
        ]
    }
}

/// The upper bounds of the buckets, without the open one at the end; none, if they make no sense.
fn bounds(histogram: &Value) -> Vec<i64> {
    let bounds: Vec<i64> =
        histogram.as_array().into_iter().flatten().filter_map(|bucket| bucket["to"].as_i64()).collect();
    if bounds.is_sorted_by(|a, b| a < b) { bounds } else { Vec::new() }
}

/// How many of the sorted `delays` fall into each bucket.
fn histogram(delays: &[i64], bounds: &[i64]) -> Value {
    let up_to = |bound: i64| delays.partition_point(|delay| *delay <= bound);
    let mut before = 0;
    let mut buckets: Vec<Value> = Vec::with_capacity(bounds.len() + 1);
    for bound in bounds {
        buckets.push(json!({"to": bound, "flights": up_to(*bound) - before}));
        before = up_to(*bound);
    }
    buckets.push(json!({"to": null, "flights": delays.len() - before}));
    Value::Array(buckets)
}

/// The bound of the bucket that holds the percentile of the sorted `delays`; none in the open one, and without delays.
fn percentile(delays: &[i64], percent: usize, bounds: &[i64]) -> Option<i64> {
    let rank = (delays.len() * percent).div_ceil(100);
    let exact = *delays.get(rank.checked_sub(1)?)?;
    bounds.iter().copied().find(|bound| exact <= *bound)
}

/// Equal; of two numbers with fractions, up to rounding.
fn same(said: &Value, expected: &Value) -> bool {
    if said == expected {
        return true;
    }
    let (Some(said), Some(wanted)) = (said.as_f64(), expected.as_f64()) else { return false };
    expected.is_f64() && (said - wanted).abs() <= 1e-9 * wanted.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flights() -> Vec<Flight> {
        let flight = |number: u32, delay, origin: &str, destination: &str| Flight {
            date: format!("2001/01/01 00:0{number}"),
            delay,
            distance: 100,
            origin: origin.to_owned(),
            destination: destination.to_owned(),
        };
        vec![
            flight(1, 10, "ATL", "LAX"),
            flight(2, -5, "LAX", "ATL"),
            flight(3, 40, "ATL", "LAX"),
            flight(4, 3, "ATL", "DFW"),
        ]
    }

    /// What the airports say when 2.0 saw the last two flights.
    fn said() -> BTreeMap<String, Stats> {
        let atl = json!({
            "airport": "ATL", "flights": 3, "mean_delay": 53.0 / 3.0, "stddev_delay": 16.048_537_488_614_3,
            "max_delay": 40, "delay_sum": 53, "delay_square_sum": 1709, "distance_sum": 300, "destinations": 2,
            "first": "2001/01/01 00:01", "last": "2001/01/01 00:04", "histogram_flights": 2,
            "histogram": [{"to": 0, "flights": 0}, {"to": 15, "flights": 1}, {"to": null, "flights": 1}],
            "p50": 15, "p90": 40, "p99": 40,
        });
        let lax = json!({
            "airport": "LAX", "flights": 1, "mean_delay": -5.0, "stddev_delay": 0.0,
            "max_delay": -5, "delay_sum": -5, "delay_square_sum": 25, "distance_sum": 100, "destinations": 1,
            "first": "2001/01/01 00:02", "last": "2001/01/01 00:02", "histogram_flights": 0,
            "histogram": [{"to": 0, "flights": 0}, {"to": 15, "flights": 0}, {"to": null, "flights": 0}],
            "p50": null, "p90": null, "p99": null,
        });
        [("ATL", atl), ("LAX", lax)].map(|(name, said)| (name.to_owned(), read(name, &said))).into()
    }

    fn read(name: &str, said: &Value) -> Stats {
        Stats::read(name, said).map_err(|failure| failure.to_string()).expect("the counts are there")
    }

    #[test]
    fn what_is_right_has_no_differences() {
        let flights = flights();
        assert_eq!(differences(&airports(&flights), &said(), 1), Vec::<String>::new());
        assert_eq!(differences(&airports(&flights), &said(), 2), Vec::<String>::new());
    }

    #[test]
    fn every_field_that_is_wrong_is_named() {
        let flights = flights();
        let fields = said()["ATL"].said.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
        for field in fields.expect("it is an object") {
            let mut wrong = said();
            let mut reply = wrong["ATL"].said.clone();
            reply[&field] = match &reply[&field] {
                Value::Number(number) if number.is_f64() => json!(number.as_f64().map(|number| number + 1e-6)),
                Value::Number(number) => json!(number.as_i64().map(|number| number + 1)),
                Value::Array(_) => json!([{"to": 15, "flights": 2}, {"to": null, "flights": 0}]),
                _ => json!("2001/01/01 00:00"),
            };
            wrong.insert("ATL".to_owned(), read("ATL", &reply));
            let found = differences(&airports(&flights), &wrong, 1);
            assert!(found.iter().any(|line| line.starts_with(&format!("ATL: {field} is"))), "{field}: {found:?}");
        }
    }

    #[test]
    fn a_flight_that_both_plugins_claim_is_noticed() {
        let flights = flights();
        let found = differences(&airports(&flights), &said(), 3);
        assert_eq!(found, ["2.0 counted 2 of 4 flights, but 3 were answered before it was started"]);
    }

    #[test]
    fn a_missing_and_a_foreign_airport_are_noticed() {
        let flights = flights();
        let mut wrong = said();
        if let Some(stats) = wrong.remove("LAX") {
            wrong.insert("XXX".to_owned(), stats);
        }
        let found = differences(&airports(&flights), &wrong, 1);
        assert_eq!(found, ["LAX said nothing", "XXX has no flights"]);
    }

    #[test]
    fn each_flight_is_answered_with_its_airports_count() {
        let counts: Vec<u64> = replies(&flights()).iter().filter_map(|reply| reply["flights"].as_u64()).collect();
        assert_eq!(counts, [1, 1, 2, 3]);
    }

    #[test]
    fn percentiles_are_bounds_of_buckets() {
        let delays: Vec<i64> = (1..=100).collect();
        for (percent, expected) in [(1, Some(10)), (10, Some(10)), (11, Some(50)), (50, Some(50)), (51, None)] {
            assert_eq!(percentile(&delays, percent, &[10, 50]), expected, "{percent}");
        }
        assert_eq!(percentile(&[], 50, &[10]), None);
    }

    #[test]
    fn a_reply_of_another_plugin_is_refused() {
        assert!(Stats::read("ATL", &json!({"flights": 3})).is_err());
    }
}
