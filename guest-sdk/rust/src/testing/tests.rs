//! The SDK's promises, on an actor that has lived through three layouts.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;
use crate::bindings::baton::actor::types;
use crate::{Actor, Cx, Leave, Level, Migrations, Predecessor, SendError, migrations, plugin};

#[derive(Debug, Serialize, Deserialize)]
struct CartV1 {
    apples: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct CartV2 {
    apples: u32,
    pears: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct CartV4 {
    items: u64,
    owner: String,
}

/// Schema 3.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Cart {
    items: u64,
    #[serde(skip)]
    limit: Option<u64>,
}

impl TryFrom<CartV1> for CartV2 {
    type Error = String;

    fn try_from(old: CartV1) -> Result<Self, String> {
        if old.apples == u32::MAX {
            Err("no tree has as many apples".into())
        } else {
            Ok(Self { apples: old.apples, pears: 0 })
        }
    }
}

impl From<CartV2> for Cart {
    fn from(old: CartV2) -> Self {
        Self { items: u64::from(old.apples) + u64::from(old.pears), limit: None }
    }
}

impl TryFrom<CartV4> for Cart {
    type Error = String;

    fn try_from(new: CartV4) -> Result<Self, String> {
        if new.owner.is_empty() { Ok(Self { items: new.items, limit: None }) } else { Err("it has an owner".into()) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Message {
    Get,
    Add(u64),
    Ask(String),
    Tell(String),
    Remind(u64),
    Who,
    Close,
    Checkpoint,
    Panic,
}

impl Actor for Cart {
    type Message = Message;
    type Reply = serde_json::Value;
    const SCHEMA: u32 = 3;
    const MIGRATIONS: Migrations<Self> = migrations!(1 => CartV1, 2 => CartV2; newer 4 => CartV4);

    fn init(cx: &Cx) -> Result<Self, Failure> {
        Ok(Self { items: 0, limit: cx.args_json()? })
    }

    fn started(&mut self, cx: &Cx) -> Result<(), Refusal> {
        cx.info("a fresh cart");
        Ok(())
    }

    fn resumed(&mut self, predecessor: &Predecessor, cx: &Cx) -> Result<(), Refusal> {
        self.limit = cx.args_json().map_err(|failure| Refusal::Other(failure.message))?;
        if predecessor.age_ms > 1_000_000 { Err(Refusal::Stale("too old".into())) } else { Ok(()) }
    }

    fn validate(&self) -> Result<(), String> {
        if self.items > 1_000 { Err(format!("{} items are more than 1000", self.items)) } else { Ok(()) }
    }

    fn handle(&mut self, message: Message, cx: &Cx) -> Result<serde_json::Value, Failure> {
        match message {
            Message::Get => {}
            Message::Add(items) => {
                if self.limit.is_some_and(|limit| self.items + items > limit) {
                    return Err(Failure::new("full", "the cart is full"));
                }
                self.items += items;
            }
            Message::Ask(actor) => return Ok(cx.call(&actor, "price", 50)?),
            Message::Tell(actor) => cx.send(&actor, &json!({"items": self.items}))?,
            Message::Remind(after_ms) => cx.set_timer("remind", after_ms)?,
            Message::Who => return Ok(json!([cx.actor(), cx.sender(), cx.request_id(), cx.generation()])),
            Message::Close => cx.stop(),
            Message::Checkpoint => cx.save(),
            Message::Panic => panic!("asked to"),
        }
        Ok(json!(self.items))
    }

    fn timer(&mut self, name: &str, cx: &Cx) -> Result<(), Failure> {
        cx.log(Level::Warn, "due", &[("timer", &name), ("at", &cx.now_ms())]);
        Ok(())
    }

    fn terminate(&mut self, reason: &StopReason, _: Option<u64>, _: &Cx) -> Result<Leave, Failure> {
        Ok(match reason {
            StopReason::Normal => Leave::Forget,
            StopReason::Restart => Leave::Keep,
            _ => Leave::Save,
        })
    }
}

plugin!(Cart, name = "cart", version = "3.1.0");

fn cart(items: u64) -> Harness<Cart> {
    let mut actor = Harness::start("cart/7", "").expect("starts");
    actor.cast(&json!({ "add": items })).expect("has room");
    actor
}

fn bytes(state: &impl Serialize) -> Vec<u8> {
    state::save(state).expect("encodes")
}

fn refusal(handover: Handover) -> Refusal {
    match Harness::<Cart>::resume(handover).expect_err("is refused") {
        StartError::Refused(refusal) => refusal,
        StartError::Init(failure) => panic!("{failure}"),
    }
}

#[test]
fn a_plugin_describes_itself() {
    let description = Harness::<Cart>::describe();
    assert_eq!((description.name.as_str(), description.version.as_str()), ("cart", "3.1.0"));
    assert_eq!((description.schema, description.reads_from, description.reads_to), (3, 1, 4));
    assert_eq!(description.messages, "application/json");
    let license = description.metadata.iter().find(|(name, _)| name == "license").map(|(_, value)| value.as_str());
    assert_eq!(license, Some("Apache-2.0"));
    assert!(description.metadata.iter().all(|(_, value)| !value.is_empty()));
}

#[test]
fn every_older_layout_is_carried_to_the_current_one() {
    let layouts = [
        (1, bytes(&CartV1 { apples: 5 }), 5),
        (2, bytes(&CartV2 { apples: 5, pears: 2 }), 7),
        (3, bytes(&Cart { items: 9, limit: None }), 9),
        (4, bytes(&CartV4 { items: 11, owner: String::new() }), 11),
    ];
    for (schema, data, items) in layouts {
        let next = Harness::<Cart>::resume(Handover::from_bytes("cart/7", schema, data)).expect("is read");
        assert_eq!(next.state().items, items, "schema {schema}");
        let saved = next.terminate().expect("saves");
        assert_eq!((saved.schema(), saved.data()), (3, [u8::try_from(items).expect("small")].as_slice()));
    }
}

#[test]
fn an_unknown_schema_is_refused_as_incompatible() {
    for schema in [0, 5, u32::MAX] {
        let refused = refusal(Handover::from_bytes("cart/7", schema, [1]));
        let expected = format!("schema {schema} is not among 1 to 4");
        assert_eq!(refused, Refusal::Incompatible(expected));
    }
}

#[test]
fn bytes_that_do_not_decode_to_their_end_are_refused_as_corrupt() {
    // Nothing, one byte too many, a number that never ends, one that is no u64; and the same for an older layout.
    let cases: [(u32, &[u8]); 6] = [(3, &[]), (3, &[1, 2]), (3, &[0x80]), (3, &[0xff; 11]), (2, &[1]), (2, &[1, 2, 3])];
    for (schema, data) in cases {
        let refused = refusal(Handover::from_bytes("cart/7", schema, data));
        assert!(matches!(refused, Refusal::Corrupt(_)), "{schema} {data:?}: {refused:?}");
    }
}

#[test]
fn a_state_that_breaks_a_rule_is_refused_as_corrupt() {
    let too_many = bytes(&CartV2 { apples: 999, pears: 2 });
    let Refusal::Corrupt(why) = refusal(Handover::from_bytes("cart/7", 2, too_many)) else { panic!("not corrupt") };
    assert_eq!(why, "state of schema 2 breaks a rule: 1001 items are more than 1000");
}

#[test]
fn an_older_state_that_cannot_become_the_current_one_is_refused_as_corrupt() {
    let rotten = bytes(&CartV1 { apples: u32::MAX });
    let Refusal::Corrupt(why) = refusal(Handover::from_bytes("cart/7", 1, rotten)) else { panic!("not corrupt") };
    assert!(why.starts_with("state of schema 1: ") && why.ends_with("CartV2: no tree has as many apples"), "{why}");
}

#[test]
fn a_newer_state_that_cannot_go_back_is_refused_as_incompatible_and_a_damaged_one_as_corrupt() {
    let owned = bytes(&CartV4 { items: 1, owner: "ann".into() });
    let no_way = "state of schema 4: there is no way back to 3: it has an owner".to_owned();
    assert_eq!(refusal(Handover::from_bytes("cart/7", 4, owned.clone())), Refusal::Incompatible(no_way));
    let cut = refusal(Handover::from_bytes("cart/7", 4, &owned[..owned.len() - 1]));
    assert!(matches!(cut, Refusal::Corrupt(_)), "{cut:?}");
}

#[test]
fn the_layouts_of_the_whole_chain_are_told() {
    let named = |name: &str, fields: &str| format!("{name}\n{name} {{ {fields} }}");
    let expected = [
        (1, named("CartV1", "apples: u32")),
        (2, named("CartV2", "apples: u32, pears: u32")),
        (3, named("Cart", "items: u64")),
        (4, named("CartV4", "items: u64, owner: string")),
    ];
    assert_eq!(layouts::<Cart>(), expected);
    assert_layouts::<Cart>(&expected.each_ref().map(|(schema, layout)| (*schema, layout.as_str())));
}

#[test]
#[should_panic(expected = "raise SCHEMA to 4")]
fn a_layout_changed_without_a_raised_schema_fails_its_test() {
    let mut layouts = layouts::<Cart>();
    layouts[2].1 = "Cart\nCart { items: u32 }".to_owned();
    let layouts: Vec<_> = layouts.iter().map(|(schema, layout)| (*schema, layout.as_str())).collect();
    assert_layouts::<Cart>(&layouts);
}

#[test]
fn a_replacement_goes_on_with_state_timers_arguments_and_clock() {
    let mut actor = Harness::<Cart>::start("cart/7", "10").expect("starts");
    actor.set_now_ms(1_000);
    actor.call::<u64>(&json!({"add": 4})).expect("has room");
    actor.cast(&json!({"remind": 500})).expect("sets a timer");
    let handover = actor.terminate().expect("saves").with_age_ms(100);

    let mut next = Harness::<Cart>::resume(handover).expect("is read");
    assert_eq!(next.call::<u64>(&json!("get")), Ok(4));
    assert_eq!(next.call::<u64>(&json!({"add": 7})), Err(Failure::new("full", "the cart is full")));
    assert_eq!(next.now_ms(), 1_100);
    assert_eq!(next.timers(), [("remind".to_owned(), 1_500)].into());
    next.advance_ms(399).expect("nothing is due");
    assert!(next.logged().is_empty());
    next.advance_ms(1).expect("the timer is due");
    let fields = vec![("timer".to_owned(), "remind".to_owned()), ("at".to_owned(), "1500".to_owned())];
    assert_eq!(next.logged(), [Logged { level: Level::Warn, message: "due".into(), fields }]);
    assert!(next.timers().is_empty());
}

#[test]
fn a_hook_may_refuse_what_was_decoded() {
    let stale = cart(1).terminate().expect("saves").with_age_ms(1_000_001);
    assert_eq!(refusal(stale), Refusal::Stale("too old".into()));
}

#[test]
fn bad_arguments_stop_the_start() {
    let error = Harness::<Cart>::start("cart/7", "\"ten\"").expect_err("is refused");
    let StartError::Init(failure) = error else { panic!("{error}") };
    assert_eq!(failure.code, "bad-args");
    assert!(failure.message.contains("line 1 column 5"), "{}", failure.message);
}

#[test]
fn a_bad_message_is_a_failure_and_leaves_the_state_alone() {
    let mut actor = cart(3);
    let failure = actor.call_bytes(br#"{"add": "three"}"#).expect_err("is no number");
    assert_eq!(failure.code, "bad-message");
    assert_eq!(
        failure.message,
        "cart 3.1.0 does not take this message: invalid type: string \"three\", expected u64 at line 1 column 15"
    );
    assert_eq!(actor.call::<u64>(&json!("get")), Ok(3));
}

#[test]
fn the_sender_and_the_id_are_those_of_the_message_in_hand() {
    let mut actor = cart(0);
    let reply = actor.call_from("shop/1", br#""who""#).expect("answers");
    assert_eq!(String::from_utf8_lossy(&reply), r#"["cart/7","shop/1","test-2",1]"#);
    assert_eq!(actor.call(&json!("who")), Ok(json!(["cart/7", null, "test-3", 1])));
}

#[test]
fn calls_get_the_answers_that_the_test_gives() {
    let mut actor = cart(0);
    actor.answer("price", &json!(250));
    actor.answer_error("price", CallError::Timeout);
    actor.answer_error("price", CallError::Failed(Failure::new("sold-out", "no more")));
    let ask = json!({"ask": "price"});
    assert_eq!(actor.call(&ask), Ok(json!(250)));
    let codes = [(); 3].map(|()| actor.call::<u64>(&ask).expect_err("fails").code);
    assert_eq!(codes, ["call-timeout", "sold-out", "call-unknown-actor"]);
    let called = actor.called();
    assert_eq!(called.len(), 4);
    assert_eq!((called[0].json::<String>().ok(), called[0].timeout_ms), (Some("price".into()), 50));
}

#[test]
fn sends_saves_and_stops_are_recorded() {
    let mut actor = cart(2);
    actor.cast(&json!({"tell": "shop/1"})).expect("is sent");
    let sent = actor.sent();
    assert_eq!((sent[0].to.as_str(), sent[0].json().ok()), ("shop/1", Some(json!({"items": 2}))));
    assert!(actor.sent().is_empty());

    actor.refuse_sends(Some(SendError::Limit("outbox_messages".into())));
    assert_eq!(actor.cast(&json!({"tell": "shop/1"})).expect_err("is refused").code, "send-limit");
    assert!(actor.sent().is_empty());

    assert_eq!((actor.saves(), actor.stopped()), (0, false));
    actor.cast(&json!("checkpoint")).expect("saves");
    actor.cast(&json!("close")).expect("stops");
    assert_eq!((actor.saves(), actor.stopped()), (1, true));
}

#[test]
fn terminate_decides_what_is_left() {
    assert_eq!(cart(1).stop(StopReason::Normal, None), Ok(Left::Forgotten));
    assert_eq!(cart(1).stop(StopReason::Restart, None), Ok(Left::Kept));
    let Ok(Left::Saved(handover)) = cart(1).stop(StopReason::Upgrade, Some(500)) else { panic!("not saved") };
    assert_eq!(handover.data(), [1]);
    assert_eq!(handover.origin, Origin::Terminated(StopReason::Upgrade));
}

#[test]
fn a_timer_that_is_not_set_cannot_fire() {
    assert_eq!(cart(0).fire_timer("remind").expect_err("is not set").code, "no-such-timer");
}

#[test]
#[should_panic(expected = "asked to")]
fn a_panic_of_the_actor_fails_the_test() {
    let _ = cart(0).call::<u64>(&json!("panic"));
}

#[test]
fn nothing_is_handled_before_the_instance_has_started() {
    let host = Rc::new(Recorder::new(World::default()));
    let context = Context { actor: "cart/7".into(), args: Vec::new() };
    let (mut instance, start) = Instance::<Cart>::init(host, context).expect("init");
    assert!(start.trap_exit);
    assert_eq!(instance.handle(types::Message::Timer("x".into())).expect_err("too early").code, "not-started");
    assert_eq!(instance.snapshot().expect_err("too early").code, "not-started");
    assert_eq!(instance.terminate(&StopReason::Shutdown, None).expect_err("too early").code, "not-started");
}

#[test]
fn the_chain_must_reach_the_schema_without_a_gap() {
    use crate::state::Layout;

    const fn layout(schema: u32) -> Layout<Cart> {
        Layout::new::<Cart>(schema, state::decode)
    }
    const NONE: Migrations<Cart> = Migrations::NONE;
    const ONE_TWO: Migrations<Cart> = Migrations::new(const { &[layout(1), layout(2)] }, &[]);
    const ONE_THREE: Migrations<Cart> = Migrations::new(const { &[layout(1), layout(3)] }, &[]);
    const NEWER: Migrations<Cart> = Migrations::new(&[], const { &[layout(4), layout(5)] });

    for (chain, schema) in [(NONE, 0), (NONE, 7), (ONE_TWO, 3), (NEWER, 3), (Cart::MIGRATIONS, 3)] {
        chain.check(schema);
    }
    for (chain, schema) in [(ONE_TWO, 1), (ONE_TWO, 2), (ONE_TWO, 4), (ONE_THREE, 4), (NEWER, 2), (NEWER, 4)] {
        assert!(std::panic::catch_unwind(|| chain.check(schema)).is_err(), "{chain:?} {schema}");
    }
}

/// `skip_serializing_if` leaves a field out that postcard then misses.
mod lossy {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    pub(super) struct Lossy {
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    }

    impl Actor for Lossy {
        type Message = ();
        type Reply = ();
        const SCHEMA: u32 = 1;

        fn init(_: &Cx) -> Result<Self, Failure> {
            Ok(Self { note: None })
        }

        fn handle(&mut self, (): (), _: &Cx) -> Result<(), Failure> {
            Ok(())
        }
    }

    plugin!(Lossy);
}

#[test]
#[should_panic(expected = "the actor's own state does not read back")]
fn a_state_that_does_not_read_back_fails_its_test() {
    let _ = Harness::<lossy::Lossy>::start("lossy/1", "").expect("starts").terminate();
}
