"""The SDK's promises, on an actor that has lived through three layouts."""

import unittest
from dataclasses import dataclass

from baton import (
    U32,
    Actor,
    CallError,
    Corrupt,
    Cx,
    Failure,
    Incompatible,
    Leave,
    Level,
    Origin,
    Predecessor,
    Refusal,
    SendError,
    Stale,
    message,
    migration,
    plugin,
    way_back,
)
from baton.testing import Handover, Harness, assert_layouts


@dataclass
class CartV1:
    apples: U32


@dataclass
class CartV2:
    apples: U32
    pears: U32


@dataclass
class Cart4:
    items: int
    owner: str


@dataclass
class State:
    items: int = 0


@plugin(name="cart", version="3.1.0", schema=3, metadata={"license": "Apache-2.0"})
class Cart(Actor[State]):
    limit: int | None = None

    def init(self, cx: Cx) -> State:
        self.limit = cx.args_json(int | None)
        return State()

    def started(self, cx: Cx) -> None:
        cx.info("a fresh cart")

    def resumed(self, cx: Cx, predecessor: Predecessor) -> None:
        if predecessor.age_ms > 1_000_000:
            raise Stale("too old")

    def validate(self, state: State) -> None:
        if state.items > 1_000:
            raise ValueError(f"{state.items} items are more than 1000")

    @migration(1)
    def to_2(old: CartV1) -> CartV2:
        if old.apples == 2**32 - 1:
            raise ValueError("no tree has as many apples")
        return CartV2(old.apples, 0)

    @migration(2)
    def to_3(old: CartV2) -> State:
        return State(old.apples + old.pears)

    @way_back(4)
    def from_4(new: Cart4) -> State:
        if new.owner:
            raise ValueError("it has an owner")
        return State(new.items)

    @message
    def get(self, cx: Cx) -> int:
        return self.state.items

    @message
    def add(self, cx: Cx, items: int) -> int:
        if self.limit is not None and self.state.items + items > self.limit:
            raise Failure("full", "the cart is full")
        self.state.items += items
        return self.state.items

    @message
    def ask(self, cx: Cx, actor: str) -> object:
        return cx.call(actor, "price", timeout_ms=50, reply=int)

    @message
    def tell(self, cx: Cx, actor: str) -> None:
        cx.send(actor, {"items": self.state.items})

    @message
    def remind_me(self, cx: Cx, *, after_ms: int, name: str = "remind") -> None:
        cx.set_timer(name, after_ms)

    @message
    def who(self, cx: Cx) -> list:
        return [cx.actor, cx.sender, cx.request_id, cx.generation, cx.expects_reply]

    @message("close!")
    def close(self, cx: Cx) -> None:
        cx.stop()

    @message
    def checkpoint(self, cx: Cx) -> None:
        cx.save()

    @message
    def crash(self, cx: Cx) -> None:
        raise KeyError("asked to")

    def timer(self, cx: Cx, name: str) -> None:
        cx.log(Level.WARN, "due", timer=name, at=cx.now_ms())

    def terminate(self, cx: Cx, reason: str, budget_ms: int | None) -> Leave | None:
        return {"normal": Leave.FORGET, "restart": Leave.KEEP}.get(reason)


