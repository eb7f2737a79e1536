"""What an exception that is no failure leaves behind: a line in the log. The trap follows in `app.py`."""

from __future__ import annotations

import traceback
from types import TracebackType

MOST = 6_000
"""Characters of a traceback that are kept, from its end: a line of the host's log has 8,192 bytes."""

project = ""
"""Where the plugin's own files lay when it was built, as componentize-py showed it to the interpreter."""


def told(error: BaseException) -> tuple[str, list[tuple[str, str]]]:
    """The message and the fields of the line."""
    message = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, ModuleNotFoundError):
        message += " (modules are there as far as they were imported when the plugin was built: import at the top)"
    trace = _here("".join(traceback.format_exception(type(error), error, _from_the_author(error))).strip())
    if len(trace) > MOST:
        trace = "… " + trace[-MOST:]
    frames = traceback.extract_tb(error.__traceback__)
    location = f"{frames[-1].filename}:{frames[-1].lineno}".removeprefix(project) if frames else ""
    return f"exception: {message[:1_000]}", [("location", location), ("traceback", trace)]


def _from_the_author(error: BaseException) -> TracebackType | None:
    """The traceback without the SDK's own frames at its beginning."""
    sdk = __file__.rpartition("/")[0] + "/"
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(sdk):
        trace = trace.tb_next
    return trace or error.__traceback__


def _here(trace: str) -> str:
    return trace.replace(f'File "{project}', 'File "')


def text(value: str) -> str:
    """A text as the host takes it: half characters (lone surrogates) are replaced."""
    try:
        value.encode("utf-8")
        return value
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("utf-8")
