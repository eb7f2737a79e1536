//! Statistics of an airport's departures, version 1.0.0: counts and sums.

mod flight;

use std::collections::BTreeSet;

use baton_guest::{Actor, Cx, Failure, plugin};
use serde::{Deserialize, Serialize};

use crate::flight::Flight;

/// Schema 1.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Flights {
    flights: u64,
    delay_sum: i64,
    delay_square_sum: u64,
    delay_max: Option<i32>,
    distance_sum: u64,
    destinations: BTreeSet<String>,
    first: Option<String>,
    last: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Message {
    Flight(Flight),
    Stats,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Reply {
    Counted { flights: u64 },
    Stats(Stats),
}

#[derive(Serialize)]
struct Stats {
    airport: String,
    flights: u64,
    mean_delay: Option<f64>,
    stddev_delay: Option<f64>,
    max_delay: Option<i32>,
    delay_sum: i64,
    delay_square_sum: u64,
    distance_sum: u64,
    destinations: usize,
    first: Option<String>,
    last: Option<String>,
}

impl Actor for Flights {
    type Message = Message;
    type Reply = Reply;
    const SCHEMA: u32 = 1;

    fn init(_: &Cx) -> Result<Self, Failure> {
        Ok(Self::default())
    }

    fn validate(&self) -> Result<(), String> {
        let known = [self.delay_max.is_some(), self.first.is_some(), self.last.is_some()];
        if known != [self.flights > 0; 3] {
            return Err(format!("{} flights, but longest delay, first and last known: {known:?}", self.flights));
        }
        Ok(())
    }

    fn handle(&mut self, message: Message, cx: &Cx) -> Result<Reply, Failure> {
        match message {
            Message::Flight(flight) => {
                flight.check()?;
                self.add(flight);
                Ok(Reply::Counted { flights: self.flights })
            }
            Message::Stats => Ok(Reply::Stats(self.stats(cx.actor()))),
        }
    }
}

impl Flights {
    /// The limits that a flight is checked against keep every sum far from its type's bounds.
    fn add(&mut self, flight: Flight) {
        let Flight { date, delay, distance, destination } = flight;
        self.flights += 1;
        self.delay_sum += i64::from(delay);
        self.delay_square_sum += u64::from(delay.unsigned_abs()).pow(2);
        self.delay_max = self.delay_max.max(Some(delay));
        self.distance_sum += u64::from(distance);
        self.destinations.insert(destination);
        if self.first.as_ref().is_none_or(|first| date < *first) {
            self.first = Some(date.clone());
        }
        if self.last.as_ref().is_none_or(|last| date > *last) {
            self.last = Some(date);
        }
    }

    fn stats(&self, actor: &str) -> Stats {
        Stats {
            airport: actor.rsplit('/').next().unwrap_or(actor).to_owned(),
            flights: self.flights,
            mean_delay: (self.flights > 0).then(|| self.delay_sum as f64 / self.flights as f64),
            stddev_delay: (self.flights > 0).then(|| self.delay_variance().sqrt()),
            max_delay: self.delay_max,
            delay_sum: self.delay_sum,
            delay_square_sum: self.delay_square_sum,
            distance_sum: self.distance_sum,
            destinations: self.destinations.len(),
            first: self.first.clone(),
            last: self.last.clone(),
        }
    }

    /// In whole numbers up to the division, so that nothing cancels out.
    fn delay_variance(&self) -> f64 {
        let (n, sum, squares) =
            (i128::from(self.flights), i128::from(self.delay_sum), i128::from(self.delay_square_sum));
        (n * squares - sum * sum) as f64 / (n * n) as f64
    }
}

plugin!(Flights, name = "flights");

#[cfg(test)]
mod tests;
