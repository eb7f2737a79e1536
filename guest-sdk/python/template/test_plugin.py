"""Runs natively: PYTHONPATH=sdk python3 -m unittest"""

import unittest
from pathlib import Path

from baton import Corrupt, Failure
from baton.testing import Handover, Harness, assert_layouts, play_all
from plugin import {{Type}}


class {{Type}}Test(unittest.TestCase):
    def test_it_counts_up_to_its_limit(self):
        actor = Harness.start({{Type}}, args="5")
        self.assertEqual(actor.call({"add": 3}), 3)
        with self.assertRaises(Failure) as caught:
            actor.call({"add": 3})
        self.assertEqual(caught.exception.code, "too-much")
        self.assertEqual(actor.call("get"), 3)

    def test_a_replacement_counts_on(self):
        actor = Harness.start({{Type}})
        actor.cast({"add": 3})
        again = Harness.resume({{Type}}, actor.terminate())
        self.assertEqual(again.call({"add": 1}), 4)

    def test_a_broken_state_is_refused(self):
        with self.assertRaises(Corrupt):
            Harness.resume({{Type}}, Handover("x", 1, b'{"count":9,"limit":5}'))

    # States that were written once must be read for ever. When this fails, it says what to do.
    def test_the_layouts_stay_as_they_are(self):
        assert_layouts({{Type}}, {1: "State\nState { count: int, limit: int }"})

    # The same conversations that `baton test` plays.
    def test_the_scripts_come_out(self):
        self.assertGreater(play_all({{Type}}, Path(__file__).parent / "fixtures"), 0)


if __name__ == "__main__":
    unittest.main()
