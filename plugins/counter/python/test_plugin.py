"""Runs natively, in this folder: PYTHONPATH=../../../guest-sdk/python python3 -m unittest"""

import unittest
from pathlib import Path

from baton import Corrupt, Failure
from baton.testing import Handover, Harness, assert_layouts, play_all
from plugin import MOST, Counter


class CounterTest(unittest.TestCase):
    def fails(self, code, call, *args):
        with self.assertRaises(Failure) as caught:
            call(*args)
        self.assertEqual(caught.exception.code, code)
        return caught.exception.message

    def test_it_counts_from_its_argument(self):
        for args, first in [("", 3), ("null", 3), ("40", 43)]:
            self.assertEqual(Harness.start(Counter, args=args).call({"add": 3}), first, args)
        for args in ["-1", "1.5", '"5"', "{}", "rubbish", "18446744073709551616"]:
            self.fails("bad-args", lambda args=args: Harness.start(Counter, args=args))

    def test_a_replacement_counts_on(self):
        actor = Harness.start(Counter)
        actor.cast({"add": 5})
        again = Harness.resume(Counter, actor.terminate())
        self.assertEqual(again.call({"add": 1}), 6)
        self.assertEqual(again.call("reset"), 0)

    def test_what_does_not_fit_leaves_the_count_alone(self):
        actor = Harness.start(Counter, args=str(MOST))
        message = self.fails("overflow", actor.call, {"add": 1})
        self.assertEqual(message, f"{MOST} + 1 is more than a counter holds ({MOST})")
        for wrong in [{"add": -1}, {"add": 1.0}, {"add": "1"}, {"add": True}, {"add": MOST + 1}, "add", {"get": 1}, 5]:
            self.fails("bad-message", actor.call, wrong)
        self.assertEqual(actor.call("get"), MOST)

    def test_the_bytes_of_schema_1_are_known(self):
        """What 1.0.0 wrote of 300: it must be read for ever, in every language."""
        assert_layouts(Counter, {1: "State\nState { count: u64 }"})
        actor = Harness.resume(Counter, Handover("counter/1", 1, b"\xac\x02"))
        self.assertEqual(actor.state.count, 300)
        self.assertEqual(actor.terminate().data, b"\xac\x02")

    def test_rubbish_is_no_state(self):
        for data in [b"", b"\x80", b"\x01\x00", b"\xff" * 9 + b"\x02", b"\x80" * 10 + b"\x00"]:
            with self.assertRaises(Corrupt):
                Harness.resume(Counter, Handover("counter/1", 1, data))

    def test_the_conversations_of_all_counters_come_out(self):
        self.assertGreater(play_all(Counter, Path(__file__).parents[1] / "fixtures"), 0)


if __name__ == "__main__":
    unittest.main()
