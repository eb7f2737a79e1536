"""JSON text, read strictly: UTF-8, no NaN or infinity, no lone surrogates, and nested only so deep.

The depth is looked at before Python's own reader is let loose: that one recurses in C, and under WebAssembly a body of
some thousand brackets would exhaust the stack, which ends the instance.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
import re
from typing import Any

from .mismatch import Mismatch

MESSAGE_DEPTH = 128
"""Most nested arrays and objects in a message or reply that is read."""
STATE_DEPTH = 256
"""Most nested arrays and objects in a state, read or written."""

# Possessive, so that nothing is looked at twice; the last quote may be missing, which the reader proper complains of.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_BRACKET = re.compile(r"[^\[\]{}]+")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def loads(body: bytes, depth: int = MESSAGE_DEPTH) -> Any:
    """Reads a whole body. Raises `Mismatch`, which says what is wrong and where."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Mismatch(f"not UTF-8: byte {error.start} of {len(body)}") from None
    _check_depth(text, depth)
    try:
        value = json.loads(text, parse_float=_finite, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        if not text.strip():
            raise Mismatch("no JSON: it is empty") from None
        # The text itself may be long, and a secret: its place alone is told.
        raise Mismatch(f"no JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except ValueError as error:
        raise Mismatch(f"no JSON: {error}") from None
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise Mismatch("a \\u escape that is half a character") from None
    return value


def dumps(value: Any, depth: int | None = None) -> bytes:
    """Writes a value: dataclasses as objects, enums by their values, sets as sorted lists, bytes as base64. Raises
    `Mismatch` for what cannot be written."""
    try:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_other)
        body = text.encode("utf-8")
    except UnicodeEncodeError:
        raise Mismatch("a text holds half a character (a lone surrogate)") from None
    except (TypeError, ValueError) as error:
        raise Mismatch(str(error)) from None
    except RecursionError:
        raise Mismatch("it is nested too deeply") from None
    if depth is not None:
        _check_depth(text, depth)
    return body


def _other(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"a value of the type {type(value).__name__} has no form in JSON")


def _check_depth(text: str, most: int) -> None:
    if text.count("[") + text.count("{") <= most:
        return
    depth = 0
    for run in _NO_BRACKET.sub("", _STRING.sub("", text)):
        if run in "[{":
            depth += 1
            if depth > most:
                raise Mismatch(f"nested deeper than {most}")
        else:
            depth -= 1


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0.0:  # infinity
        raise ValueError(f"the number {text[:40]} is out of range")
    return number


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON")
