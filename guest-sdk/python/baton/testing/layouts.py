"""The layouts of all schemas that a plugin reads, held to what they were."""

from __future__ import annotations

import json

from ..actor import Actor


def layouts(actor: type[Actor]) -> dict[int, str]:
    """Every layout in text, by its schema."""
    return actor.definition.layouts.tell()


def assert_layouts(actor: type[Actor], expected: dict[int, str]) -> None:
    """Fails where a layout is not what it was: states that were written before would not be read. With an empty dict it
    says what to paste."""
    found = layouts(actor)
    if found == expected:
        return
    definition = actor.definition
    lines = [f"{definition.name} {definition.version}:"]
    for schema in sorted(found.keys() | expected.keys()):
        was, now = expected.get(schema), found.get(schema)
        if was == now:
            continue
        if was is None:
            lines.append(f"schema {schema} is not in the test; add:\n    {schema}: {json.dumps(now)},")
        elif now is None:
            lines.append(f"schema {schema} is in the test, and is no longer read")
        else:
            gone = [f"  - {line}" for line in was.splitlines() if line not in now.splitlines()]
            come = [f"  + {line}" for line in now.splitlines() if line not in was.splitlines()]
            lines += [f"the layout of schema {schema} has changed:", *gone, *come]
            lines.append(
                f"States that were written before would not be read. Leave its line as it is; raise `schema` to "
                f"{schema + 1}, keep the dataclass as it was under another name, and add a `@migration({schema})`."
            )
    raise AssertionError("\n".join(lines))
