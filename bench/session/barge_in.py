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
from bench.facts.timeline import Timeline, TurnFacts
from bench.session.listener import Listener

SEEN_LATE_NS = 500_000_000
"""A server may say so long after the end of speech that it has begun."""


@dataclass(frozen=True, slots=True)
class _Watch:
    """The one response that is spoken into; None for any that began while a turn is spoken."""

    response: ResponseState | None
    since_ns: int
    until_ns: int | None
    cancels: bool


class BargeIn:
    """What may stop the playback of one call."""

    def __init__(self, timeline: Timeline, listener: Listener, dialect: Dialect) -> None:
        self._timeline = timeline
        self._listener = listener
        self._dialect = dialect
        self._watch: _Watch | None = None

    def turn_begins(self, turn: TurnFacts) -> None:
        """The caller speaks `turn`; an early answer to it stops like any reply that is spoken into."""
        self._watch = _Watch(None, turn.t0_ns, turn.speech_end_ns + SEEN_LATE_NS, False)

    def watch(self, response: ResponseState, since_ns: int, *, cancels: bool) -> None:
        """From `since_ns` on the caller makes a sound while `response` is heard. `cancels`: the client interrupts."""
        self._watch = _Watch(response, since_ns, None, cancels)

    def undecided(self, turn: int, now_ns: int) -> bool:
        """Whether the playback of a reply to `turn` may still be stopped."""
        response = self._watch.response if self._watch is not None else None
        return response is not None and response.turn == turn and self._listener.hears(response.number, now_ns)

    def feed(self, signal: Signal, response: int | None, read_ns: int) -> None:
        """Take one signal in, which is part of `response`; may stop the playback that is watched."""
        watch = self._watch
        if watch is None or signal.at_ns < watch.since_ns or (watch.until_ns and signal.at_ns > watch.until_ns):
            return
        if isinstance(signal, SpeechStarted) and (watch.cancels or self._dialect.speech_interrupts):
            for number in self._spoken_into(watch):
                self._stop(number, signal.at_ns, "speech_started", read_ns)
        elif response is not None and isinstance(signal, ResponseEnded) and signal.status == "cancelled":
            concerned = watch.response is None or watch.response.number == response
            if concerned:
                self._stop(response, signal.at_ns, "cancelled", read_ns)

    def stop(self, at_ns: int, now_ns: int) -> None:
        """The caller stops the playback that is watched by itself, as of `at_ns`."""
        if self._watch is not None and self._watch.response is not None:
            self._stop(self._watch.response.number, at_ns, "caller", now_ns)

    def _spoken_into(self, watch: _Watch) -> list[int]:
        return self._listener.begun_since(watch.since_ns) if watch.response is None else [watch.response.number]

    def _stop(self, number: int, at_ns: int, by: CutBy, now_ns: int) -> None:
        watch = self._watch
        if watch is not None and watch.response is not None:
            self._watch = None
        if not self._listener.hears(number, at_ns):
            return
        cut = Cut(number, at_ns, by)
        self._timeline.cuts.append(cut)
        heard = self._listener.cut(number, at_ns)
        response = watch.response if watch is not None else None
        if watch is not None and watch.cancels and response is not None and response.ended_ns is None:
            self._post(self._dialect.cancel_reply(response.response_id))
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
