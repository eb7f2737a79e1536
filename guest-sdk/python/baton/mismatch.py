"""What is wrong with a value, and where in it."""

from __future__ import annotations


class Mismatch(ValueError):
    """A value is not of the shape that was expected. `path` leads to it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
        self.path: list[str] = []

    def within(self, step: str) -> Mismatch:
        """The same, seen from one level further out."""
        self.path.insert(0, step)
        return self

    def __str__(self) -> str:
        path = ""
        for step in self.path:
            path += step if step.startswith("[") or not path else f".{step}"
        return f"{path}: {self.why}" if path else self.why


def told(value: object) -> str:
    """A value in a message for people: short, whatever it is."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        # A number of many thousand digits is refused by Python's own conversion.
        if isinstance(value, int) and value.bit_length() > 256:
            return f"a number of {value.bit_length()} bits"
        return repr(value)
    if isinstance(value, str):
        return repr(value) if len(value) <= 40 else f"a text of {len(value)} characters"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"an object of {len(value)}"
    return f"a value of the type {type(value).__name__}"
