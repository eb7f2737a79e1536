"""A host that writes down what it is asked, and answers as the test says."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .. import strict_json
from ..errors import CallError, SendError, SupervisionError
from ..supervision import ChildInfo, ChildSpec, Counts
from ..types import Level


@dataclass(frozen=True)
class Sent:
    """A message that the actor sent."""

    to: str
    body: bytes

    @property
    def json(self) -> Any:
        return strict_json.loads(self.body)


@dataclass(frozen=True)
class Called:
    """A call that the actor made."""

    to: str
    body: bytes
    timeout_ms: int

    @property
    def json(self) -> Any:
        return strict_json.loads(self.body)


@dataclass(frozen=True)
class Logged:
    """A line of the log."""

    level: Level
    message: str
    fields: dict[str, str]


@dataclass
class Recorder:
    """Fits the protocol `Host` of `cx.py`."""

    now: int = 0
    timers: dict[str, int] = field(default_factory=dict)
    remaining: int | None = None
    drawn: int = 0
    refusal: SendError | None = None
    answers: dict[str, deque[bytes | CallError]] = field(default_factory=dict)
    standing: dict[str, bytes | CallError] = field(default_factory=dict)
    """What calls get for which there is no other answer."""
    sent: list[Sent] = field(default_factory=list)
    called: list[Called] = field(default_factory=list)
    logged: list[Logged] = field(default_factory=list)
    saves: int = 0
    stopped: bool = False
    around: Around = field(default_factory=lambda: Around())

    def log(self, level: Level, message: str, fields: list[tuple[str, str]]) -> None:
        self.logged.append(Logged(level, message, dict(fields)))

    def now_ms(self) -> int:
        return self.now

    def random(self, count: int) -> bytes:
        """The same bytes in every run, so that a test that fails fails again."""
        return bytes(self._next() for _ in range(count))

    def _next(self) -> int:
        # SplitMix64.
        mask = (1 << 64) - 1
        self.drawn = (self.drawn + 0x9E37_79B9_7F4A_7C15) & mask
        z = self.drawn
        z = ((z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB) & mask
        return (z ^ (z >> 31)) & 0xFF

    def remaining_ms(self) -> int | None:
        return self.remaining

    def save(self) -> None:
        self.saves += 1

    def send(self, to: str, body: bytes) -> None:
        self.allow()
        self.sent.append(Sent(to, body))

    def call(self, to: str, body: bytes, timeout_ms: int) -> bytes:
        self.called.append(Called(to, body, timeout_ms))
        waiting = self.answers.get(to)
        standing = self.standing.get(to) or CallError("unknown-actor")
        answer = waiting.popleft() if waiting else standing
        if isinstance(answer, CallError):
            raise answer
        return answer

    def set_timer(self, name: str, after_ms: int) -> None:
        self.allow()
        self.timers[name] = self.now + after_ms

    def cancel_timer(self, name: str) -> None:
        self.timers.pop(name, None)

    def monitor(self, actor: str) -> None:
        self.effect("monitor", actor)

    def demonitor(self, actor: str) -> None:
        self.around.asked.append(("demonitor", actor))

    def stop(self) -> None:
        self.stopped = True

    def supervision(self) -> RecordedSupervision:
        return RecordedSupervision(self)

    def allow(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def effect(self, *asked: Any) -> None:
        self.allow()
        self.around.asked.append(asked)

    def next_timer(self, until_ms: int) -> tuple[str, int] | None:
        """The timer that comes due first, at `until_ms` at the latest."""
        name, due_ms = min(self.timers.items(), key=lambda timer: timer[1], default=("", until_ms + 1))
        return None if due_ms > until_ms else (name, due_ms)


@dataclass
class Around:
    """Whom there is around the actor, as the test says, and what it asked of them."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)
    refusal: SupervisionError | None = None
    children: dict[str | None, list[ChildInfo]] = field(default_factory=dict)
    phases: dict[str, str] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)


class RecordedSupervision:
    """Fits the protocol `Supervision` of `supervision.py`."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._around = recorder.around

    def _allow(self) -> None:
        if self._around.refusal is not None:
            raise self._around.refusal

    def _now(self, *asked: Any) -> None:
        self._allow()
        self._around.asked.append(asked)

    def start_child(self, supervisor: str | None, child: ChildSpec) -> None:
        self._now("start-child", supervisor, child)

    def terminate_child(self, child: str) -> None:
        self._now("terminate-child", child)

    def restart_child(self, child: str) -> None:
        self._now("restart-child", child)

    def delete_child(self, child: str) -> None:
        self._now("delete-child", child)

    def which_children(self, supervisor: str | None) -> list[ChildInfo]:
        self._allow()
        if supervisor is not None and supervisor not in self._around.children:
            raise SupervisionError("unknown-supervisor")
        return list(self._around.children.get(supervisor, []))

    def count_children(self, supervisor: str | None) -> Counts:
        children = self.which_children(supervisor)
        active = sum(child.state in ("starting", "up", "stopping") for child in children)
        supervisors = sum(child.kind == "supervisor" for child in children)
        workers = sum(child.kind == "worker" for child in children)
        return Counts(len(children), active, supervisors, workers)

    def whereis(self, actor: str) -> str | None:
        return self._around.phases.get(actor)

    def members(self, group: str) -> list[str]:
        self._allow()
        return list(self._around.groups.get(group, []))

    def attribute(self, actor: str, key: str) -> str | None:
        return self._around.attributes.get(actor, {}).get(key)

    def having(self, key: str, value: str) -> list[str]:
        self._allow()
        return sorted(actor for actor, held in self._around.attributes.items() if held.get(key) == value)

    def link(self, actor: str) -> None:
        self._recorder.effect("link", actor)

    def unlink(self, actor: str) -> None:
        self._recorder.effect("unlink", actor)

    def exit(self, actor: str, reason: str) -> None:
        self._recorder.effect("exit", actor, reason)

    def join(self, group: str) -> None:
        self._recorder.effect("join", group)

    def leave(self, group: str) -> None:
        self._recorder.effect("leave", group)

    def dispatch(self, group: str, body: bytes) -> None:
        self._recorder.effect("dispatch", group, body)

    def set_attribute(self, key: str, value: str | None) -> None:
        self._recorder.effect("set-attribute", key, value)
