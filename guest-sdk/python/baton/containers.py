"""Shapes that hold other shapes: options, lists, sets, tuples, dicts and dataclasses."""

from __future__ import annotations

from dataclasses import MISSING
from typing import Any

from .mismatch import Mismatch, told
from .postcard import Reader, Writer
from .shapes import Int, Shape


class Option(Shape):
    """A value, or None."""

    def __init__(self, some: Shape) -> None:
        self.some = some
        self.name = f"{some.name} or null"

    def from_json(self, value: Any, strict: bool) -> Any:
        return None if value is None else self.some.from_json(value, strict)

    def to_json(self, value: Any) -> Any:
        return None if value is None else self.some.to_json(value)

    def read(self, data: Reader) -> Any:
        return self.some.read(data) if data.some() else None

    def write(self, out: Writer, value: Any) -> None:
        if out.some(value):
            self.some.write(out, value)

    def tell(self, records: dict[str, str]) -> str:
        return self.some.tell(records) + "?"

    def parts(self) -> list[Shape]:
        return [self.some]


class Sequence(Shape):
    """Any number of values of one shape: a list, a tuple, or a set, which is written in order."""

    def __init__(self, item: Shape, kind: type) -> None:
        self.item = item
        self.kind: Any = kind
        self.sorted = kind in (set, frozenset)
        self.name = "a list" if kind is list else f"a list (for a {kind.__name__})"

    def from_json(self, value: Any, strict: bool) -> Any:
        if type(value) is not list:
            raise self._not(value)
        made = []
        read = self.item.from_json
        try:
            for item in value:
                made.append(read(item, strict))
        except Mismatch as mismatch:
            raise mismatch.within(f"[{len(made)}]") from None
        return self._made(made)

    def to_json(self, value: Any) -> list[Any]:
        made: list[Any] = []
        write = self.item.to_json
        try:
            for item in self._items(value):
                made.append(write(item))
        except Mismatch as mismatch:
            raise mismatch.within(f"[{len(made)}]") from None
        return made

    def read(self, data: Reader) -> Any:
        return self._made([self.item.read(data) for _ in range(data.count())])

    def write(self, out: Writer, value: Any) -> None:
        items = self._items(value)
        out.varint(len(items), 32)
        for place, item in enumerate(items):
            try:
                self.item.write(out, item)
            except Mismatch as mismatch:
                raise mismatch.within(f"[{place}]") from None

    def _made(self, items: list[Any]) -> Any:
        if self.kind is list:
            return items
        made = self.kind(items)
        if len(made) != len(items):
            raise Mismatch("expected a set, found an entry twice")
        return made

    def _items(self, value: Any) -> Any:
        if not isinstance(value, self.kind):
            raise Mismatch(f"expected a {self.kind.__name__}, found {told(value)}")
        return sorted(value, key=self.item.to_json) if self.sorted else value

    def tell(self, records: dict[str, str]) -> str:
        item = self.item.tell(records)
        return f"{{{item}}}" if self.sorted else f"[{item}]"

    def parts(self) -> list[Shape]:
        return [self.item]


class Fixed(Shape):
    """A tuple of so many values, each of its own shape."""

    def __init__(self, items: list[Shape]) -> None:
        self.items = items
        self.name = f"a list of {len(items)}"

    def from_json(self, value: Any, strict: bool) -> tuple[Any, ...]:
        if type(value) is not list or len(value) != len(self.items):
            raise self._not(value)
        return tuple(self._each(value, lambda shape, item: shape.from_json(item, strict)))

    def to_json(self, value: Any) -> list[Any]:
        return self._each(self._tuple(value), lambda shape, item: shape.to_json(item))

    def read(self, data: Reader) -> tuple[Any, ...]:
        return tuple([shape.read(data) for shape in self.items])

    def write(self, out: Writer, value: Any) -> None:
        self._each(self._tuple(value), lambda shape, item: shape.write(out, item))

    def _tuple(self, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, tuple) or len(value) != len(self.items):
            raise Mismatch(f"expected a tuple of {len(self.items)}, found {told(value)}")
        return value

    def _each(self, value: Any, do: Any) -> list[Any]:
        made: list[Any] = []
        try:
            for shape, item in zip(self.items, value):
                made.append(do(shape, item))
        except Mismatch as mismatch:
            raise mismatch.within(f"[{len(made)}]") from None
        return made

    def tell(self, records: dict[str, str]) -> str:
        return f"({', '.join(shape.tell(records) for shape in self.items)})"

    def parts(self) -> list[Shape]:
        return self.items


