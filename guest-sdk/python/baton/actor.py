"""What an author writes: the actor, its messages, its migrations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .errors import Failure
from .types import Leave, Level

if TYPE_CHECKING:
    from .cx import Cx
    from .definition import Definition
    from .types import Predecessor

S = TypeVar("S")
F = TypeVar("F", bound=Callable[..., Any])


class Actor(Generic[S]):
    """An actor, whose state is an `S`: what outlives the instance. `self.state` alone does: whatever else is put on
    `self` is gone with the instance.

    The first argument of all that the host calls is `cx`. What is not overridden does what is said here.
    """

    state: S
    definition: Definition
    """What `@plugin` has made of the class."""

    def init(self, cx: Cx) -> S:
        """Makes a fresh state from `cx.args`; `S()` unless told otherwise. No effects: the supervisor waits for it, and
        a state that the predecessor left takes the place of this one. A `Failure`: the actor does not start."""
        return self.definition.fresh()

    def traps_exits(self, cx: Cx) -> bool:
        """Whether `terminate` is called when the actor is told to stop, and `exit` when an actor that it is linked to
        ends. Asked once, right after `init`. What `@plugin(trap_exit=…)` says unless told otherwise."""
        return self.definition.trap_exit

    def started(self, cx: Cx) -> None:
        """Nothing was there to take over: the state that `init` made is the one. The place to set first timers."""

    def resumed(self, cx: Cx, predecessor: Predecessor) -> None:
        """`self.state` is now what the predecessor left, decoded, migrated and valid. A `Refusal`: it is not taken over
        and stays in the store."""

    def validate(self, state: S) -> None:
        """What must hold of every state taken over: raise `ValueError` where it does not, and the state is refused as
        corrupt."""

    def handle(self, cx: Cx, message: Any) -> Any:
        """Handles a message, and gives the reply. Unless told otherwise it goes to the method that is marked with
        `@message` and has its name. A `Failure` is a reply like any other: the actor lives on with whatever it has
        changed, and what it has sent leaves. Any other exception ends the instance, and nothing of the turn leaves."""
        return self.definition.dispatch(self, cx, message)

    def timer(self, cx: Cx, name: str) -> None:
        """A timer that this actor, or its predecessor, set has come due."""
        raise Failure("unexpected-timer", f"nothing is done with the timer {name!r}")

    def down(self, cx: Cx, actor: str, reason: str) -> None:
        """An actor that this one monitors has ended, or was not there: `reason` is `normal`, `shutdown`, `killed`,
        `noproc`, or `crash: ` and how. Logged unless told otherwise."""
        cx.log(Level.INFO, "nothing is done about the end of an actor", down=actor, reason=reason)

    def exit(self, cx: Cx, actor: str, reason: str) -> None:
        """An actor that this one is linked to has ended, or sent it an exit: told to those alone who trap exits. Logged
        unless told otherwise."""
        cx.log(Level.INFO, "nothing is done about an exit", exit=actor, reason=reason)

    def other(self, cx: Cx, kind: str, data: bytes) -> None:
        """A kind of message that this version of the contract has no word for."""
        raise Failure("unsupported", f"messages of the kind {kind!r} are not known here")

    def terminate(self, cx: Cx, reason: str, budget_ms: int | None) -> Leave | None:
        """The last call; `reason` is one of `STOP_REASONS`, `budget_ms` what is left for it, None where there is no
        limit. None is `Leave.SAVE`."""
        return Leave.SAVE

    @staticmethod
    def encode(state: Any) -> bytes:
        """A state as bytes, for those who take the encoding into their own hands. Override it with `decode`."""
        raise NotImplementedError

    @staticmethod
    def decode(data: bytes) -> Any:
        """The state in these bytes, of the current schema. Raise `ValueError` where there is none."""
        raise NotImplementedError


@overload
def message(function: F) -> F: ...
@overload
def message(function: str) -> Callable[[F], F]: ...
def message(function: Any) -> Any:
    """Marks a method as one that messages go to. `"get"` calls `get(cx)`, `{"add": 3}` calls `add(cx, 3)`; where a
    method takes more than one argument, or any by keyword alone, the message names them:
    `{"pay": {"to": "x", "cents": 5}}`. Types are checked by the annotations. Underscores are dashes in the message;
    `@message("another-name")` names it."""
    if isinstance(function, str):

        def named(inner: F) -> F:
            inner.__baton_message__ = function  # type: ignore[attr-defined]
            return inner

        return named
    function.__baton_message__ = function.__name__.replace("_", "-")
    return function


def migration(schema: int) -> Callable[[F], Any]:
    """Marks a function that turns a state of this schema into one of the next: `@migration(1)`, in the class of the
    actor and without `self`. The annotation of its argument says how the older state is read: a dataclass as it was
    then, or none for the JSON value, or `bytes`."""
    return _marked("__baton_migration__", schema)


def way_back(schema: int) -> Callable[[F], Any]:
    """Marks a function that turns a state of a newer schema into this plugin's own, where nothing is lost: where it
    raises `ValueError`, the state is refused as incompatible, and the version that wrote it still reads it."""
    return _marked("__baton_way_back__", schema)


def _marked(name: str, schema: int) -> Callable[[F], Any]:
    def mark(function: F) -> Any:
        inner = function.__func__ if isinstance(function, staticmethod) else function
        setattr(inner, name, schema)
        return staticmethod(inner)

    return mark
