"""One call over a real socket: connect, speak, listen, hang up. The thin edge round sans-I/O cores.

In: a `CallPlan`; out: a `Timeline`, and each turn as soon as nothing more of it is expected. Two greenlets, the
conversation and the reader (from the first message on), and a `Pacer` for the microphone. Trap: the caller goes on
when the reply has been *heard*, not when the server has sent it, and a turn's row waits for a late transcription.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import gevent
from gevent.event import Event
from gevent.hub import get_hub

from bench.dialects.dialect import Dialect
from bench.dialects.errors import classify_error
from bench.facts.connection import Connection
from bench.facts.failure import Failure, Stage
from bench.facts.signals import (
    AudioDelta,
    AudioDone,
    ErrorInfo,
    InputTranscript,
    InputTranscriptFailed,
    Malformed,
    ResponseEnded,
    ResponseStarted,
    ServerError,
    SessionReady,
    Signal,
)
from bench.facts.timeline import Labels, Timeline, TurnEnd, TurnFacts
from bench.session.alarm import shared_alarm
from bench.session.frames import FrameBank, Utterance
from bench.session.listener import Listener
from bench.session.microphone import Microphone, phase_of
from bench.session.pacer import Pacer
from bench.session.tracker import Bounds, Tracker
from bench.transport.channel import Closed, ConnectOptions, TransportError
from bench.transport.websocket import WebSocket, connect, encode_frame

_DECISIVE = (SessionReady, ServerError, ResponseStarted, ResponseEnded, InputTranscript, InputTranscriptFailed)
"""Signals after which a waiting conversation may have something to do; deltas only put off what it waits for."""


@dataclass(frozen=True, slots=True)
class Speak:
    """The caller says `utterance` and hears the reply out. `step` is its place in the scenario's conversation."""

    step: int
    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Wait:
    """The caller is silent for `pause_ms` (the microphone stays open)."""

    pause_ms: float


@dataclass(frozen=True, slots=True)
class CallPlan:
    """All that one call needs to know; made before the call, so that nothing is decided or encoded during it."""

    labels: Labels
    intended_ns: int
    steps: Sequence[Speak | Wait]
    connect: ConnectOptions
    bank: FrameBank
    jitter_buffer_ms: float
    client_late_ms: float
    transcription_model: str | None
    """None when the server was not asked to transcribe the caller."""
    ready_timeout_s: float
    reply_timeout_s: float
    response_timeout_s: float
    transcription_timeout_s: float
    close_timeout_s: float


@dataclass(slots=True)
class Delays:
    """Where calls leave the harness's own delays, microseconds, one per frame sent and per message read."""

    frame_late_us: list[int] = field(default_factory=list)
    recv_lag_us: list[int] = field(default_factory=list)


class Observer(Protocol):
    """Who is told of a call's progress. `turn_ended` is called once per ended turn, in order of ending."""

    open_sessions: int
    talking_sessions: int
    delays: Delays

    def turn_ended(self, timeline: Timeline, turn: TurnFacts) -> None: ...


