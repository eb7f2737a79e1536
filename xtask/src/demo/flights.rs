//! The flights that the demo plays, read from the file that `plugins/flights/data` keeps.

use serde_json::{Value, json};

use crate::failure::{Failure, Result};

/// What the file begins with.
const HEADER: &str = "date,delay,distance,origin,destination";

/// One departure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) date: String,
    /// Minutes; negative when early.
    pub(super) delay: i64,
    /// Miles.
    pub(super) distance: u64,
    pub(super) origin: String,
    pub(super) destination: String,
}

impl Flight {
    /// The actor that counts it: the airport it left from.
    pub(super) fn actor(&self) -> String {
        actor(&self.origin)
    }

    /// The message that tells the actor.
    pub(super) fn message(&self) -> Value {
        let Flight { date, delay, distance, origin: _, destination } = self;
        json!({"flight": {"date": date, "delay": delay, "distance": distance, "destination": destination}})
    }
}

/// The actor of an airport.
pub(super) fn actor(airport: &str) -> String {
    format!("airport/{airport}")
}

/// Reads them, checking every field, and that they stand in order of date: the demo feeds them as they come.
pub(super) fn parse(text: &str) -> Result<Vec<Flight>> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(Failure::new(format!("line 1: the header is not `{HEADER}`")));
    }
    let mut flights: Vec<Flight> = Vec::new();
    for (index, line) in lines.enumerate() {
        let number = index + 2;
        let flight = flight(line).map_err(|reason| Failure::new(format!("line {number}: {reason} in `{line}`")))?;
        if flights.last().is_some_and(|before| before.date > flight.date) {
            return Err(Failure::new(format!("line {number}: `{}` is earlier than the line before", flight.date)));
        }
        flights.push(flight);
    }
    if flights.is_empty() { Err(Failure::new("there are no flights in it")) } else { Ok(flights) }
}

fn flight(line: &str) -> std::result::Result<Flight, String> {
    let fields: Vec<&str> = line.split(',').collect();
    let [date, delay, distance, origin, destination] = fields[..] else {
        return Err(format!("{} fields instead of 5", fields.len()));
    };
    for airport in [origin, destination] {
        if airport.len() != 3 || !airport.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("`{airport}` is no airport code"));
        }
    }
    if date.is_empty() {
        return Err("no date".to_owned());
    }
    Ok(Flight {
        date: date.to_owned(),
        delay: delay.parse().map_err(|_| format!("`{delay}` is no delay in minutes"))?,
        distance: distance.parse().map_err(|_| format!("`{distance}` is no distance in miles"))?,
        origin: origin.to_owned(),
        destination: destination.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = "2001/01/01 00:47,66,1750,DTW,LAS\n2001/01/01 01:10,-5,2399,HNL,SFO\n";

    #[test]
    fn rows_become_flights_and_messages() {
        let flights = parse(&format!("{HEADER}\n{ROWS}")).map_err(|f| f.to_string()).expect("the rows are right");
        assert_eq!(flights.len(), 2);
        assert_eq!(flights[0].actor(), "airport/DTW");
        let message =
            json!({"flight": {"date": "2001/01/01 01:10", "delay": -5, "distance": 2399, "destination": "SFO"}});
        assert_eq!(flights[1].message(), message);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, part) in [
            ("", "line 1: the header"),
            ("date,delay\n", "line 1: the header"),
            (&format!("{HEADER}\n"), "no flights"),
            (&format!("{HEADER}\n{ROWS}a,b\n"), "line 4: 2 fields"),
            (&format!("{HEADER}\nd,late,1,DTW,LAS\n"), "line 2: `late` is no delay"),
            (&format!("{HEADER}\nd,1,-1,DTW,LAS\n"), "line 2: `-1` is no distance"),
            (&format!("{HEADER}\nd,1,1,../,LAS\n"), "line 2: `../` is no airport"),
            (&format!("{HEADER}\n2002,1,1,DTW,LAS\n2001,1,1,DTW,LAS\n"), "line 3: `2001` is earlier"),
        ] {
            let message = parse(text).map(drop).map_err(|failure| failure.to_string()).expect_err(text);
            assert!(message.contains(part), "{message}");
        }
    }
}
