"""The engine behind a session: caller audio in as it is spoken, transcripts and replies out.

One `Engine` per server, one `EngineSession` per connection. An engine gives its results to the `Handler` of its
session, at the moment when the client is to get them: pacing belongs to the engine. Audio is opened when the caller
starts to speak and fed while they do, so an engine may recognise, or begin to think, before the turn has ended.
"""

# ruff: noqa: B027 - most methods of a session do nothing on purpose: an engine overrides those that it needs
from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bench.audio.formats import AudioFormat
from bench.server.allowance import Allowance
from bench.server.deadlines import Deadline
from bench.server.protocol.commands import Actions, Event, ReplyRequest
from bench.server.protocol.config import Json
from bench.server.protocol.input_audio import InputAudio
from bench.server.protocol.items import RETAINED_AUDIO_BYTES
from bench.server.protocol.responses import Ending
from bench.server.protocol.session import Session
from bench.server.truth_log import LoggedAudio, TruthLog

logger = logging.getLogger(__name__)


class EngineError(Exception):
    """The engine could not do its work; the client sees a failed response or transcription, the session lives on."""

    kind = "server_error"
    """`type` of the error that the client sees, and its `code`."""
    code = "engine_failed"


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call of one of the client's functions; `arguments` is JSON."""

    name: str
    arguments: str


class Handler(Protocol):
    """The side of the connection that an engine's session talks to."""

    session: Session
    truth: TruthLog

    def apply(self, actions: Actions, audio: LoggedAudio | None = None) -> None:
        """Send the events and carry out the commands; `audio` describes the audio delta among the events."""

    def send(self, event: Event, audio: LoggedAudio | None = None) -> None:
        """Write one event."""

    def send_raw(self, data: bytes, what: str) -> None:
        """Write a text message that is no event; `what` names it in the truth log."""

    def close(self, code: int, reason: str, /) -> None:
        """End the connection with a closing handshake."""

    def drop(self) -> None:
        """End the connection without one."""

    def reset(self) -> None:
        """End the connection at once, without what was not sent yet."""

    def later(self, due_ns: int, callback: Callable[[], None]) -> Deadline:
        """Call `callback` at a monotonic instant, unless the connection ends before."""


class EngineSession(ABC):
    """One caller. A subclass overrides what it has a use for."""

    retained_audio_bytes = RETAINED_AUDIO_BYTES
    """Audio that the conversation keeps for `conversation.item.retrieve`."""

    def __init__(self, handler: Handler, allowance: Allowance) -> None:
        self.handler = handler
        self.allowance = allowance
        self.facts: Mapping[str, Any] = {}
        """What the session's line in the truth log says beside the usual."""

    def input_audio(self, audio_format: AudioFormat, turn_detection: Json | None) -> InputAudio:
        """The buffer that finds the caller's turns."""
        return InputAudio(audio_format, turn_detection)

    def open_input(self, item_id: str, rate_hz: int) -> None:
        """The caller started to speak."""

    def feed_input(self, item_id: str, pcm: bytes) -> None:
        """More PCM16 (little-endian, mono, at the rate it was opened with)."""

    def commit_input(self, item_id: str, *, transcribe: bool) -> None:
        """Nothing more will be fed; the session wants `transcript` or `transcript_failed` if `transcribe`."""

    def drop_input(self, item_id: str) -> None:
        """Forget it; an unknown id is ignored."""

    @abstractmethod
    def start_reply(self, request: ReplyRequest) -> None:
        """Answer `request.context`."""

    def stop_reply(self, response_id: str) -> None:
        """The response has ended: let go of the work behind it."""

    def rate_limits(self, tokens: int) -> list[dict[str, Any]]:
        """A response has used so many tokens: what `rate_limits.updated` says."""
        return self.allowance.settle(self.allowance.reserve(0)[0], tokens)

    def outgoing(self, event: Event) -> Iterable[Event]:
        """What is sent for an event of the session: the event."""
        return (event,)

    def close(self) -> None:
        """The connection has ended."""


class Engine(Protocol):
    """The service shared by all sessions."""

    name: str
    default_model: str
    session_lifetime_s: float | None
    """Overrides the server's own."""
    settings: Mapping[str, Any]
    """For the first line of the truth log."""

    async def start(self) -> None:
        """Make ready; the server listens only afterwards. Raises `EngineError`."""

    async def stop(self) -> None:
        """End all work and every process; bounded in time."""

    def session(self, handler: Handler, number: int) -> EngineSession:
        """A new caller; `number` counts the handshakes of the server."""

    def health(self) -> dict[str, Any]:
        """Facts for `/healthz`."""


class StreamingSession(EngineSession):
    """A session whose transcripts and replies are coroutines: each runs as a task and is cancelled by closing it."""

    def __init__(self, handler: Handler, allowance: Allowance) -> None:
        super().__init__(handler, allowance)
        self._replies: dict[str, asyncio.Task[None]] = {}
        self._transcripts: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def transcript(self, item_id: str) -> str:
        """What was said in committed audio; raises `EngineError`."""

    @abstractmethod
    def reply(self, request: ReplyRequest) -> AsyncGenerator[str | bytes | FunctionCall, None]:
        """The answer as it comes: words (`str`), audio in the request's `output_format` (`bytes`), and calls."""

    def commit_input(self, item_id: str, *, transcribe: bool) -> None:
        if transcribe:
            task = asyncio.create_task(self._transcribe(item_id))
            self._transcripts.add(task)
            task.add_done_callback(self._transcripts.discard)

    def start_reply(self, request: ReplyRequest) -> None:
        task = asyncio.create_task(self._reply(request))
        self._replies[request.response_id] = task
        task.add_done_callback(lambda _: self._replies.pop(request.response_id, None))

    def stop_reply(self, response_id: str) -> None:
        running = self._replies.get(response_id)
        if running is not None and running is not asyncio.current_task():
            running.cancel()

    def close(self) -> None:
        for task in (*self._replies.values(), *self._transcripts):
            task.cancel()

    async def _reply(self, request: ReplyRequest) -> None:
        """Turn what the engine yields into events until it ends, fails, or the session has had enough."""
        session, response_id = self.handler.session, request.response_id
        ending = Ending("completed")
        try:
            async with contextlib.aclosing(self.reply(request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, str):
                        self.handler.apply(session.reply_text(response_id, piece))
                    elif isinstance(piece, FunctionCall):
                        self.handler.apply(session.reply_call(response_id, piece.name, piece.arguments))
                    else:
                        samples = len(piece) // request.output_format.bytes_per_sample
                        self.handler.apply(session.reply_audio(response_id, piece), (samples, None))
                    if not session.is_replying(response_id):
                        return
        except EngineError as problem:
            ending = Ending.failed(problem.kind, problem.code, str(problem))
        except Exception:  # an engine's bug must not end the call: it is reported as the vendor would
            logger.exception("the engine failed on response %s", response_id)
            message = "The server had an error while processing your request."
            ending = Ending.failed("server_error", "engine_failed", message)
        self.handler.apply(session.reply_ended(response_id, ending))

    async def _transcribe(self, item_id: str) -> None:
        session = self.handler.session
        try:
            actions = session.transcript(item_id, await self.transcript(item_id))
        except EngineError as problem:
            actions = session.transcript_failed(item_id, str(problem))
        except Exception:  # as above
            logger.exception("the engine failed to transcribe %s", item_id)
            actions = session.transcript_failed(item_id, "The server had an error while transcribing.")
        self.handler.apply(actions)
