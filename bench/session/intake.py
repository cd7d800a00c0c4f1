"""Taking in what arrived: each signal is attributed and kept, and audio is listened to. Sans-I/O.

In: the signals of one message, of a piece of media or of a tick, and when they were read. Out: the timeline's entries,
`ready` and `refusal`, and whether a waiting conversation may now have something to do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from bench.config.redactor import Redactor
from bench.dialects.dialect import Dialect
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
    SessionEnds,
    SessionReady,
    Signal,
    SpeechStarted,
    TextDelta,
    ToolCall,
)
from bench.facts.timeline import Timeline
from bench.session.barge_in import BargeIn
from bench.session.listener import Listener
from bench.session.renewals import Renewals
from bench.session.scrub import Scrubber
from bench.session.tape import Tape
from bench.session.tool_desk import ToolDesk
from bench.session.tracker import Tracker

_DECISIVE = (
    SessionReady,
    SessionEnds,
    ServerError,
    ResponseStarted,
    ResponseEnded,
    InputTranscript,
    InputTranscriptFailed,
)
"""Signals after which a waiting conversation may have something to do; deltas only put off what it waits for."""
_STOPPING = (SpeechStarted, ResponseEnded)
"""Signals that may stop the playback of a reply."""


class Intake:
    """The receiving half of one call."""

    def __init__(
        self,
        timeline: Timeline,
        dialect: Dialect,
        tracker: Tracker,
        listener: Listener,
        scrubber: Scrubber | None = None,
        barge_in: BargeIn | None = None,
        tool_desk: ToolDesk | None = None,
        tape: Tape | None = None,
        renewals: Renewals | None = None,
    ) -> None:
        self._timeline = timeline
        self._dialect = dialect
        self._tracker = tracker
        self._listener = listener
        self._scrubber = scrubber or Scrubber(Redactor(), timeline)
        self._tape = tape
        self._barge_in = barge_in or BargeIn(timeline, listener, dialect)
        self._tool_desk = tool_desk
        self._renewals = renewals or Renewals(None)
        self.curious = False
        """Somebody waits for a moment of a reply: its deltas may end that wait."""
        self.ready = False
        """The server has acknowledged the configuration."""
        self.refusal: ErrorInfo | None = None
        """The error after which this session cannot go on."""

    def renew(self) -> None:
        """A new session is opened: it is not ready, and the one before has refused nothing of it."""
        self.ready, self.refusal = False, None

    def take(self, signals: Iterable[Signal], read_ns: int) -> bool:
        """Keep `signals` and learn from them; whether one of them may end a wait."""
        decisive = False
        for raw in signals:
            signal = self._scrubber.fact(raw)
            if isinstance(signal, AudioDelta):
                self._hear(signal, read_ns)
                decisive = decisive or self.curious
            else:
                self._note(signal, read_ns)
                self._scrubber.kept(raw)
                decisive = decisive or isinstance(signal, _DECISIVE) or self.curious
        return decisive

    def _hear(self, delta: AudioDelta, read_ns: int) -> None:
        response = self._tracker.feed(delta.elided(), read_ns)
        assert response is not None
        if self._tape is not None:
            self._tape.hear(response, delta)
        try:
            onset = self._listener.hear(response, delta)
        except ValueError as error:
            broken = Malformed(delta.at_ns, f"undecodable audio: {error}"[:200], of_sound=True)
            self._tracker.feed(self._scrubber.fact(broken), read_ns)
            return
        if onset is not None:
            self._tracker.feed(onset, read_ns)

    def _note(self, signal: Signal, read_ns: int) -> None:
        response = self._tracker.feed(signal, read_ns)
        if response is not None and self._tool_desk is not None and isinstance(signal, ToolCall | ResponseEnded):
            self._tool_desk.feed(signal, response)
        if isinstance(signal, _STOPPING):
            self._barge_in.feed(signal, response, read_ns)
        if response is not None and isinstance(signal, TextDelta):
            self._listener.read(response, signal.text)
        elif response is not None and isinstance(signal, AudioDone):
            self._listener.pause(response)
        elif response is not None and isinstance(signal, ResponseEnded):
            onset = self._listener.finish(response, signal.response_id, signal.at_ns)
            if onset is not None:
                self._tracker.feed(onset, read_ns)
        elif isinstance(signal, SessionReady):
            self.ready = True
            self._timeline.output_rate_hz = self._dialect.output_format.rate_hz
            renewals = self._timeline.renewals
            line = renewals[-1].connection if renewals else self._timeline.connection
            if line.ready_ns is None:
                line.ready_ns = signal.at_ns
            self._renewals.ready(signal.at_ns)
        elif isinstance(signal, SessionEnds):
            self._renewals.told(signal, wall_s=time.time(), now_ns=time.monotonic_ns())
        elif isinstance(signal, ServerError):
            refused = not self.ready and self._dialect.refuses_session(signal.error)
            if self.refusal is None and (signal.fatal or refused):
                self.refusal = signal.error