class Dict(Shape):
    """A dict, kept in its order. In JSON its keys are texts, or integers written as texts."""

    name = "an object"

    def __init__(self, key: Shape, value: Shape) -> None:
        self.key, self.value = key, value

    def from_json(self, value: Any, strict: bool) -> dict[Any, Any]:
        if type(value) is not dict:
            raise self._not(value)
        made = {}
        read = self.value.from_json
        for name, item in value.items():
            try:
                made[self._key(name)] = read(item, strict)
            except Mismatch as mismatch:
                raise mismatch.within(f"[{told(name)}]") from None
        return made

    def _key(self, name: str) -> Any:
        if isinstance(self.key, Int):
            try:
                number = int(name)
            except ValueError:
                number = None
            if number is None or str(number) != name:
                raise Mismatch(f"expected {self.key.name} as a key")
            return self.key.from_json(number, True)
        return self.key.from_json(name, True)

    def to_json(self, value: Any) -> dict[str, Any]:
        made = {}
        write, key = self.value.to_json, self.key.to_json
        for name, item in self._dict(value).items():
            try:
                made[str(key(name))] = write(item)
            except Mismatch as mismatch:
                raise mismatch.within(f"[{told(name)}]") from None
        return made

    def read(self, data: Reader) -> dict[Any, Any]:
        made = {}
        for _ in range(data.count()):
            name = self.key.read(data)
            if name in made:
                raise Mismatch(f"the key {told(name)} is there twice")
            made[name] = self.value.read(data)
        return made

    def write(self, out: Writer, value: Any) -> None:
        out.varint(len(self._dict(value)), 32)
        for name, item in value.items():
            try:
                self.key.write(out, name)
                self.value.write(out, item)
            except Mismatch as mismatch:
                raise mismatch.within(f"[{told(name)}]") from None

    def _dict(self, value: Any) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise Mismatch(f"expected a dict, found {told(value)}")
        return value

    def tell(self, records: dict[str, str]) -> str:
        return f"{{{self.key.tell(records)}: {self.value.tell(records)}}}"

    def parts(self) -> list[Shape]:
        return [self.key, self.value]


class Record(Shape):
    """A dataclass: an object in JSON, its fields one after the other in postcard."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.name = cls.__name__
        self.fields: list[tuple[str, Shape]] = []
        self.defaults: dict[str, Any] = {}

    def from_json(self, value: Any, strict: bool) -> Any:
        if type(value) is not dict:
            raise Mismatch(f"expected an object ({self.name}), found {told(value)}")
        made = {}
        for name, shape in self.fields:
            if name not in value:
                if strict or self.defaults[name] is MISSING:
                    raise Mismatch(f"the field `{name}` of {self.name} is missing")
                continue
            try:
                made[name] = shape.from_json(value[name], strict)
            except Mismatch as mismatch:
                raise mismatch.within(name) from None
        if len(made) != len(value):
            known = ", ".join(f"`{name}`" for name, _ in self.fields)
            for name in value:
                if name not in made:
                    raise Mismatch(f"{self.name} has no field {told(name)}, only {known}")
        return self._made(made)

    def to_json(self, value: Any) -> dict[str, Any]:
        self._check(value)
        made = {}
        for name, shape in self.fields:
            try:
                made[name] = shape.to_json(getattr(value, name))
            except Mismatch as mismatch:
                raise mismatch.within(name) from None
        return made

    def read(self, data: Reader) -> Any:
        made = {}
        for name, shape in self.fields:
            try:
                made[name] = shape.read(data)
            except Mismatch as mismatch:
                raise mismatch.within(name) from None
        return self._made(made)

    def write(self, out: Writer, value: Any) -> None:
        self._check(value)
        for name, shape in self.fields:
            try:
                shape.write(out, getattr(value, name))
            except Mismatch as mismatch:
                raise mismatch.within(name) from None

    def _made(self, fields: dict[str, Any]) -> Any:
        try:
            return self.cls(**fields)
        except Mismatch:
            raise
        except ValueError as error:  # a `__post_init__` that checks
            raise Mismatch(f"{self.name}: {error}") from None

    def _check(self, value: Any) -> None:
        if type(value) is not self.cls:
            raise self._not(value)

    def tell(self, records: dict[str, str]) -> str:
        if self.name not in records:
            records[self.name] = ""  # it may hold itself
            fields = ", ".join(f"{name}: {shape.tell(records)}" for name, shape in self.fields)
            records[self.name] = f"{self.name} {{ {fields} }}" if fields else f"{self.name} {{}}"
        return self.name

    def parts(self) -> list[Shape]:
        return [shape for _, shape in self.fields]
