"""What goes wrong, and when: the faults of a profile, and which of them apply to a session or a turn.

In: a profile's `faults`, the seed, the numbers of session and turn (both from 0). Out: the faults that apply. What
a fault does to a reply is in `reply_plan`, to a call in `engine`, to a connection in `faulty_connection`.
Trap: a choice depends on nothing but seed, session, turn and the fault's place in the list, so adding a fault at the
end of a profile changes no earlier decision.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, get_args

from pydantic import Field

from bench.config.block import Block, Complaint, Count, DurationMs, Text

SessionKind = Literal["refuse", "http", "error_then_close", "slow_handshake", "expire"]
TurnKind = Literal[
    "no_reply",
    "early_reply",
    "slow_first_byte",
    "stall",
    "cut",
    "close",
    "broken_json",
    "unknown_events",
    "duplicate_events",
    "missing_usage",
    "transcription",
    "split_turn",
    "done",
    "error_event",
    "silent_reply",
    "unknown_tool",
    "bad_arguments",
    "cross_talk",
]
SecretKind = Literal["secret_http", "dead_secret"]
SESSION_KINDS: tuple[str, ...] = get_args(SessionKind)
TURN_KINDS: tuple[str, ...] = get_args(TurnKind)
SECRET_KINDS: tuple[str, ...] = get_args(SecretKind)
"""Of requests for client secrets, which are counted from 0 as sessions are."""
# The keys a kind takes beside `kind` and the ones that say when; of a list, the first value is the default.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "refuse": ("how",),
    "http": ("status",),
    "error_then_close": ("code", "error_code"),
    "slow_handshake": ("delay",),
    "expire": ("delay",),
    "no_reply": (),
    "early_reply": ("after",),
    "slow_first_byte": ("delay",),
    "stall": ("after", "delay"),
    "cut": ("after",),
    "close": ("after", "code"),
    "broken_json": ("after",),
    "unknown_events": (),
    "duplicate_events": (),
    "missing_usage": (),
    "transcription": ("how", "delay"),
    "split_turn": ("after",),
    "done": ("status", "error_code"),
    "error_event": ("after", "error_code"),
    "silent_reply": (),
    "unknown_tool": (),
    "bad_arguments": ("how",),
    "cross_talk": ("how",),
    "secret_http": ("status", "delay"),
    "dead_secret": (),
}
HOW: dict[str, tuple[str, ...]] = {
    "refuse": ("reset", "not_listening"),
    "bad_arguments": ("schema", "json"),
    "transcription": ("late", "after_done", "out_of_order", "never", "failed"),
    "cross_talk": ("both", "transcript", "reply"),
}
STATUS: dict[str, tuple[int | str, ...]] = {
    "http": (503, 401, 403, 429),
    "done": ("failed", "incomplete", "cancelled"),
    "secret_http": (401, 403, 429, 503),
}
CLOSE_CODES: dict[str, tuple[int, ...]] = {"close": (1011, 1006, 1008, 4000), "error_then_close": (1008, 1011, 4000)}


class Fault(Block):
    """One fault; it applies where all of `rate`, `at_turn` and `sessions` that are given agree."""

    kind: SessionKind | TurnKind | SecretKind = Field(description="What goes wrong.")
    rate: float | None = Field(
        default=None, description="Share of the sessions, or turns, that it applies to.", ge=0, le=1
    )
    at_turn: int | None = Field(default=None, description="The turn that it applies to, counted from 0.", ge=0)
    sessions: tuple[int, ...] | None = Field(default=None, description="Sessions that it applies to, counted from 0.")
    after: DurationMs | None = Field(
        default=None, description="How far into the reply's audio, or the caller's speech."
    )
    delay: DurationMs | None = Field(default=None, description="How long, or how late.")
    how: Text | None = Field(default=None, description="Which form of it.")
    status: int | str | None = Field(default=None, description="Of the HTTP answer, or of `response.done`.")
    code: Count | None = Field(default=None, description="Of the WebSocket close.")
    error_code: Text | None = Field(default=None, description="`error.code` of the error that is sent.")

    def complaints(self) -> Iterator[Complaint]:
        if self.rate is None and self.at_turn is None and self.sessions is None:
            yield Complaint(("kind",), "nothing says when; allowed: rate, at_turn or sessions beside it")
        if self.kind in (*SESSION_KINDS, *SECRET_KINDS) and self.at_turn is not None:
            yield Complaint(("at_turn",), f"found with '{self.kind}', which applies to a whole session; leave it out")
        for key in ("after", "delay", "how", "status", "code", "error_code"):
            if getattr(self, key) is not None and key not in PARAMETERS[self.kind]:
                allowed = ", ".join(PARAMETERS[self.kind]) or "none"
                yield Complaint((key,), f"found with '{self.kind}', which does not take it; allowed: {allowed}")
        for key, table in (("how", HOW), ("status", STATUS), ("code", CLOSE_CODES)):
            value, choices = getattr(self, key), table.get(self.kind, ())
            if value is not None and choices and value not in choices:
                listed = ", ".join(str(choice) for choice in choices)
                yield Complaint((key,), f"found {value!r}; allowed: {listed}")
        if self.how == "not_listening" and (self.rate != 1 or self.sessions is not None):
            yield Complaint(("how",), "found 'not_listening', which concerns the whole server; allowed: with rate: 1")

    @property
    def form(self) -> str:
        """`how`, or its default."""
        return self.how or HOW[self.kind][0]

    @property
    def chosen_status(self) -> int | str:
        """`status`, or its default."""
        return self.status if self.status is not None else STATUS[self.kind][0]

    @property
    def close_code(self) -> int:
        """`code`, or its default."""
        return self.code if self.code is not None else CLOSE_CODES[self.kind][0]

    def after_ms(self, default_ms: int) -> int:
        """`after`, or the given default."""
        return self.after if self.after is not None else default_ms

    def delay_ms(self, default_ms: int) -> int:
        """`delay`, or the given default."""
        return self.delay if self.delay is not None else default_ms


Faults = Mapping[str, Fault]
"""The faults of one session or turn by kind; of several of a kind the first in the profile."""
NO_FAULTS: Faults = {}


def session_faults(faults: Sequence[Fault], seed: int, session: int) -> Faults:
    """What applies to the whole of session `session`."""
    return _applying(faults, SESSION_KINDS, seed, session, None)


def secret_faults(faults: Sequence[Fault], seed: int, number: int) -> Faults:
    """What applies to the request number `number` for a client secret."""
    return _applying(faults, SECRET_KINDS, seed, number, None)


def turn_faults(faults: Sequence[Fault], seed: int, session: int, turn: int) -> Faults:
    """What applies to turn `turn` of session `session`."""
    return _applying(faults, TURN_KINDS, seed, session, turn)


def _applying(faults: Sequence[Fault], kinds: tuple[str, ...], seed: int, session: int, turn: int | None) -> Faults:
    found: dict[str, Fault] = {}
    for place, fault in enumerate(faults):
        if fault.kind not in kinds or fault.kind in found:
            continue
        if fault.at_turn is not None and fault.at_turn != turn:
            continue
        if fault.sessions is not None and session not in fault.sessions:
            continue
        if fault.rate is not None and random.Random(f"{seed}/{session}/{turn}/fault/{place}").random() >= fault.rate:
            continue
        found[fault.kind] = fault
    return found
