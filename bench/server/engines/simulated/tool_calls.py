"""Tool calls of the simulated engine: what it calls, when, what it says before, and how soon it goes on after.

In: the `tools` block of a profile, seed, numbers of session and turn, faults. Out: a `ToolPlan`, and the actions of a
response that calls. Trap: what is drawn here is drawn from a generator of its own, so that a profile without tools
draws what it always did.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson
from pydantic import Field

from bench.audio.formats import AudioFormat
from bench.config.block import Block, Count, Text
from bench.config.distributions import DelayField, constant
from bench.server.engines.simulated.faults import Faults
from bench.server.engines.simulated.reply_plan import ReplyPlan, ScheduledAction, ToolCallMade, reply_actions
from bench.server.protocol.responses import Ending

UNKNOWN_TOOL = "no_such_tool"


class SimulatedCall(Block):
    """One call."""

    name: Text = Field(description="Of the function.", examples=["lookup_order"])
    arguments: dict[str, Any] = Field(default={}, description="Its arguments.", examples=[{"order_id": "4719"}])


class ToolsProfile(Block):
    """Which tools are called instead of an answer at once; only in sessions that have tools."""

    calls: tuple[SimulatedCall, ...] = Field(description="All in one response, in this order.", min_length=1)
    share: float = Field(default=1.0, description="Part of the turns that call.", ge=0, le=1)
    rounds: Count = Field(default=1, description="How often it calls in a turn before it answers.")
    after: DelayField = Field(default=constant(700), description="End of speech to the complete call.")
    again: DelayField = Field(default=constant(300), description="Request for the reply to the next call.")
    preamble: Text | None = Field(default=None, description="Words spoken before the first call.")
    preamble_length: DelayField = Field(default=constant(800), description="Length of their audio.")
    first_audio: DelayField = Field(
        default=constant(300), description="From the request for the reply to its first audio delta."
    )


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """What was drawn for the tools of one turn."""

    calls: tuple[tuple[str, str], ...]
    """Name and arguments (JSON) of each."""
    rounds: int
    after_ms: float
    again_ms: float
    first_audio_ms: float
    preamble: str | None
    preamble_ms: float

    def record(self) -> dict[str, Any]:
        """What the truth log says of it."""
        return asdict(self)


def tool_plan(
    own: ToolsProfile | None, seed: int, session: int, number: int, faults: Faults, *, open_sessions: int
) -> ToolPlan | None:
    """The tools of turn `number`; None for a turn that calls none."""
    rng = random.Random(f"{seed}/{session}/{number}/tools")
    if own is None or rng.random() >= own.share:
        return None
    calls = [(call.name, orjson.dumps(call.arguments).decode()) for call in own.calls]
    if "unknown_tool" in faults:
        calls[0] = (UNKNOWN_TOOL, calls[0][1])
    if (fault := faults.get("bad_arguments")) is not None:
        calls[0] = (calls[0][0], '{"order_id": ' if fault.form == "json" else '{"no_such_argument": [null]}')
    return ToolPlan(
        calls=tuple(calls),
        rounds=own.rounds,
        after_ms=own.after.draw_ms(rng, open_sessions),
        again_ms=own.again.draw_ms(rng, open_sessions),
        first_audio_ms=own.first_audio.draw_ms(rng, open_sessions),
        preamble=own.preamble,
        preamble_ms=own.preamble_length.draw_ms(rng, open_sessions),
    )


def calling_actions(
    plan: ReplyPlan, tools: ToolPlan, audio_format: AudioFormat, *, done: int, spoken: bool
) -> list[ScheduledAction]:
    """The response of one round of calls, of which `done` were before; the first may say something before it."""
    acts: list[ScheduledAction] = []
    at_ms = tools.again_ms if done else tools.after_ms
    if not done and tools.preamble is not None:
        said = reply_actions(
            replace(plan, text=tools.preamble, reply_ms=tools.preamble_ms), audio_format, spoken=spoken
        )
        acts = [act for act in said if not isinstance(act.action, Ending)]
        at_ms = max(at_ms, *(act.due_ms for act in acts))
    acts += [ScheduledAction(at_ms, ToolCallMade(name, arguments)) for name, arguments in tools.calls]
    return [*acts, ScheduledAction(at_ms, Ending("completed"))]


def answering_plan(plan: ReplyPlan, tools: ToolPlan) -> ReplyPlan:
    """The reply that follows the results; its times count from the request for it."""
    return replace(plan, first_token_ms=tools.first_audio_ms, first_audio_ms=tools.first_audio_ms)


def has_tools(tools: Sequence[Any]) -> bool:
    """Whether a response may call functions."""
    return any(tool.get("type") == "function" for tool in tools)
