"""One session of one connection: client messages to the session, its commands to the engine, its events to the socket.

In: messages and audio with their arrival stamps. Out: messages on the connection, lines in the truth log.
Trap: a command may make the engine answer at once. Events of one answer are all written before its commands are
carried out, so answers never interleave.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import orjson

from bench.server.deadlines import Deadline, Deadlines
from bench.server.engines.base import Engine
from bench.server.protocol import commands, config
from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.resumption import KeptConversations
from bench.server.protocol.session import Session
from bench.server.protocol.shapes.shape import Shape
from bench.server.truth_log import LoggedAudio, TruthLog


class SessionHandler:
    """Runs one session over one accepted connection, until `ended`."""

    def __init__(
        self,
        send_text: Callable[[bytes], None],
        close: Callable[[int, str], None],
        drop: Callable[[], None],
        reset: Callable[[], None],
        engine: Engine,
        deadlines: Deadlines,
        truth: TruthLog,
        *,
        number: int,
        peer: str,
        shape: Shape,
        model: str,
        settings: config.Json,
        model_open: bool,
        lifetime_s: float,
        secret: str | None = None,
        kept: KeptConversations | None = None,
    ) -> None:
        """`secret`: the digest of the client secret that the caller showed."""
        self.truth = truth
        self.close, self.drop, self.reset = close, drop, reset
        self._send_text = send_text
        self._deadlines = deadlines
        self._timers: set[Deadline] = set()
        self._idle: Deadline | None = None
        self._shape = shape
        self._engine = engine.session(self, number)
        self.session = Session(
            model=model,
            shape=shape,
            created_at_s=int(time.time()),
            settings=settings,
            model_open=model_open,
            lifetime_s=max(1, round(lifetime_s)),
            rate_limits=self._engine.rate_limits,
            input_audio=self._engine.input_audio,
            retained_audio_bytes=self._engine.retained_audio_bytes,
            kept=kept,
        )
        now_ns = self._began_ns = time.monotonic_ns()
        self.later(now_ns + round(lifetime_s * 1e9), lambda: self.apply(self.session.expire()))
        facts = {"at_ns": now_ns, "peer": peer, "number": number, "dialect": shape.name, "model": model}
        if secret is not None:
            facts["secret"] = secret
        truth.add("session", self.session.id, **facts, **self._engine.facts)

    # -- in

    def open(self) -> None:
        """Send what a session begins with."""
        self.apply(self.session.open())
        if self._shape.beat_ms is not None:
            self._beat(time.monotonic_ns(), self._shape.beat_ms)

    def _beat(self, due_ns: int, every_ms: int) -> None:
        """Send what the shape sends by itself, and come again."""
        try:
            messages = [orjson.dumps(message) for message in self._shape.beat(self._elapsed_s)]
        except ProtocolError as problem:
            self.close(1002, str(problem))
            return
        for data in messages:
            self.send_raw(data, "beat")
        again_ns = due_ns + every_ms * 1_000_000
        self.later(again_ns, lambda: self._beat(again_ns, every_ms))

    @property
    def _elapsed_s(self) -> float:
        return (time.monotonic_ns() - self._began_ns) / 1e9

    def audio(self, data: bytes, at_ns: int) -> None:
        """Caller audio in the session's input format; raises `ProtocolError` when the session cannot take it."""
        found = self.session.input.append(data, at_ns)
        if found:
            self.apply(self.session.heard(found))

    def text(self, message: bytes, at_ns: int) -> None:
        """Any other client message."""
        named = self._shape.caller_name
        self.apply(self.session.handle_text(message, at_ns))
        for answer in self._shape.answers():
            self.send_raw(orjson.dumps(answer), "answer")
        if named is None and (given := self._shape.caller_name) is not None:
            self.truth.add("name", self.session.id, at_ns=at_ns, name=given)
        if self._shape.leaving:
            for farewell in self._shape.farewell(self._elapsed_s):
                self.send_raw(orjson.dumps(farewell), "farewell")
            self.close(*self._shape.closing)

    def ended(self, how: str, code: int | None) -> None:
        """The connection is gone: nothing more happens."""
        for timer in self._timers:
            timer.cancel()
        self._engine.close()
        self.truth.add("close", self.session.id, at_ns=time.monotonic_ns(), how=how, code=code)

    # -- out

    def apply(self, actions: commands.Actions, audio: LoggedAudio | None = None) -> None:
        """Send the events, then carry out the commands; `audio` describes the audio delta among the events."""
        for event in actions.events:
            self.send(event, audio)
        for command in actions.commands:
            self._carry_out(command)

    def send(self, event: commands.Event, audio: LoggedAudio | None = None) -> None:
        """Write one event; the stamp is taken right before the write."""
        facts = audio if event["type"] == "response.output_audio.delta" else None
        for sent in self._engine.outgoing(event):
            messages = [orjson.dumps(message) for message in self._shape.outgoing(sent)]
            at_ns = time.monotonic_ns()
            for data in messages:
                self._send_text(data)
            self.truth.event(self.session.id, at_ns, sum(map(len, messages)), sent, facts)

    def send_raw(self, data: bytes, what: str) -> None:
        """Write a text message that is no event; `what` names it in the truth log."""
        at_ns = time.monotonic_ns()
        self._send_text(data)
        self.truth.raw(self.session.id, at_ns, len(data), what)

    def later(self, due_ns: int, callback: Callable[[], None]) -> Deadline:
        """Call `callback` at a monotonic instant, unless the connection ends before."""

        def ring() -> None:
            self._timers.discard(timer)
            callback()

        timer = self._deadlines.at(due_ns, ring)
        self._timers.add(timer)
        return timer

    def _carry_out(self, command: commands.Command) -> None:
        match command:
            case commands.FeedInput(item_id, pcm):
                self._engine.feed_input(item_id, pcm)
            case commands.OpenInput(item_id, rate_hz):
                self._engine.open_input(item_id, rate_hz)
            case commands.CommitInput(item_id, transcribe):
                self._engine.commit_input(item_id, transcribe=transcribe)
            case commands.DropInput(item_id):
                self._engine.drop_input(item_id)
            case commands.ReplyRequest():
                self._engine.start_reply(command)
            case commands.StopReply(response_id):
                self._engine.stop_reply(response_id)
            case commands.SetIdleTimer(after_ms):
                self._set_idle_timer(after_ms)
            case commands.CloseSocket(code, reason):
                self.close(code, reason)

    def _set_idle_timer(self, after_ms: float | None) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if after_ms is not None:
            due_ns = time.monotonic_ns() + round(after_ms * 1e6)
            self._idle = self.later(due_ns, lambda: self.apply(self.session.idle()))
