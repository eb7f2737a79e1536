"""Words of the contract, as plain Python values: the same in a plugin and under test."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Level(enum.Enum):
    """How bad a line of the log is."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4


class Leave(enum.Enum):
    """What `terminate` leaves to the replacement."""

    SAVE = "save"
    """The state as it stands."""
    KEEP = "keep"
    """What the store has already."""
    FORGET = "forget"
    """Nothing: the state in the store and its history are erased."""


STOP_REASONS = ("normal", "shutdown", "upgrade", "passivate", "relocate", "restart")
"""What `terminate` is told as its reason, as text. A newer host may say something else."""


@dataclass(frozen=True)
class Origin:
    """How complete a state is that was taken over. `kind` is one of

    `terminated`  the predecessor ended with it (`reason`): nothing was handled after it
    `switched`    taken from the running predecessor at a swap: nothing was handled after it
    `checkpoint`  saved while the predecessor ran; `handled_since` messages came after it, None if that is not known
    `restored`    an operator put it there
    `other`       a newer host has a word for it, in `text`
    """

    kind: str
    reason: str | None = None
    handled_since: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Predecessor:
    """Where a state that was taken over comes from."""

    schema: int
    """Layout of the state before it was migrated."""
    origin: Origin
    """How complete it is."""
    generation: int
    """Generation of the instance that wrote it."""
    written_by: str
    """Version of the plugin that wrote it."""
    age_ms: int
    """Milliseconds since it was written, by the host's clock; 0 if that clock went back."""


@dataclass(frozen=True)
class Request:
    """A message with a body, and whether someone waits for its reply."""

    id: str
    sender: str | None
    body: bytes
    expects_reply: bool


@dataclass(frozen=True)
class Timer:
    """A timer has come due."""

    name: str


@dataclass(frozen=True)
class Down:
    """An actor that this one monitors has ended."""

    actor: str
    reason: str


@dataclass(frozen=True)
class Other:
    """A message of a kind that has no case of its own."""

    kind: str
    data: bytes


@dataclass(frozen=True)
class State:
    """A state as bytes, with its schema."""

    schema: int
    data: bytes


@dataclass(frozen=True)
class Handoff:
    """What a predecessor left."""

    state: State
    origin: Origin
    generation: int
    written_by: str
    age_ms: int
