use baton_guest::Refusal;
use baton_guest::testing::{Handover, Harness, StartError, assert_layouts};
use serde_json::{Value, json};

use super::*;

/// What 1.0.0 wrote of the cart of `filled`.
const GOLDEN: &[u8] = &[2, 5, b'a', b'p', b'p', b'l', b'e', 3, 4, b'p', b'e', b'a', b'r', 0xac, 0x02, 1];

fn filled() -> Harness<Cart> {
    let mut cart = Harness::<Cart>::start("cart/ann", "").expect("starts");
    cart.cast(&json!({"add": {"item": "plum"}})).expect("fits");
    assert_eq!(cart.call(&json!("checkout")), Ok(json!({"order": 1, "items": {"plum": 1}})));
    for (item, quantity) in [("pear", 300), ("apple", 1), ("apple", 2)] {
        cart.cast(&json!({"add": {"item": item, "quantity": quantity}})).expect("fits");
    }
    cart
}

#[test]
fn a_cart_is_filled_changed_and_checked_out() {
    let mut cart = filled();
    assert_eq!(cart.call(&json!("show")), Ok(json!({"items": {"apple": 3, "pear": 300}, "orders": 1})));
    cart.cast(&json!({"set-quantity": {"item": "pear", "quantity": 5}})).expect("is there");
    assert_eq!(cart.call(&json!({"remove": "apple"})), Ok(json!({"items": {"pear": 5}, "orders": 1})));
    let saves = cart.saves();
    assert_eq!(cart.call(&json!("checkout")), Ok(json!({"order": 2, "items": {"pear": 5}})));
    assert_eq!((cart.saves(), cart.state().items.len()), (saves + 1, 0));
}

#[test]
fn what_cannot_be_is_refused_with_its_code_and_changes_nothing() {
    let mut cart = filled();
    let cases = [
        (json!({"add": {"item": " "}}), "bad-item"),
        (json!({"add": {"item": "x".repeat(101)}}), "bad-item"),
        (json!({"add": {"item": "fig", "quantity": 0}}), "bad-quantity"),
        (json!({"add": {"item": "pear", "quantity": 700}}), "bad-quantity"),
        (json!({"add": {"item": "pear", "quantity": u32::MAX}}), "bad-quantity"),
        (json!({"set-quantity": {"item": "pear", "quantity": 1000}}), "bad-quantity"),
        (json!({"set-quantity": {"item": "fig", "quantity": 1}}), "no-such-item"),
        (json!({"remove": "fig"}), "no-such-item"),
        (json!({"add": {"item": "fig", "price_cents": 5}}), "bad-message"),
        (json!("pay"), "bad-message"),
    ];
    for (message, code) in cases {
        assert_eq!(cart.call::<Value>(&message).expect_err("is refused").code, code, "{message}");
    }
    assert_eq!(cart.state(), filled().state());
    let mut empty = Harness::<Cart>::start("cart/ann", "").expect("starts");
    assert_eq!(empty.call::<Value>(&json!("checkout")).expect_err("is empty").code, "empty");
}

#[test]
fn a_full_cart_takes_more_of_what_it_has_alone() {
    let mut cart = Harness::<Cart>::start("cart/ann", "").expect("starts");
    for n in 0..ITEMS {
        cart.cast(&json!({"add": {"item": format!("item {n}")}})).expect("fits");
    }
    cart.cast(&json!({"add": {"item": "item 7"}})).expect("is there already");
    assert_eq!(cart.cast(&json!({"add": {"item": "one more"}})).expect_err("is full").code, "cart-full");
}

/// It must be read for ever.
#[test]
fn the_bytes_of_schema_1_are_known() {
    let written = filled().terminate().expect("saves");
    assert_eq!((written.schema(), written.data()), (1, GOLDEN));
    let next = Harness::<Cart>::resume(Handover::from_bytes("cart/ann", 1, GOLDEN)).expect("is read");
    assert_eq!(next.state(), filled().state());
}

#[test]
fn a_state_that_breaks_a_rule_is_refused() {
    // None of an item; an item without a name; an item too many.
    let many: Vec<u8> = [&[101][..], &(0..101).flat_map(|n| [1, n, 1]).collect::<Vec<u8>>(), &[0]].concat();
    for data in [vec![1, 1, b'a', 0, 0], vec![1, 0, 1, 0], many] {
        let error = Harness::<Cart>::resume(Handover::from_bytes("cart/ann", 1, data)).expect_err("is refused");
        assert!(
            matches!(&error, StartError::Refused(Refusal::Corrupt(why)) if why.contains("breaks a rule")),
            "{error}"
        );
    }
}

#[test]
fn no_newer_schema_is_read() {
    let described = Harness::<Cart>::describe();
    assert_eq!((described.name.as_str(), described.version.as_str()), ("cart", "1.0.0"));
    assert_eq!((described.schema, described.reads_from, described.reads_to), (1, 1, 1));
}

#[test]
fn the_layout_stays_as_it_is() {
    assert_layouts::<Cart>(&[(1, "Cart\nCart { items: {string: u32}, orders: u64 }")]);
}
