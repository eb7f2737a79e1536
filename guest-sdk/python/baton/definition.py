"""What a plugin is: found out once, when the class is defined. Under WebAssembly that is when the plugin is built, so
that mistakes stop the build and an instance starts with all of it done."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable
from typing import Any, TypeVar

from .actor import Actor
from .dispatch import Method, methods_of, shape_of_handle
from .errors import BadMessage, Failure
from .mismatch import Mismatch, told
from .shapes import Shape
from .state import Layouts

JSON = "application/json"
SDK = "baton-python 0.1.0"

A = TypeVar("A", bound=type[Actor])

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


class Definition:
    """A plugin, as `@plugin` says it is."""

    def __init__(
        self,
        actor: type[Actor],
        *,
        name: str,
        version: str,
        schema: int,
        messages: str,
        encoding: str,
        trap_exit: bool,
        supervision: bool,
        metadata: dict[str, str],
    ) -> None:
        self.actor = actor
        self.name = name
        self.version = version
        self.messages = messages
        self.trap_exit = trap_exit
        self.supervision = supervision
        self.metadata = {**metadata, "sdk": SDK}
        if not _NAME.fullmatch(name):
            raise TypeError(f"the name {name!r}: lower-case letters, digits, `-` and `_`, beginning with a letter")
        if not _VERSION.fullmatch(version) or len(version) > 64:
            raise TypeError(f"the version {version!r} is no semantic version, such as 1.0.0")
        for key, value in metadata.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise TypeError(f"metadata: {key!r} and its value are to be texts")
        self.state_type = _state_type(actor)
        self._check_callbacks()
        if encoding not in ("json", "postcard"):
            raise TypeError(f"encoding={encoding!r}: `json` or `postcard`, or override `encode` and `decode`")
        self.layouts = Layouts(actor, self.state_type, schema, encoding)
        self._check_fresh()
        self.methods: dict[str, Method] = methods_of(actor)
        self.message: Shape | None = shape_of_handle(actor, messages == JSON)
        if self.message is not None and self.methods:
            raise TypeError("`handle` is overridden, so that no message would come to the methods with `@message`")
        if self.message is None and messages != JSON:
            raise TypeError(f"messages of {messages} come as bytes: override `handle(self, cx, message)`")
        if self.message is None and not self.methods:
            raise TypeError(f"{actor.__name__} takes no message: mark methods with `@message`, or override `handle`")

    @property
    def json(self) -> bool:
        """Whether messages are JSON."""
        return self.messages == JSON

    def fresh(self) -> Any:
        """A state by itself, for an actor without an `init` of its own."""
        return None if self.state_type is type(None) else self.state_type()

    def refuse(self, why: str) -> BadMessage:
        """The failure for a message that the plugin does not take."""
        return BadMessage(f"{self.name} {self.version} does not take this message: {why}")

    def dispatch(self, actor: Actor, cx: Any, message: Any) -> Any:
        """Gives a message to the method that it names."""
        if type(message) is str:
            tag, body, bare = message, None, True
        elif type(message) is dict and len(message) == 1:
            ((tag, body),) = message.items()
            bare = False
        else:
            known = self._known()
            raise BadMessage(f'expected {known}, as "name" or {{"name": …}}, found {told(message)}')
        method = self.methods.get(tag)
        if method is None:
            raise BadMessage(f"unknown message {told(tag)}, expected {self._known()}")
        try:
            args, kwargs = method.arguments(body, bare)
        except Mismatch as mismatch:
            raise BadMessage(str(mismatch.within(f"`{tag}`"))) from None
        return method.function(actor, cx, *args, **kwargs)

    def _known(self) -> str:
        return " or ".join(f"`{tag}`" for tag in self.methods)

    def _check_callbacks(self) -> None:
        for name, function in inspect.getmembers(self.actor, inspect.isfunction):
            if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
                raise TypeError(f"`{name}` is `async`: an actor does one thing at a time, and waits in `cx.call`")
            base = getattr(Actor, name, None)
            if base is None or function is base or name in ("handle", "encode", "decode") or name.startswith("__"):
                continue
            expected = list(inspect.signature(base).parameters)
            taken = list(inspect.signature(function).parameters)
            if len(taken) != len(expected):
                raise TypeError(f"`{name}` takes ({', '.join(taken)}), and is called with ({', '.join(expected)})")

    def _check_fresh(self) -> None:
        if self.actor.init is not Actor.init:
            return
        try:
            self.layouts.save(self.fresh())
        except (TypeError, Failure) as error:
            raise TypeError(f"a state cannot be made without `init`: {error}") from None


def _state_type(actor: type[Actor]) -> Any:
    for cls in actor.__mro__:
        for base in getattr(cls, "__orig_bases__", ()):
            origin = typing.get_origin(base)
            if isinstance(origin, type) and issubclass(origin, Actor):
                (state,) = typing.get_args(base)[:1] or (None,)
                if state is not None and not isinstance(state, TypeVar):
                    return state
    raise TypeError(f"what is the state of {actor.__name__}? Say `class {actor.__name__}(Actor[State])`")


def plugin(
    *,
    name: str,
    version: str,
    schema: int = 1,
    messages: str = JSON,
    encoding: str = "json",
    trap_exit: bool = True,
    supervision: bool = False,
    metadata: dict[str, str] | None = None,
) -> Callable[[A], A]:
    """Makes a plugin of an actor.

    `schema`       number of the state's layout, raised by one with every change of it
    `messages`     media type of message bodies; for any but JSON `handle` is given bytes
    `encoding`     how the state is written: `json`, or `postcard`, which other languages share
    `trap_exit`    whether `terminate` and `exit` are called
    `supervision`  whether it uses children, links, groups and attributes; `baton build` looks for these very words,
                   `supervision=True`, and builds for the world `supervised-actor` where it finds them
    `metadata`     further facts by name, such as `license`
    """

    def define(actor: A) -> A:
        if not (isinstance(actor, type) and issubclass(actor, Actor)):
            raise TypeError("@plugin stands before a class that is an `Actor[State]`")
        actor.definition = Definition(
            actor,
            name=name,
            version=version,
            schema=schema,
            messages=messages,
            encoding=encoding,
            trap_exit=trap_exit,
            supervision=supervision,
            metadata=dict(metadata or {}),
        )
        return actor

    return define
