"""Plays the conversations in `fixtures/scripts`, as `baton test` does, but natively."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..actor import Actor
from ..errors import CallError, Failure, SupervisionError
from .harness import Handover, Harness


def play(actor: type[Actor], script: str | Path, handing_over: bool = False) -> None:
    """Plays one script. With `handing_over` the actor is handed over before every step, and nobody may notice."""
    path = Path(script)
    player = _Player(actor, path.parent.parent, json.loads(path.read_text("utf-8")))
    for number, step in enumerate(player.steps, 1):
        try:
            if handing_over:
                player.hand_over(True)
            player.step(step)
        except Exception as error:
            raise AssertionError(f"{path.name}, step {number}, {json.dumps(step)}: {error}") from error


def play_all(actor: type[Actor], fixtures: str | Path) -> int:
    """Plays all scripts of a folder `fixtures`, plain and with handovers; says how many there are."""
    scripts = sorted(Path(fixtures).glob("scripts/*.json"))
    for script in scripts:
        play(actor, script)
        play(actor, script, handing_over=True)
    return len(scripts)


class _Player:
    def __init__(self, actor: type[Actor], fixtures: Path, steps: list[dict[str, Any]]) -> None:
        self.actor = actor
        self.fixtures = fixtures
        self.steps = list(steps)
        # Without a word about it, a script has the first of the arguments there are.
        first = sorted(path for path in fixtures.glob("args/*") if path.is_file())[:1]
        args = first[0].read_bytes() if first else b""
        if self.steps and "args" in self.steps[0]:
            args = (fixtures / "args" / self.steps.pop(0)["args"]).read_bytes()
        name = f"{actor.definition.name}/1"
        if self.steps and "state" in self.steps[0]:
            state = self.steps.pop(0)["state"]
            data = (fixtures / "states" / state["file"]).read_bytes()
            self.harness = Harness.resume(actor, Handover(name, state["schema"], data, args))
        else:
            self.harness = Harness.start(actor, name, args)
        self.harness.refuse_supervision(SupervisionError("denied"))

    def hand_over(self, how: Any) -> None:
        self.harness = self.harness.handed_over(terminating=how == "terminate")

    def step(self, step: dict[str, Any]) -> None:
        harness = self.harness
        match step:
            case {"call": message, **rest}:
                self._say(message, rest, harness.call_bytes)
            case {"cast": message, **rest}:
                self._say(message, rest, harness.cast_bytes)
            case {"sent": expected}:
                found = [(sent.to, self._read(sent.body)) for sent in harness.sent()]
                self._same("sent", found, [(sent["to"], self._read(self._body(sent["body"]))) for sent in expected])
            case {"advance_ms": by_ms}:
                self._told(lambda: harness.advance_ms(by_ms))
            case {"down": {"actor": actor, "reason": reason}}:
                self._told(lambda: harness.down(actor, reason))
            case {"exit": {"actor": actor, "reason": reason}}:
                self._told(lambda: harness.exit(actor, reason))
            case {"answer": {"to": to, "reply": reply}}:
                harness.answer_bytes(to, self._body(reply), always=True)
            case {"answer": {"to": to, "error": {"code": code, "message": message}}}:
                harness.answer_error(to, CallError("failed", failure=Failure(code, message)), always=True)
            case {"answer": {"to": to, "error": str(error)}}:
                harness.answer_error(to, CallError(error), always=True)
            case {"members": {"group": group, "are": members}}:
                harness.set_members(group, members)
            case {"supervise": allowed}:
                harness.refuse_supervision(None if allowed else SupervisionError("denied"))
            case {"handoff": how}:
                self.hand_over(how)
            case {"stopped": True}:
                if not harness.stopped:
                    raise AssertionError("it has not asked to stop")
            case _:
                raise AssertionError("a step of an unknown kind")

    def _say(self, message: Any, rest: dict[str, Any], say: Any) -> None:
        try:
            reply = say(self._body(message), rest.get("from"))
        except Failure as failure:
            if "reply" in rest or rest.get("failure", failure.code) != failure.code:
                raise
            return
        if "failure" in rest:
            raise AssertionError(f"expected the failure {rest['failure']}, and it went well: {reply!r}")
        if "reply" in rest:
            self._same("reply", self._read(reply), self._read(self._body(rest["reply"])))

    @staticmethod
    def _told(tell: Any) -> None:
        try:
            tell()
        except Failure:
            pass  # a host logs it

    def _body(self, message: Any) -> bytes:
        if self.actor.definition.json:
            return json.dumps(message).encode("utf-8")
        match message:
            case {"hex": digits}:
                return bytes.fromhex(digits)
            case {"text": text}:
                return text.encode("utf-8")
        raise AssertionError('a body that is no JSON is written as {"text": …} or {"hex": …}')

    def _read(self, body: bytes) -> Any:
        return json.loads(body) if self.actor.definition.json else body

    @staticmethod
    def _same(what: str, found: Any, expected: Any) -> None:
        if found != expected:
            raise AssertionError(f"{what}: expected {expected!r}, found {found!r}")
