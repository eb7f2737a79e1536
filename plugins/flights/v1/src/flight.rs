//! A flight as it is told, and what can be one.

use baton_guest::Failure;
use serde::Deserialize;

/// Longest delay that is believed, early or late.
const DELAY_MINUTES: u32 = 10_000;
/// Longest distance that is believed: more than half around the Earth.
const DISTANCE_MILES: u32 = 25_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flight {
    /// `YYYY/MM/DD HH:MM`, local: in this form, dates sort as text.
    pub(crate) date: String,
    /// Minutes; negative when early.
    pub(crate) delay: i32,
    /// Miles.
    pub(crate) distance: u32,
    /// Code of the airport.
    pub(crate) destination: String,
}

impl Flight {
    /// Whether it can be.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let Self { date, delay, distance, destination } = self;
        let bad = |what: String| Err(Failure::new("bad-flight", what));
        if !is_date(date) {
            return bad(format!("date {:?} is not of the form YYYY/MM/DD HH:MM", shown(date)));
        }
        if delay.unsigned_abs() > DELAY_MINUTES {
            return bad(format!("delay {delay} is beyond {DELAY_MINUTES} minutes"));
        }
        if !(1..=DISTANCE_MILES).contains(distance) {
            return bad(format!("distance {distance} is not within 1 to {DISTANCE_MILES} miles"));
        }
        if destination.len() != 3 || !destination.bytes().all(|letter| letter.is_ascii_uppercase()) {
            return bad(format!("destination {:?} is no code of three capital letters", shown(destination)));
        }
        Ok(())
    }
}

fn is_date(text: &str) -> bool {
    let form = b"0000/00/00 00:00";
    text.len() == form.len()
        && text.bytes().zip(form).all(|(byte, expected)| match expected {
            b'0' => byte.is_ascii_digit(),
            _ => byte == *expected,
        })
}

/// The beginning of a text that may be long.
fn shown(text: &str) -> String {
    text.chars().take(32).collect()
}
