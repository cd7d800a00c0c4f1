"""What the caller did in a call beside its turns.

In: the session, as it plays the steps. Out: facts that a `Timeline` keeps, so that measures can be made from them again
later. Times are monotonic ns. Trap: an act is not a turn. What the server sends because of one belongs to the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(slots=True)
class Listening:
    """A span in which the caller waited for the agent to speak first, or of its own accord."""

    step: int
    since_ns: int
    greeting: bool
    """No turn had begun: what is waited for is the agent's greeting."""
    asked_ns: int | None = None
    """When we asked for a response; None where the agent is to speak unasked."""
    response: int | None = None
    """Number of the response that was listened to; None when none came."""
    until_ns: int | None = None


CutBy = Literal["speech_started", "cancelled", "caller"]
"""What stopped our playback: the server heard the caller, it cancelled the response, or the caller's own decision."""


@dataclass(frozen=True, slots=True)
class Truncation:
    """What we told the server that was heard of one item of its reply."""

    item_id: str
    heard_ms: int
    at_ns: int


@dataclass(slots=True)
class Cut:
    """Our playback of one response was stopped: what had arrived and was not heard by then is thrown away."""

    response: int
    at_ns: int
    """The arrival of what stopped it, or the instant of our own decision."""
    by: CutBy
    cancel_ns: int | None = None
    """When we asked the server to cancel the response."""
    truncations: list[Truncation] = field(default_factory=list)


def cut_from_dict(data: Mapping[str, Any]) -> Cut:
    """The inverse of `asdict` for a `Cut`."""
    return Cut(**{**data, "truncations": [Truncation(**each) for each in data.get("truncations", ())]})


@dataclass(slots=True)
class Sound:
    """A sound that the caller made while it listened: no turn, and nothing that an agent should stop for."""

    step: int
    fixture: str
    t0_ns: int
    speech_start_ns: int
    speech_end_ns: int
    utterance_end_ns: int
    response: int
    """Number of the response that was heard."""
    turn: int | None
    """The turn that it replies to; None for a greeting."""


ToolError = Literal["unknown_tool", "bad_arguments", "tool_timeout", "tool_failed", "too_many_calls"]
"""What went wrong with a tool call: there is no such tool, the arguments break its schema, it took too long, our
function raised, or the agent went on calling. An answer that the scenario gives as an error is none of these."""


@dataclass(slots=True)
class ToolUse:
    """One tool call of the agent, and what became of it."""

    call_id: str
    name: str
    response: int
    """Number of the response that held it."""
    turn: int | None
    called_ns: int
    """Arrival of the complete call."""
    error: ToolError | None = None
    detail: str | None = None
    decided_ns: int | None = None
    """When `error` was known; None without one."""
    sent_ns: int | None = None
    """When its result was sent; None while the tool is at work, and for a call that got none."""
    asked_ns: int | None = None
    """When we asked for the reply to the results of its response."""
