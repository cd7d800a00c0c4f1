"""The connection of one call: what arrives is read and kept, and whoever waits is woken. No conversation yet.

In: a `CallPlan` and a dialect. Out: a `Timeline` that fills, and ways to wait: for a time, or for what a function of
the time says. Trap: before any bound is judged, what has arrived is read, and time in which this process stood still is
not counted.
"""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event
from gevent.hub import get_hub

from bench.dialects.dialect import Dialect
from bench.facts.connection import Connection
from bench.facts.failure import Failure, Stage
from bench.facts.gaps import lost_ns
from bench.facts.renewal import EXPIRED
from bench.facts.signals import AudioDelta, ErrorInfo, Signal
from bench.facts.timeline import Timeline
from bench.session.alarm import shared_alarm
from bench.session.barge_in import BargeIn
from bench.session.intake import Intake
from bench.session.listener import Listener
from bench.session.plan import CallPlan, Observer
from bench.session.renewals import Renewals
from bench.session.scrub import Scrubber
from bench.session.tape import CallSound, Tape
from bench.session.tool_desk import ToolDesk
from bench.session.tracker import Tracker
from bench.transport.channel import Channel, Closed, Media, TransportError
from bench.transport.witness import gaps_since

_MOST_ROUNDS = 10_000
_QUIET_ROUNDS = 8
"""Rounds of the loop without a new message after which the reader has read all there is: a message of the largest size
takes half as many."""

_NORMAL_CLOSES = (1000, 1005)
"""Close codes of a peer that has nothing more to say; 1005 stands for none."""
_ANSWERED = ("completed", "interrupted")


