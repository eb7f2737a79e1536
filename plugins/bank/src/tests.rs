use baton_guest::testing::{Handover, Harness, StartError, assert_layouts};
use baton_guest::{Refusal, SendError};
use serde_json::{Value, json};

use super::*;

const ANN: &str = "account/ann";
const BOB: &str = "account/bob";

fn account(name: &str) -> Harness<Account> {
    Harness::start(name, "").expect("starts")
}

/// One with that balance, deposited.
fn rich(name: &str, cents: u64) -> Harness<Account> {
    let mut account = account(name);
    account.cast(&json!("open")).expect("is closed");
    if cents > 0 {
        assert_eq!(account.call(&json!({"deposit": {"cents": cents}})), Ok(json!({"balance_cents": cents})));
    }
    account
}

fn pay(to: &str, cents: u64) -> Value {
    json!({"transfer": {"to": to, "cents": cents}})
}

/// A credit, as one account sends it to another.
fn credit(account: &mut Harness<Account>, sender: &str, from: &str, cents: u64) -> Result<Vec<u8>, Failure> {
    let body = json!({"credit": {"from": from, "cents": cents}}).to_string();
    account.call_from(sender, body.as_bytes())
}

fn flow(count: u64, cents: u64) -> Flow {
    Flow { count, cents }
}

