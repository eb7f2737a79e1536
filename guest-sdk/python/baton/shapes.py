"""The shapes of values: what a type annotation says, made into code that reads and writes it.

Each shape goes four ways: from and to JSON values, from and to postcard's bytes. A `Mismatch` says what was expected
and where. `strict` reading, of states, takes no field that is missing; reading of messages fills in the default there
is. `shape_of` in `introspect.py` makes a shape of a type; shapes that hold others are in `containers.py`.
"""

from __future__ import annotations

import base64
import binascii
import enum
import math
from typing import Any

from .mismatch import Mismatch, told
from .postcard import Reader, Writer


class Shape:
    """What all shapes have. `name` stands in errors and in told layouts."""

    name = "?"

    def from_json(self, value: Any, strict: bool) -> Any:
        raise NotImplementedError

    def to_json(self, value: Any) -> Any:
        raise NotImplementedError

    def read(self, data: Reader) -> Any:
        raise NotImplementedError

    def write(self, out: Writer, value: Any) -> None:
        raise NotImplementedError

    def tell(self, records: dict[str, str]) -> str:
        """The shape in a word; what a word for a record means goes into `records`."""
        return self.name

    def no_postcard(self) -> str | None:
        """Why this shape has no form in postcard; None: it has one."""
        return None

    def parts(self) -> list[Shape]:
        return []

    def _not(self, value: Any) -> Mismatch:
        return Mismatch(f"expected {self.name}, found {told(value)}")


def bounds(low: float | None, high: float | None) -> str:
    """` 0..1`, or nothing where there are none."""
    if low is None and high is None:
        return ""
    return f" {'' if low is None else low}..{'' if high is None else high}"


class Anything(Shape):
    """Any JSON value."""

    name = "any"

    def from_json(self, value: Any, strict: bool) -> Any:
        return value

    def to_json(self, value: Any) -> Any:
        return value

    def no_postcard(self) -> str | None:
        return "`Any` has no form in postcard: name the type"


class Null(Shape):
    name = "null"

    def from_json(self, value: Any, strict: bool) -> None:
        if value is not None:
            raise self._not(value)

    def to_json(self, value: Any) -> None:
        return self.from_json(value, True)

    def read(self, data: Reader) -> None:
        return None

    def write(self, out: Writer, value: Any) -> None:
        self.from_json(value, True)


class Bool(Shape):
    name = "bool"

    def from_json(self, value: Any, strict: bool) -> bool:
        if value is True or value is False:
            return value
        raise self._not(value)

    def to_json(self, value: Any) -> bool:
        return self.from_json(value, True)

    def read(self, data: Reader) -> bool:
        return data.bool()

    def write(self, out: Writer, value: Any) -> None:
        out.bool(self.from_json(value, True))


class Int(Shape):
    """An integer, within bounds where there are any. Python's `True` is none here."""

    def __init__(self, low: int | None = None, high: int | None = None, bits: int = 0) -> None:
        self.low, self.high, self.bits = low, high, bits
        if bits:
            self.name = f"{'i' if low else 'u'}{bits}"
        else:
            self.name = f"int{bounds(low, high)}"

    def from_json(self, value: Any, strict: bool) -> int:
        if type(value) is not int:
            raise self._not(value)
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise self._not(value)
        return value

    def to_json(self, value: Any) -> int:
        # An IntEnum or a bool would be written as something that does not read back as what it was.
        return self.from_json(value, True)

    def no_postcard(self) -> str | None:
        return None if self.bits else f"`{self.name}` has no size in postcard: say U64, I64 or another from `baton`"

    def read(self, data: Reader) -> int:
        if self.bits == 8:
            return data.i8() if self.low else data.u8()
        return data.zigzag(self.bits) if self.low else data.varint(self.bits)

    def write(self, out: Writer, value: Any) -> None:
        value = self.from_json(value, True)
        if self.bits == 8:
            (out.i8 if self.low else out.u8)(value)
        else:
            (out.zigzag if self.low else out.varint)(value, self.bits)


class Float(Shape):
    """A finite number. JSON's `3` is taken for `3.0`."""

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low, self.high = low, high
        self.name = f"float{bounds(low, high)}"

    def from_json(self, value: Any, strict: bool) -> float:
        if type(value) is int:
            try:
                value = float(value)
            except OverflowError:
                raise self._not(value) from None
        if type(value) is not float or not math.isfinite(value):
            raise self._not(value)
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise self._not(value)
        return value

    def to_json(self, value: Any) -> float:
        return self.from_json(value, True)

    def read(self, data: Reader) -> float:
        return self.from_json(data.f64(), True)

    def write(self, out: Writer, value: Any) -> None:
        out.f64(self.from_json(value, True))


class Str(Shape):
    name = "string"

    def from_json(self, value: Any, strict: bool) -> str:
        if type(value) is not str:
            raise self._not(value)
        return value

    def to_json(self, value: Any) -> str:
        return self.from_json(value, True)

    def read(self, data: Reader) -> str:
        return data.str()

    def write(self, out: Writer, value: Any) -> None:
        out.str(self.from_json(value, True))


class Bytes(Shape):
    """Bytes; base64 in JSON."""

    name = "bytes"

    def from_json(self, value: Any, strict: bool) -> bytes:
        if type(value) is not str:
            raise Mismatch(f"expected bytes in base64, found {told(value)}")
        try:
            data = base64.b64decode(value.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise Mismatch(f"expected bytes in base64, found {told(value)}") from None
        if base64.b64encode(data).decode("ascii") != value:
            raise Mismatch("expected bytes in base64 in their one form")
        return data

    def to_json(self, value: Any) -> str:
        return base64.b64encode(self._bytes(value)).decode("ascii")

    def read(self, data: Reader) -> bytes:
        return data.bytes()

    def write(self, out: Writer, value: Any) -> None:
        out.bytes(self._bytes(value))

    def _bytes(self, value: Any) -> bytes:
        if not isinstance(value, (bytes, bytearray)):
            raise self._not(value)
        return bytes(value)


class OneOf(Shape):
    """One of some values, from an `Enum` or a `Literal`: by its value in JSON, by its place in postcard."""

    def __init__(self, members: list[tuple[Any, Any]], name: str) -> None:
        self.members = members  # as Python has them, as JSON has them
        self.name = name

    def from_json(self, value: Any, strict: bool) -> Any:
        for member, written in self.members:
            if type(written) is type(value) and written == value:
                return member
        known = ", ".join(repr(written) for _, written in self.members)
        raise Mismatch(f"expected one of {known}, found {told(value)}")

    def to_json(self, value: Any) -> Any:
        return self.members[self._place(value)][1]

    def read(self, data: Reader) -> Any:
        place = data.varint(32)
        if place >= len(self.members):
            raise Mismatch(f"{self.name} has {len(self.members)} values, found the index {place}")
        return self.members[place][0]

    def write(self, out: Writer, value: Any) -> None:
        out.varint(self._place(value), 32)

    def _place(self, value: Any) -> int:
        for place, (member, _) in enumerate(self.members):
            if type(member) is type(value) and member == value:
                return place
        raise self._not(value)

    def tell(self, records: dict[str, str]) -> str:
        values = " | ".join(repr(written) for _, written in self.members)
        if self.members and isinstance(self.members[0][0], enum.Enum):
            records.setdefault(self.name, f"{self.name} {values}")
            return self.name
        return values
