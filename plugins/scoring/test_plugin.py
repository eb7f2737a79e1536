"""Runs natively, in this folder: PYTHONPATH=../../guest-sdk/python python3 -m unittest"""

import json
import math
import random
import unittest
from pathlib import Path

from baton import Corrupt, Failure
from baton.testing import Handover, Harness, assert_layouts, play_all

from model import MOST_FEATURES, Model
from plugin import Scoring

FIXTURES = Path(__file__).parent / "fixtures"


def examples(seed, count):
    """Purchases: large ones at night are bad more often. Amounts are in cents, so that scales differ by far."""
    draw = random.Random(seed)
    for _ in range(count):
        amount, night = draw.uniform(0, 50_000), draw.randrange(2)
        odds = amount / 10_000 + 2 * night - 3.5
        yield {"amount": amount, "night": night, "label": int(draw.random() < 1 / (1 + math.exp(-odds)))}


class ScoringTest(unittest.TestCase):
    def fails(self, code, actor, message):
        before = actor.snapshot().data
        with self.assertRaises(Failure) as caught:
            actor.call(message)
        self.assertEqual(caught.exception.code, code)
        self.assertEqual(actor.snapshot().data, before)
        return caught.exception.message

    def test_it_learns(self):
        actor = Harness.start(Scoring, args='{"rate": 0.2}')
        for example in examples(1, 1_500):
            actor.cast({"observe": example})
        right = sum((actor.call({"score": _without(e)}) > 0.5) == e["label"] for e in examples(2, 400))
        self.assertGreater(right / 400, 0.75)
        self.assertGreater(actor.call({"score": {"amount": 45_000, "night": 1}}), 0.85)
        self.assertLess(actor.call({"score": {"amount": 1_000, "night": 0}}), 0.15)
        self.assertEqual([name for name, _ in actor.call("explain")["shares"]], ["amount", "night"])
        stats = actor.call("stats")
        self.assertEqual(stats["observed"], 1_500)
        self.assertLess(stats["log_loss"], math.log(2))
        self.assertEqual(actor.saves, 30)

    def test_a_score_is_explained_by_its_shares(self):
        actor = Harness.start(Scoring)
        for example in examples(3, 50):
            actor.cast({"observe": example})
        told = actor.call({"explain": {"amount": 100, "night": 1, "moon": 1}})
        total = told["bias"] + sum(share for _, share in told["shares"])
        self.assertAlmostEqual(told["score"], 1 / (1 + math.exp(-total)), 4)
        self.assertEqual(told["unknown"], ["moon"])

    def test_a_replacement_goes_on_as_if_nothing_had_happened(self):
        one, other = Harness.start(Scoring), Harness.start(Scoring)
        for example in examples(4, 100):
            other = Harness.resume(Scoring, other.terminate())
            self.assertEqual(one.call({"observe": example}), other.call({"observe": example}))
        self.assertEqual(one.terminate().data, other.terminate().data)

    def test_a_state_of_1_scores_as_it_did(self):
        old = {"bias": -1.5, "weights": {"amount": 0.01, "night": 2.0}, "observed": 40}
        actor = Harness.resume(Scoring, Handover("scoring/1", 1, json.dumps(old).encode()))
        for example in [{"amount": 120, "night": 1}, {"amount": 10}, {}]:
            total = old["bias"] + sum(old["weights"][name] * value for name, value in example.items())
            self.assertAlmostEqual(actor.call({"score": example}), 1 / (1 + math.exp(-total)), 6)
        self.assertEqual(actor.call("stats")["positives"], None)
        actor.cast({"observe": {"amount": 120, "label": 1}})
        self.assertEqual(actor.call("stats")["observed"], 41)

    def test_what_is_no_example_changes_nothing(self):
        actor = Harness.start(Scoring, args='{"max_features": 2}')
        actor.cast({"observe": {"a": 1, "b": 2, "label": 0}})
        for wrong in [
            {"a": 1},
            {"a": 1, "label": 0.5},
            {"a": "x", "label": 1},
            {"a": 1e7, "label": 1},
            {"": 1, "label": 1},
            {"x" * 65: 1, "label": 1},
            {"a": None, "label": 1},
            {"a": True, "label": 1},
            [],
        ]:
            self.fails("bad-message", actor, {"observe": wrong})
        self.fails("bad-message", actor, {"score": {"a": "x"}})
        self.assertIn("3 features", self.fails("too-many-features", actor, {"observe": {"c": 1, "label": 1}}))
        self.assertTrue(actor.call({"forget": "b"}))
        self.assertFalse(actor.call({"forget": "b"}))
        actor.call({"observe": {"c": 1, "label": 1}})

    def test_extreme_values_never_become_nan(self):
        actor = Harness.start(Scoring, args='{"rate": 1}')
        draw = random.Random(6)
        for _ in range(300):
            example = {name: draw.choice([-1e6, 1e6, 1e-300, 0, 5e-324, 1]) for name in "abc"}
            actor.cast({"observe": {**example, "label": draw.randrange(2)}})
            self.assertTrue(0 <= actor.call({"score": example}) <= 1)

    def test_a_broken_state_is_refused(self):
        good = json.loads(Harness.start(Scoring).terminate().data)
        many = {f"f{i}": {"weight": 0.0, "power": None, "seen": 0} for i in range(MOST_FEATURES + 1)}
        for change in [
            {"positives": 1},
            {"features": many},
            {"observed": -1},
            {"loss": -1.0},
            {"bias": "x"},
            {"more": 1},
        ]:
            with self.assertRaises(Corrupt, msg=str(change)[:50]):
                Harness.resume(Scoring, Handover("x", 2, json.dumps({**good, **change}).encode()))
        for data in [b'{"bias":NaN}', json.dumps({**good, "bias": math.inf}).encode(), b"", b"{}"]:
            with self.assertRaises(Corrupt):
                Harness.resume(Scoring, Handover("x", 2, data))

    def test_the_watcher_is_told_when_scores_are_bad(self):
        actor = Harness.start(Scoring, "scoring/shop", args='{"watcher": "ops/1", "alarm": 0.5, "rate": 1}')
        for number in range(50):
            actor.cast({"observe": {"x": 1, "label": number % 2}})
        told = actor.sent()
        self.assertEqual([sent.to for sent in told], ["ops/1", "ops/1"])
        self.assertEqual(told[0].json["drift"]["model"], "scoring/shop")

    def test_arguments_are_looked_at(self):
        for args in ['{"rate": 0}', '{"rate": "fast"}', '{"speed": 1}', '{"max_features": 1000}', "5", "x"]:
            with self.assertRaises(Failure, msg=args) as caught:
                Harness.start(Scoring, args=args)
            self.assertEqual(caught.exception.code, "bad-args")

    def test_the_layouts_stay_as_they_are(self):
        assert_layouts(
            Scoring,
            {
                1: "ModelV1\nModelV1 { bias: float, weights: {string: float}, observed: int }",
                2: "Model\nModel { bias: float, features: {string: Feature}, observed: int 0.., positives: int 0..?, "
                "loss: float 0..? }\nFeature { weight: float, power: float 0..?, seen: int 0.. }",
            },
        )

    def test_the_scripts_come_out(self):
        self.assertGreater(play_all(Scoring, FIXTURES), 0)

    def test_the_states_in_the_fixtures_are_read(self):
        for file in sorted((FIXTURES / "states").iterdir()):
            schema = int(file.name.partition("-")[0])
            actor = Harness.resume(Scoring, Handover("scoring/1", schema, file.read_bytes()))
            self.assertIsInstance(actor.state, Model)


def _without(example):
    return {name: value for name, value in example.items() if name != "label"}


if __name__ == "__main__":
    unittest.main()
