"""An actor under test."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from .. import strict_json
from ..actor import Actor
from ..errors import CallError, Failure, SendError, SupervisionError
from ..instance import EXIT, Instance
from ..supervision import ChildInfo
from ..types import Down, Handoff, Leave, Origin, Other, Request, State, Timer
from .recorder import Called, Logged, Recorder, Sent


@dataclass(frozen=True)
class Handover:
    """What an actor leaves to its replacement: a state as it came out of a store, left at a shutdown, unless told
    otherwise."""

    name: str
    schema: int
    data: bytes
    args: bytes = b""
    origin: Origin = Origin("terminated", reason="shutdown")
    generation: int = 1
    written_by: str = "0.0.0"
    age_ms: int = 0
    """How old the state is when it is taken over. The replacement's clock is that much ahead."""
    timers: dict[str, int] = field(default_factory=dict)
    now_ms: int = 0

    def with_(self, **changes: Any) -> Handover:
        """The same with other facts: `handover.with_(age_ms=60_000)`."""
        return replace(self, **changes)


class Harness:
    """An actor under test.

    What it sends or sets is recorded whether the turn fails or not, as a host would let it leave. An exception that
    is no failure is one of the test. The clock stands still until the test moves it. After each turn the state is
    written and read back, so that one that cannot be kept is found where it came to be.
    """

    def __init__(
        self, actor: type[Actor], name: str, args: bytes, generation: int, host: Recorder, handoff: Handoff | None
    ) -> None:
        self._host = host
        self._actor = actor
        self._name = name
        self._args = args
        self._generation = generation
        self._requests = 0
        self._instance = Instance(actor, host, name, args)
        self._instance.take_over(generation, handoff)
        self._check_state()

    @classmethod
    def start(cls, actor: type[Actor], name: str = "test/1", args: bytes | str = b"") -> Harness:
        """Starts an actor that has left nothing before. Raises the `Failure` of `init`, or the `Refusal` of
        `started`."""
        return cls(actor, name, _bytes(args), 1, Recorder(), None)

    @classmethod
    def resume(cls, actor: type[Actor], handover: Handover) -> Harness:
        """Starts the replacement of an actor that has ended, perhaps of another version of the plugin. Raises the
        `Refusal` with which it does not take the state over."""
        host = Recorder(now=handover.now_ms + handover.age_ms, timers=dict(handover.timers))
        state = State(handover.schema, handover.data)
        handoff = Handoff(state, handover.origin, handover.generation, handover.written_by, handover.age_ms)
        return cls(actor, handover.name, handover.args, handover.generation + 1, host, handoff)

    # Ending

    def terminate(self) -> Handover:
        """Tells the actor to stop because its host shuts down, and gives what its replacement will be handed."""
        left = self.stop("shutdown")
        if not isinstance(left, Handover):
            raise AssertionError(f"the actor left its state as {left}")
        return left

    def stop(self, reason: str, budget_ms: int | None = None) -> Handover | Leave:
        """Tells the actor to stop. `Leave.KEEP` or `Leave.FORGET` where it leaves no state."""
        left = self._instance.terminate(reason, budget_ms)
        return self._handover(left, Origin("terminated", reason=reason)) if isinstance(left, State) else left

    def snapshot(self, origin: Origin = Origin("switched")) -> Handover:
        """What a replacement would be handed if the actor ended as `origin` says, the actor going on."""
        return self._handover(self._instance.snapshot(), origin)

    def handed_over(self, terminating: bool = False) -> Harness:
        """The replacement that goes on from here, with the same clock, timers and neighbours: what a swap does, or,
        with `terminating`, an upgrade that stops the actor first."""
        handover = self.stop("upgrade") if terminating else self.snapshot()
        if not isinstance(handover, Handover):
            raise AssertionError(f"the actor left its state as {handover}")
        state = State(handover.schema, handover.data)
        handoff = Handoff(state, handover.origin, self._generation, handover.written_by, 0)
        return Harness(self._actor, self._name, self._args, self._generation + 1, self._host, handoff)

    def _handover(self, state: State, origin: Origin) -> Handover:
        version = self._actor.definition.version
        return Handover(
            self._name,
            state.schema,
            state.data,
            self._args,
            origin,
            self._generation,
            version,
            0,
            dict(self._host.timers),
            self._host.now,
        )

    # Messages

    def call(self, message: Any, sender: str | None = None) -> Any:
        """Calls the actor with a message as JSON, and gives its reply. Raises its `Failure`."""
        return strict_json.loads(self.call_bytes(strict_json.dumps(message), sender))

    def call_bytes(self, body: bytes, sender: str | None = None) -> bytes:
        """Calls the actor with a body as it is."""
        return self._turn(self._request(body, sender, True))

    def cast(self, message: Any, sender: str | None = None) -> None:
        """Sends the actor a message as JSON that expects no reply. Raises its `Failure`, which a host would only
        log."""
        self.cast_bytes(strict_json.dumps(message), sender)

    def cast_bytes(self, body: bytes, sender: str | None = None) -> None:
        """Sends the actor a body as it is."""
        self._turn(self._request(body, sender, False))

    def fire_timer(self, name: str) -> None:
        """Makes a timer come due now."""
        if self._host.timers.pop(name, None) is None:
            raise AssertionError(f"there is no timer {name!r}, only {sorted(self._host.timers)}")
        self._turn(Timer(name))

    def advance_ms(self, by_ms: int) -> None:
        """Moves the clock on, and makes the timers that come due meanwhile fire in their order, each at its time."""
        until_ms = self._host.now + by_ms
        while (timer := self._host.next_timer(until_ms)) is not None:
            name, due_ms = timer
            self._host.now = max(due_ms, self._host.now)
            self.fire_timer(name)
        self._host.now = until_ms

    def down(self, actor: str, reason: str) -> None:
        """Tells the actor that one it monitors has ended."""
        self._turn(Down(actor, reason))

    def exit(self, actor: str, reason: str) -> None:
        """Tells the actor that one it is linked to has ended. A host tells those alone who trap exits."""
        self._turn(Other(EXIT, strict_json.dumps({"actor": actor, "reason": reason})))

    def other(self, kind: str, data: bytes) -> None:
        """Tells the actor something of another kind."""
        self._turn(Other(kind, data))

    def _request(self, body: bytes, sender: str | None, expects_reply: bool) -> Request:
        self._requests += 1
        return Request(f"test-{self._requests}", sender, body, expects_reply)

    def _turn(self, message: Any) -> bytes:
        try:
            return self._instance.handle(message)
        finally:
            self._check_state()

    def _check_state(self) -> None:
        layouts = self._actor.definition.layouts
        state = layouts.save(self._instance.actor.state)
        again = layouts.save(layouts.load(self._actor(), state, lambda message, trace: None))
        if again != state:
            raise AssertionError(
                f"the state reads back as another one: {state.data[:200]!r}, then {again.data[:200]!r}"
            )

    # What the test sees

    @property
    def state(self) -> Any:
        """The state as it stands."""
        return self._instance.actor.state

    @property
    def actor(self) -> Any:
        """The actor itself."""
        return self._instance.actor

    @property
    def traps_exits(self) -> bool:
        """Whether the actor has said that it traps exits."""
        return self._instance.trap_exit

    @property
    def timers(self) -> dict[str, int]:
        """The timers that are set, by name, with the time at which they come due."""
        return dict(self._host.timers)

    @property
    def saves(self) -> int:
        """How often the actor has asked to be saved."""
        return self._host.saves

    @property
    def stopped(self) -> bool:
        """Whether the actor has asked to stop."""
        return self._host.stopped

    def sent(self) -> list[Sent]:
        """What the actor has sent since this was asked last."""
        sent, self._host.sent = self._host.sent, []
        return sent

    def called(self) -> list[Called]:
        """The calls that the actor has made since this was asked last."""
        called, self._host.called = self._host.called, []
        return called

    def logged(self) -> list[Logged]:
        """What the actor has logged since this was asked last."""
        logged, self._host.logged = self._host.logged, []
        return logged

    def asked(self) -> list[tuple[Any, ...]]:
        """What the actor has asked of those around it since this was asked last: `("link", "shop/1")`, and so on,
        named as in the contract. What was refused is not among it, nor is what only looks something up."""
        asked = list(self._host.around.asked)
        self._host.around.asked.clear()
        return asked

    # What the test sets

    @property
    def now_ms(self) -> int:
        """The clock. To set it lets no timer fire."""
        return self._host.now

    @now_ms.setter
    def now_ms(self, now_ms: int) -> None:
        self._host.now = now_ms

    def set_remaining_ms(self, remaining_ms: int | None) -> None:
        """Sets what `cx.remaining_ms` tells."""
        self._host.remaining = remaining_ms

    def answer(self, actor: str, reply: Any, always: bool = False) -> None:
        """Lets the next call to `actor` that has no answer yet be answered with `reply` as JSON; with `always`, all
        that follow as well. A call without an answer gets the error `unknown-actor`."""
        self.answer_bytes(actor, strict_json.dumps(reply), always)

    def answer_bytes(self, actor: str, reply: bytes, always: bool = False) -> None:
        """`answer` with the reply as it is."""
        self._answer(actor, reply, always)

    def answer_error(self, actor: str, error: CallError, always: bool = False) -> None:
        """Lets the next call to `actor` that has no answer yet fail."""
        self._answer(actor, error, always)

    def _answer(self, actor: str, answer: bytes | CallError, always: bool) -> None:
        if always:
            self._host.standing[actor] = answer
        else:
            self._host.answers.setdefault(actor, deque()).append(answer)

    def refuse_sends(self, error: SendError | None) -> None:
        """Lets the host refuse whatever the actor sends or sets from now on; None ends that."""
        self._host.refusal = error

    def refuse_supervision(self, error: SupervisionError | None) -> None:
        """Lets the host refuse whatever of supervision acts at once from now on; None ends that."""
        self._host.around.refusal = error

    def set_children(self, supervisor: str | None, children: list[ChildInfo]) -> None:
        """Sets the children of a supervisor, or of the root. One for which this was never done is unknown."""
        self._host.around.children[supervisor] = children

    def set_phase(self, actor: str, phase: str | None) -> None:
        """Sets where another actor stands; None: nobody has the name."""
        self._host.around.phases.pop(actor, None)
        if phase is not None:
            self._host.around.phases[actor] = phase

    def set_members(self, group: str, members: list[str]) -> None:
        """Sets the members of a group."""
        self._host.around.groups[group] = list(members)

    def set_attribute(self, actor: str, key: str, value: str) -> None:
        """Sets an attribute of another actor."""
        self._host.around.attributes.setdefault(actor, {})[key] = value


def _bytes(args: bytes | str) -> bytes:
    return args.encode("utf-8") if isinstance(args, str) else args


__all__ = ["Failure", "Handover", "Harness"]
