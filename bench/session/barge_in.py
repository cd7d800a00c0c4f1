"""A caller who makes a sound while a reply is heard: when playback stops, and what the server is told then. Sans-I/O.

In: the response that is being heard, since when the caller speaks, and the signals that follow. Out: a `Cut` in the
timeline, and messages in the dialect's outbox. As a real client does, playback stops when the server says that it hears
the caller, or that it cancelled the response; where the client interrupts, it asks for the cancellation too.
Trap: a server that had sent its whole reply has nothing to cancel, and the caller must stop hearing it all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.dialects.dialect import Dialect, WireMessage
from bench.facts.acts import Cut, CutBy, Truncation
from bench.facts.attribution import ResponseState
from bench.facts.signals import ResponseEnded, Signal, SpeechStarted
from bench.facts.timeline import Timeline
from bench.session.listener import Listener


@dataclass(frozen=True, slots=True)
class _Watch:
    response: ResponseState
    since_ns: int
    cancels: bool


class BargeIn:
    """What may stop the playback of one call."""

    def __init__(self, timeline: Timeline, listener: Listener, dialect: Dialect) -> None:
        self._timeline = timeline
        self._listener = listener
        self._dialect = dialect
        self._watch: _Watch | None = None

    def watch(self, response: ResponseState, since_ns: int, *, cancels: bool) -> None:
        """From `since_ns` on the caller makes a sound while `response` is heard. `cancels`: the client interrupts."""
        self._watch = _Watch(response, since_ns, cancels)

    def forget(self) -> None:
        """The caller has stopped to speak into anything."""
        self._watch = None

    def undecided(self, turn: int, now_ns: int) -> bool:
        """Whether the playback of a reply to `turn` may still be stopped."""
        watch = self._watch
        return watch is not None and watch.response.turn == turn and self._listener.hears(watch.response.number, now_ns)

    def feed(self, signal: Signal, response: int | None, read_ns: int) -> None:
        """Take one signal in, which is part of `response`; may stop the playback that is watched."""
        watch = self._watch
        if watch is None or signal.at_ns < watch.since_ns:
            return
        if isinstance(signal, SpeechStarted) and (watch.cancels or self._dialect.speech_interrupts):
            self._stop(watch, signal.at_ns, "speech_started", read_ns)
        elif isinstance(signal, ResponseEnded) and response == watch.response.number and signal.status == "cancelled":
            self._stop(watch, signal.at_ns, "cancelled", read_ns)

    def stop(self, at_ns: int, now_ns: int) -> None:
        """The caller stops the playback that is watched by itself, as of `at_ns`."""
        if self._watch is not None:
            self._stop(self._watch, at_ns, "caller", now_ns)

    def _stop(self, watch: _Watch, at_ns: int, by: CutBy, now_ns: int) -> None:
        self._watch = None
        if not self._listener.hears(watch.response.number, at_ns):
            return
        cut = Cut(watch.response.number, at_ns, by)
        self._timeline.cuts.append(cut)
        heard = self._listener.cut(watch.response.number, at_ns)
        if watch.cancels and watch.response.ended_ns is None:
            self._post(self._dialect.cancel_reply(watch.response.response_id))
            cut.cancel_ns = now_ns
        for item in heard:
            if not item.whole:
                messages = self._dialect.truncate(item.item_id, item.heard_ms)
                if messages:
                    self._post(messages)
                    cut.truncations.append(Truncation(item.item_id, item.heard_ms, now_ns))

    def _post(self, messages: Sequence[WireMessage]) -> None:
        for message in messages:
            self._dialect.post(message)