class Line:
    """One call as far as its connection goes."""

    def __init__(self, plan: CallPlan, dialect: Dialect, observer: Observer) -> None:
        self._plan = plan
        self.dialect = dialect
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
            transcribes=dialect.config.transcribes,
            audio_expected=dialect.expects_audio and not dialect.config.transcribes,
            frame_ms=plan.frames.frame_ms,
            jitter_buffer_ms=plan.jitter_buffer_ms,
            client_late_ms=plan.client_late_ms,
        )
        self.tracker = Tracker(
            self.timeline, plan.bounds, refuses_turn=dialect.refuses_turn, refuses_reply=dialect.refuses_reply
        )
        self._listener = Listener(dialect, jitter_buffer_ms=plan.jitter_buffer_ms)
        self._tape = Tape() if plan.record else None
        # A short-lived key is known to its call alone, so that no call looks for those of thousands.
        known = plan.connect.knowing_secrets()
        self._redactor = known if plan.tokens is None else known.copy()
        self._scrubber = Scrubber(self._redactor, self.timeline)
        self._barge_in = BargeIn(self.timeline, self._listener, dialect)
        self._changed = Event()
        self._tool_desk = ToolDesk(
            self.timeline,
            self.tracker,
            dialect,
            plan.toolbox,
            send=self._tool_answered,
            continues=self._listener.goes_on,
            seed=plan.tool_seed,
            open_sessions=lambda: observer.open_sessions,
        )
        self._renewals = Renewals(dialect.config.renew)
        self._intake = Intake(
            self.timeline,
            dialect,
            self.tracker,
            self._listener,
            self._scrubber,
            self._barge_in,
            tool_desk=self._tool_desk,
            tape=self._tape,
            renewals=self._renewals,
        )
        self._messages_read = 0
        self._arrived_ns = 0
        self._gaps_noted_ns = time.monotonic_ns()
        self._closed: Closed | None = None
        self._channel: Channel | None = None
        self._reader: gevent.Greenlet | None = None
        self._left: list[gevent.Greenlet] = []
        """Hang up the sessions that were renewed."""
        self._asleep_until_ns = 0
        """When the conversation wakes by itself; 0 while it is awake."""

    def hang_up(self) -> None:
        """End the call now: the run is over. The turn under way is cut off and says so."""
        self.timeline.stopped = True
        self._changed.set()

    @property
    def over(self) -> bool:
        """Whether nothing more can be said: the run stops the call, or the connection has failed."""
        return self.timeline.stopped or self._ended("turn")

    def wait(self, still: Callable[[int], int | None], *, since_ns: int) -> bool:
        """Be silent as long as `still(now_ns)` gives an instant to look again; False when the call ended first.

        `now_ns` leaves out the time since `since_ns` in which this process stood still, and what has arrived is read
        before an end of the wait is believed.
        """
        while not self.over:
            lost = self._lost_ns(since_ns)
            awake_ns = time.monotonic_ns() - lost
            again_ns = still(awake_ns)
            if again_ns is None:
                self._read_up()
                again_ns = still(awake_ns)
            if again_ns is None:
                return True
            self._report()
            self._sleep_until(again_ns + lost)
        return False

    def idle(self, duration_ns: int) -> None:
        """Be silent for `duration_ns`."""
        self.idle_until(time.monotonic_ns() + duration_ns)

    def idle_until(self, until_ns: int) -> None:
        """Let time pass with the microphone open, reporting turns whose transcription comes meanwhile."""
        while time.monotonic_ns() < until_ns and not self.timeline.stopped and not self._ended("turn"):
            self._report()
            self._sleep_until(until_ns)

    def send(self, message: str | bytes) -> None:
        """Send a message of the protocol, without waiting for the peer."""
        assert self._channel is not None
        self._channel.post(self._plan.transport.pack(message))

    def _report(self) -> None:
        """Called now and then while waiting."""

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
                signals = self.dialect.receive_media(message.payload, message.at_ns)
            else:
                signals = self.dialect.receive(message.data, message.at_ns)
            self._take(signals, message.read_ns)
            # Messages to read come in heaps; frames that fall due meanwhile must not wait for the last of them.
            catch_up()

    def _take(self, signals: Sequence[Signal], read_ns: int) -> None:
        """Take in what a message or a tick meant, and send what the dialect answers to it."""
        if self._intake.take(signals, read_ns):
            self._changed.set()
        tick_ns = self.dialect.next_tick_ns()
        if tick_ns is not None and tick_ns < self._asleep_until_ns:
            self._changed.set()
        self._send_posted()

    def _tool_answered(self) -> None:
        """A tool's result waits in the outbox."""
        try:
            if self._channel is not None and self._closed is None:
                self._send_posted()
        except TransportError as error:
            self._fail(error.failure)
        self._changed.set()

    def _send_posted(self) -> None:
        for message in self.dialect.data_to_send():
            self.send(message)

    # waiting

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

    def _sleep_until(self, until_ns: int) -> None:
        """Wait for an instant, for something to happen, or for the dialect's next tick, which is seen to here."""
        tick_ns = self.dialect.next_tick_ns()
        wake_ns = self._asleep_until_ns = until_ns if tick_ns is None else min(until_ns, tick_ns)
        self._changed.wait(max(0.0, (wake_ns - time.monotonic_ns()) / 1e9))
        self._changed.clear()
        self._asleep_until_ns = 0
        if tick_ns is not None and (now_ns := time.monotonic_ns()) >= tick_ns:
            self._take(self.dialect.tick(now_ns), now_ns)

    # ending

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
        if closed.code in _NORMAL_CLOSES and self._all_answered:
            return True
        if self._intake.ready and self._renewals.expired(closed.at_ns):
            said = "the server ended the session when its time was over"
            self._fail(
                Failure("closed", stage, EXPIRED, said, close_code=closed.code, close_reason=closed.reason or None)
            )
            return True
        error = self.tracker.last_error if stage == "ready" else None
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

    @property
    def _all_answered(self) -> bool:
        """Whether the caller had said all that was planned and was answered, so that the server may hang up."""
        turns = self.timeline.turns
        return len(turns) == self.timeline.turns_planned and all(turn.end in _ANSWERED for turn in turns)

    def _fail(self, failure: Failure) -> None:
        if self.timeline.failure is None:
            self.timeline.failure = self._scrubber.fact(failure)

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

    @property
    def recording(self) -> CallSound | None:
        """What the call sounded like, once it is over; None where it was not to be recorded, or never connected."""
        line = self.timeline.connection
        if self._tape is None or line.ready_ns is None or line.closed_ns is None:
            return None
        return CallSound(self._tape, self.dialect, self._listener.players, line.ready_ns, line.closed_ns)

    def _say_goodbye(self, channel: Channel) -> None:
        """What the protocol says before it hangs up, as far as the peer still takes it."""
        with contextlib.suppress(TransportError):  # how the connection ended is told by its close
            for message in self.dialect.closing() if self._intake.ready else ():
                channel.post(self._plan.transport.pack(message))

    def heard_of(self, response: int) -> list[AudioDelta]:
        """The audio of a response so far, in order of arrival; none where the call is not recorded."""
        return [] if self._tape is None else list(self._tape.heard.get(response, ()))

    def _close(self, reader: gevent.Greenlet | None) -> None:
        channel = self._channel
        if channel is not None:
            if self._closed is None:
                if reader is not None:
                    reader.kill(block=True)
                self._say_goodbye(channel)
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