class Call:
    """Plays one conversation. `run` blocks its greenlet; `hang_up` ends it from another."""

    def __init__(self, plan: CallPlan, dialect: Dialect, observer: Observer) -> None:
        self._plan = plan
        self._dialect = dialect
        self._observer = observer
        self.timeline = Timeline(
            labels=plan.labels,
            connection=Connection(intended_ns=plan.intended_ns),
            output_rate_hz=dialect.output_format.rate_hz,
            manual=dialect.manual,
            turns_planned=sum(isinstance(step, Speak) for step in plan.steps),
            transcription_expected=plan.transcription_model is not None,
            transcription_model=plan.transcription_model,
            transcription_bound_ms=plan.transcription_timeout_s * 1000,
            audio_expected=dialect.expects_audio,
            frame_ms=plan.bank.frame_ms,
            jitter_buffer_ms=plan.jitter_buffer_ms,
            client_late_ms=plan.client_late_ms,
        )
        bounds = Bounds(
            reply_ns=round(plan.reply_timeout_s * 1e9),
            response_ns=round(plan.response_timeout_s * 1e9),
            transcription_ns=round(plan.transcription_timeout_s * 1e9),
        )
        self._tracker = Tracker(self.timeline, bounds, refuses_turn=dialect.refuses_turn)
        self._listener = Listener(
            rate_hz=dialect.output_format.rate_hz,
            jitter_buffer_ms=plan.jitter_buffer_ms,
            decode=dialect.decode_audio,
        )
        self._microphone = Microphone(
            frame_ns=plan.bank.frame_ns,
            silence=plan.bank.silence,
            continuous=not dialect.manual,
            phase_ns=phase_of(plan.labels.session_index, plan.bank.frame_ns),
        )
        self._changed = Event()
        self._ready = False
        self._refusal: ErrorInfo | None = None
        self._closed: Closed | None = None
        self._unreported: list[TurnFacts] = []
        self._socket: WebSocket | None = None
        self._pacer: Pacer | None = None

    def hang_up(self) -> None:
        """End the call now: the run is over. The turn under way is cut off and says so."""
        self.timeline.stopped = True
        self._changed.set()

    def run(self) -> Timeline:
        """Play the whole call and return what happened; failures are facts in the timeline, never exceptions."""
        self._observer.open_sessions += 1
        reader: gevent.Greenlet | None = None
        try:
            self._socket = connect(self._plan.connect, self.timeline.connection)
            reader = gevent.spawn(self._read, self._socket)
            for message in self._dialect.opening():
                self._socket.send_text(message)
            if self._await_ready():
                self._microphone.open(time.monotonic_ns())
                self._pacer = Pacer(self._socket, self._microphone, self)
                self._pacer.resume()
                self._converse()
            self._await_transcriptions()
        except TransportError as error:
            self._fail(error.failure)
        except Exception as error:
            self.crashed(error)
            turn = self._tracker.current
            if turn is not None and turn.end is None:
                self._end(turn, "closed")
        finally:
            self._report(everything=True)
            self._close(reader)
            self._observer.open_sessions -= 1
        return self.timeline

    # the reader

    def _read(self, socket: WebSocket) -> None:
        try:
            self._read_on(socket)
        except Exception as error:
            self.crashed(error)

    def _read_on(self, socket: WebSocket) -> None:
        catch_up = shared_alarm().catch_up
        while True:
            try:
                message = socket.receive(None)
            except TransportError as error:
                self._fail(error.failure)
                self._closed = Closed(1006, "", False, time.monotonic_ns())
                self._changed.set()
                return
            if message is None:
                continue
            if isinstance(message, Closed):
                self._closed = message
                self._changed.set()
                return
            self._observer.delays.recv_lag_us.append((message.read_ns - message.at_ns) // 1000)
            signals = self._dialect.receive(message.data, message.at_ns)
            for signal in signals:
                self._take(signal, message.read_ns)
                if isinstance(signal, _DECISIVE):
                    self._changed.set()
            # Messages to read come in heaps; frames that fall due meanwhile must not wait for the last of them.
            catch_up()

    def _take(self, signal: Signal, read_ns: int) -> None:
        if isinstance(signal, AudioDelta):
            self._tracker.feed(signal.elided(), read_ns)
            try:
                onset = self._listener.hear(signal)
            except ValueError as error:
                self._tracker.feed(Malformed(signal.at_ns, f"undecodable audio: {error}"[:200]), read_ns)
                return
            if onset is not None:
                self._tracker.feed(onset, read_ns)
            return
        if isinstance(signal, AudioDone | ResponseEnded):
            onset = self._listener.finish(signal.response_id, signal.at_ns)
            if onset is not None:
                self._tracker.feed(onset, read_ns)
        self._tracker.feed(signal, read_ns)
        if isinstance(signal, SessionReady):
            self._ready = True
            if self.timeline.connection.ready_ns is None:
                self.timeline.connection.ready_ns = signal.at_ns
        elif isinstance(signal, ServerError) and (signal.fatal or self._dialect.refuses_session(signal.error)):
            self._refusal = signal.error

    # the microphone

    def frame_sent(self, due_ns: int, late_us: int, *, last: bool) -> None:
        """As `Speaker`."""
        self.timeline.frames_sent += 1
        self._observer.delays.frame_late_us.append(late_us)
        turn = self._tracker.current
        if turn is None:
            return
        if turn.end is None and due_ns > turn.t0_ns:
            turn.frame_late_us.append(late_us)
            turn.frames += 1
        if last:
            self._finish_utterance(turn)

    def sending_failed(self, failure: Failure) -> None:
        """As `Speaker`."""
        self._fail(failure)
        self._changed.set()

    def crashed(self, error: Exception) -> None:
        """An error of our own: it ends this call, is shown, and must not be taken for a server that does not answer."""
        get_hub().handle_error(self, type(error), error, error.__traceback__)
        self._fail(Failure("harness", "turn", type(error).__name__, str(error)[:200]))
        self._changed.set()

    def _finish_utterance(self, turn: TurnFacts) -> None:
        assert self._socket is not None
        self._observer.talking_sessions -= 1
        for place, message in enumerate(self._dialect.end_of_turn(turn.index)):
            self._socket.post_frame(encode_frame(message.encode()))
            if place == 0:
                turn.commit_ns = time.monotonic_ns()
            turn.response_request_ns = time.monotonic_ns()

    # the conversation

    def _await_ready(self) -> bool:
        deadline_ns = time.monotonic_ns() + round(self._plan.ready_timeout_s * 1e9)
        while not self._ready:
            if self._ended("ready"):
                return False
            if time.monotonic_ns() >= deadline_ns:
                error = self._tracker.last_error
                self._fail(
                    _from_error(error, "ready")
                    if error
                    else Failure("timeout", "ready", "ready_timeout", "the session was not acknowledged in time")
                )
                return False
            self._sleep_until(deadline_ns)
        return not self._ended("ready")

    def _converse(self) -> None:
        for step in self._plan.steps:
            if self.timeline.stopped or self._ended("turn"):
                return
            if isinstance(step, Wait):
                self._idle_until(time.monotonic_ns() + round(step.pause_ms * 1e6))
                continue
            if not self._play_turn(step):
                return
            self._idle_until(self._listener.play_end_ns)

    def _play_turn(self, step: Speak) -> bool:
        """Say one utterance and wait for its reply; False when the call cannot go on."""
        turn = self._begin(step)
        tracker = self._tracker
        while turn.end is None:
            now_ns = time.monotonic_ns()
            ended = self._ended("turn")
            over = tracker.over(now_ns)
            if over == "completed" and self._microphone.speaking:
                over = None
            if over is not None:
                self._end(turn, over)
            elif ended or self.timeline.stopped:
                self._end(turn, "stopped" if self.timeline.stopped else "closed")
            else:
                self._sleep_until(tracker.next_check_ns(now_ns))
        self._report()
        return turn.end in {"completed", "error"}

    def _begin(self, step: Speak) -> TurnFacts:
        utterance = step.utterance
        now_ns = time.monotonic_ns()
        t0_ns = self._microphone.speak(utterance, now_ns)
        labels = self._plan.labels
        self._observer.talking_sessions += 1
        turn = TurnFacts(
            index=len(self.timeline.turns),
            step=step.step,
            fixture=utterance.fixture,
            t0_ns=t0_ns,
            speech_start_ns=t0_ns + utterance.speech_start_ns,
            speech_end_ns=t0_ns + utterance.speech_end_ns,
            utterance_end_ns=t0_ns + utterance.duration_ns,
            reference=utterance.reference,
            language=utterance.language,
            accent=utterance.accent,
            voice=utterance.voice,
            phase=labels.phase,
            warmup=labels.warmup,
            open_sessions=self._observer.open_sessions,
            talking_sessions=self._observer.talking_sessions,
        )
        self._tracker.begin(turn)
        if self._pacer is not None:
            self._pacer.resume()
        return turn

    def _end(self, turn: TurnFacts, end: TurnEnd) -> None:
        turn.end, turn.ended_ns = end, time.monotonic_ns()
        if self._microphone.speaking:
            self._observer.talking_sessions -= 1
        if end == "closed":
            turn.failure = self.timeline.failure
        elif end == "error" and self._tracker.refusal is not None:
            turn.failure = _from_error(self._tracker.refusal, "turn")
        elif end in {"reply_timeout", "response_timeout"}:
            message = "no reply in time" if end == "reply_timeout" else "the reply stopped before it was complete"
            turn.failure = Failure("timeout", "turn", end, message)
            self._fail(turn.failure)
        self._unreported.append(turn)

    def _await_transcriptions(self) -> None:
        """Late transcriptions have their bound from the end of their turn; the call stays open for them."""
        while self._unreported and not self.timeline.stopped and self._closed is None:
            self._report()
            if self._unreported:
                oldest = self._unreported[0].ended_ns or 0
                self._sleep_until(oldest + round(self._plan.transcription_timeout_s * 1e9))

    def _report(self, *, everything: bool = False) -> None:
        """Hand over the turns of which nothing more is expected."""
        bound_ns = round(self._plan.transcription_timeout_s * 1e9)
        now_ns = time.monotonic_ns()
        keep: list[TurnFacts] = []
        for turn in self._unreported:
            late = now_ns >= (turn.ended_ns or 0) + bound_ns
            if everything or late or turn.end != "completed" or not self._tracker.transcription_due(turn.index):
                self._observer.turn_ended(self.timeline, turn)
                shared_alarm().catch_up()
            else:
                keep.append(turn)
        self._unreported = keep

    # waiting and ending

    def _idle_until(self, until_ns: int) -> None:
        """Let time pass with the microphone open, reporting turns whose transcription comes meanwhile."""
        while time.monotonic_ns() < until_ns and not self.timeline.stopped and not self._ended("turn"):
            self._report()
            self._sleep_until(until_ns)

    def _sleep_until(self, until_ns: int) -> None:
        self._changed.wait(max(0.0, (until_ns - time.monotonic_ns()) / 1e9))
        self._changed.clear()

    def _ended(self, stage: Stage) -> bool:
        """Whether the session is beyond use; if so the timeline says why."""
        if self.timeline.failure is not None:
            return True
        if self._refusal is not None:
            self._fail(_from_error(self._refusal, stage, self._closed))
            return True
        if self._closed is None:
            return False
        closed = self._closed
        error = self._tracker.last_error if stage == "ready" else None
        self._fail(
            _from_error(error, stage, closed)
            if error is not None
            else Failure(
                "closed",
                stage,
                f"close_{closed.code}" if closed.code is not None else "close_unknown",
                closed.reason or "the server closed the connection",
                close_code=closed.code,
                close_reason=closed.reason or None,
            )
        )
        return True

    def _fail(self, failure: Failure) -> None:
        if self.timeline.failure is None:
            self.timeline.failure = failure

    def _close(self, reader: gevent.Greenlet | None) -> None:
        if self._pacer is not None:
            self._pacer.stop()
        socket = self._socket
        if socket is not None:
            if self._closed is None:
                if reader is not None:
                    reader.kill(block=True)
                self._closed = socket.close(timeout_s=self._plan.close_timeout_s)
            else:
                socket.abort()
        if self._closed is not None:
            self.timeline.close_code = self._closed.code
            self.timeline.close_reason = self._closed.reason or None
        self.timeline.connection.closed_ns = time.monotonic_ns()


def _from_error(error: ErrorInfo, stage: Stage, closed: Closed | None = None) -> Failure:
    return Failure(
        classify_error(error),
        stage,
        error.code or error.type,
        error.message,
        close_code=closed.code if closed else None,
        close_reason=(closed.reason or None) if closed else None,
    )
