"""A value of a type as bytes, as JSON and as postcard: what states are written with, and what migrations can use that
are given bytes."""

from __future__ import annotations

from typing import Any

from . import strict_json
from .introspect import no_postcard, shape_of
from .mismatch import Mismatch
from .postcard import Reader, Writer
from .shapes import Shape


class Json:
    """JSON by the names of fields."""

    name = "json"

    @staticmethod
    def why_not(shape: Shape) -> str | None:
        return None

    @staticmethod
    def write(shape: Shape, value: Any) -> bytes:
        return strict_json.dumps(shape.to_json(value), strict_json.STATE_DEPTH)

    @staticmethod
    def read(shape: Shape, data: bytes) -> Any:
        return shape.from_json(strict_json.loads(data, strict_json.STATE_DEPTH), True)


class Postcard:
    """postcard: the values of fields in their order, without names."""

    name = "postcard"

    @staticmethod
    def why_not(shape: Shape) -> str | None:
        return no_postcard(shape)

    @staticmethod
    def write(shape: Shape, value: Any) -> bytes:
        out = Writer()
        shape.write(out, value)
        return out.finish()

    @staticmethod
    def read(shape: Shape, data: bytes) -> Any:
        reader = Reader(data)
        try:
            value = shape.read(reader)
        except RecursionError:
            raise Mismatch("nested too deeply") from None
        reader.finish()
        return value


ENCODINGS: dict[str, type[Json] | type[Postcard]] = {"json": Json, "postcard": Postcard}


def read_json(type: Any, data: bytes) -> Any:
    """A value of this type from JSON; `ValueError` where there is none."""
    return Json.read(shape_of(type), data)


def write_json(type: Any, value: Any) -> bytes:
    """A value of this type as JSON."""
    return Json.write(shape_of(type), value)


def read_postcard(type: Any, data: bytes) -> Any:
    """A value of this type from postcard's bytes; `ValueError` where there is none."""
    return Postcard.read(shape_of(type), data)


def write_postcard(type: Any, value: Any) -> bytes:
    """A value of this type in postcard's bytes."""
    return Postcard.write(shape_of(type), value)
