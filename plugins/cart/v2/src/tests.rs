use baton_guest::testing::{Handover, Harness, StartError, assert_layouts};
use serde_json::{Value, json};

use super::*;

/// What 1.0.0 wrote of 3 apples, 300 pears and 1 order.
const WRITTEN_BY_1_0_0: &[u8] = &[2, 5, b'a', b'p', b'p', b'l', b'e', 3, 4, b'p', b'e', b'a', b'r', 0xac, 0x02, 1];
/// The same of 2.0.0, once the pears had cost 120 cents and come first.
const WRITTEN_BY_2_0_0: &[u8] = &[
    3, b'E', b'U', b'R', // currency
    2, 4, b'p', b'e', b'a', b'r', 0xac, 0x02, 1, 120, 5, b'a', b'p', b'p', b'l', b'e', 3, 0, // items
    1, // orders
];
/// The same of 3.0.0.
const WRITTEN_BY_3_0_0: &[u8] = &[
    3, b'E', b'U', b'R', // currency
    2, 1, 4, b'p', b'e', b'a', b'r', 0xac, 0x02, 1, 120, 2, 5, b'a', b'p', b'p', b'l', b'e', 3,
    0, // lines 1 and 2
    3, 0, 1, // next line, no coupons, orders
];

fn read(schema: u32, data: impl Into<Vec<u8>>) -> Result<Harness<Cart>, StartError> {
    Harness::resume(Handover::from_bytes("cart/ann", schema, data).with_written_by(&format!("{schema}.0.0")))
}

fn refusal(schema: u32, data: impl Into<Vec<u8>>) -> Refusal {
    match read(schema, data).expect_err("is refused") {
        StartError::Refused(refusal) => refusal,
        StartError::Init(failure) => panic!("{failure}"),
    }
}

fn item(name: &str, quantity: u32, price_cents: Option<u64>) -> Item {
    Item { name: name.to_owned(), quantity, price_cents }
}

fn cart() -> Cart {
    Cart { currency: "EUR".into(), items: vec![item("pear", 300, Some(120)), item("apple", 3, None)], orders: 1 }
}

#[test]
fn what_1_0_0_left_is_taken_over_and_waits_for_its_prices() {
    let mut actor = read(1, WRITTEN_BY_1_0_0).expect("is read");
    assert_eq!(actor.logged()[0].message, "took over 2 items from 1.0.0");
    let items = vec![item("apple", 3, None), item("pear", 300, None)];
    assert_eq!(actor.state(), &Cart { currency: "EUR".into(), items, orders: 1 });
    let failure = actor.call::<Value>(&json!("checkout")).expect_err("nobody knows what it costs");
    assert_eq!((failure.code.as_str(), failure.message.contains("apple")), ("no-price", true));
    for (item, price_cents) in [("apple", 50), ("pear", 7)] {
        actor.cast(&json!({"price": {"item": item, "price_cents": price_cents}})).expect("is there");
    }
    let order: Value = actor.call(&json!("checkout")).expect("is complete");
    assert_eq!((&order["order"], &order["total_cents"]), (&json!(2), &json!(3 * 50 + 300 * 7)));
    assert_eq!((actor.saves(), actor.state().items.len()), (1, 0));
}

/// They must be read for ever.
#[test]
fn the_bytes_of_schema_2_are_known() {
    let actor = read(2, WRITTEN_BY_2_0_0).expect("is read");
    assert_eq!(actor.state(), &cart());
    let written = actor.terminate().expect("saves");
    assert_eq!((written.schema(), written.data()), (2, WRITTEN_BY_2_0_0));
}

#[test]
fn what_3_0_0_left_goes_back_where_nothing_is_lost() {
    let actor = read(3, WRITTEN_BY_3_0_0).expect("is read");
    assert_eq!(actor.state(), &cart());
    let written = actor.terminate().expect("saves");
    assert_eq!((written.schema(), written.data()), (2, WRITTEN_BY_2_0_0));
    // And a cart that nothing is in.
    let empty = read(3, [3, b'U', b'S', b'D', 0, 1, 0, 7]).expect("is read");
    assert_eq!(empty.state(), &Cart { currency: "USD".into(), items: vec![], orders: 7 });
}

#[test]
fn what_would_be_lost_on_the_way_back_is_refused_as_incompatible_with_what_it_is() {
    /// A currency, then what is told.
    fn after_currency(rest: &[u8]) -> Vec<u8> {
        [b"\x03EUR", rest].concat()
    }
    let cases: [(&[u8], &str); 5] = [
        // A coupon in an empty cart.
        (&[0, 1, 1, 6, b'S', b'P', b'R', b'I', b'N', b'G', 0, 10, 0], "its coupon \"SPRING\" would be lost"),
        // An item at two prices.
        (
            &[2, 1, 1, b'a', 1, 1, 5, 2, 1, b'a', 1, 1, 6, 3, 0, 0],
            "\"a\" stands in two of its lines, which would become one",
        ),
        // Line 1 was removed, line 2 was, and all were.
        (&[1, 2, 1, b'a', 1, 0, 3, 0, 0], "of the line numbers 1 to 2 it has [2], and would number them anew"),
        (&[1, 1, 1, b'a', 1, 0, 3, 0, 0], "of the line numbers 1 to 2 it has [1], and would number them anew"),
        (&[0, 4, 0, 0], "of the line numbers 1 to 3 it has [], and would number them anew"),
    ];
    for (rest, why) in cases {
        let expected = format!("state of schema 3: there is no way back to 2: {why}");
        assert_eq!(refusal(3, after_currency(rest)), Refusal::Incompatible(expected));
    }
    // Not lost, but damaged: a line's number that was never given, and bytes that are no cart.
    let misnumbered = after_currency(&[1, 9, 1, b'a', 1, 0, 0, 0, 0]);
    assert!(matches!(refusal(3, misnumbered), Refusal::Incompatible(why) if why.contains("the number 0")));
    assert!(matches!(refusal(3, &WRITTEN_BY_3_0_0[1..]), Refusal::Corrupt(_)));
}

