"""Mistakes that stop the build."""

import unittest
from dataclasses import dataclass
from pathlib import Path

from baton import U64, Actor, BadMessage, Failure, message, migration, plugin, way_back
from baton.supervision import ChildSpec
from baton.testing import Handover, Harness


@dataclass
class State:
    n: int = 0


class DefinitionTest(unittest.TestCase):
    def refused(self, define, *parts):
        with self.assertRaises(TypeError) as caught:
            define()
        for part in parts:
            self.assertIn(part, str(caught.exception))

    def defined(self, body, base=Actor[State], **facts):
        facts = {"name": "x", "version": "1.0.0", **facts}
        return plugin(**facts)(type("X", (Actor,), {**body, "__orig_bases__": (base,)}))

    def test_facts_are_looked_at(self):
        get = {"get": message("get")(lambda self, cx: 0)}
        for facts, part in [
            ({"name": "Big"}, "name"),
            ({"name": "x" * 65}, "name"),
            ({"version": "1"}, "version"),
            ({"schema": -1}, "schema"),
            ({"encoding": "xml"}, "encoding"),
            ({"metadata": {"a": 1}}, "metadata"),
            ({"messages": "text/plain"}, "bytes"),
        ]:
            self.refused(lambda facts=facts: self.defined(get, **facts), part)
        self.refused(lambda: self.defined({}), "takes no message")
        self.refused(lambda: self.defined(get, base=Actor), "state of X")
        self.refused(lambda: self.defined(get, base=Actor[int | str]), "several types")
        self.refused(lambda: self.defined(get, base=Actor[int], encoding="postcard"), "no size in postcard")

    def test_methods_are_looked_at(self):
        def missing_cx(self, n):
            return 0

        async def later(self, cx):
            return 0

        def star(self, cx, *all):
            return 0

        def kind(self, cx, n: complex):
            return 0

        def down(self, cx, who):
            return 0

        self.refused(lambda: self.defined({"m": message(missing_cx)}), "self, cx")
        self.refused(lambda: self.defined({"m": message(later)}), "async")
        self.refused(lambda: self.defined({"m": message(star)}), "fixed arguments")
        self.refused(lambda: self.defined({"m": message(kind)}), "complex")
        self.refused(lambda: self.defined({"m": message(star), "down": down}), "`down` takes (self, cx, who)")
        self.refused(lambda: self.defined({"exit": message("exit")(lambda self, cx, actor, reason: 0)}), "host calls")
        two = {"a": message("x")(lambda self, cx: 0), "b": message("x")(lambda self, cx: 0)}
        self.refused(lambda: self.defined(two), "two methods")
        both = {"a": message("x")(lambda self, cx: 0), "handle": lambda self, cx, message: 0}
        self.refused(lambda: self.defined(both), "overridden")

    def test_the_chain_is_looked_at(self):
        def up(old: State) -> State:
            return old

        def back(new: State) -> State:
            return new

        def wrong(old: State) -> int:
            return 0

        get = {"get": message("get")(lambda self, cx: 0)}
        self.refused(lambda: self.defined({**get, "a": migration(1)(up)}, schema=3), "without a gap")
        self.refused(lambda: self.defined({**get, "a": migration(3)(up)}, schema=3), "without a gap")
        self.refused(lambda: self.defined({**get, "a": way_back(5)(back)}, schema=3), "follow schema=3")
        self.refused(lambda: self.defined({**get, "a": migration(2)(wrong)}, schema=3), "gives int")
        self.refused(lambda: self.defined({**get, "encode": staticmethod(lambda state: b"")}), "together")
        self.assertEqual(self.defined({**get, "a": migration(2)(up)}, schema=3).definition.layouts.range(), (2, 3))

    def test_a_state_that_cannot_be_made_needs_an_init(self):
        @dataclass
        class Needs:
            n: int

        get = {"get": message("get")(lambda self, cx: 0)}
        self.refused(lambda: self.defined(get, base=Actor[Needs]), "without `init`")
        self.defined({**get, "init": lambda self, cx: Needs(1)}, base=Actor[Needs])


