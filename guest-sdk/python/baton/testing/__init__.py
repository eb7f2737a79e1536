"""Tests of a plugin without WebAssembly or a host: an actor runs natively, through the code that its exports run
through, so that messages are decoded, states encoded, migrated and checked as they will be.

    from baton.testing import Harness
    from plugin import Counter

    actor = Harness.start(Counter)
    assert actor.call({"add": 3}) == 3
    again = Harness.resume(Counter, actor.terminate())
    assert again.call("get") == 3
"""

from .harness import Handover, Harness
from .layouts import assert_layouts, layouts
from .recorder import Called, Logged, Sent
from .scripts import play, play_all

__all__ = ["Called", "Handover", "Harness", "Logged", "Sent", "assert_layouts", "layouts", "play", "play_all"]
