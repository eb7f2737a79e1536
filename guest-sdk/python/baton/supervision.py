"""Children, links, groups and names: what an actor can ask of those around it, under OTP's names. A plugin that says
`supervision=True` may use it; the others do not import it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Protocol

from .arguments import body_of, data, text, text_or_none, whole


class Restart(enum.Enum):
    """When a child that has ended is started again."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    """After a crash."""
    TEMPORARY = "temporary"


BRUTAL_KILL = "brutal-kill"
"""As `shutdown` of a child: killed at once, `terminate` is not called."""
INFINITY = "infinity"
"""As `shutdown` of a child: however long it takes."""


@dataclass(frozen=True)
class ChildSpec:
    """An actor to start: with what OTP's workers have unless told otherwise."""

    name: str
    """Its id, and its name as an actor."""
    plugin: str
    args: bytes = b""
    """What its `init` is given."""
    restart: Restart = Restart.PERMANENT
    shutdown: int | str = 5_000
    """Milliseconds that it may take to stop, `BRUTAL_KILL` or `INFINITY`."""
    significant: bool = False
    """Whether its end, when it is not started again, counts for its supervisor's `auto_shutdown`."""


@dataclass(frozen=True)
class ChildInfo:
    """A child as its supervisor sees it."""

    name: str
    supervisor: str | None
    """None: it stands below the root."""
    kind: str
    """`worker`, `supervisor`, or what a newer host says."""
    state: str
    """`down`, `starting`, `up`, `restarting`, `stopping`, `failed`, or what a newer host says."""
    restart: Restart
    shutdown: int | str
    significant: bool
    restarts: int
    last_exit: str | None


@dataclass(frozen=True)
class Counts:
    """What OTP's `count_children` says."""

    specs: int
    active: int
    supervisors: int
    workers: int


class Supervision(Protocol):
    """The host's interface of that name. Errors are raised as the SDK's."""

    def start_child(self, supervisor: str | None, child: ChildSpec) -> None: ...
    def terminate_child(self, child: str) -> None: ...
    def restart_child(self, child: str) -> None: ...
    def delete_child(self, child: str) -> None: ...
    def which_children(self, supervisor: str | None) -> list[ChildInfo]: ...
    def count_children(self, supervisor: str | None) -> Counts: ...
    def whereis(self, actor: str) -> str | None: ...
    def members(self, group: str) -> list[str]: ...
    def attribute(self, actor: str, key: str) -> str | None: ...
    def having(self, key: str, value: str) -> list[str]: ...
    def link(self, actor: str) -> None: ...
    def unlink(self, actor: str) -> None: ...
    def exit(self, actor: str, reason: str) -> None: ...
    def join(self, group: str) -> None: ...
    def leave(self, group: str) -> None: ...
    def dispatch(self, group: str, body: bytes) -> None: ...
    def set_attribute(self, key: str, value: str | None) -> None: ...


class Supervising:
    """The part of `Cx` that asks for it. What stands before `link` acts at once and raises `SupervisionError`; `link`
    and what follows are effects, which leave when the turn has ended without a crash, and raise `SendError`."""

    _host: Any
    _supervises: bool

    def _around(self) -> Supervision:
        # Also under test, so that what is forgotten is found there and not when the plugin runs.
        if not self._supervises:
            raise RuntimeError("this needs `@plugin(supervision=True)`")
        return self._host.supervision()

    def start_child(self, supervisor: str | None, child: ChildSpec) -> None:
        """Starts a child below a supervisor, below the root if none is named, and returns when its `init` has."""
        self._around().start_child(text_or_none("supervisor", supervisor), checked(child))

    def terminate_child(self, child: str) -> None:
        """Tells a child to end, and returns when it has. Its specification stays, unless its supervisor is dynamic or
        the child temporary."""
        self._around().terminate_child(text("child", child))

    def restart_child(self, child: str) -> None:
        """Starts a child again that has ended."""
        self._around().restart_child(text("child", child))

    def delete_child(self, child: str) -> None:
        """Removes the specification of a child that has ended."""
        self._around().delete_child(text("child", child))

    def which_children(self, supervisor: str | None = None) -> list[ChildInfo]:
        """The children of a supervisor, of the root if none is named, in the order of their start."""
        return self._around().which_children(text_or_none("supervisor", supervisor))

    def count_children(self, supervisor: str | None = None) -> Counts:
        """How many children a supervisor has, or the root if none is named."""
        return self._around().count_children(text_or_none("supervisor", supervisor))

    def whereis(self, actor: str) -> str | None:
        """Where the actor of that name stands: `starting`, `continuing`, `running`, `suspended`, `stopping`,
        `restarting`, `held`, `failed`, or what a newer host says; None: nobody has the name."""
        return self._around().whereis(text("actor", actor))

    def members(self, group: str) -> list[str]:
        """The members of a group, in the order in which they came."""
        return self._around().members(text("group", group))

    def attribute(self, actor: str, key: str) -> str | None:
        """The value of an actor's attribute."""
        return self._around().attribute(text("actor", actor), text("key", key))

    def having(self, key: str, value: str) -> list[str]:
        """The actors whose attribute `key` is `value`, in the order of their names."""
        return self._around().having(text("key", key), text("value", value))

    def link(self, actor: str) -> None:
        """From then on the end of one of the two ends the other as well, unless it was normal; one that traps exits
        gets `exit` instead."""
        self._around().link(text("actor", actor))

    def unlink(self, actor: str) -> None:
        """Takes that back."""
        self._around().unlink(text("actor", actor))

    def exit(self, actor: str, reason: str) -> None:
        """Does to an actor what the end of this one would, were they linked. The reason is `normal`, `shutdown`,
        `killed`, which nobody traps, or a text of one's own, which is a crash."""
        self._around().exit(text("actor", actor), text("reason", reason))

    def join(self, group: str) -> None:
        """Makes this actor a member of a group."""
        self._around().join(text("group", group))

    def leave(self, group: str) -> None:
        """Takes that back."""
        self._around().leave(text("group", group))

    def dispatch(self, group: str, message: Any) -> None:
        """Sends `message` as JSON to all members of a group, this actor included if it is one."""
        self._around().dispatch(text("group", group), body_of(message))

    def dispatch_bytes(self, group: str, body: bytes) -> None:
        """`dispatch` with the body as it is."""
        self._around().dispatch(text("group", group), data("body", body))

    def set_attribute(self, key: str, value: str | None) -> None:
        """Sets an attribute of this actor; None removes it."""
        self._around().set_attribute(text("key", key), text_or_none("value", value))


def checked(child: ChildSpec) -> ChildSpec:
    """A specification whose parts are of the types that they are to be."""
    if not isinstance(child, ChildSpec):
        raise TypeError(f"`child` is to be a ChildSpec, and is {type(child).__name__}")
    text("name", child.name), text("plugin", child.plugin), data("args", child.args)
    Restart(child.restart)
    if child.shutdown not in (BRUTAL_KILL, INFINITY):
        whole("shutdown", child.shutdown)
    return child
