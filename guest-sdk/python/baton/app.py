"""The component's exports: the only part, with the imports, that differs from what a native test runs.

`baton_app`, which componentize-py is told to take, imports this module, and this one the author's `plugin.py`.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

from componentize_py_types import Err  # type: ignore[import-not-found]
from wit_world import exports  # type: ignore[import-not-found]
from wit_world.imports import types as wit  # type: ignore[import-not-found]

from . import ambient, crash
from .actor import Actor
from .definition import Definition
from .errors import Failure, Refusal
from .instance import Instance, not_started
from .types import Down, Handoff, Leave, Level, Origin, Other, Request, State, Timer
from .wit_host import WitHost, kebab

try:
    from .wit_supervision import WitSupervision

    _supervision: Any = WitSupervision()
except ImportError:  # the world `actor` has none
    _supervision = None


def _actor() -> type[Actor]:
    import plugin  # type: ignore[import-not-found]  # the author's

    crash.project = os.path.dirname(plugin.__file__ or "") + "/"
    found = {value for value in vars(plugin).values() if isinstance(value, type) and "definition" in vars(value)}
    if len(found) != 1:
        names = ", ".join(sorted(cls.__name__ for cls in found)) or "none"
        raise TypeError(f"plugin.py is to have one class with @plugin, and has {names}")
    actor: type[Actor] = found.pop()
    if actor.definition.supervision and _supervision is None:
        raise TypeError(f"{actor.__name__} has supervision=True: build it for the world `supervised-actor`")
    return actor


_ACTOR = _actor()
_DEFINITION: Definition = _ACTOR.definition
_HOST = WitHost(_supervision)
_seed = ambient.seeder(_HOST)
ambient.bridge_logging(_HOST)
ambient.keep_sources()
_instance: Instance | None = None


class Lifecycle(exports.Lifecycle):
    def describe(self) -> Any:
        try:
            reads_from, reads_to = _DEFINITION.layouts.range()
            return wit.Description(
                _DEFINITION.name,
                _DEFINITION.version,
                _DEFINITION.layouts.schema,
                reads_from,
                reads_to,
                _DEFINITION.messages,
                list(_DEFINITION.metadata.items()),
            )
        except BaseException as error:
            _trap(error)

    def init(self, context: Any) -> Any:
        global _instance
        try:
            _seed()
            _instance = Instance(_ACTOR, _HOST, context.actor, context.args)
            return wit.Start(_instance.trap_exit)
        except Failure as failure:
            raise _failed(failure) from None
        except BaseException as error:
            _trap(error)

    def continue_(self, generation: int, handoff: Any) -> None:
        try:
            if _instance is None:
                raise Refusal(not_started().message)
            _seed()
            _instance.take_over(generation, None if handoff is None else _handoff(handoff))
        except Refusal as refusal:
            cases = {
                "incompatible": wit.Refusal_Incompatible,
                "corrupt": wit.Refusal_Corrupt,
                "stale": wit.Refusal_Stale,
                "unavailable": wit.Refusal_Unavailable,
            }
            raise Err(cases.get(refusal.case, wit.Refusal_Other)(crash.text(refusal.why))) from None
        except BaseException as error:
            _trap(error)

    def handle(self, message: Any) -> bytes:
        try:
            _seed()
            return _running().handle(_message(message))
        except Failure as failure:
            raise _failed(failure) from None
        except BaseException as error:
            _trap(error)

    def snapshot(self) -> Any:
        try:
            return _state(_running().snapshot())
        except Failure as failure:
            raise _failed(failure) from None
        except BaseException as error:
            _trap(error)

    def terminate(self, reason: Any, budget_ms: int | None) -> Any:
        try:
            _seed()
            left = _running().terminate(_word(reason), budget_ms)
            if isinstance(left, State):
                return wit.Legacy_Save(_state(left))
            return wit.Legacy_Keep() if left is Leave.KEEP else wit.Legacy_Forget()
        except Failure as failure:
            raise _failed(failure) from None
        except BaseException as error:
            _trap(error)


def _running() -> Instance:
    if _instance is None:
        raise not_started()
    return _instance


def _state(state: State) -> Any:
    return wit.State(state.schema, state.data)


def _failed(failure: Failure) -> Any:
    return Err(wit.Failure(crash.text(str(failure.code)), crash.text(str(failure.message))))


def _word(case: Any) -> str:
    return case.value if hasattr(case, "value") else kebab(case)


def _message(message: Any) -> Request | Timer | Down | Other:
    value = message.value
    if isinstance(message, (wit.Message_Call, wit.Message_Cast)):
        return Request(value.id, value.sender, value.body, isinstance(message, wit.Message_Call))
    if isinstance(message, wit.Message_Timer):
        return Timer(value)
    if isinstance(message, wit.Message_Down):
        return Down(value.actor, value.reason)
    return Other(value[0], value[1])


def _handoff(handoff: Any) -> Handoff:
    kind, value = kebab(handoff.origin), getattr(handoff.origin, "value", None)
    if kind == "terminated":
        origin = Origin(kind, reason=_word(value))
    elif kind == "checkpoint":
        origin = Origin(kind, handled_since=value)
    else:
        origin = Origin(kind, text=value or "")
    state = State(handoff.state.schema, handoff.state.data)
    return Handoff(state, origin, handoff.generation, handoff.written_by, handoff.age_ms)


def _trap(error: BaseException) -> NoReturn:
    """Ends the instance. The runtime would print the traceback to standard error, as lines of level `info`: it is
    logged here as what it is, in one line, and the trap says no more."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        message, fields = crash.told(error)
        _HOST.log(Level.ERROR, message, fields)
    finally:
        os.abort()


ambient.settle()
