use baton_guest::testing::{Handover, Harness, StartError, assert_layouts};
use serde_json::{Value, json};

use super::*;
use crate::coupon::{Discount, reduced_cents};

/// What 1.0.0 wrote of 3 apples, 300 pears and 1 order.
const WRITTEN_BY_1_0_0: &[u8] = &[2, 5, b'a', b'p', b'p', b'l', b'e', 3, 4, b'p', b'e', b'a', b'r', 0xac, 0x02, 1];
/// The same of 2.0.0, once the pears had cost 120 cents and come first.
const WRITTEN_BY_2_0_0: &[u8] = &[
    3, b'E', b'U', b'R', // currency
    2, 4, b'p', b'e', b'a', b'r', 0xac, 0x02, 1, 120, 5, b'a', b'p', b'p', b'l', b'e', 3, 0, // items
    1, // orders
];
/// The same of 3.0.0, with two coupons.
const WRITTEN_BY_3_0_0: &[u8] = &[
    3, b'E', b'U', b'R', // currency
    2, 1, 4, b'p', b'e', b'a', b'r', 0xac, 0x02, 1, 120, 2, 5, b'a', b'p', b'p', b'l', b'e', 3,
    0, // lines 1 and 2
    3, // next line
    2, 6, b'S', b'P', b'R', b'I', b'N', b'G', 0, 10, 1, b'W', 1, 0xf4, 0x03, // coupons
    1,    // orders
];
const SHOP: &str = r#"{"currency": "USD", "coupons": {"SPRING": {"percent": 10}, "W": {"cents": 500}}}"#;

fn read(schema: u32, data: impl Into<Vec<u8>>) -> Result<Harness<Cart>, StartError> {
    Harness::resume(Handover::from_bytes("cart/ann", schema, data).with_written_by(&format!("{schema}.0.0")))
}

fn line(item: &str, quantity: u32, price_cents: Option<u64>) -> Line {
    Line { item: item.to_owned(), quantity, price_cents }
}

fn cart(lines: [Line; 2]) -> Cart {
    let lines = (1..).zip(lines).collect();
    Cart { currency: "EUR".into(), lines, next_line: 3, coupons: vec![], orders: 1 }
}

fn with_coupons() -> Cart {
    let coupon = |code: &str, discount| Coupon { code: code.to_owned(), discount };
    let coupons = vec![coupon("SPRING", Discount::Percent(10)), coupon("W", Discount::Cents(500))];
    Cart { coupons, ..cart([line("pear", 300, Some(120)), line("apple", 3, None)]) }
}

#[test]
fn what_1_0_0_left_is_taken_over_across_the_version_between() {
    let mut actor = read(1, WRITTEN_BY_1_0_0).expect("is read");
    assert_eq!(actor.logged()[0].message, "took over 2 lines from 1.0.0");
    assert_eq!(actor.state(), &cart([line("apple", 3, None), line("pear", 300, None)]));
    assert_eq!(actor.call::<Value>(&json!("checkout")).expect_err("nobody knows what it costs").code, "no-price");
    for (line, price_cents) in [(1, 50), (2, 7)] {
        actor.cast(&json!({"price": {"line": line, "price_cents": price_cents}})).expect("is there");
    }
    let order: Value = actor.call(&json!("checkout")).expect("is complete");
    assert_eq!((&order["order"], &order["total_cents"]), (&json!(2), &json!(3 * 50 + 300 * 7)));
    assert_eq!(actor.saves(), 1);
}

#[test]
fn what_2_0_0_left_is_taken_over_in_its_order() {
    let actor = read(2, WRITTEN_BY_2_0_0).expect("is read");
    assert_eq!(actor.state(), &cart([line("pear", 300, Some(120)), line("apple", 3, None)]));
    let empty = read(2, [3, b'U', b'S', b'D', 0, 7]).expect("is read");
    assert_eq!((empty.state().next_line, empty.state().orders), (1, 7));
}

/// They must be read for ever.
#[test]
fn the_bytes_of_schema_3_are_known() {
    let actor = read(3, WRITTEN_BY_3_0_0).expect("is read");
    assert_eq!(actor.state(), &with_coupons());
    let written = actor.terminate().expect("saves");
    assert_eq!((written.schema(), written.data()), (3, WRITTEN_BY_3_0_0));
}

