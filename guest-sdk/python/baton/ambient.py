"""What Python's own library leans on, made right for a plugin.

The interpreter is started when the plugin is built, and every instance is a copy of it as it stood then: with the
modules that had been imported, and no others. So what the library would import later, by itself, is imported here;
and `random` is seeded anew for every turn, from the host, so that no two instances draw the same numbers, and none of
the numbers is part of an instance that a handed-over state would have to bring along.
"""

from __future__ import annotations

import gc
import importlib
import linecache
import sys
from typing import Any

from .types import Level

_LATER = (
    "_strptime",  # by datetime.strptime
    *(
        f"encodings.{name}"
        for name in (
            "ascii",
            "cp1252",
            "idna",
            "latin_1",
            "punycode",
            "unicode_escape",
            "utf_16",
            "utf_32",
            "utf_8_sig",
        )
    ),
)
"""What the library imports when it is first needed."""

for _name in _LATER:
    importlib.import_module(_name)


def seeder(host: Any) -> Any:
    """A function to be called at the beginning of a turn. It does nothing in a plugin that does not import `random`."""
    random = sys.modules.get("random")
    if random is None:
        return lambda: None
    return lambda: random.seed(int.from_bytes(host.random(16), "little"))


def keep_sources() -> None:
    """Keeps the lines of the author's modules, so that tracebacks show them: the files are not there later."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if (
            file.endswith(".py")
            and not file.startswith(("/python/", "/bundled/", "/world/"))
            and not name.startswith("baton")
        ):
            lines = linecache.getlines(file)
            # Without a time of change, nobody looks whether the file has changed.
            linecache.cache[file] = (0, None, lines, file)


def settle() -> None:
    """Takes what the build has made out of the sight of the garbage collector, which would write to all of it:
    instances share those pages of memory that they do not write to."""
    gc.collect()
    gc.freeze()


def bridge_logging(host: Any) -> None:
    """Lets `logging` write to the host's log, in a plugin that imports it."""
    if "logging" not in sys.modules:
        return
    import logging

    class ToHost(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            fields = [("logger", record.name)]
            if record.exc_info:
                fields.append(("traceback", logging.Formatter().formatException(record.exc_info)))
            host.log(_level(record.levelno), record.getMessage(), fields)

    logging.raiseExceptions = False
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(ToHost())
        if root.level == logging.WARNING:
            root.setLevel(logging.INFO)


def _level(number: int) -> Level:
    if number >= 40:
        return Level.ERROR
    if number >= 30:
        return Level.WARN
    if number >= 20:
        return Level.INFO
    return Level.DEBUG if number >= 10 else Level.TRACE
