"""One open socket: carries client messages to the session, the session's commands to the engine, and events back.

Everything a session says goes through one queue and one writing task, so that events of different origins (client,
recogniser, engine) never interleave inside a step.
Trap: a command may make the engine finish at once, while events of the same step still wait to be sent; the queue
keeps their order, so steps are applied whole and never await.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from bench.server.engines.base import EngineError, EngineSession, ReplyAudio, ReplyEnd, ReplyText
from bench.server.protocol import config
from bench.server.protocol.commands import (
    CloseSocket,
    Command,
    CommitTake,
    DropTake,
    Event,
    FeedTake,
    OpenTake,
    ReplyRequest,
    SetIdleTimer,
    StartReply,
    Step,
    StopReply,
)
from bench.server.protocol.response import Ending
from bench.server.protocol.session import Session
from bench.server.truth import TruthLog

logger = logging.getLogger(__name__)

MAX_QUEUED_BYTES = 64 * 1024 * 1024  # a client that does not read is let go before it fills the memory
CLOSE_TIMEOUT_S = 2.0
MAX_LOGGED_FRAMES = 4096


class Connection:
    """Runs one session over one accepted WebSocket."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        session: Session,
        engine: EngineSession,
        *,
        lifetime_s: float,
        abort: Callable[[], None],
        truth: TruthLog,
    ) -> None:
        self._socket = socket
        self._abort = abort
        self._session = session
        self._engine = engine
        self._lifetime_s = lifetime_s
        self._truth = truth
        self._arrivals: deque[int] = deque(maxlen=MAX_LOGGED_FRAMES)  # of the caller's frames since the last commit
        self._turns = 0
        self._outgoing: deque[tuple[bytes, Event] | CloseSocket] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._replies: dict[str, asyncio.Task[None]] = {}
        self._transcripts: set[asyncio.Task[None]] = set()
        self._idle_timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve until either side closes; leaves no task and no engine work behind."""
        loop = asyncio.get_running_loop()
        expiry = loop.call_later(self._lifetime_s, self._expire)
        writer = asyncio.create_task(self._write())
        try:
            self._apply(self._session.open())
            async for message in self._socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._arrivals.append(time.monotonic_ns())
                    self._apply(self._session.handle_text(message.data))
        finally:
            expiry.cancel()
            self._set_idle_timer(None)
            tasks = [writer, *self._replies.values(), *self._transcripts]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._engine.close()

    def close(self, code: int, reason: str) -> None:
        """Close once everything queued has been sent."""
        self._queue(CloseSocket(code, reason))

    def _apply(self, step: Step) -> None:
        for event in step.events:
            self._queue((orjson.dumps(event), event))
        for command in step.commands:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        engine = self._engine
        match command:
            case FeedTake(take_id, pcm):
                engine.feed_take(take_id, pcm)
            case OpenTake(take_id, rate_hz):
                engine.open_take(take_id, rate_hz)
            case CommitTake(take_id, transcribe):
                engine.commit_take(take_id)
                if transcribe:
                    task = asyncio.create_task(self._transcribe(take_id))
                    self._transcripts.add(task)
                    task.add_done_callback(self._transcripts.discard)
            case DropTake(take_id):
                engine.drop_take(take_id)
            case StartReply(request):
                task = asyncio.create_task(self._reply(request))
                self._replies[request.response_id] = task
                task.add_done_callback(lambda _: self._replies.pop(request.response_id, None))
            case StopReply(response_id):
                if (running := self._replies.get(response_id)) is not None and running is not asyncio.current_task():
                    running.cancel()
            case SetIdleTimer(after_ms):
                self._set_idle_timer(after_ms)
            case CloseSocket():
                self._queue(command)

    async def _reply(self, request: ReplyRequest) -> None:
        """Turn the engine's pieces into events until it ends, fails, or the session has had enough."""
        session, response_id = self._session, request.response_id
        ending = Ending("completed")
        try:
            async with contextlib.aclosing(self._engine.reply(request)) as pieces:
                async for piece in pieces:
                    match piece:
                        case ReplyText(delta):
                            self._apply(session.reply_text(response_id, delta))
                        case ReplyAudio(data):
                            self._apply(session.reply_audio(response_id, data))
                        case ReplyEnd(status, reason, error):
                            ending = Ending(status, reason, error)
                            break
                    if not session.is_replying(response_id):
                        return
        except EngineError as problem:
            ending = _failed(str(problem))
        except Exception:  # an engine's bug must not take the call down with it: it is reported as the vendor would
            logger.exception("the engine failed on response %s", response_id)
            ending = _failed("The server had an error while processing your request.")
        self._apply(session.reply_ended(response_id, ending))

    async def _transcribe(self, take_id: str) -> None:
        try:
            text = await self._engine.transcript(take_id)
        except EngineError as problem:
            self._apply(self._session.transcript_failed(take_id, str(problem)))
        except Exception:  # as above: one failed transcription must not end the call
            logger.exception("the engine failed to transcribe %s", take_id)
            self._apply(self._session.transcript_failed(take_id, "The server had an error while transcribing."))
        else:
            self._apply(self._session.transcript(take_id, text))

    def _expire(self) -> None:
        self._apply(self._session.expire())

    def _set_idle_timer(self, after_ms: float | None) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if after_ms is not None:
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(after_ms / 1000, lambda: self._apply(self._session.idle()))

    def _queue(self, outgoing: tuple[bytes, Event] | CloseSocket) -> None:
        if not isinstance(outgoing, CloseSocket):
            self._queued_bytes += len(outgoing[0])
            if self._queued_bytes > MAX_QUEUED_BYTES:
                # No closing handshake: its frame would wait behind everything that is not being read.
                logger.warning("%d bytes of events were not read: the connection is cut", self._queued_bytes)
                self._outgoing.clear()
                self._abort()
                return
        self._outgoing.append(outgoing)
        self._wake.set()

    async def _write(self) -> None:
        """Send what is queued, in order; ends with the socket."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outgoing:
                outgoing = self._outgoing.popleft()
                if isinstance(outgoing, CloseSocket):
                    await close_socket(self._socket, outgoing.code, outgoing.reason)
                    return
                data, event = outgoing
                self._queued_bytes -= len(data)
                at_ns = time.monotonic_ns()
                try:
                    await self._socket.send_frame(data, WSMsgType.TEXT)
                except ConnectionError:  # the peer has gone; the reading side ends the connection
                    return
                self._log(event, at_ns, len(data))

    def _log(self, event: Event, at_ns: int, size: int) -> None:
        """The truth of a written event, and with a commit that of the turn behind it."""
        if not self._truth.wanted:
            return
        kind, audio = event["type"], None
        if kind == "response.output_audio.delta":
            output = config.audio_format(self._session.settings["audio"]["output"]["format"])
            audio = (len(event["delta"].rstrip("=")) * 3 // 4 // output.bytes_per_sample, None)
        self._truth.event(self._session.id, at_ns, size, event, audio)
        if kind == "input_audio_buffer.committed":
            self._truth.turn(
                self._session.id,
                turn=self._turns,
                items=[event["item_id"]],
                fixture=None,
                known_by="detector",
                speech_end_ns=None,
                commit_ns=at_ns,
                frame_arrivals_ns=list(self._arrivals),
                expected=None,
            )
            self._turns += 1
            self._arrivals.clear()


async def close_socket(socket: web.WebSocketResponse, code: int, reason: str) -> None:
    """A closing handshake that waits a bounded time for a peer that may not answer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await socket.close(code=code, message=reason.encode())


def _failed(message: str) -> Ending:
    error: dict[str, Any] = {"type": "server_error", "code": "engine_failed", "message": message}
    return Ending("failed", error=error)
