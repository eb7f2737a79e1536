"""The lifecycle of one instance, the same in a plugin and under test."""

from __future__ import annotations

from typing import Any

from . import strict_json
from .actor import Actor
from .cx import Cx, Host
from .definition import Definition
from .errors import BadMessage, Failure, Refusal
from .mismatch import Mismatch
from .types import Down, Handoff, Leave, Level, Other, Predecessor, Request, State, Timer

EXIT = "exit"
"""Kind of other message that tells of the end of a linked actor."""


class Instance:
    """An instance that has been through `init`."""

    def __init__(self, actor: type[Actor], host: Host, name: str, args: bytes) -> None:
        if not hasattr(actor, "definition"):
            raise TypeError(f"{actor.__name__} has no @plugin")
        self.definition: Definition = actor.definition
        self.cx = Cx(host, name, args, self.definition.supervision)
        self.actor = actor()
        # Whether `continue` has succeeded: before that there is no state to speak of.
        self.started = False
        self.actor.state = self.actor.init(self.cx)
        self.trap_exit = bool(self.actor.traps_exits(self.cx))

    def take_over(self, generation: int, handoff: Handoff | None) -> None:
        """Takes over what the predecessor left. After a `Refusal` the instance is of no further use."""
        self.cx.generation = generation
        try:
            if handoff is None:
                self.actor.started(self.cx)
            else:
                self.actor.state = self.definition.layouts.load(self.actor, handoff.state, self._warn)
                predecessor = Predecessor(
                    handoff.state.schema, handoff.origin, handoff.generation, handoff.written_by, handoff.age_ms
                )
                self.actor.resumed(self.cx, predecessor)
                self.cx.predecessor = predecessor
        except Failure as failure:  # of a `cx.set_timer`, say
            raise Refusal(str(failure)) from None
        self.started = True

    def handle(self, message: Request | Timer | Down | Other) -> bytes:
        self._check_started()
        match message:
            case Request():
                return self._request(message)
            case Timer(name):
                self.actor.timer(self.cx, name)
            case Down(actor, reason):
                self.actor.down(self.cx, actor, reason)
            case Other(kind, data) if kind == EXIT:
                self._exit(data)
            case Other(kind, data):
                self.actor.other(self.cx, kind, data)
        return b""

    def _exit(self, data: bytes) -> None:
        try:
            told = strict_json.loads(data)
            actor, reason = told["actor"], told["reason"]
            if type(actor) is not str or type(reason) is not str:
                raise TypeError("texts are expected")
        except (Mismatch, TypeError, LookupError) as error:
            raise Failure("bad-exit", f"the end of a linked actor was told wrongly: {error}") from None
        self.actor.exit(self.cx, actor, reason)

    def _request(self, request: Request) -> bytes:
        definition, cx = self.definition, self.cx
        message: Any = request.body
        if definition.json:
            try:
                message = strict_json.loads(request.body)
                if definition.message is not None:
                    message = definition.message.from_json(message, False)
            except Mismatch as mismatch:
                raise definition.refuse(str(mismatch)) from None
        cx.request_id, cx.sender, cx.expects_reply = request.id, request.sender, request.expects_reply
        try:
            reply = self.actor.handle(cx, message)
        except BadMessage as bad:
            raise definition.refuse(bad.why) from None
        finally:
            cx.request_id, cx.sender, cx.expects_reply = "", None, False
        # Nobody reads the reply to a cast: it is not worth its bytes.
        if not request.expects_reply:
            return b""
        if not definition.json:
            if reply is None:
                return b""
            if isinstance(reply, (bytes, bytearray)):
                return bytes(reply)
            raise Failure("bad-reply", f"the message was handled; its reply: {type(reply).__name__} is not bytes")
        try:
            return strict_json.dumps(reply)
        except Mismatch as mismatch:
            raise Failure("bad-reply", f"the message was handled; its reply: {mismatch}") from None

    def snapshot(self) -> State:
        self._check_started()
        return self.definition.layouts.save(self.actor.state)

    def terminate(self, reason: str, budget_ms: int | None) -> State | Leave:
        """The state to save, or what else to leave."""
        self._check_started()
        leave = self.actor.terminate(self.cx, reason, budget_ms)
        if leave is None or leave is Leave.SAVE:
            return self.definition.layouts.save(self.actor.state)
        if not isinstance(leave, Leave):
            raise TypeError(f"`terminate` gave {type(leave).__name__}, and is to give a `Leave`")
        return leave

    def _check_started(self) -> None:
        if not self.started:
            raise not_started()

    def _warn(self, message: str, trace: str) -> None:
        self.cx.log(Level.WARN, message, traceback=trace)


def not_started() -> Failure:
    """The host called something before `init` and `continue` have succeeded."""
    return Failure("not-started", "the instance has not been through `init` and `continue`")
