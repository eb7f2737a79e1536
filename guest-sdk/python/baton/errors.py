"""Errors that an author raises or catches, and how they become the answer of a turn.

Whatever here is a `Failure` may be raised in a message's method, or let through: the caller gets its code and message,
and the actor lives on. Any other exception is a crash.
"""

from __future__ import annotations


class Failure(Exception):
    """The actor's own error: a code for programs, such as `out-of-stock`, and a message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class BadMessage(Failure):
    """The message is not one that the actor takes. Say what was expected."""

    def __init__(self, why: str) -> None:
        super().__init__("bad-message", why)
        self.why = why


class SendError(Failure):
    """Something could not be sent, or a timer not be set. `case` is `denied`, `limit` or `encode`."""

    _MESSAGES = {
        "denied": "this actor is not allowed to send that",
        "limit": "a limit of the host was reached: {}",
        "encode": "the message cannot be written as JSON: {}",
    }

    def __init__(self, case: str, why: str = "") -> None:
        code = "not-encodable" if case == "encode" else f"send-{case}"
        super().__init__(code, self._MESSAGES[case].format(why))
        self.case = case
        self.why = why


class CallError(Failure):
    """A call brought no reply. `case` says why, in the contract's words; `timeout` alone leaves open whether the
    message was handled. For `failed`, `failure` is the other actor's own, which is also what passes on if this is not
    caught."""

    _MESSAGES = {
        "unknown-actor": "there is no actor of that name",
        "mailbox-full": "the mailbox of the actor called is full",
        "denied": "this actor is not allowed to call that one",
        "unavailable": "the actor called is stopping or parked; it has not seen the message",
        "timeout": "no answer in time; whether the message was handled is not known",
        "crashed": "the actor called crashed over the message",
        "deadlock": "the actor called waits for this one",
        "limit": "a limit of the host was reached: {}",
    }

    def __init__(self, case: str, why: str = "", failure: Failure | None = None) -> None:
        if case == "failed":
            failure = failure or Failure("failed", why)
            super().__init__(failure.code, failure.message)
        else:
            super().__init__(f"call-{case}", self._MESSAGES[case].format(why))
        self.case = case
        self.why = why
        self.failure = failure


class SupervisionError(Failure):
    """Something asked of the supervision tree was not done. `case` is one of the contract's."""

    _CASES = {
        "denied": ("supervision-denied", "this actor is not allowed to do that"),
        "unknown-supervisor": ("unknown-supervisor", "there is no supervisor of that name"),
        "unknown-child": ("unknown-child", "no supervisor has a child of that name"),
        "already-started": ("already-started", "an actor of that name runs already"),
        "already-present": (
            "already-present",
            "a child of that name is there and does not run: restart or delete it",
        ),
        "running": ("running", "the child runs"),
        "restarting": ("restarting", "the child is about to be started again"),
        "max-children": ("max-children", "the supervisor has as many children as it may have"),
        "unknown-plugin": ("unknown-plugin", "the host has no plugin of that name"),
        "bad-spec": ("bad-spec", "{}"),
        "failed": ("start-failed", "{}"),
        "shutting-down": ("shutting-down", "the host is going down"),
        "limit": ("supervision-limit", "a limit of the host was reached: {}"),
        "other": ("supervision-failed", "{}"),
    }

    def __init__(self, case: str, why: str = "") -> None:
        code, message = self._CASES[case]
        super().__init__(code, message.format(why))
        self.case = case
        self.why = why


class Refusal(Exception):
    """Why a state is not taken over. It stays in the store, and an operator is told. Raise one of the subclasses, or
    this one, which is the contract's `other`."""

    case = "other"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return f"{self.case}: {self.why}"


class Incompatible(Refusal):
    """This plugin cannot read that schema, or cannot go back to its own from it."""

    case = "incompatible"


class Corrupt(Refusal):
    """The bytes do not decode, or break a rule."""

    case = "corrupt"


class Stale(Refusal):
    """Too old to be of use."""

    case = "stale"


class Unavailable(Refusal):
    """Something that it needs is out of reach now; the same state may be taken over later."""

    case = "unavailable"
