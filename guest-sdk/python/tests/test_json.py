import json
import unittest

from baton import strict_json
from baton.mismatch import Mismatch


class StrictJsonTest(unittest.TestCase):
    def refused(self, body, *parts):
        with self.assertRaises(Mismatch) as caught:
            strict_json.loads(body)
        for part in parts:
            self.assertIn(part, str(caught.exception))

    def test_what_is_json_is_read(self):
        for value in [None, True, 0, -(2**63), 2**64 - 1, 1.5, "", "ü€𝄞", [], {}, {"a": [1, {"b": None}]}]:
            self.assertEqual(strict_json.loads(json.dumps(value).encode()), value)
            self.assertEqual(strict_json.loads(strict_json.dumps(value)), value)

    def test_what_is_not_is_refused_with_its_place(self):
        self.refused(b"", "empty")
        self.refused(b" \n", "empty")
        self.refused(b"get", "line 1 column 1")
        self.refused(b'{"add":\n -}', "line 2")
        self.refused(b'"get" "get"', "Extra data")
        self.refused(b"\xff\xfe", "UTF-8", "byte 0 of 2")
        self.refused('"é"'.encode("utf-16"), "UTF-8")
        for constant in [b"NaN", b"Infinity", b"-Infinity", b"[1, NaN]"]:
            self.refused(constant, "no number")
        self.refused(b"1e999", "out of range")
        self.refused(b"[-1e400]", "out of range")
        self.refused(b"1" * 5_000, "no JSON")

    def test_half_characters_are_refused_and_whole_ones_taken(self):
        self.refused(rb'"\ud800"', "half a character")
        self.refused(rb'{"\uDC00": 1}', "half a character")
        self.assertEqual(strict_json.loads(rb'"\ud834\udd1e"'), "𝄞")
        with self.assertRaises(Mismatch):
            strict_json.dumps({"x": "\ud800"})

    def test_the_depth_is_bounded_before_anything_recurses(self):
        self.assertEqual(strict_json.loads(b"[" * 128 + b"]" * 128), json.loads("[" * 128 + "]" * 128))
        self.refused(b"[" * 129 + b"]" * 129, "nested deeper than 128")
        self.refused(b'{"a":' * 200_000, "nested deeper")
        # Brackets in texts are none, nor are many beside each other.
        self.assertEqual(strict_json.loads(b'"' + b"[" * 5_000 + b'"'), "[" * 5_000)
        self.assertEqual(len(strict_json.loads(b"[" + b",".join([b'["\\"[", {}]'] * 5_000) + b"]")), 5_000)

    def test_a_hostile_body_costs_no_more_than_its_length(self):
        # Would take for ever if the search for texts went back on its steps.
        self.refused(b'"' + rb"\"" * 500_000 + b"[" * 200)
        self.refused(b'"' + b"a" * 1_000_000 + b"[" * 200)

    def test_no_infinity_leaves(self):
        for value in [float("nan"), float("inf"), [float("-inf")]]:
            with self.assertRaises(Mismatch):
                strict_json.dumps(value)
        with self.assertRaises(Mismatch):
            strict_json.dumps(object())


if __name__ == "__main__":
    unittest.main()
