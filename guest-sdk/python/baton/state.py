"""State as bytes, and the chain of migrations between layouts."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from .actor import Actor
from .containers import Record
from .encoding import ENCODINGS
from .errors import Corrupt, Failure, Incompatible, Refusal
from .introspect import hints_of, layout, shape_of
from .mismatch import Mismatch
from .shapes import Anything, Shape
from .types import State


@dataclass
class Step:
    """From one layout towards another: what it takes, and what it does."""

    schema: int
    function: Callable[[Any], Any]
    shape: Shape | None
    """None: it takes the bytes."""
    gives: Any
    """The annotation of its result, if there is one."""


class Layouts:
    """All layouts that a plugin reads, and the one that it writes."""

    def __init__(self, actor: type[Actor], state_type: Any, schema: int, encoding: str) -> None:
        if type(schema) is not int or not 0 <= schema < 1 << 32:
            raise TypeError(f"schema={schema!r}: a number from 0 to {(1 << 32) - 1}")
        self.actor = actor
        self.schema = schema
        self.own = actor.encode is not Actor.encode
        if self.own != (actor.decode is not Actor.decode):
            raise TypeError("`encode` and `decode` are overridden together, or not at all")
        self.encoding = ENCODINGS[encoding]
        self.shape: Shape | None = None if self.own else self._shape("the state", state_type)
        self.older = self._steps("__baton_migration__")
        self.newer = self._steps("__baton_way_back__")
        self._check_chain()

    def range(self) -> tuple[int, int]:
        """Oldest and newest schema that is read."""
        return min(self.older, default=self.schema), max(self.newer, default=self.schema)

    def tell(self) -> dict[int, str]:
        """Every layout in text, by its schema; those that are read as bytes or as any JSON tell no more than that."""
        told = {step.schema: "bytes" if step.shape is None else layout(step.shape) for step in self._all_steps()}
        told[self.schema] = "bytes" if self.shape is None else layout(self.shape)
        return dict(sorted(told.items()))

    def save(self, state: Any) -> State:
        """Writes a state."""
        try:
            return State(self.schema, self._written(state))
        except Mismatch as mismatch:
            raise Failure("not-encodable", f"the state cannot be written: {mismatch}") from None

    def _written(self, state: Any) -> bytes:
        if self.shape is not None:
            return self.encoding.write(self.shape, state)
        data = self.actor.encode(state)
        if not isinstance(data, (bytes, bytearray)):
            raise Mismatch(f"`encode` gave {type(data).__name__}, not bytes")
        return bytes(data)

    def load(self, instance: Actor, state: State, warn: Callable[[str, str], None]) -> Any:
        """Brings a state of any layout that is read to the current one, and checks it.

        Whatever goes wrong here is the state's fault until someone knows better: it is refused and kept. `warn` is told
        of exceptions that look like a mistake in the plugin.
        """
        schema = state.schema
        if schema != self.schema and schema not in self.older and schema not in self.newer:
            oldest, newest = self.range()
            raise Incompatible(f"schema {schema} is not among {oldest} to {newest}")
        if schema in self.newer:
            value = self._go_back(self.newer[schema], state.data, warn)
        elif schema in self.older:
            value = self._migrate(schema, state.data, warn)
        else:
            value = self._try(schema, warn, "its bytes do not decode", lambda: self._decode(state.data))
        self._try(schema, warn, "it breaks a rule", lambda: instance.validate(value))
        return value

    def _decode(self, data: bytes) -> Any:
        return self.actor.decode(data) if self.shape is None else self.encoding.read(self.shape, data)

    def _migrate(self, schema: int, data: bytes, warn: Callable[[str, str], None]) -> Any:
        first = self.older[schema]
        value = self._try(schema, warn, "its bytes do not decode", lambda: self._first(first, data))
        for number in range(schema, self.schema):
            step = self.older[number]
            following = self.older.get(number + 1)
            after = following.shape if following else self.shape
            what = f"schema {number} does not become {number + 1}"
            value = self._try(schema, warn, what, partial(self._step, step, value, after))
        self._try(schema, warn, f"it does not become {self.schema}", lambda: self._written(value))
        return value

    def _go_back(self, step: Step, data: bytes, warn: Callable[[str, str], None]) -> Any:
        value = self._try(step.schema, warn, "its bytes do not decode", lambda: self._first(step, data))
        try:
            made = self._fit(step.function(value), self.shape)
            self._written(made)
            return made
        except Refusal:
            raise
        except Exception as error:
            # The state is in order, and the version that wrote it still reads it.
            self._warn(error, warn)
            raise Incompatible(
                f"state of schema {step.schema}: there is no way back to {self.schema}: {_told(error)}"
            ) from None

    def _first(self, step: Step, data: bytes) -> Any:
        return data if step.shape is None else self.encoding.read(step.shape, data)

    def _step(self, step: Step, value: Any, after: Shape | None) -> Any:
        return self._fit(step.function(value), after)

    @staticmethod
    def _fit(value: Any, shape: Shape | None) -> Any:
        """What a step gave, as the next one takes it: a JSON value is read as the dataclass that is wanted."""
        if isinstance(shape, Record) and isinstance(value, dict):
            return shape.from_json(value, True)
        if isinstance(shape, Record) and type(value) is not shape.cls:
            raise Mismatch(f"the migration gave {type(value).__name__}, and {shape.name} is what follows")
        return value

    def _try(self, schema: int, warn: Callable[[str, str], None], what: str, do: Callable[[], Any]) -> Any:
        try:
            return do()
        except Refusal:
            raise
        except Exception as error:
            self._warn(error, warn)
            raise Corrupt(f"state of schema {schema}: {what}: {_told(error)}") from None

    @staticmethod
    def _warn(error: Exception, warn: Callable[[str, str], None]) -> None:
        if not isinstance(error, ValueError):
            warn("a state is refused over an exception", "".join(traceback.format_exception(error)))

    def _shape(self, what: str, annotation: Any) -> Shape:
        shape = shape_of(annotation)
        why = self.encoding.why_not(shape)
        if why is not None:
            raise TypeError(f"{what}: {why}")
        return shape

    def _steps(self, mark: str) -> dict[int, Step]:
        steps: dict[int, Step] = {}
        for name in dict.fromkeys(name for cls in reversed(self.actor.__mro__) for name in vars(cls)):
            function = getattr(self.actor, name)
            schema = getattr(function, mark, None)
            if schema is None:
                continue
            if schema in steps:
                raise TypeError(f"two functions take a state of schema {schema}")
            given = list(inspect.signature(function).parameters)
            if len(given) != 1:
                raise TypeError(f"`{name}` takes ({', '.join(given)}): a migration takes the older state alone")
            hints = hints_of(function)
            annotation = hints.get(given[0], Any)
            if annotation is dict:
                annotation = Any
            shape: Shape | None
            if annotation is bytes:
                shape = None
            elif annotation is Any and self.encoding is ENCODINGS["json"]:
                shape = Anything()
            else:
                shape = self._shape(f"`{name}`", annotation)
            steps[schema] = Step(schema, function, shape, hints.get("return"))
        return dict(sorted(steps.items()))

    def _all_steps(self) -> list[Step]:
        return [*self.older.values(), *self.newer.values()]

    def _check_chain(self) -> None:
        older = list(self.older)
        if older and older != list(range(older[0], self.schema)):
            raise TypeError(
                f"schema={self.schema} with migrations from {', '.join(map(str, older))}: they must lead up to it "
                f"without a gap"
            )
        newer = list(self.newer)
        if newer and newer != list(range(self.schema + 1, self.schema + 1 + len(newer))):
            raise TypeError(
                f"ways back from {', '.join(map(str, newer))}: they must follow schema={self.schema} without a gap"
            )
        for step in self.older.values():
            following = self.older.get(step.schema + 1)
            if following is not None and following.shape is None:
                raise TypeError(
                    f"the migration from {following.schema} takes bytes, and would be given a value by the one before"
                )
            after = following.shape if following else self.shape
            gives = step.gives
            if isinstance(after, Record) and isinstance(gives, type) and gives not in (dict, after.cls):
                raise TypeError(
                    f"the migration from {step.schema} gives {gives.__name__}, and {after.name} is what follows"
                )


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
