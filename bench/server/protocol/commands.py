"""What the session asks of its owner: audio for the recogniser, replies to start and stop, a socket to close.

A `Step` is the answer to one input: events to send in this order, then commands to carry out in this order.
A *take* is one stretch of caller audio that becomes a conversation item; it is named by that item's id, which the
protocol fixes at speech start, so that an engine can listen while the caller is still speaking.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.audio.formats import AudioFormat

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenTake:
    """The caller began to speak (or sent the first audible samples in manual mode)."""

    take_id: str
    rate_hz: int


@dataclass(frozen=True, slots=True)
class FeedTake:
    """More of the take: PCM16 little-endian mono at the rate it was opened with."""

    take_id: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class CommitTake:
    """The take is complete and is now a user item; `transcribe` asks for transcription events."""

    take_id: str
    transcribe: bool


@dataclass(frozen=True, slots=True)
class DropTake:
    """The take was cleared, or its item deleted: forget it."""

    take_id: str


@dataclass(frozen=True, slots=True)
class ContextItem:
    """One item of what the model sees; `text` is None for caller audio, which is known to the engine as a take."""

    item_id: str
    role: str
    text: str | None


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """One response to be made, with everything that shapes it."""

    response_id: str
    modality: str  # "audio" or "text"
    instructions: str
    context: tuple[ContextItem, ...]
    output_format: AudioFormat
    voice: str
    speed: float
    tools: tuple[Mapping[str, Any], ...]
    tool_choice: str | Mapping[str, Any]
    max_output_tokens: int | None
    metadata: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class StartReply:
    request: ReplyRequest


@dataclass(frozen=True, slots=True)
class StopReply:
    """The response has ended early (cancelled, interrupted or at its token limit): produce no more of it."""

    response_id: str


@dataclass(frozen=True, slots=True)
class CloseSocket:
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class SetIdleTimer:
    """Call `Session.idle()` after this many milliseconds instead of any earlier request; None cancels."""

    after_ms: float | None


Command = OpenTake | FeedTake | CommitTake | DropTake | StartReply | StopReply | SetIdleTimer | CloseSocket


@dataclass(slots=True)
class Step:
    """Events to send, then commands to carry out, both in order."""

    events: list[Event] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
