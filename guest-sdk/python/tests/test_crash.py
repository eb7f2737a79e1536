import unittest

from baton import Actor, crash, message, plugin
from baton.testing import Harness


@plugin(name="x", version="1.0.0")
class X(Actor[int]):
    @message
    def go(self, cx):
        raise KeyError("here")


class CrashTest(unittest.TestCase):
    def told(self, call):
        try:
            call()
        except BaseException as error:
            return crash.told(error)

    def test_the_line_says_what_and_where(self):
        message, fields = self.told(lambda: Harness.start(X).call("go"))
        fields = dict(fields)
        self.assertEqual(message, "exception: KeyError: 'here'")
        self.assertIn("test_crash.py:11", fields["location"])
        self.assertIn('raise KeyError("here")', fields["traceback"])

    def test_it_is_short_whatever_happened(self):
        def deep(n):
            return deep(n + 1) if n < 500 else [][0]

        def long():
            raise ValueError("x" * 100_000)

        for call in [lambda: deep(0), long]:
            message, fields = self.told(call)
            self.assertLess(len(message) + sum(len(value) for _, value in fields), 8_000)

    def test_half_characters_are_replaced(self):
        self.assertEqual(crash.text("a\ud800b"), "a?b")
        self.assertEqual(crash.text("äb"), "äb")

    def test_a_late_import_is_explained(self):
        def late():
            import nothing_of_the_kind  # noqa: F401

        self.assertIn("import at the top", self.told(late)[0])


if __name__ == "__main__":
    unittest.main()
