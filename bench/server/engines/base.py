"""The engine behind a session: caller audio in as it is spoken, transcripts and replies out.

One `Engine` per server, one `EngineSession` per connection. A take is opened when the caller starts to speak and fed
while they do, so an engine may recognise, or even begin to think, before the turn has ended. A reply is an
asynchronous stream of pieces; *when* a piece is yielded is when the client gets it, so pacing belongs to the engine.
Trap: closing the stream is how a reply is cancelled; an engine must let go of the work behind it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

from bench.server.protocol.commands import ReplyRequest


@dataclass(frozen=True, slots=True)
class ReplyText:
    """More of the reply's words: its text, or the transcript of what is spoken."""

    delta: str


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """More of the reply's sound, encoded in the request's `output_format`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ReplyEnd:
    """An ending other than completion: status `incomplete` or `failed`, with its reason or error object."""

    status: str
    reason: str | None = None
    error: dict[str, Any] | None = None


Piece = ReplyText | ReplyAudio | ReplyEnd


class EngineError(Exception):
    """The engine could not do its work; the client sees a failed response or transcription, the session lives on."""


class EngineSession(Protocol):
    """One caller."""

    def open_take(self, take_id: str, rate_hz: int) -> None:
        """The caller started to speak."""

    def feed_take(self, take_id: str, pcm: bytes) -> None:
        """More PCM16 (little-endian, mono, at the rate the take was opened with)."""

    def commit_take(self, take_id: str) -> None:
        """Nothing more will be fed; `transcript` and `reply` may now be asked about it."""

    def drop_take(self, take_id: str) -> None:
        """Forget it; an unknown id is nothing."""

    async def transcript(self, take_id: str) -> str:
        """What was said in a committed take; raises `EngineError`."""

    def reply(self, request: ReplyRequest) -> AsyncGenerator[Piece, None]:
        """The answer to `request.context`; raises `EngineError`."""

    async def close(self) -> None:
        """The connection has ended."""


class Engine(Protocol):
    """The service shared by all sessions."""

    name: str
    default_model: str

    async def start(self) -> None:
        """Make ready; the server listens only afterwards."""

    async def stop(self) -> None:
        """End all work and every process; bounded in time."""

    def session(self) -> EngineSession:
        """A new caller."""

    def health(self) -> dict[str, Any]:
        """Facts for `/healthz`."""
