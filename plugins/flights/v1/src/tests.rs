use baton_guest::Refusal;
use baton_guest::testing::{Handover, Harness, StartError, layout};
use serde_json::{Value, json};

use super::*;

/// What 1.0.0 wrote after the three flights of `fed`.
const GOLDEN: &[u8] = &[
    3, 72, 0xf8, 7, 1, 60, 0x98, 17, // 3 flights, sum 36, squares 1016, longest 30, 2200 miles
    2, 3, b'D', b'F', b'W', 3, b'O', b'R', b'D', // destinations
    1, 16, b'2', b'0', b'0', b'1', b'/', b'0', b'1', b'/', b'0', b'1', b' ', b'0', b'9', b':', b'3',
    b'0', // first
    1, 16, b'2', b'0', b'0', b'1', b'/', b'0', b'1', b'/', b'0', b'3', b' ', b'2', b'3', b':', b'5', b'9', // last
];

fn flight(date: &str, delay: i32, distance: u32, destination: &str) -> Value {
    json!({"flight": {"date": date, "delay": delay, "distance": distance, "destination": destination}})
}

fn empty() -> Harness<Flights> {
    Harness::start("airport/ATL", "").expect("starts")
}

fn fed() -> Harness<Flights> {
    let mut actor = empty();
    for (n, message) in [
        flight("2001/01/02 10:00", -4, 600, "ORD"),
        flight("2001/01/01 09:30", 10, 1_000, "DFW"),
        flight("2001/01/03 23:59", 30, 600, "ORD"),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(actor.call(message), Ok(json!({"flights": n + 1})));
    }
    actor
}

#[test]
fn stats_are_those_of_the_flights_told() {
    assert_eq!(
        fed().call(&json!("stats")),
        Ok(json!({
            "airport": "ATL",
            "flights": 3,
            "mean_delay": 12.0,
            "stddev_delay": (584.0_f64 / 3.0).sqrt(),
            "max_delay": 30,
            "delay_sum": 36,
            "delay_square_sum": 1016,
            "distance_sum": 2200,
            "destinations": 2,
            "first": "2001/01/01 09:30",
            "last": "2001/01/03 23:59",
        }))
    );
}

#[test]
fn nothing_is_known_of_no_flights() {
    let stats: Value = empty().call(&json!("stats")).expect("answers");
    assert_eq!(stats["flights"], 0);
    for unknown in ["mean_delay", "stddev_delay", "max_delay", "first", "last"] {
        assert_eq!(stats[unknown], Value::Null, "{unknown}");
    }
}

#[test]
fn a_flight_that_cannot_be_changes_nothing() {
    let mut actor = fed();
    let cases = [
        (flight("2001-01-01 09:30", 0, 1, "ORD"), "bad-flight"),
        (flight("2001/01/01 9:30", 0, 1, "ORD"), "bad-flight"),
        (flight("2001/01/01 09:30", 10_001, 1, "ORD"), "bad-flight"),
        (flight("2001/01/01 09:30", i32::MIN, 1, "ORD"), "bad-flight"),
        (flight("2001/01/01 09:30", 0, 0, "ORD"), "bad-flight"),
        (flight("2001/01/01 09:30", 0, 25_001, "ORD"), "bad-flight"),
        (flight("2001/01/01 09:30", 0, 1, "Ord"), "bad-flight"),
        (json!({"flight": {"date": "2001/01/01 09:30"}}), "bad-message"),
        (json!("flight"), "bad-message"),
    ];
    for (message, code) in cases {
        assert_eq!(actor.call::<Value>(&message).expect_err("is refused").code, code, "{message}");
    }
    assert_eq!(actor.state(), fed().state());
}

#[test]
fn the_bytes_of_schema_1_are_known() {
    let written = fed().terminate().expect("saves");
    assert_eq!((written.schema(), written.data()), (1, GOLDEN));
    let next = Harness::<Flights>::resume(Handover::from_bytes("airport/ATL", 1, GOLDEN)).expect("is read");
    assert_eq!(next.state(), fed().state());
}

#[test]
fn a_state_that_contradicts_itself_is_refused() {
    // Three flights, and nothing known of them.
    let data = [3, 0, 0, 0, 0, 0, 0, 0];
    let error = Harness::<Flights>::resume(Handover::from_bytes("airport/ATL", 1, data)).expect_err("is refused");
    assert!(matches!(error, StartError::Refused(Refusal::Corrupt(_))), "{error}");
}

/// If this fails, the layout has changed: it is a new schema.
#[test]
fn the_layout_of_schema_1_stays_as_it_is() {
    assert_eq!(
        layout::<Flights>(),
        "Flights\nFlights { flights: u64, delay_sum: i64, delay_square_sum: u64, delay_max: i32?, distance_sum: u64, \
         destinations: [string], first: string?, last: string? }"
    );
}