#[test]
fn a_state_that_breaks_a_rule_is_refused_as_corrupt() {
    let cases: [(u32, &[u8], &str); 5] = [
        (2, &[3, b'e', b'u', b'r', 0, 0], "no currency's code"),
        (2, &[3, b'E', b'U', b'R', 2, 1, b'a', 1, 0, 1, b'a', 1, 0, 0], "there twice"),
        (2, &[3, b'E', b'U', b'R', 1, 1, b'a', 0, 0, 0], "not within 1 to 999"),
        (2, &[3, b'E', b'U', b'R', 1, 1, b'a', 1, 1, 0x81, 0xc2, 0xd7, 0x2f, 0], "more than 100000000"),
        (1, &[1, 0, 1, 0], "an item's name"),
    ];
    for (schema, data, words) in cases {
        let refused = refusal(schema, data);
        let Refusal::Corrupt(why) = refused else { panic!("{words}: {refused:?}") };
        assert!(why.contains("breaks a rule") && why.contains(words), "{words}: {why}");
    }
}

#[test]
fn the_argument_names_the_currency_of_a_new_cart() {
    for (args, currency) in [("", "EUR"), ("null", "EUR"), (r#"{"currency": "USD"}"#, "USD")] {
        assert_eq!(Harness::<Cart>::start("cart/ann", args).expect("starts").state().currency, currency);
    }
    for (args, code) in [(r#"{"currency": "usd"}"#, "bad-currency"), ("{}", "bad-args")] {
        let error = Harness::<Cart>::start("cart/ann", args).expect_err("is refused");
        assert!(matches!(&error, StartError::Init(failure) if failure.code == code), "{error}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_code_and_changes_nothing() {
    let mut actor = read(2, WRITTEN_BY_2_0_0).expect("is read");
    let cases = [
        (json!({"add": {"item": ""}}), "bad-item"),
        (json!({"add": {"item": "pear", "quantity": 700}}), "bad-quantity"),
        (json!({"add": {"item": "pear", "price_cents": 121}}), "other-price"),
        (json!({"add": {"item": "fig", "price_cents": 100_000_001}}), "bad-price"),
        (json!({"price": {"item": "pear", "price_cents": 100_000_001}}), "bad-price"),
        (json!({"price": {"item": "fig", "price_cents": 1}}), "no-such-item"),
        (json!({"set-quantity": {"item": "pear", "quantity": 0}}), "bad-quantity"),
        (json!({"remove": "fig"}), "no-such-item"),
        (json!({"add": {"item": "fig", "price_cents": -1}}), "bad-message"),
    ];
    for (message, code) in cases {
        assert_eq!(actor.call::<Value>(&message).expect_err("is refused").code, code, "{message}");
    }
    assert_eq!(actor.state(), &cart());
}

#[test]
fn a_cart_is_filled_changed_and_shown() {
    let mut actor = Harness::<Cart>::start("cart/ann", r#"{"currency": "USD"}"#).expect("starts");
    assert_eq!(actor.call::<Value>(&json!("checkout")).expect_err("is empty").code, "empty");
    for message in [
        json!({"add": {"item": "pear", "price_cents": 120}}),
        json!({"add": {"item": "fig", "quantity": 9}}),
        json!({"add": {"item": "pear", "quantity": 2}}),
        json!({"add": {"item": "apple", "quantity": 5}}),
        json!({"set-quantity": {"item": "apple", "quantity": 4}}),
        json!({"remove": "fig"}),
    ] {
        actor.cast(&message).expect("fits");
    }
    let items = json!([
        {"name": "pear", "quantity": 3, "price_cents": 120},
        {"name": "apple", "quantity": 4, "price_cents": null},
    ]);
    let shown = json!({"currency": "USD", "items": items, "total_cents": null, "orders": 0});
    assert_eq!(actor.call(&json!("show")), Ok(shown));
}

#[test]
fn a_full_cart_takes_more_of_what_it_has_alone() {
    let mut actor = Harness::<Cart>::start("cart/ann", "").expect("starts");
    for n in 0..rules::ITEMS {
        actor.cast(&json!({"add": {"item": format!("item {n}")}})).expect("fits");
    }
    actor.cast(&json!({"add": {"item": "item 7"}})).expect("is there already");
    assert_eq!(actor.cast(&json!({"add": {"item": "one more"}})).expect_err("is full").code, "cart-full");
}

#[test]
fn it_says_that_it_goes_back_from_3() {
    let described = Harness::<Cart>::describe();
    assert_eq!((described.name.as_str(), described.version.as_str()), ("cart", "2.1.0"));
    assert_eq!((described.schema, described.reads_from, described.reads_to), (2, 1, 3));
}

/// The lines are those of the versions that wrote these schemas.
#[test]
fn the_layouts_stay_as_they_are() {
    assert_layouts::<Cart>(&[
        (1, "Cart\nCart { items: {string: u32}, orders: u64 }"),
        (
            2,
            "Cart\nCart { currency: string, items: [Item], orders: u64 }\n\
             Item { name: string, quantity: u32, price_cents: u64? }",
        ),
        (
            3,
            "Cart\nCart { currency: string, lines: {u32: Line}, next_line: u32, coupons: [Coupon], orders: u64 }\n\
             Coupon { code: string, discount: Discount }\nDiscount = percent(u8) | cents(u64)\n\
             Line { item: string, quantity: u32, price_cents: u64? }",
        ),
    ]);
}
