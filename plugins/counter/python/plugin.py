"""Counts. Takes "get", {"add": 3} and "reset", and answers with the count; starts at its argument, or at 0."""

from dataclasses import dataclass

from baton import U64, Actor, Cx, Failure, message, plugin

MOST = 2**64 - 1


@dataclass
class State:
    count: U64


# postcard, so that the counters of other languages take over from this one, and it from them.
@plugin(name="counter", version="1.0.0+py", encoding="postcard")
class Counter(Actor[State]):
    def init(self, cx: Cx) -> State:
        return State(cx.args_json(U64 | None) or 0)

    @message
    def get(self, cx: Cx) -> int:
        return self.state.count

    @message
    def add(self, cx: Cx, n: U64) -> int:
        if self.state.count + n > MOST:
            raise Failure("overflow", f"{self.state.count} + {n} is more than a counter holds ({MOST})")
        self.state.count += n
        return self.state.count

    @message
    def reset(self, cx: Cx) -> int:
        self.state.count = 0
        return 0
