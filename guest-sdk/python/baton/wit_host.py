"""The host, by the component's imports. `wit_world` is what componentize-py makes of `wit/actor.wit`; it is there in a
plugin alone."""

from __future__ import annotations

from typing import Any

from componentize_py_types import Err  # type: ignore[import-not-found]
from wit_world.imports import host  # type: ignore[import-not-found]

from .crash import text
from .errors import CallError, Failure, SendError
from .types import Level

_LEVELS = {level: host.Level(level.value) for level in Level}


def kebab(case: Any) -> str:
    """The case of a variant, by the name that componentize-py gives its class: `CallError_UnknownActor` is
    `unknown-actor`."""
    name = type(case).__name__.partition("_")[2]
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


def send_error(error: Any) -> SendError:
    return SendError(kebab(error.value), getattr(error.value, "value", ""))


def _call_error(error: Any) -> CallError:
    case = kebab(error.value)
    if case == "failed":
        failure = error.value.value
        return CallError(case, failure=Failure(failure.code, failure.message))
    return CallError(case, getattr(error.value, "value", ""))


class WitHost:
    """Fits the protocol `Host` of `cx.py`."""

    def __init__(self, supervision: Any) -> None:
        self._supervision = supervision

    def log(self, level: Level, message: str, fields: list[tuple[str, str]]) -> None:
        host.log(_LEVELS[level], text(message), [(text(name), text(value)) for name, value in fields])

    def now_ms(self) -> int:
        return host.now_ms()

    def random(self, count: int) -> bytes:
        return host.random(count)

    def remaining_ms(self) -> int | None:
        return host.remaining_ms()

    def save(self) -> None:
        host.save()

    def send(self, to: str, body: bytes) -> None:
        try:
            host.send(to, body)
        except Err as error:
            raise send_error(error) from None

    def call(self, to: str, body: bytes, timeout_ms: int) -> bytes:
        try:
            return host.call(to, body, timeout_ms)
        except Err as error:
            raise _call_error(error) from None

    def set_timer(self, name: str, after_ms: int) -> None:
        try:
            host.set_timer(name, after_ms)
        except Err as error:
            raise send_error(error) from None

    def cancel_timer(self, name: str) -> None:
        host.cancel_timer(name)

    def monitor(self, actor: str) -> None:
        try:
            host.monitor(actor)
        except Err as error:
            raise send_error(error) from None

    def demonitor(self, actor: str) -> None:
        host.demonitor(actor)

    def stop(self) -> None:
        host.stop()

    def supervision(self) -> Any:
        return self._supervision
