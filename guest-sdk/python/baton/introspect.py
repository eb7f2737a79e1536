"""From type annotations to shapes."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from dataclasses import MISSING, dataclass
from typing import Annotated, Any

from .containers import Dict, Fixed, Option, Record, Sequence
from .shapes import Anything, Bool, Bytes, Float, Int, Null, OneOf, Shape, Str


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both included: `Annotated[int, Range(1, 100)]`, `Annotated[float, Range(0, None)]`."""

    low: float | None = None
    high: float | None = None
    bits: int = 0
    """The size in postcard, where it is one of 8, 16, 32, 64 or 128."""


def _unsigned(bits: int) -> Range:
    return Range(0, (1 << bits) - 1, bits)


def _signed(bits: int) -> Range:
    return Range(-(1 << bits - 1), (1 << bits - 1) - 1, bits)


U8 = Annotated[int, _unsigned(8)]
U16 = Annotated[int, _unsigned(16)]
U32 = Annotated[int, _unsigned(32)]
U64 = Annotated[int, _unsigned(64)]
U128 = Annotated[int, _unsigned(128)]
I8 = Annotated[int, _signed(8)]
I16 = Annotated[int, _signed(16)]
I32 = Annotated[int, _signed(32)]
I64 = Annotated[int, _signed(64)]
I128 = Annotated[int, _signed(128)]


def hints_of(where: Any) -> dict[str, Any]:
    """The annotations of a class or a function, as types."""
    try:
        return typing.get_type_hints(where, include_extras=True)
    except NameError as error:
        name = getattr(where, "__qualname__", where)
        raise TypeError(
            f"{name}: {error}: its annotations are read when the plugin is built, so import it there"
        ) from None


TRANSIENT = "baton.transient"


def transient(default_factory: Any) -> Any:
    """A field of a state that is not kept: `cache: dict = transient(dict)`. A state that is taken over has it as the
    factory makes it."""
    return dataclasses.field(default_factory=default_factory, metadata={TRANSIENT: True})


_SCALARS: dict[Any, type[Shape]] = {
    Any: Anything,
    object: Anything,
    None: Null,
    type(None): Null,
    bool: Bool,
    int: Int,
    float: Float,
    str: Str,
    bytes: Bytes,
}


def shape_of(annotation: Any, records: dict[type, Record] | None = None) -> Shape:
    """The shape that a type says. Raises `TypeError` for a type that has none."""
    records = {} if records is None else records
    if type(annotation).__name__ == "TypeAliasType":  # `type Name = …`, of Python 3.12 and later
        annotation = annotation.__value__
    try:
        if annotation in _SCALARS:
            return _SCALARS[annotation]()
    except TypeError:  # not hashable, so no type either
        raise TypeError(f"{annotation!r} is no type") from None
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        return _annotated(args[0], args[1:], records)
    if origin in (typing.Union, types.UnionType):
        some = [arg for arg in args if arg is not type(None)]
        if len(some) == 1:
            return _option(shape_of(some[0], records))
        raise TypeError(f"{annotation} may be of several types: only `X | None` has a shape")
    if origin is typing.Literal:
        return OneOf([(value, _scalar(value)) for value in args], "one of " + ", ".join(map(repr, args)))
    if annotation in (list, dict, set, frozenset, tuple):
        name = annotation.__name__
        raise TypeError(f"`{name}` alone says nothing of what is in it: `{name}[…]`, or `Any` where it may be anything")
    if origin is list:
        return Sequence(shape_of(args[0], records), list)
    if origin in (set, frozenset):
        item = shape_of(args[0], records)
        if not isinstance(item, (Int, Float, Str, Bytes, OneOf)):
            raise TypeError(f"{annotation}: only numbers, texts, bytes and enums are kept in sets")
        return Sequence(item, origin)
    if origin is tuple:
        if len(args) == 2 and args[1] is ...:
            return Sequence(shape_of(args[0], records), tuple)
        return Fixed([shape_of(arg, records) for arg in args if arg != ()])
    if origin is dict:
        key = shape_of(args[0], records)
        if not isinstance(key, (Str, Int)) and not (isinstance(key, OneOf) and _texts(key)):
            raise TypeError(f"{annotation}: the keys of a dict are texts or integers")
        return Dict(key, shape_of(args[1], records))
    if isinstance(annotation, type):
        if issubclass(annotation, enum.Enum):
            return OneOf([(member, _scalar(member.value)) for member in annotation], annotation.__name__)
        if dataclasses.is_dataclass(annotation):
            return _record(annotation, records)
    raise TypeError(f"{_name(annotation)} has no shape: take a dataclass, or one of the types that `baton` knows")


def _record(cls: type, records: dict[type, Record]) -> Record:
    if cls in records:
        return records[cls]
    record = records[cls] = Record(cls)
    hints = hints_of(cls)
    for field in dataclasses.fields(cls):
        if field.metadata.get(TRANSIENT) or not field.init:
            continue
        try:
            shape = shape_of(hints[field.name], records)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}.{field.name}: {error}") from None
        record.fields.append((field.name, shape))
        has = field.default is not MISSING or field.default_factory is not MISSING
        record.defaults[field.name] = True if has else MISSING
    return record


def _annotated(annotation: Any, metadata: tuple[Any, ...], records: dict[type, Record]) -> Shape:
    shape = shape_of(annotation, records)
    for note in metadata:
        if not isinstance(note, Range):
            continue
        if isinstance(shape, Int):
            shape = Int(note.low, note.high, note.bits)  # type: ignore[arg-type]
        elif isinstance(shape, Float):
            shape = Float(note.low, note.high)
        else:
            raise TypeError(f"a Range stands at numbers, not at {shape.name}")
    return shape


def _option(some: Shape) -> Shape:
    if isinstance(some, (Option, Null)):
        raise TypeError("None twice over cannot be told apart")
    return some if isinstance(some, Anything) else Option(some)


def _scalar(value: Any) -> Any:
    if type(value) in (str, int, bool):
        return value
    if isinstance(value, (str, int)):  # of a StrEnum, an IntEnum
        return str(value) if isinstance(value, str) else int(value)
    raise TypeError(f"the value {value!r} of an enum is neither a text nor an integer")


def _texts(shape: OneOf) -> bool:
    return all(type(written) is str for _, written in shape.members)


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def no_postcard(shape: Shape, seen: set[int] | None = None) -> str | None:
    """Why a shape, or one in it, has no form in postcard; None: it has one."""
    seen = set() if seen is None else seen
    if id(shape) in seen:
        return None
    seen.add(id(shape))
    why = shape.no_postcard()
    for part in shape.parts():
        why = why or no_postcard(part, seen)
    return why


def layout(shape: Shape) -> str:
    """A shape in text, one line for each record in it: what the test of layouts compares."""
    records: dict[str, str] = {}
    first = shape.tell(records)
    return "\n".join([first, *records.values()])
