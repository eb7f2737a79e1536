"""What an author hands to the host is looked at here, natively and in a plugin alike: a value of the wrong type would
otherwise be a crash of the interpreter that says little."""

from __future__ import annotations

from typing import Any

from . import strict_json
from .errors import SendError
from .mismatch import Mismatch


def text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`{what}` is to be a text, and is {type(value).__name__}")
    value.encode("utf-8")
    return value


def text_or_none(what: str, value: Any) -> str | None:
    return None if value is None else text(what, value)


def whole(what: str, value: Any) -> int:
    """A u64."""
    if type(value) is not int:
        raise TypeError(f"`{what}` is to be an integer, and is {type(value).__name__}")
    if not 0 <= value < 1 << 64:
        raise ValueError(f"`{what}` is to be from 0 to {(1 << 64) - 1}, and is {value}")
    return value


def data(what: str, value: Any) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"`{what}` is to be bytes, and is {type(value).__name__}")
    return bytes(value)


def body_of(message: Any) -> bytes:
    """A message as JSON, for what is sent."""
    try:
        return strict_json.dumps(message)
    except Mismatch as mismatch:
        raise SendError("encode", str(mismatch)) from None