#[test]
fn a_state_that_breaks_a_rule_is_refused_as_corrupt() {
    fn after_currency(rest: &[u8]) -> Vec<u8> {
        [b"\x03EUR", rest].concat()
    }
    let cases: [(&[u8], &str); 6] = [
        (&[1, 0, 1, b'a', 1, 0, 2, 0, 0], "the lines are [0], and the next is 2"),
        (&[1, 2, 1, b'a', 1, 0, 2, 0, 0], "the lines are [2], and the next is 2"),
        (&[1, 1, 1, b'a', 0, 0, 2, 0, 0], "not within 1 to 999"),
        (&[0, 1, 2, 1, b'W', 1, 5, 1, b'W', 0, 5, 0], "the coupon \"W\" is there twice"),
        (&[0, 1, 1, 1, b'W', 0, 101, 0], "101 %"),
        (
            &[0, 1, 6, 1, b'A', 1, 5, 1, b'B', 1, 5, 1, b'C', 1, 5, 1, b'D', 1, 5, 1, b'E', 1, 5, 1, b'F', 1, 5, 0],
            "6 coupons",
        ),
    ];
    for (rest, words) in cases {
        let error = read(3, after_currency(rest)).expect_err("is refused");
        let StartError::Refused(Refusal::Corrupt(why)) = error else { panic!("{words}: {error}") };
        assert!(why.contains("breaks a rule") && why.contains(words), "{words}: {why}");
    }
}

#[test]
fn lines_have_numbers_and_an_item_at_two_prices_has_two() {
    let mut actor = Harness::<Cart>::start("cart/ann", SHOP).expect("starts");
    for message in [
        json!({"add": {"item": "pear", "price_cents": 120}}),
        json!({"add": {"item": "pear", "quantity": 2, "price_cents": 99}}),
        json!({"add": {"item": "pear", "quantity": 4, "price_cents": 120}}),
        json!({"remove": 2}),
        json!({"add": {"item": "fig", "price_cents": 10}}),
        json!({"set-quantity": {"line": 3, "quantity": 7}}),
    ] {
        actor.cast(&message).expect("fits");
    }
    let lines = json!({
        "1": {"item": "pear", "quantity": 5, "price_cents": 120},
        "3": {"item": "fig", "quantity": 7, "price_cents": 10},
    });
    let shown = json!({
        "currency": "USD", "lines": lines, "coupons": [], "subtotal_cents": 670, "total_cents": 670, "orders": 0,
    });
    assert_eq!(actor.call(&json!("show")), Ok(shown));
    actor.cast(&json!("checkout")).expect("is complete");
    actor.cast(&json!({"add": {"item": "plum"}})).expect("fits");
    assert_eq!(actor.state().lines.keys().collect::<Vec<_>>(), [&1], "each order counts anew");
}

#[test]
fn coupons_take_off_in_their_order() {
    let mut actor = Harness::<Cart>::start("cart/ann", SHOP).expect("starts");
    actor.cast(&json!({"add": {"item": "pear", "quantity": 3, "price_cents": 333}})).expect("fits");
    for (message, total_cents) in [
        (json!({"coupon": "SPRING"}), 899),
        (json!({"coupon": "W"}), 399),
        (json!({"drop-coupon": "SPRING"}), 499),
        (json!({"coupon": "SPRING"}), 449),
    ] {
        let shown: Value = actor.call(&message).expect("is one");
        assert_eq!((&shown["subtotal_cents"], &shown["total_cents"]), (&json!(999), &json!(total_cents)), "{message}");
    }
    let order: Value = actor.call(&json!("checkout")).expect("is complete");
    assert_eq!((&order["order"], &order["coupons"]), (&json!(1), &json!(["W", "SPRING"])));
    assert!(actor.state().coupons.is_empty());
}