class OtherWaysTest(unittest.TestCase):
    def test_handle_may_take_a_whole_message_of_a_type(self):
        @dataclass
        class Order:
            item: str
            count: U64 = 1

        @plugin(name="orders", version="1.0.0")
        class Orders(Actor[dict[str, int]]):
            def handle(self, cx, message: Order):
                if message.item == "nothing":
                    raise BadMessage("nothing is no item")
                self.state[message.item] = self.state.get(message.item, 0) + message.count
                return self.state

        orders = Harness.start(Orders)
        self.assertEqual(orders.call({"item": "tea"}), {"tea": 1})
        for wrong in [{"item": 1}, {"item": "a", "x": 1}, "tea", {"item": "nothing"}]:
            with self.assertRaises(Failure) as caught:
                orders.call(wrong)
            self.assertTrue(caught.exception.message.startswith("orders 1.0.0 does not take this message: "))
        self.assertEqual(orders.terminate().data, b'{"tea":1}')

    def test_bytes_in_bytes_out_with_an_encoding_of_ones_own(self):
        @plugin(name="raw", version="1.0.0", messages="application/octet-stream")
        class Raw(Actor[bytearray]):
            def init(self, cx):
                return bytearray(cx.args)

            def handle(self, cx, message):
                self.state += message
                return None if message == b"?" else bytes(self.state)

            @staticmethod
            def encode(state):
                return b"!" + state

            @staticmethod
            def decode(data):
                if data[:1] != b"!":
                    raise ValueError("no ! before it")
                return bytearray(data[1:])

        raw = Harness.start(Raw, args=b"\xff")
        self.assertEqual(raw.call_bytes(b"\x00"), b"\xff\x00")
        self.assertEqual(raw.call_bytes(b"?"), b"")
        self.assertEqual(Harness.resume(Raw, raw.terminate()).state, b"\xff\x00?")
        with self.assertRaisesRegex(Exception, "state of schema 1: its bytes do not decode: no ! before it"):
            Harness.resume(Raw, Handover("x", 1, b"x"))

    def test_supervision_is_there_for_those_who_say_so(self):
        class Body:
            @message
            def go(self, cx):
                cx.start_child(None, ChildSpec("w/1", "worker", shutdown=100))
                cx.link("w/1")
                cx.join("workers")
                cx.dispatch("workers", {"go": 1})
                cx.set_attribute("color", None)
                return [cx.members("workers"), cx.whereis("w/1"), cx.count_children().specs]

        @plugin(name="boss", version="1.0.0", supervision=True)
        class Boss(Body, Actor[State]):
            pass

        boss = Harness.start(Boss)
        boss.set_members("workers", ["a"])
        boss.set_phase("w/1", "running")
        self.assertEqual(boss.call("go"), [["a"], "running", 0])
        self.assertEqual(
            [asked[0] for asked in boss.asked()], ["start-child", "link", "join", "dispatch", "set-attribute"]
        )

        @plugin(name="boss", version="1.0.0")
        class Forgetful(Body, Actor[State]):
            pass

        with self.assertRaisesRegex(RuntimeError, "supervision=True"):
            Harness.start(Forgetful).call("go")

    def test_what_is_handed_to_the_host_is_looked_at(self):
        @plugin(name="x", version="1.0.0")
        class X(Actor[State]):
            @message
            def go(self, cx, how: int):
                [
                    lambda: cx.send(5, 1),
                    lambda: cx.set_timer("t", 1.5),
                    lambda: cx.set_timer("t", -1),
                    lambda: cx.call_bytes("x", "text"),
                    lambda: cx.call("x", 1, timeout_ms=None),
                ][how]()

        for how in range(5):
            with self.assertRaises((TypeError, ValueError)):
                Harness.start(X).call({"go": how})

    def test_the_contract_is_the_hosts(self):
        here = Path(__file__).parents[1]
        original = here.parents[1] / "wit" / "actor" / "0.1.0" / "actor.wit"
        if original.exists():
            self.assertEqual((here / "wit" / "actor.wit").read_text(), original.read_text())


if __name__ == "__main__":
    unittest.main()
