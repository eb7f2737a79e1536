"""{{name}}: counts, up to a limit. Takes "get", {"add": 3} and "reset", and answers with the count."""

from dataclasses import dataclass

from baton import Actor, Cx, Failure, message, plugin


# What outlives the instance: written as JSON, handed to the next one, of this version or of a newer one. A change of
# its fields is a new layout: raise `schema` below, and add a `@migration`; sdk/README.md shows how.
@dataclass
class State:
    count: int = 0
    limit: int = 1_000


# `baton build` makes NAME.wasm of this; `version` is yours to raise with each release.
@plugin(name="{{name}}", version="0.1.0")
class {{Type}}(Actor[State]):
    # What the actor is started with: `args` in baton.toml, here a limit such as 50, or nothing.
    def init(self, cx: Cx) -> State:
        limit = cx.args_json(int | None)
        return State() if limit is None else State(limit=limit)

    # What must hold of every state that is taken over. Where it does not, the state is refused, kept, and shown to you.
    def validate(self, state: State) -> None:
        if state.count > state.limit:
            raise ValueError(f"the count {state.count} is above the limit {state.limit}")

    # One method for each message: "get" comes here. What it returns is the reply, as JSON.
    @message
    def get(self, cx: Cx) -> int:
        return self.state.count

    # {"add": 3} comes here, if what is in it is an `int`; else the sender is told what was expected.
    @message
    def add(self, cx: Cx, n: int) -> int:
        count = self.state.count + n
        if count > self.state.limit:
            # A reply like any other: the actor lives on. Any other exception would end this instance.
            raise Failure("too-much", f"{count} is more than {self.state.limit}")
        self.state.count = count
        return count

    @message
    def reset(self, cx: Cx) -> int:
        cx.info("reset", was=self.state.count)
        self.state.count = 0
        return 0
