"""Write Baton plugins in Python: see README.md."""

from .actor import Actor, message, migration, way_back
from .cx import Cx
from .definition import plugin
from .encoding import read_json, read_postcard, write_json, write_postcard
from .errors import (
    BadMessage,
    CallError,
    Corrupt,
    Failure,
    Incompatible,
    Refusal,
    SendError,
    Stale,
    SupervisionError,
    Unavailable,
)
from .introspect import I8, I16, I32, I64, I128, U8, U16, U32, U64, U128, Range, transient
from .postcard import Reader, Writer
from .types import STOP_REASONS, Leave, Level, Origin, Predecessor

__all__ = [
    "Actor",
    "BadMessage",
    "CallError",
    "Corrupt",
    "Cx",
    "Failure",
    "I128",
    "I16",
    "I32",
    "I64",
    "I8",
    "Incompatible",
    "Leave",
    "Level",
    "Origin",
    "Predecessor",
    "Range",
    "Reader",
    "Refusal",
    "STOP_REASONS",
    "SendError",
    "Stale",
    "SupervisionError",
    "U128",
    "U16",
    "U32",
    "U64",
    "U8",
    "Unavailable",
    "Writer",
    "message",
    "migration",
    "plugin",
    "read_json",
    "read_postcard",
    "transient",
    "way_back",
    "write_json",
    "write_postcard",
]
