use baton_guest::Refusal;
use baton_guest::testing::{Handover, Harness, StartError, layout};
use serde_json::{Value, json};

use super::*;

/// What 1.0.0 wrote after three flights out of ATL: -4, 10 and 30 minutes late.
const WRITTEN_BY_1_0_0: &[u8] = &[
    3, 72, 0xf8, 7, 1, 60, 0x98, 17, // 3 flights, sum 36, squares 1016, longest 30, 2200 miles
    2, 3, b'D', b'F', b'W', 3, b'O', b'R', b'D', // destinations
    1, 16, b'2', b'0', b'0', b'1', b'/', b'0', b'1', b'/', b'0', b'1', b' ', b'0', b'9', b':', b'3',
    b'0', // first
    1, 16, b'2', b'0', b'0', b'1', b'/', b'0', b'1', b'/', b'0', b'3', b' ', b'2', b'3', b':', b'5', b'9', // last
];

fn flight(date: &str, delay: i32, distance: u32, destination: &str) -> Value {
    json!({"flight": {"date": date, "delay": delay, "distance": distance, "destination": destination}})
}

fn from_1_0_0() -> Harness<Flights> {
    let left = Handover::from_bytes("airport/ATL", 1, WRITTEN_BY_1_0_0).with_written_by("1.0.0");
    Harness::resume(left).expect("is read")
}

#[test]
fn what_1_0_0_left_is_taken_over_and_carried_on() {
    let mut actor = from_1_0_0();
    assert_eq!(actor.logged()[0].message, "took over 3 flights from 1.0.0");
    let before: Value = actor.call(&json!("stats")).expect("answers");
    assert_eq!(
        (&before["flights"], &before["histogram_flights"], &before["p50"]),
        (&json!(3), &json!(0), &Value::Null)
    );

    actor.cast(&flight("2001/02/01 08:00", 12, 800, "JFK")).expect("is counted");
    let mut stats: Value = actor.call(&json!("stats")).expect("answers");
    let histogram = stats["histogram"].take();
    assert_eq!(
        stats,
        json!({
            "airport": "ATL",
            "flights": 4,
            "mean_delay": 12.0,
            "stddev_delay": 146.0_f64.sqrt(),
            "max_delay": 30,
            "p50": 15,
            "p90": 15,
            "p99": 15,
            "delay_sum": 48,
            "delay_square_sum": 1160,
            "distance_sum": 3000,
            "destinations": 3,
            "first": "2001/01/01 09:30",
            "last": "2001/02/01 08:00",
            "histogram_flights": 1,
            "histogram": null,
        })
    );
    let counted: Vec<_> =
        histogram.as_array().expect("a list").iter().filter(|bucket| bucket["flights"] != 0).collect();
    assert_eq!(counted, [&json!({"to": 15, "flights": 1})]);
}

#[test]
fn what_it_wrote_itself_is_taken_over_whole() {
    let mut actor = from_1_0_0();
    for (day, delay) in [(1, -40), (2, 0), (3, 7), (4, 500)] {
        actor.cast(&flight(&format!("2001/03/0{day} 08:00"), delay, 800, "JFK")).expect("is counted");
    }
    let before: Value = actor.call(&json!("stats")).expect("answers");
    let left = actor.terminate().expect("saves");
    assert_eq!(left.schema(), 2);
    let mut next = Harness::<Flights>::resume(left).expect("is read");
    assert!(next.logged().is_empty());
    assert_eq!(next.call(&json!("stats")), Ok(before));
}

#[test]
fn a_fresh_airport_has_percentiles_over_all_its_flights() {
    let mut actor = Harness::<Flights>::start("airport/ORD", "").expect("starts");
    for delay in 1..=100 {
        actor.cast(&flight("2001/03/01 08:00", delay, 800, "JFK")).expect("is counted");
    }
    let stats: Value = actor.call(&json!("stats")).expect("answers");
    let told = ["p50", "p90", "p99", "histogram_flights"].map(|name| stats[name].as_u64());
    assert_eq!(told, [60, 90, 120, 100].map(Some));
}

#[test]
fn a_flight_that_cannot_be_changes_nothing() {
    let mut actor = from_1_0_0();
    let impossible = flight("yesterday", 0, 1, "ORD");
    assert_eq!(actor.call::<Value>(&impossible).expect_err("is refused").code, "bad-flight");
    assert_eq!(actor.state(), from_1_0_0().state());
}

#[test]
fn a_histogram_that_does_not_fit_the_count_is_refused() {
    let mut data = from_1_0_0().terminate().expect("saves").data().to_vec();
    // The last byte is the count of the last bucket.
    *data.last_mut().expect("not empty") = 1;
    let error = Harness::<Flights>::resume(Handover::from_bytes("airport/ATL", 2, data)).expect_err("is refused");
    let StartError::Refused(Refusal::Corrupt(why)) = error else { panic!("{error}") };
    assert!(why.contains("3 flights, but Some(4)"), "{why}");
}

#[test]
fn the_way_back_is_closed_and_said_so() {
    let description = Harness::<Flights>::describe();
    assert_eq!((description.name.as_str(), description.version.as_str()), ("flights", "2.0.0"));
    assert_eq!((description.schema, description.reads_from, description.reads_to), (2, 1, 2));
}

/// If this fails, a layout has changed: it is a new schema.
#[test]
fn the_layouts_of_both_schemas_stay_as_they_are() {
    assert_eq!(
        layout::<FlightsV1>(),
        "FlightsV1\nFlightsV1 { flights: u64, delay_sum: i64, delay_square_sum: u64, delay_max: i32?, \
         distance_sum: u64, destinations: [string], first: string?, last: string? }"
    );
    assert_eq!(
        layout::<Flights>(),
        "Flights\nFlights { flights: u64, delay_sum: i64, delay_square_sum: u64, delay_max: i32?, distance_sum: u64, \
         destinations: [string], first: string?, last: string?, since: u64, histogram: Histogram }\n\
         Histogram { counts: (u64; 23) }"
    );
}
