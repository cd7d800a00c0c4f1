"""What one call needs to know before it begins, and whom it tells what it did.

In: a scenario, by way of `bench.load.factory`. Out: a `CallPlan`, in which nothing is left to be drawn or encoded.
Trap: a step knows the verbs of a call, and a call knows steps only by this protocol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.dialects.dialect import Dialect
from bench.facts.phases import Phases
from bench.facts.timeline import Labels, Timeline, TurnFacts
from bench.session.frames import FrameBank
from bench.session.tokens import Tokens
from bench.session.tools import Toolbox
from bench.session.tracker import Bounds
from bench.transport.channel import ConnectOptions, Transport


class CallStep(Protocol):
    """One step of a conversation, with everything drawn and prepared for this call.

    A step with a true `cuts_in` begins while the reply to the step before it is heard.
    """

    @property
    def turns(self) -> int:
        """Turns that the step plans."""

    def play(self, call: Any, /) -> None:
        """Play it on a `bench.session.call.Call`, to its end or until `call.over`."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """All that one call needs to know; made before the call, so that nothing is decided or encoded during it."""

    labels: Labels
    phases: Phases
    """A turn belongs to the phase in which it begins, whatever that of its call is."""
    intended_ns: int
    steps: Sequence[CallStep]
    step_ids: Sequence[str | None]
    """What the scenario calls each step, where it gave it a name."""
    transport: Transport
    connect: ConnectOptions
    frames: FrameBank
    bounds: Bounds
    jitter_buffer_ms: float
    client_late_ms: float
    transcription_model: str | None
    """None when the server was not asked to transcribe the caller."""
    toolbox: Toolbox | None = None
    """What the agent's tools answer; None without tools."""
    tool_seed: str = ""
    """Of what is random in those answers."""
    record: bool = False
    """Whether the call is kept as sound."""
    tokens: Tokens | None = None
    """Where the call gets a short-lived key; None: `connect` holds all it needs."""


@dataclass(slots=True)
class Delays:
    """Where calls leave the harness's own delays, microseconds, one per frame sent and per message read."""

    frame_late_us: list[int] = field(default_factory=list)
    recv_lag_us: list[int] = field(default_factory=list)


class Observer(Protocol):
    """Who is told of a call's progress.

    `turn_ended` is called once per ended turn, when nothing more of it is expected: a turn that waits for its
    transcription comes after a later one that does not.
    """

    open_sessions: int
    talking_sessions: int
    delays: Delays

    def turn_ended(self, timeline: Timeline, turn: TurnFacts) -> None: ...


def pack_audio(transport: Transport, dialect: Dialect, payload: bytes) -> bytes:
    """One frame of caller audio, ready to be sent: as media where the transport carries it, else as a message."""
    if transport.carries_audio:
        return transport.pack_audio(payload)
    return transport.pack(dialect.audio_message(payload))
