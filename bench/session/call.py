"""One call over a real connection: connect, speak, listen, hang up. The thin edge round sans-I/O cores.

In: a `CallPlan`; out: a `Timeline`, and each turn as soon as nothing more of it is expected. Its steps play themselves
with the verbs of `Call` (`say`, `await_reply`, `hear_out`, `idle`, `send`). Two greenlets, the conversation and the
reader (from the first message on), and a `Pacer` for the microphone. Trap: the caller goes on when the reply has been
*heard*, not when the server has sent it, and a turn's row waits for a late transcription. Before any bound is judged,
what has arrived is read, and time in which this process stood still is not counted.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import gevent
from gevent.event import Event
from gevent.hub import get_hub

from bench.audio.catalogue import Fixture
from bench.dialects.dialect import Dialect
from bench.facts.connection import Connection
from bench.facts.failure import Failure, Stage
from bench.facts.gaps import lost_ns
from bench.facts.signals import ErrorInfo, Signal
from bench.facts.timeline import Labels, Timeline, TurnEnd, TurnFacts
from bench.session.alarm import shared_alarm
from bench.session.frames import FrameBank
from bench.session.intake import Intake
from bench.session.listener import Listener
from bench.session.microphone import Microphone, phase_of
from bench.session.pacer import Pacer
from bench.session.scrub import Scrubber
from bench.session.tracker import Bounds, Tracker
from bench.transport.channel import Channel, Closed, ConnectOptions, Media, Transport, TransportError
from bench.transport.witness import gaps_since

_NEVER_NS = -(2**63)
"""An instant before every deadline: what is over by then is over for another reason than the time."""
_MOST_ROUNDS = 10_000
_QUIET_ROUNDS = 8
"""Rounds of the loop without a new message after which the reader has read all there is: a message of the largest size
takes half as many."""


class CallStep(Protocol):
    """One step of a conversation, with everything drawn and prepared for this call."""

    @property
    def turns(self) -> int:
        """Turns that the step plans."""

    def play(self, call: Call) -> None:
        """Play it to its end, or until `call.over`."""


@dataclass(frozen=True, slots=True)
class CallPlan:
    """All that one call needs to know; made before the call, so that nothing is decided or encoded during it."""

    labels: Labels
    intended_ns: int
    steps: Sequence[CallStep]
    transport: Transport
    connect: ConnectOptions
    frames: FrameBank
    bounds: Bounds
    jitter_buffer_ms: float
    client_late_ms: float
    transcription_model: str | None
    """None when the server was not asked to transcribe the caller."""


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
            turns_planned=sum(step.turns for step in plan.steps),
            transcription_expected=plan.transcription_model is not None,
            transcription_model=plan.transcription_model,
            transcription_bound_ms=plan.bounds.transcription_ns / 1e6,
            audio_expected=dialect.expects_audio,
            frame_ms=plan.frames.frame_ms,
            jitter_buffer_ms=plan.jitter_buffer_ms,
            client_late_ms=plan.client_late_ms,
        )
        self._tracker = Tracker(
            self.timeline, plan.bounds, refuses_turn=dialect.refuses_turn, refuses_reply=dialect.refuses_reply
        )
        self._listener = Listener(dialect, jitter_buffer_ms=plan.jitter_buffer_ms)
        self._scrubber = Scrubber(plan.connect.knowing_secrets(), self.timeline)
        self._intake = Intake(self.timeline, dialect, self._tracker, self._listener, self._scrubber)
        self._frames = plan.frames if dialect.shares_frames else plan.frames.for_call(self._pack_audio)
        self._changed = Event()
        self._talking = False
        self._messages_read = 0
        self._arrived_ns = 0
        self._gaps_noted_ns = time.monotonic_ns()
        self._closed: Closed | None = None
        self._unreported: list[TurnFacts] = []
        self._channel: Channel | None = None
        self._microphone: Microphone | None = None
        self._pacer: Pacer | None = None

    def hang_up(self) -> None:
        """End the call now: the run is over. The turn under way is cut off and says so."""
        self.timeline.stopped = True
        self._changed.set()

    def run(self) -> Timeline:
        """Play the whole call and return what happened; failures are facts in the timeline, never exceptions."""
        self._observer.open_sessions += 1
        self._note_gaps()
        reader: gevent.Greenlet | None = None
        try:
            self._channel = self._plan.transport.connect(self._plan.connect, self.timeline.connection)
            reader = gevent.spawn(self._read, self._channel)
            for message in self._dialect.opening():
                self._channel.send(message)
            if self._await_ready():
                self._open_microphone(self._channel)
                for step in self._plan.steps:
                    if self.over:
                        break
                    step.play(self)
            self._await_transcriptions()
        except TransportError as error:
            self._fail(error.failure)
        except Exception as error:
            self.crashed(error)
            turn = self._tracker.current
            if turn is not None and turn.end is None:
                self._end(turn, "closed")
        finally:
            self._finish(reader)
        return self.timeline

    def _finish(self, reader: gevent.Greenlet | None) -> None:
        """The one place where a call ends: nothing is sent any more, its turns are handed over, its connection goes.

        A step that fails is shown as our own mistake and does not keep the next from being taken.
        """
        self._set_talking(False)
        if self._pacer is not None:
            self._pacer.stop()
        try:
            self._report(everything=True)
        except Exception as error:
            self.crashed(error)
        try:
            self._close(reader)
        except Exception as error:
            self.crashed(error)
            if self._channel is not None:
                self._channel.abort()
        # Pacer and packed frames know the call: a cycle each, which the collector would have to find among thousands.
        self._pacer, self._frames = None, self._plan.frames
        self._observer.open_sessions -= 1

    # verbs of a step

    @property
    def over(self) -> bool:
        """Whether nothing more can be said: the run stops the call, or the connection has failed."""
        return self.timeline.stopped or self._ended("turn")

    def say(self, fixture: Fixture, *, step: int) -> TurnFacts:
        """Begin to speak `fixture` and return at once; `await_reply` ends the turn. `step` is for the row."""
        assert self._microphone is not None
        assert self._pacer is not None
        utterance = self._frames.utterance(fixture, self._dialect.input_format)
        t0_ns = self._microphone.speak(utterance, time.monotonic_ns())
        labels = self._plan.labels
        self._set_talking(True)
        turn = TurnFacts(
            index=len(self.timeline.turns),
            step=step,
            fixture=utterance.fixture,
            t0_ns=t0_ns,
            speech_start_ns=t0_ns + utterance.speech_start_ns,
            speech_end_ns=t0_ns + utterance.speech_end_ns,
            utterance_end_ns=t0_ns + utterance.duration_ns,
            reference=utterance.reference,
            language=utterance.language,
            accent=utterance.accent,
            voice=utterance.voice,
            condition=utterance.condition,
            phase=labels.phase,
            warmup=labels.warmup,
            open_sessions=self._observer.open_sessions,
            talking_sessions=self._observer.talking_sessions,
        )
        self._tracker.begin(turn)
        self._pacer.resume()
        return turn

    def await_reply(self, turn: TurnFacts) -> None:
        """Wait until `turn` is over: answered, refused, timed out, or cut off with the call."""
        assert self._microphone is not None
        tracker = self._tracker
        while turn.end is None:
            lost = self._lost_ns(turn.speech_end_ns)
            awake_ns = time.monotonic_ns() - lost
            ended = self._ended("turn")
            turn_over = tracker.over(awake_ns)
            if turn_over is not None and tracker.over(_NEVER_NS) is None:
                self._read_up()
                turn_over = tracker.over(awake_ns)
            if turn_over == "completed" and self._microphone.speaking:
                turn_over = None
            if turn_over is not None:
                self._end(turn, turn_over)
            elif ended or self.timeline.stopped:
                self._end(turn, "stopped" if self.timeline.stopped else "closed")
            else:
                self._sleep_until(tracker.next_check_ns(awake_ns) + lost)
        self._report()

    def hear_out(self) -> None:
        """Be silent until the caller has heard all that the server has sent, or has had enough of it."""
        self._idle_until(min(self._listener.end_ns, time.monotonic_ns() + self._plan.bounds.playback_ns))

    def idle(self, duration_ns: int) -> None:
        """Be silent for `duration_ns`."""
        self._idle_until(time.monotonic_ns() + duration_ns)

    def send(self, message: str | bytes) -> None:
        """Send a message of the protocol, without waiting for the peer."""
        assert self._channel is not None
        self._channel.post(self._plan.transport.pack(message))

    # the reader

    def _read(self, channel: Channel) -> None:
        try:
            self._closed = self._read_on(channel)
        except TransportError as error:
            self._fail(error.failure)
            self._closed = Closed(1006, "", False, time.monotonic_ns())
        except Exception as error:
            self.crashed(error)
        self._changed.set()

    def _read_on(self, channel: Channel) -> Closed:
        """Take in what arrives, to the end of the connection."""
        catch_up = shared_alarm().catch_up
        while True:
            message = channel.receive(None)
            if message is None:
                continue
            if isinstance(message, Closed):
                return self._scrubber.fact(message)
            self._messages_read += 1
            self._arrived_ns = message.at_ns
            self._observer.delays.recv_lag_us.append((message.read_ns - message.at_ns) // 1000)
            if isinstance(message, Media):
                signals = self._dialect.receive_media(message.payload, message.at_ns)
            else:
                signals = self._dialect.receive(message.data, message.at_ns)
            self._take(signals, message.read_ns)
            # Messages to read come in heaps; frames that fall due meanwhile must not wait for the last of them.
            catch_up()

    def _take(self, signals: Sequence[Signal], read_ns: int) -> None:
        """Take in what a message or a tick meant, and send what the dialect answers to it."""
        if self._intake.take(signals, read_ns):
            self._changed.set()
        for message in self._dialect.data_to_send():
            self.send(message)

    # the microphone

    def _open_microphone(self, channel: Channel) -> None:
        bank, dialect = self._frames, self._dialect
        self._microphone = Microphone(
            frame_ns=bank.frame_ns,
            idle=bank.idle(dialect.input_format),
            continuous=not dialect.manual,
            phase_ns=phase_of(self._plan.labels.session_index, bank.frame_ns),
        )
        self._microphone.open(time.monotonic_ns())
        self._pacer = Pacer(channel, self._microphone, self)
        self._pacer.resume()

    def _pack_audio(self, payload: bytes) -> bytes:
        return pack_audio(self._plan.transport, self._dialect, payload)

    def _set_talking(self, talking: bool) -> None:
        """Count this caller among those who speak, once."""
        self._observer.talking_sessions += talking - self._talking
        self._talking = talking

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
        said = str(error)
        if self._scrubber.text(said, len(said)) == said:
            get_hub().handle_error(self, type(error), error, error.__traceback__)
        else:
            # It repeats what a server said: where it happened may be shown, the words not.
            where = "".join(traceback.format_tb(error.__traceback__))
            print(f"{where}{type(error).__name__}: {self._scrubber.text(said)}", file=sys.stderr)
        self._fail(Failure("harness", "turn", type(error).__name__, said))
        self._changed.set()

    def _finish_utterance(self, turn: TurnFacts) -> None:
        self._set_talking(False)
        for place, message in enumerate(self._dialect.end_of_turn(turn.index)):
            self.send(message)
            if place == 0:
                turn.commit_ns = time.monotonic_ns()
            turn.response_request_ns = time.monotonic_ns()

    # the conversation

    def _await_ready(self) -> bool:
        began_ns = time.monotonic_ns()
        while not self._intake.ready:
            if self._ended("ready"):
                return False
            deadline_ns = began_ns + self._plan.bounds.ready_ns + self._lost_ns(began_ns)
            if time.monotonic_ns() >= deadline_ns:
                self._read_up()
                if self._intake.ready or self._ended("ready"):
                    continue
                error = self._tracker.last_error
                self._fail(
                    error.as_failure("ready")
                    if error
                    else Failure("timeout", "ready", "ready_timeout", self._dialect.while_not_ready())
                )
                return False
            self._sleep_until(deadline_ns)
        return not self._ended("ready")

    def _end(self, turn: TurnFacts, end: TurnEnd) -> None:
        turn.end, turn.ended_ns = end, time.monotonic_ns()
        self._set_talking(False)
        if end == "closed":
            turn.failure = self.timeline.failure
        elif end == "error" and self._tracker.refusal is not None:
            turn.failure = self._tracker.refusal.as_failure("turn")
        elif end in {"reply_timeout", "response_timeout"}:
            message = "no reply in time" if end == "reply_timeout" else "the reply stopped before it was complete"
            error = self._tracker.turn_error
            turn.failure = error.as_failure("turn") if error is not None else Failure("timeout", "turn", end, message)
            self._fail(turn.failure)
        self._unreported.append(turn)

    def _await_transcriptions(self) -> None:
        """Late transcriptions have their bound from the end of their turn; the call stays open for them."""
        while self._unreported and not self.timeline.stopped and self._closed is None:
            self._report()
            if self._unreported:
                self._sleep_until(self._transcription_due_ns(self._unreported[0]))

    def _report(self, *, everything: bool = False) -> None:
        """Hand over the turns of which nothing more is expected."""
        if any(self._overdue(turn) for turn in self._unreported):
            self._read_up()
        for turn in list(self._unreported):
            late = self._overdue(turn)
            if everything or late or turn.end != "completed" or not self._tracker.transcription_due(turn.index):
                # First, so that a turn which cannot be measured is not handed over again and again.
                self._unreported.remove(turn)
                turn.entries_measured = len(self.timeline.entries)
                self._note_gaps()
                turn.gaps_measured = len(self.timeline.gaps)
                self._observer.turn_ended(self.timeline, turn)
                shared_alarm().catch_up()

    def _transcription_due_ns(self, turn: TurnFacts) -> int:
        ended_ns = turn.ended_ns or 0
        return ended_ns + self._plan.bounds.transcription_ns + self._lost_ns(ended_ns)

    def _overdue(self, turn: TurnFacts) -> bool:
        """Whether a transcription of `turn` would come too late by now, if one is still to come."""
        due = turn.end == "completed" and self._tracker.transcription_due(turn.index)
        return due and time.monotonic_ns() >= self._transcription_due_ns(turn)

    # waiting and ending

    def _note_gaps(self) -> None:
        """Keep when this process did not run. A gap that is still open is kept again once it is over."""
        found = gaps_since(self._gaps_noted_ns)
        if found:
            self._gaps_noted_ns = found[-1].end_ns
            self.timeline.gaps += found

    def _lost_ns(self, since_ns: int) -> int:
        """Time since an instant in which this process could not have read anything, nor said what it waits for."""
        self._note_gaps()
        gaps = self.timeline.gaps
        return lost_ns(gaps, since_ns, time.monotonic_ns()) if gaps else 0

    def _read_up(self) -> None:
        """Have the reader take in what has arrived by now: no deadline is judged before that."""
        asked_ns = time.monotonic_ns()
        quiet = rounds = 0
        while quiet < _QUIET_ROUNDS and rounds < _MOST_ROUNDS and self._closed is None:
            known, rounds = self._messages_read, rounds + 1
            gevent.sleep(0)
            quiet = 0 if self._messages_read > known else quiet + 1
            if self.timeline.connection.kernel_stamps and self._arrived_ns > asked_ns:
                return

    def _idle_until(self, until_ns: int) -> None:
        """Let time pass with the microphone open, reporting turns whose transcription comes meanwhile."""
        while time.monotonic_ns() < until_ns and not self.timeline.stopped and not self._ended("turn"):
            self._report()
            self._sleep_until(until_ns)

    def _sleep_until(self, until_ns: int) -> None:
        """Wait for an instant, for something to happen, or for the dialect's next tick, which is seen to here."""
        tick_ns = self._dialect.next_tick_ns()
        wake_ns = until_ns if tick_ns is None else min(until_ns, tick_ns)
        self._changed.wait(max(0.0, (wake_ns - time.monotonic_ns()) / 1e9))
        self._changed.clear()
        if tick_ns is not None and (now_ns := time.monotonic_ns()) >= tick_ns:
            self._take(self._dialect.tick(now_ns), now_ns)

    def _ended(self, stage: Stage) -> bool:
        """Whether the session is beyond use; if so the timeline says why."""
        if self.timeline.failure is not None:
            return True
        if self._intake.refusal is not None:
            self._fail(_refused(self._intake.refusal, stage, self._closed))
            return True
        if self._closed is None:
            return False
        closed = self._closed
        error = self._tracker.last_error if stage == "ready" else None
        self._fail(
            _refused(error, stage, closed)
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
            self.timeline.failure = self._scrubber.fact(failure)

    def _close(self, reader: gevent.Greenlet | None) -> None:
        channel = self._channel
        if channel is not None:
            if self._closed is None:
                if reader is not None:
                    reader.kill(block=True)
                self._closed = self._scrubber.fact(channel.close(timeout_s=self._plan.bounds.close_ns / 1e9))
            else:
                channel.abort()
        if self._closed is not None:
            self.timeline.close_code = self._closed.code
            self.timeline.close_reason = self._closed.reason or None
        self.timeline.connection.closed_ns = time.monotonic_ns()


def _refused(error: ErrorInfo, stage: Stage, closed: Closed | None) -> Failure:
    if closed is None:
        return error.as_failure(stage)
    return error.as_failure(stage, close_code=closed.code, close_reason=closed.reason or None)


def pack_audio(transport: Transport, dialect: Dialect, payload: bytes) -> bytes:
    """One frame of caller audio, ready to be sent: as media where the transport carries it, else as a message."""
    if transport.carries_audio:
        return transport.pack_audio(payload)
    return transport.pack(dialect.audio_message(payload))
