"""What an actor knows of itself, and what it can ask of its host."""

from __future__ import annotations

from typing import Any, Protocol

from . import strict_json
from .arguments import body_of, data, text, whole
from .errors import Failure
from .introspect import shape_of
from .mismatch import Mismatch
from .supervision import Supervising
from .types import Level, Predecessor

RANDOM_BYTES = 65_536
"""Most bytes that one call of the host's `random` gives."""

CALL_TIMEOUT_MS = 5_000
"""How long `cx.call` waits unless told otherwise."""


class Host(Protocol):
    """The host as an actor sees it: imports in a plugin, a record in a test. Errors are raised as the SDK's."""

    def log(self, level: Level, message: str, fields: list[tuple[str, str]]) -> None: ...
    def now_ms(self) -> int: ...
    def random(self, count: int) -> bytes: ...
    def remaining_ms(self) -> int | None: ...
    def save(self) -> None: ...
    def send(self, to: str, body: bytes) -> None: ...
    def call(self, to: str, body: bytes, timeout_ms: int) -> bytes: ...
    def set_timer(self, name: str, after_ms: int) -> None: ...
    def cancel_timer(self, name: str) -> None: ...
    def monitor(self, actor: str) -> None: ...
    def demonitor(self, actor: str) -> None: ...
    def stop(self) -> None: ...
    def supervision(self) -> Any: ...


class Cx(Supervising):
    """What an actor knows of itself, and what it can ask of its host.

    What is sent or set here leaves when the turn has ended without a crash; `call` acts at once.
    """

    def __init__(self, host: Host, actor: str, args: bytes, supervises: bool) -> None:
        self._host = host
        self._supervises = supervises
        self.actor = actor
        """Name of the actor, unique in its host or cluster."""
        self.args = args
        """What the actor was started with, as bytes."""
        self.generation = 0
        """Counts this actor's instances and always rises. 0 during `init`, where it is not known."""
        self.predecessor: Predecessor | None = None
        """Where the state comes from that this instance took over; None if it began with a fresh one."""
        self.sender: str | None = None
        """Name of the actor that sent the message in hand; None if it came from outside."""
        self.request_id = ""
        """Id of the message in hand, the same when a sender tries again. Empty where there is no message."""
        self.expects_reply = False
        """Whether someone waits for the reply to the message in hand."""

    def args_json(self, type: Any = Any) -> Any:
        """What the actor was started with, read as JSON of this type: `cx.args_json(int | None)`. No arguments at all
        read as `null`. Raises the failure `bad-args`."""
        try:
            return shape_of(type).from_json(strict_json.loads(self.args or b"null"), False)
        except Mismatch as mismatch:
            raise Failure("bad-args", f"the arguments: {mismatch}") from None

    def log(self, level: Level, message: str, **fields: object) -> None:
        """Writes to the host's log: `cx.log(Level.INFO, "delayed", airport=code, minutes=12)`."""
        self._host.log(level, str(message), [(name, str(value)) for name, value in fields.items()])

    def trace(self, message: str, **fields: object) -> None:
        self.log(Level.TRACE, message, **fields)

    def debug(self, message: str, **fields: object) -> None:
        self.log(Level.DEBUG, message, **fields)

    def info(self, message: str, **fields: object) -> None:
        self.log(Level.INFO, message, **fields)

    def warn(self, message: str, **fields: object) -> None:
        self.log(Level.WARN, message, **fields)

    def error(self, message: str, **fields: object) -> None:
        self.log(Level.ERROR, message, **fields)

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self._host.now_ms()

    def random(self, count: int) -> bytes:
        """Bytes from the system's generator."""
        made = b""
        whole("count", count)
        while len(made) < count:
            made += self._host.random(min(count - len(made), RANDOM_BYTES))
        return made

    def remaining_ms(self) -> int | None:
        """Milliseconds that are left of this turn's time; None where there is no limit."""
        return self._host.remaining_ms()

    def save(self) -> None:
        """Saves the state at the end of this turn: it is durable before the reply and what was sent leave."""
        self._host.save()

    def send(self, to: str, message: Any) -> None:
        """Sends `message` as JSON to another actor, expecting no reply. Raises `SendError`, for what is known at
        once: a message to an actor that is not there shows as a dead letter later."""
        self._host.send(text("to", to), body_of(message))

    def send_bytes(self, to: str, body: bytes) -> None:
        """`send` with the body as it is."""
        self._host.send(text("to", to), data("body", body))

    def call(self, to: str, message: Any, timeout_ms: int = CALL_TIMEOUT_MS, reply: Any = Any) -> Any:
        """Calls another actor with `message` as JSON, waits, and gives its reply, checked to be of the type `reply`.
        Raises `CallError`, and `Failure`s `not-encodable` and `bad-reply`."""
        try:
            body = strict_json.dumps(message)
        except Mismatch as mismatch:
            raise Failure("not-encodable", f"{to}: {mismatch}") from None
        answer = self._host.call(text("to", to), body, whole("timeout_ms", timeout_ms))
        try:
            return shape_of(reply).from_json(strict_json.loads(answer), False)
        except Mismatch as mismatch:
            raise Failure("bad-reply", f"{to}: {mismatch}") from None

    def call_bytes(self, to: str, body: bytes, timeout_ms: int = CALL_TIMEOUT_MS) -> bytes:
        """`call` with message and reply as they are."""
        return self._host.call(text("to", to), data("body", body), whole("timeout_ms", timeout_ms))

    def set_timer(self, name: str, after_ms: int) -> None:
        """Asks for `timer` after so many milliseconds. A timer of the same name is replaced. Timers are kept with the
        state: they come due also after a handoff. Raises `SendError`."""
        self._host.set_timer(text("name", name), whole("after_ms", after_ms))

    def cancel_timer(self, name: str) -> None:
        """Takes a timer back. Nothing happens if there is none of that name."""
        self._host.cancel_timer(text("name", name))

    def monitor(self, actor: str) -> None:
        """Asks for `down` when that actor ends, or at once where nobody has the name. Monitors are the instance's: set
        those again in `resumed` that should outlive it. Raises `SendError`."""
        self._host.monitor(text("actor", actor))

    def demonitor(self, actor: str) -> None:
        """Takes that back."""
        self._host.demonitor(text("actor", actor))

    def stop(self) -> None:
        """Ends this actor normally after this turn."""
        self._host.stop()