class CartTest(unittest.TestCase):
    def fails(self, code, call, *args):
        with self.assertRaises(Failure) as caught:
            call(*args)
        self.assertEqual(caught.exception.code, code, caught.exception)
        return caught.exception.message

    def refusal(self, kind, **facts):
        handover = Handover("cart/7", **{"schema": 3, "data": b'{"items":1}', **facts})
        with self.assertRaises(kind) as caught:
            Harness.resume(Cart, handover)
        self.assertIs(type(caught.exception), kind)
        return str(caught.exception)

    def test_messages_go_to_their_methods(self):
        cart = Harness.start(Cart, "cart/7")
        self.assertEqual(cart.call({"add": 3}), 3)
        self.assertEqual(cart.call("get"), 3)
        self.assertEqual(cart.call({"get": None}), 3)
        self.assertEqual(cart.call("who", sender="shop/1"), ["cart/7", "shop/1", "test-4", 1, True])
        self.assertIsNone(cart.call("close!"))
        self.assertTrue(cart.stopped)

    def test_what_is_no_message_changes_nothing(self):
        cart = Harness.start(Cart)
        for wrong, part in [
            ("sub", "unknown message 'sub', expected `get` or `add`"),
            ({"add": "x"}, "`add`: expected int, found 'x'"),
            ("add", "`add`: expected int with it"),
            ({"get": 1}, "`get`: expected nothing with it"),
            ({"add": 1, "get": 1}, "an object of 2"),
            ({"remind-me": {"name": "x"}}, "`after_ms` is missing"),
            ({"remind-me": {"after_ms": 1, "x": 1}}, "nothing is known of 'x'"),
            ({"remind-me": 5}, "expected an object of `after_ms`, `name`"),
            (7, "found 7"),
            ({"state": 1}, "unknown message 'state'"),
            ({"__init__": 1}, "unknown message"),
        ]:
            told = self.fails("bad-message", cart.call, wrong)
            self.assertTrue(told.startswith("cart 3.1.0 does not take this message: "), told)
            self.assertIn(part, told)
        for body in [b"", b"\xff", b"{", b"[" * 100_000]:
            self.fails("bad-message", cart.call_bytes, body)
        self.assertEqual(cart.call("get"), 0)

    def test_failures_leave_the_actor_alive_and_exceptions_do_not(self):
        cart = Harness.start(Cart, args="5")
        self.assertEqual(self.fails("full", cart.call, {"add": 6}), "the cart is full")
        self.fails("bad-args", lambda: Harness.start(Cart, args='"x"'))
        with self.assertRaises(KeyError):
            cart.call("crash")

    def test_older_states_are_brought_up(self):
        for schema, data, items in [(1, b'{"apples":3}', 3), (2, b'{"apples":3,"pears":4}', 7), (3, b'{"items":5}', 5)]:
            cart = Harness.resume(Cart, Handover("cart/7", schema, data))
            self.assertEqual(cart.state, State(items))
            self.assertEqual(cart.terminate().schema, 3)

    def test_a_newer_state_is_taken_where_nothing_is_lost(self):
        cart = Harness.resume(Cart, Handover("cart/7", 4, b'{"items":5,"owner":""}'))
        self.assertEqual(cart.state.items, 5)
        told = self.refusal(Incompatible, schema=4, data=b'{"items":5,"owner":"x"}')
        self.assertIn("state of schema 4: there is no way back to 3: it has an owner", told)

    def test_refusals_say_what_is_wrong(self):
        self.assertIn("schema 5 is not among 1 to 4", self.refusal(Incompatible, schema=5))
        self.assertIn("state of schema 3: it breaks a rule: 1001 items", self.refusal(Corrupt, data=b'{"items":1001}'))
        self.assertIn(
            "state of schema 3: its bytes do not decode: the field `items`", self.refusal(Corrupt, data=b"{}")
        )
        self.assertIn(
            "schema 1 does not become 2: no tree", self.refusal(Corrupt, schema=1, data=b'{"apples":4294967295}')
        )
        self.assertIn("no JSON", self.refusal(Corrupt, data=b'{"items":1}x'))
        self.assertIn("empty", self.refusal(Corrupt, data=b""))
        self.assertIn("too old", self.refusal(Stale, age_ms=1_000_001))

    def test_timers_go_over_to_the_replacement(self):
        cart = Harness.start(Cart)
        cart.cast({"remind-me": {"after_ms": 100}})
        cart.cast({"remind-me": {"after_ms": 50, "name": "first"}})
        cart = Harness.resume(Cart, cart.terminate())
        cart.advance_ms(200)
        self.assertEqual(
            [(line.fields["timer"], line.fields["at"]) for line in cart.logged()], [("first", "50"), ("remind", "100")]
        )
        self.assertEqual((cart.timers, cart.now_ms), ({}, 200))

    def test_others_are_called_and_told(self):
        cart = Harness.start(Cart)
        cart.answer("shop/1", 7)
        cart.answer("shop/1", "seven")
        cart.answer_error("shop/1", CallError("timeout"))
        cart.answer_error("shop/1", CallError("failed", failure=Failure("out-of-stock", "no more")))
        self.assertEqual(cart.call({"ask": "shop/1"}), 7)
        self.fails("bad-reply", cart.call, {"ask": "shop/1"})
        self.fails("call-timeout", cart.call, {"ask": "shop/1"})
        self.assertEqual(self.fails("out-of-stock", cart.call, {"ask": "shop/1"}), "no more")
        self.fails("call-unknown-actor", cart.call, {"ask": "nobody"})
        self.assertEqual(
            [(called.to, called.json, called.timeout_ms) for called in cart.called()][0], ("shop/1", "price", 50)
        )
        cart.cast({"tell": "shop/1"})
        self.assertEqual([(sent.to, sent.json) for sent in cart.sent()], [("shop/1", {"items": 0})])
        cart.refuse_sends(SendError("denied"))
        self.fails("send-denied", cart.call, {"tell": "shop/1"})

    def test_it_leaves_what_it_says(self):
        for reason, left in [("normal", Leave.FORGET), ("restart", Leave.KEEP)]:
            self.assertIs(Harness.start(Cart).stop(reason), left)
        handover = Harness.start(Cart).stop("upgrade", 5)
        self.assertEqual((handover.data, handover.origin), (b'{"items":0}', Origin("terminated", reason="upgrade")))
        cart = Harness.start(Cart)
        cart.call("checkpoint")
        self.assertEqual(cart.saves, 1)
        self.assertEqual([line.message for line in cart.logged()], ["a fresh cart"])

    def test_what_is_not_overridden_does_what_the_contract_says(self):
        @plugin(name="plain", version="1.0.0", trap_exit=False)
        class Plain(Actor[State]):
            @message
            def get(self, cx):
                return self.state

        plain = Harness.start(Plain)
        self.assertEqual(plain.call("get"), {"items": 0})
        self.assertFalse(plain.traps_exits)
        plain.down("x", "killed")
        plain.exit("y", "noproc")
        self.assertEqual(
            [line.fields for line in plain.logged()],
            [{"down": "x", "reason": "killed"}, {"exit": "y", "reason": "noproc"}],
        )
        self.fails("unsupported", plain.other, "weather", b"")
        self.fails("bad-exit", plain.other, "exit", b"{}")

        @plugin(name="timed", version="1.0.0")
        class Timed(Actor[State]):
            @message
            def set(self, cx):
                cx.set_timer("t", 1)

        timed = Harness.start(Timed)
        timed.call("set")
        self.fails("unexpected-timer", timed.fire_timer, "t")

    def test_the_description_is_what_the_class_says(self):
        definition = Cart.definition
        self.assertEqual((definition.name, definition.version, definition.layouts.schema), ("cart", "3.1.0", 3))
        self.assertEqual(definition.layouts.range(), (1, 4))
        self.assertEqual(definition.metadata["license"], "Apache-2.0")

    def test_layouts_are_held_to_what_they_were(self):
        known = {
            1: "CartV1\nCartV1 { apples: u32 }",
            2: "CartV2\nCartV2 { apples: u32, pears: u32 }",
            3: "State\nState { items: int }",
            4: "Cart4\nCart4 { items: int, owner: string }",
        }
        assert_layouts(Cart, known)
        with self.assertRaises(AssertionError) as caught:
            assert_layouts(Cart, {**known, 3: "State\nState { items: u8 }"})
        self.assertIn("+ State { items: int }", str(caught.exception))
        with self.assertRaises(AssertionError) as caught:
            assert_layouts(Cart, {})
        self.assertIn('1: "CartV1\\nCartV1 { apples: u32 }",', str(caught.exception))

    def test_an_exception_in_a_migration_keeps_the_state_and_is_logged(self):
        @plugin(name="loose", version="1.0.0", schema=2)
        class Loose(Actor[State]):
            @migration(1)
            def to_2(old: dict) -> State:
                return {"items": old["count"]}

            @message
            def get(self, cx):
                return self.state.items

        self.assertEqual(Harness.resume(Loose, Handover("x", 1, b'{"count":4}')).call("get"), 4)
        for data, part in [(b"{}", "KeyError: 'count'"), (b'{"count":"x"}', "expected int"), (b"3", "TypeError")]:
            with self.assertRaises(Corrupt) as caught:
                Harness.resume(Loose, Handover("x", 1, data))
            self.assertIn(part, str(caught.exception))

    def test_a_state_that_cannot_be_kept_is_found_in_the_turn(self):
        @plugin(name="loose", version="1.0.0")
        class Loose(Actor[State]):
            @message
            def spoil(self, cx):
                self.state.items = "many"

        with self.assertRaises(Failure) as caught:
            Harness.start(Loose).call("spoil")
        self.assertIn("items: expected int, found 'many'", str(caught.exception))

    def test_a_failure_while_taking_over_is_a_refusal(self):
        @plugin(name="late", version="1.0.0")
        class Late(Actor[State]):
            def started(self, cx):
                raise Failure("send-limit", "no more timers")

            @message
            def get(self, cx):
                return 0

        with self.assertRaises(Refusal) as caught:
            Harness.start(Late)
        self.assertEqual(str(caught.exception), "other: send-limit: no more timers")


if __name__ == "__main__":
    unittest.main()
