import json
import tempfile
import unittest
from pathlib import Path

from baton import Actor, message, plugin
from baton.testing import play, play_all


@plugin(name="asker", version="1.0.0", supervision=True)
class Asker(Actor[int]):
    outside = 0

    def init(self, cx):
        return cx.args_json(int | None) or 0

    @message
    def add(self, cx, n: int):
        self.state += n
        return self.state

    @message
    def ask(self, cx, who: str):
        return cx.call(who, "x")

    @message
    def tell(self, cx, ms: int):
        cx.set_timer("t", ms)

    @message
    def forgetful(self, cx):
        self.outside += 1
        return self.outside

    @message
    def end(self, cx):
        cx.stop()

    def timer(self, cx, name):
        for member in cx.members("room"):
            cx.send(member, {"say": self.state})

    def down(self, cx, actor, reason):
        cx.send(actor, reason)


class ScriptsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.fixtures = Path(folder.name)
        for name in ["scripts", "states", "args"]:
            (self.fixtures / name).mkdir()
        (self.fixtures / "args" / "1-none").write_bytes(b"")
        (self.fixtures / "args" / "five.json").write_bytes(b"5")
        (self.fixtures / "states" / "1-seven.json").write_bytes(b"7")

    def script(self, steps):
        path = self.fixtures / "scripts" / "x.json"
        path.write_text(json.dumps(steps))
        return path

    def test_every_kind_of_step_is_played(self):
        self.script(
            [
                {"args": "five.json"},
                {"call": {"add": 1}, "reply": 6},
                {"cast": {"add": 1}},
                {"cast": "nonsense"},
                {"call": {"add": "x"}, "failure": "bad-message"},
                {"call": {"ask": "bank"}, "failure": "call-unknown-actor"},
                {"answer": {"to": "bank", "reply": {"ok": True}}},
                {"call": {"ask": "bank"}, "reply": {"ok": True}},
                {"call": {"ask": "bank"}, "from": "alice", "reply": {"ok": True}},
                {"answer": {"to": "bank", "error": "timeout"}},
                {"call": {"ask": "bank"}, "failure": "call-timeout"},
                {"answer": {"to": "bank", "error": {"code": "no", "message": "never"}}},
                {"call": {"ask": "bank"}, "failure": "no"},
                {"supervise": True},
                {"members": {"group": "room", "are": ["a", "b"]}},
                {"call": {"tell": 50}},
                {"handoff": True},
                {"advance_ms": 49},
                {"sent": []},
                {"handoff": "terminate"},
                {"advance_ms": 1},
                {"sent": [{"to": "a", "body": {"say": 7}}, {"to": "b", "body": {"say": 7}}]},
                {"down": {"actor": "a", "reason": "killed"}},
                {"exit": {"actor": "a", "reason": "killed"}},
                {"sent": [{"to": "a", "body": "killed"}]},
                {"call": "end"},
                {"stopped": True},
            ]
        )
        self.assertEqual(play_all(Asker, self.fixtures), 1)
        self.script([{"state": {"schema": 1, "file": "1-seven.json"}}, {"call": {"add": 1}, "reply": 8}])
        self.assertEqual(play_all(Asker, self.fixtures), 1)

    def test_what_does_not_come_out_is_told(self):
        for steps, part in [
            ([{"call": {"add": 1}, "reply": 2}], "x.json, step 1"),
            ([{"call": {"add": 1}, "failure": "x"}], "it went well"),
            ([{"call": {"add": "x"}, "reply": 1}], "bad-message"),
            ([{"sent": [{"to": "a", "body": 1}]}], "found []"),
            ([{"stopped": True}], "not asked to stop"),
            ([{"dance": True}], "unknown kind"),
        ]:
            with self.assertRaisesRegex(AssertionError, part.replace("[", r"\[")):
                play(Asker, self.script(steps))

    def test_what_is_outside_the_state_is_found(self):
        script = self.script([{"call": "forgetful", "reply": 1}, {"call": "forgetful", "reply": 2}])
        play(Asker, script)
        with self.assertRaisesRegex(AssertionError, "step 2"):
            play(Asker, script, handing_over=True)


if __name__ == "__main__":
    unittest.main()
