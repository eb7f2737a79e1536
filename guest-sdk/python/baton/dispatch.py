"""From messages to methods: which there are, and what each takes."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from .actor import Actor
from .introspect import hints_of, shape_of
from .mismatch import Mismatch, told
from .shapes import Anything, Shape


@dataclass
class Parameter:
    name: str
    shape: Shape
    optional: bool


@dataclass
class Method:
    """A method that is marked with `@message`."""

    function: Any
    parameters: list[Parameter]
    named: bool
    """Whether the message names the arguments: there are several, or they are keyword-only."""

    def arguments(self, body: Any, bare: bool) -> tuple[list[Any], dict[str, Any]]:
        """What the method is called with. `bare`: the message was the name alone."""
        if not self.parameters:
            if not bare and body is not None:
                raise Mismatch(f"expected nothing with it, found {told(body)}")
            return [], {}
        if bare:
            if not all(parameter.optional for parameter in self.parameters):
                raise Mismatch(f"expected {self._wanted()} with it, found its name alone")
            return [], {}
        if not self.named:
            return [self.parameters[0].shape.from_json(body, False)], {}
        if type(body) is not dict:
            raise Mismatch(f"expected {self._wanted()}, found {told(body)}")
        made = {}
        for parameter in self.parameters:
            if parameter.name not in body:
                if not parameter.optional:
                    raise Mismatch(f"`{parameter.name}` is missing, expected {self._wanted()}")
                continue
            try:
                made[parameter.name] = parameter.shape.from_json(body[parameter.name], False)
            except Mismatch as mismatch:
                raise mismatch.within(parameter.name) from None
        for name in body:
            if name not in made:
                raise Mismatch(f"nothing is known of {told(name)}, expected {self._wanted()}")
        return [], made

    def _wanted(self) -> str:
        if not self.named:
            return self.parameters[0].shape.name
        return "an object of " + ", ".join(f"`{parameter.name}`" for parameter in self.parameters)


def methods_of(actor: type[Actor]) -> dict[str, Method]:
    """The marked methods of a class, by the name in the message."""
    methods: dict[str, Method] = {}
    # In the order of their definition, which is the order in which errors name them.
    names = dict.fromkeys(name for cls in reversed(actor.__mro__) for name in vars(cls))
    for name in names:
        function = getattr(actor, name)
        tag = getattr(function, "__baton_message__", None)
        if tag is None:
            continue
        if tag in methods:
            raise TypeError(f"two methods take the message `{tag}`")
        if hasattr(Actor, name) or name in Actor.__annotations__:
            raise TypeError(
                f"`{name}` is what the host calls: give the message's method another name, and the message "
                f'its own by `@message("{tag}")`'
            )
        methods[tag] = _method(name, function)
    return methods


def _method(name: str, function: Any) -> Method:
    hints = hints_of(function)
    given = list(inspect.signature(function).parameters.values())
    if len(given) < 2 or given[1].name != "cx":
        raise TypeError(f"`{name}` is to take `self, cx` and then what the message brings")
    parameters, named = [], len(given) > 3
    for parameter in given[2:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"`{name}` takes *{parameter.name}: messages have fixed arguments")
        named = named or parameter.kind is parameter.KEYWORD_ONLY
        try:
            shape = shape_of(hints[parameter.name]) if parameter.name in hints else Anything()
        except TypeError as error:
            raise TypeError(f"`{name}`, {parameter.name}: {error}") from None
        parameters.append(Parameter(parameter.name, shape, parameter.default is not parameter.empty))
    return Method(function, parameters, named)


def shape_of_handle(actor: type[Actor], json: bool) -> Shape | None:
    """What an overridden `handle` takes, by the annotation of `message`; None where it is not overridden."""
    if actor.handle is Actor.handle:
        return None
    given = list(inspect.signature(actor.handle).parameters)
    if len(given) != 3:
        raise TypeError(f"`handle` takes ({', '.join(given)}), and is called with (self, cx, message)")
    if not json:
        return Anything()
    hints = hints_of(actor.handle)
    return shape_of(hints[given[2]]) if given[2] in hints else Anything()
