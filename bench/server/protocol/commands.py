"""What the session asks of its owner: audio for the recogniser, replies to start and stop, a socket to close.

`Actions` is the answer to one input: events to send in this order, then commands to carry out in this order.
Caller audio is named by the id of the conversation item that it becomes, which the protocol fixes at speech start, so
that an engine can listen while the caller is still speaking.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from bench.audio.formats import AudioFormat

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpenInput:
    """The caller began to speak (or sent the first audible samples in manual mode)."""

    item_id: str
    rate_hz: int


@dataclass(frozen=True, slots=True)
class FeedInput:
    """More of the caller's audio: PCM16 little-endian mono at the rate it was opened with."""

    item_id: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class CommitInput:
    """The audio is complete and is now a user item; `transcribe` asks for transcription events."""

    item_id: str
    transcribe: bool


@dataclass(frozen=True, slots=True)
class DropInput:
    """The audio was cleared, or its item deleted: forget it."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ContextItem:
    """One item of what the model sees; `text` is None for caller audio, which the engine knows by the item's id."""

    item_id: str
    role: str
    text: str | None
    call_id: str | None = None
    """Of a function call, and of its output."""
    name: str | None = None
    """Of the function that is called."""


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """Start one response; everything that shapes it."""

    response_id: str
    modality: str  # "audio" or "text"
    instructions: str
    context: tuple[ContextItem, ...]
    output_format: AudioFormat
    voice: str
    speed: float
    max_output_tokens: int | None
    tools: tuple[dict[str, Any], ...] = ()
    """Functions that the response may call; none where `tool_choice` is "none"."""
    tool_choice: str | dict[str, Any] = "auto"

    @property
    def tool_results(self) -> tuple[ContextItem, ...]:
        """The results of tools that the newest items of the context are; none where something else came last."""
        found = list(itertools.takewhile(lambda item: item.role == "function_call_output", reversed(self.context)))
        return tuple(reversed(found))


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


Command = OpenInput | FeedInput | CommitInput | DropInput | ReplyRequest | StopReply | SetIdleTimer | CloseSocket


@dataclass(slots=True)
class Actions:
    """Events to send, then commands to carry out, both in order."""

    events: list[Event] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
