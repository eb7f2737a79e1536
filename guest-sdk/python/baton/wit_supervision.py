"""Supervision, by the component's imports: only in plugins of the world `supervised-actor`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from componentize_py_types import Err  # type: ignore[import-not-found]
from wit_world.imports import supervision as wit  # type: ignore[import-not-found]

from .errors import SupervisionError
from .supervision import BRUTAL_KILL, INFINITY, ChildInfo, ChildSpec, Counts, Restart
from .wit_host import kebab, send_error


def _now(function: Callable[..., Any]) -> Callable[..., Any]:
    """For what acts at once."""

    @wraps(function)
    def run(*args: Any) -> Any:
        try:
            return function(*args)
        except Err as error:
            raise SupervisionError(kebab(error.value), getattr(error.value, "value", "")) from None

    return run


def _effect(function: Callable[..., None]) -> Callable[..., None]:
    @wraps(function)
    def run(*args: Any) -> None:
        try:
            function(*args)
        except Err as error:
            raise send_error(error) from None

    return run


def _shutdown_to(shutdown: int | str) -> Any:
    if shutdown == BRUTAL_KILL:
        return wit.Shutdown_BrutalKill()
    if shutdown == INFINITY:
        return wit.Shutdown_Infinity()
    return wit.Shutdown_AfterMs(shutdown)


def _shutdown_from(shutdown: Any) -> int | str:
    return shutdown.value if isinstance(shutdown, wit.Shutdown_AfterMs) else kebab(shutdown)


def _word(case: Any) -> str:
    """A variant that may grow, as a word."""
    return case.value if hasattr(case, "value") else kebab(case)


def _child(child: Any) -> ChildInfo:
    return ChildInfo(
        child.name,
        child.supervisor,
        _word(child.kind),
        _word(child.state),
        Restart[child.restart.name],
        _shutdown_from(child.shutdown),
        child.significant,
        child.restarts,
        child.last_exit,
    )


class WitSupervision:
    """Fits the protocol `Supervision` of `supervision.py`."""

    @_now
    def start_child(self, supervisor: str | None, child: ChildSpec) -> None:
        restart = wit.Restart[child.restart.name]
        shutdown = _shutdown_to(child.shutdown)
        spec = wit.ChildSpec(child.name, child.plugin, child.args, restart, shutdown, child.significant)
        wit.start_child(supervisor, spec)

    @_now
    def terminate_child(self, child: str) -> None:
        wit.terminate_child(child)

    @_now
    def restart_child(self, child: str) -> None:
        wit.restart_child(child)

    @_now
    def delete_child(self, child: str) -> None:
        wit.delete_child(child)

    @_now
    def which_children(self, supervisor: str | None) -> list[ChildInfo]:
        return [_child(child) for child in wit.which_children(supervisor)]

    @_now
    def count_children(self, supervisor: str | None) -> Counts:
        counts = wit.count_children(supervisor)
        return Counts(counts.specs, counts.active, counts.supervisors, counts.workers)

    def whereis(self, actor: str) -> str | None:
        phase = wit.whereis(actor)
        return None if phase is None else _word(phase)

    @_now
    def members(self, group: str) -> list[str]:
        return wit.members(group)

    def attribute(self, actor: str, key: str) -> str | None:
        return wit.attribute(actor, key)

    @_now
    def having(self, key: str, value: str) -> list[str]:
        return wit.having(key, value)

    @_effect
    def link(self, actor: str) -> None:
        wit.link(actor)

    @_effect
    def unlink(self, actor: str) -> None:
        wit.unlink(actor)

    @_effect
    def exit(self, actor: str, reason: str) -> None:
        wit.exit(actor, reason)

    @_effect
    def join(self, group: str) -> None:
        wit.join(group)

    @_effect
    def leave(self, group: str) -> None:
        wit.leave(group)

    @_effect
    def dispatch(self, group: str, body: bytes) -> None:
        wit.dispatch(group, body)

    @_effect
    def set_attribute(self, key: str, value: str | None) -> None:
        wit.set_attribute(key, value)