#[test]
fn no_coupon_makes_a_price_negative() {
    let coupon = |discount| Coupon { code: "C".into(), discount };
    assert_eq!(reduced_cents(300, &[coupon(Discount::Cents(500)), coupon(Discount::Percent(10))]), 0);
    assert_eq!(reduced_cents(300, &[coupon(Discount::Percent(100))]), 0);
    assert_eq!(reduced_cents(0, &[]), 0);
}

#[test]
fn a_cart_keeps_its_coupons_when_the_shop_has_others() {
    let mut actor = Harness::<Cart>::start("cart/ann", SHOP).expect("starts");
    actor.cast(&json!({"coupon": "SPRING"})).expect("is one");
    actor.cast(&json!({"add": {"item": "pear", "price_cents": 100}})).expect("fits");
    let next = actor.terminate().expect("saves").with_args(r#"{"coupons": {"SPRING": {"percent": 50}}}"#);
    let mut next = Harness::<Cart>::resume(next).expect("is read");
    assert_eq!(next.call::<Value>(&json!("show")).expect("answers")["total_cents"], json!(90));
    assert_eq!(next.call::<Value>(&json!({"coupon": "W"})).expect_err("is gone").code, "unknown-coupon");
}

#[test]
fn what_cannot_be_is_refused_with_its_code_and_changes_nothing() {
    let mut actor = read(3, WRITTEN_BY_3_0_0).expect("is read");
    let cases = [
        (json!({"add": {"item": ""}}), "bad-item"),
        (json!({"add": {"item": "pear", "quantity": 700, "price_cents": 120}}), "bad-quantity"),
        (json!({"add": {"item": "fig", "price_cents": 100_000_001}}), "bad-price"),
        (json!({"price": {"line": 3, "price_cents": 1}}), "no-such-line"),
        (json!({"set-quantity": {"line": 1, "quantity": 0}}), "bad-quantity"),
        (json!({"remove": 3}), "no-such-line"),
        (json!({"coupon": "SUMMER"}), "unknown-coupon"),
        (json!({"drop-coupon": "SUMMER"}), "no-such-coupon"),
        (json!("checkout"), "no-price"),
        (json!({"remove": "pear"}), "bad-message"),
    ];
    for (message, code) in cases {
        assert_eq!(actor.call::<Value>(&message).expect_err("is refused").code, code, "{message}");
    }
    assert_eq!(actor.state(), &with_coupons());
    let coupons: Vec<String> = (0..6).map(|n| format!("\"C{n}\": {{\"cents\": 1}}")).collect();
    let mut actor =
        Harness::<Cart>::start("cart/ann", format!("{{\"coupons\": {{{}}}}}", coupons.join(","))).expect("starts");
    for n in 0..COUPONS {
        actor.cast(&json!({"coupon": format!("C{n}")})).expect("is one");
    }
    assert_eq!(actor.cast(&json!({"coupon": "C0"})).expect_err("counts already").code, "coupon-twice");
    assert_eq!(actor.cast(&json!({"coupon": "C5"})).expect_err("is one too many").code, "too-many-coupons");
    assert_eq!(actor.cast(&json!("checkout")).expect_err("is empty").code, "empty");
}

#[test]
fn a_shop_whose_coupons_cannot_be_has_no_carts() {
    for (args, code) in [
        (r#"{"coupons": {"A": {"percent": 0}}}"#, "bad-coupon"),
        (r#"{"coupons": {"A": {"percent": 101}}}"#, "bad-coupon"),
        (r#"{"coupons": {"A": {"cents": 0}}}"#, "bad-coupon"),
        (r#"{"coupons": {"": {"cents": 1}}}"#, "bad-coupon"),
        (r#"{"currency": "Euro"}"#, "bad-currency"),
        (r#"{"coupon": {}}"#, "bad-args"),
    ] {
        let error = Harness::<Cart>::start("cart/ann", args).expect_err("is refused");
        assert!(matches!(&error, StartError::Init(failure) if failure.code == code), "{args}: {error}");
    }
}

#[test]
fn it_reads_all_that_was_ever_released() {
    let described = Harness::<Cart>::describe();
    assert_eq!((described.name.as_str(), described.version.as_str()), ("cart", "3.0.0"));
    assert_eq!((described.schema, described.reads_from, described.reads_to), (3, 1, 3));
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