#[test]
fn a_transfer_debits_the_one_and_sends_the_other_a_credit_in_the_same_turn() {
    let (mut ann, mut bob) = (rich(ANN, 100), account(BOB));
    assert_eq!(ann.call(&pay(BOB, 30)), Ok(json!({"balance_cents": 70})));
    let [sent] = ann.sent().try_into().expect("one credit");
    assert_eq!((sent.to.as_str(), sent.json().ok()), (BOB, Some(json!({"credit": {"from": ANN, "cents": 30}}))));
    assert_eq!(bob.call_from(ANN, &sent.body), Ok(br#"{"balance_cents":30}"#.to_vec()), "it was never opened");
    let (out, nothing) = (json!({"count": 1, "cents": 30}), json!({"count": 0, "cents": 0}));
    let statement = json!({"open": true, "balance_cents": 70, "deposited_cents": 100, "sent": out, "received": nothing, "orders": {}});
    assert_eq!(ann.call(&json!("balance")), Ok(statement));
    let statement = json!({"open": false, "balance_cents": 30, "deposited_cents": 0, "sent": nothing, "received": out, "orders": {}});
    assert_eq!(bob.call(&json!("balance")), Ok(statement));
}

#[test]
fn what_cannot_be_is_refused_with_its_code_sends_nothing_and_changes_nothing() {
    let mut ann = rich(ANN, 100);
    let order = |name: &str, to: &str, cents: u64, every_ms: u64, times: Option<u64>| json!({"standing-order": {"name": name, "to": to, "cents": cents, "every_ms": every_ms, "times": times}});
    let cases = [
        (json!("open"), "already-open"),
        (pay(BOB, 101), "overdraft"),
        (pay(BOB, 0), "bad-amount"),
        (pay(BOB, AMOUNT_CENTS + 1), "bad-amount"),
        (pay(BOB, u64::MAX), "bad-amount"),
        (pay(ANN, 1), "same-account"),
        (pay("bob", 1), "no-such-account"),
        (pay("account/", 1), "no-such-account"),
        (pay("account/vip/bob", 1), "no-such-account"),
        (pay("shop/1", 1), "no-such-account"),
        (pay("account/*", 1), "no-such-account"),
        (pay(&format!("account/{}", "b".repeat(300)), 1), "no-such-account"),
        (json!({"transfer": {"to": BOB, "cents": -1}}), "bad-message"),
        (json!({"transfer": {"to": BOB, "cents": 0.5}}), "bad-message"),
        (json!({"deposit": {"cents": 0}}), "bad-amount"),
        (json!({"deposit": {"cents": 1, "from": "the street"}}), "bad-message"),
        (json!({"credit": {"from": BOB, "cents": 5}}), "not-a-transfer"),
        (order("", BOB, 1, 10, None), "bad-order"),
        (order("rent", BOB, 1, 0, None), "bad-order"),
        (order("rent", BOB, 1, u64::MAX, None), "bad-order"),
        (order("rent", BOB, 1, 10, Some(0)), "bad-order"),
        (order("rent", BOB, 0, 10, None), "bad-amount"),
        (order("rent", ANN, 1, 10, None), "same-account"),
        (json!({"cancel-order": "rent"}), "no-such-order"),
    ];
    for (message, code) in cases {
        assert_eq!(ann.call::<Value>(&message).expect_err("is refused").code, code, "{message}");
        assert!(ann.sent().is_empty() && ann.timers().is_empty(), "{message}");
    }
    for (sender, from) in [(BOB, "account/cat"), ("shop/1", "shop/1"), ("shop/1", BOB)] {
        assert_eq!(credit(&mut ann, sender, from, 5).expect_err("is none").code, "not-a-transfer", "{sender}");
    }
    ann.refuse_sends(Some(SendError::Limit("turn_sends".into())));
    assert_eq!(ann.call::<Value>(&pay(BOB, 1)).expect_err("cannot be sent").code, "send-limit");
    assert_eq!(ann.state(), rich(ANN, 100).state());
}

#[test]
fn an_account_that_was_never_opened_takes_credits_alone() {
    let mut bob = account(BOB);
    credit(&mut bob, ANN, ANN, 5).expect("has been paid");
    for message in [pay(ANN, 1), json!({"deposit": {"cents": 1}})] {
        assert_eq!(bob.call::<Value>(&message).expect_err("is closed").code, "not-open", "{message}");
    }
    assert_eq!(bob.call(&json!("open")), Ok(json!({"balance_cents": 5})));
    let Err(StartError::Init(failure)) = Harness::<Account>::start("ann", "") else { panic!("has no branch") };
    assert_eq!(failure.code, "bad-name");
}

#[test]
fn a_credit_that_does_not_fit_goes_back() {
    let most = u64::MAX - 10;
    let state = Account { open: true, balance_cents: most, received: flow(9, most), ..Account::default() };
    let full = postcard_of(&state);
    let mut bob = Harness::<Account>::resume(Handover::from_bytes(BOB, 1, full)).expect("is read");
    assert_eq!(credit(&mut bob, ANN, ANN, 11).expect_err("does not fit").code, "account-full");
    let [back] = bob.sent().try_into().expect("one credit");
    assert_eq!((back.to.as_str(), back.json().ok()), (ANN, Some(json!({"credit": {"from": BOB, "cents": 11}}))));
    assert_eq!(bob.state(), &state);
    assert_eq!(bob.call::<Value>(&json!({"deposit": {"cents": 11}})).expect_err("does not fit").code, "account-full");
    credit(&mut bob, ANN, ANN, 10).expect("fits");
}

/// The bytes of a state that no test can wait for.
fn postcard_of(state: &Account) -> Vec<u8> {
    let varint = |mut n: u64| {
        let mut bytes = Vec::new();
        while n >= 0x80 {
            bytes.push((n & 0x7f) as u8 | 0x80);
            n >>= 7;
        }
        bytes.push(n as u8);
        bytes
    };
    let Account { open, balance_cents, deposited_cents, sent, received, .. } = state;
    let numbers = [balance_cents, deposited_cents, &sent.count, &sent.cents, &received.count, &received.cents];
    [vec![u8::from(*open)], numbers.into_iter().flat_map(|n| varint(*n)).collect(), vec![0]].concat()
}

#[test]
fn a_standing_order_pays_until_it_has_paid_as_often_as_asked() {
    let mut ann = rich(ANN, 100);
    let order = json!({"standing-order": {"name": "rent", "to": BOB, "cents": 40, "every_ms": 1000, "times": 3}});
    ann.cast(&order).expect("is one");
    assert_eq!(ann.call::<Value>(&order).expect_err("is there").code, "order-twice");
    ann.advance_ms(2_999).expect("pays");
    assert_eq!((ann.sent().len(), ann.state().balance_cents), (2, 20));
    ann.advance_ms(2_001).expect("waits for money");
    assert_eq!((ann.sent().len(), ann.state().orders["rent"].missed), (0, 3));
    assert!(ann.logged().iter().all(|line| line.message == "a standing order was not paid"));
    // Over a handover, with its timer.
    let mut ann = Harness::<Account>::resume(ann.terminate().expect("saves")).expect("is read");
    ann.cast(&json!({"deposit": {"cents": 20}})).expect("fits");
    ann.advance_ms(1_000).expect("pays");
    assert_eq!((ann.sent().len(), ann.state().sent), (1, flow(3, 120)));
    assert!(ann.state().orders.is_empty() && ann.timers().is_empty());
}

#[test]
fn a_standing_order_that_is_cancelled_pays_no_more() {
    let mut ann = rich(ANN, 100);
    for n in 0..ORDERS {
        let name = format!("n{n}");
        ann.cast(&json!({"standing-order": {"name": name, "to": BOB, "cents": 1, "every_ms": 10}})).expect("is one");
    }
    let more = json!({"standing-order": {"name": "more", "to": BOB, "cents": 1, "every_ms": 10}});
    assert_eq!(ann.cast(&more).expect_err("is one too many").code, "too-many-orders");
    for n in 1..ORDERS {
        ann.cast(&json!({"cancel-order": format!("n{n}")})).expect("is there");
    }
    ann.advance_ms(30).expect("pays");
    assert_eq!((ann.sent().len(), ann.timers().into_keys().collect::<Vec<_>>()), (3, vec!["order/n0".to_owned()]));
    ann.cast(&json!({"cancel-order": "n0"})).expect("is there");
    ann.advance_ms(30).expect("nothing is due");
    assert!(ann.sent().is_empty() && ann.state().orders.is_empty());
}

/// Transfers in any order, credits that take their time, handovers in between.
#[test]
fn the_sum_is_always_that_of_the_deposits() {
    let names = ["account/0", "account/1", "account/2", "account/3"];
    let mut accounts = names.map(|name| rich(name, 0));
    let mut under_way: Vec<(usize, usize, Vec<u8>)> = Vec::new();
    let mut seed: u64 = 7;
    let mut below = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    let (mut refused, mut arrived) = (0, 0);
    for _ in 0..5_000 {
        let (from, to, cents) = (below(4), below(4), below(50) as u64);
        match below(8) {
            0 => drop(accounts[from].cast(&json!({"deposit": {"cents": cents}}))),
            1 => {
                let left = accounts[from].snapshot(baton_guest::Origin::Switched).expect("saves");
                accounts[from] = Harness::resume(left).expect("is read");
            }
            2..=4 if !under_way.is_empty() => {
                let (from, to, body) = under_way.swap_remove(below(under_way.len()));
                accounts[to].call_from(names[from], &body).expect("is booked");
                arrived += 1;
            }
            _ => refused += u32::from(accounts[from].cast(&pay(names[to], cents)).is_err()),
        }
        for sent in accounts[from].sent() {
            let to = names.iter().position(|name| *name == sent.to).expect("an account");
            under_way.push((from, to, sent.body));
        }
        let sum = |of: fn(&Account) -> u64| accounts.iter().map(|account| of(account.state())).sum::<u64>();
        let on_the_way: u64 = under_way
            .iter()
            .map(|(_, _, body)| match serde_json::from_slice(body).expect("a message") {
                Message::Credit { cents, .. } => cents,
                _ => panic!("not a credit"),
            })
            .sum();
        assert_eq!(sum(|account| account.balance_cents) + on_the_way, sum(|account| account.deposited_cents));
        assert_eq!(sum(|account| account.sent.cents) - sum(|account| account.received.cents), on_the_way);
    }
    assert!(refused > 100 && arrived > 1_000, "{refused} {arrived}");
}

#[test]
fn a_state_that_does_not_add_up_is_refused() {
    let paid = Account { open: true, balance_cents: 70, deposited_cents: 100, sent: flow(1, 30), ..Account::default() };
    let read = |state: &Account| Harness::<Account>::resume(Handover::from_bytes(ANN, 1, postcard_of(state)));
    assert_eq!(read(&paid).expect("adds up").state(), &paid);
    let cases = [
        (Account { balance_cents: 71, ..Account::default() }, "leave no balance of 71 cents"),
        (Account { open: true, sent: flow(1, 1), ..Account::default() }, "leave no balance of 0 cents"),
        (Account { balance_cents: 5, deposited_cents: 5, ..Account::default() }, "never opened"),
    ];
    for (state, words) in cases {
        let Err(StartError::Refused(Refusal::Corrupt(why))) = read(&state) else { panic!("{words}") };
        assert!(why.contains(words), "{why}");
    }
}

/// What 1.0.0 wrote: it must be read for ever.
#[test]
fn the_bytes_of_schema_1_are_known() {
    let golden = [
        1, 70, 0x96, 1, 2, 80, 0, 0, // open, balance 70, 150 deposited, 2 sent with 80, none received
        1, 4, b'r', b'e', b'n', b't', 11, b'a', b'c', b'c', b'o', b'u', b'n', b't', b'/', b'b', b'o',
        b'b', // rent
        40, 0xe8, 7, 1, 1, 3, // 40 cents every 1000 ms, once more, missed 3 times
    ];
    let ann = Harness::<Account>::resume(Handover::from_bytes(ANN, 1, golden)).expect("is read");
    let order = Order { to: BOB.to_owned(), cents: 40, every_ms: 1_000, times: Some(1), missed: 3 };
    let orders = BTreeMap::from([("rent".to_owned(), order)]);
    let sent = flow(2, 80);
    let expected = Account { open: true, balance_cents: 70, deposited_cents: 150, sent, received: flow(0, 0), orders };
    assert_eq!(ann.state(), &expected);
    assert_eq!(ann.terminate().expect("saves").data(), golden);
}

#[test]
fn the_layout_stays_as_it_is() {
    assert_layouts::<Account>(&[(
        1,
        "Account\n\
         Account { open: bool, balance_cents: u64, deposited_cents: u64, sent: Flow, received: Flow, orders: {string: Order} }\n\
         Flow { count: u64, cents: u64 }\n\
         Order { to: string, cents: u64, every_ms: u64, times: u64?, missed: u64 }",
    )]);
}
