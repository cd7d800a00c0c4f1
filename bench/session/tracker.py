"""Whether the turn under way is over, and what it waits for. Sans-I/O: signals and times in, decisions out.

A turn ends when the reply that answers it has ended, not when any response has: a server whose VAD splits the
caller's sentence replies early, is interrupted, and replies again. What belongs to which response and turn is decided
by `bench.facts.attribution`. Trap: a transcription may arrive after the next turn began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.facts.attribution import Attribution
from bench.facts.signals import (
    ErrorInfo,
    InputCommitted,
    InputTranscript,
    InputTranscriptFailed,
    Malformed,
    RateLimits,
    ServerError,
    Signal,
    SpeechStarted,
    SpeechStopped,
    Unrecognised,
)
from bench.facts.timeline import Entry, Timeline, TurnEnd, TurnFacts

EARLY_SETTLE_NS = 3_000_000_000
"""How long a caller whom the server cut off waits for the real answer before taking the early one for all."""
MOST_NOISE = 500
"""Signals of no consequence that one session stores; a server may repeat an error for every audio frame."""
_NOISE = (ServerError, Unrecognised, Malformed, RateLimits)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long each thing is waited for, ns: configuration, the first sign of a reply, a whole response, a late
    transcription, the answer to our hanging up."""

    ready_ns: int
    reply_ns: int
    response_ns: int
    transcription_ns: int
    close_ns: int


class Tracker:
    """Keeps the signals of one call with what they were attributed to, and tells what to wait for."""

    def __init__(
        self,
        timeline: Timeline,
        bounds: Bounds,
        *,
        refuses_turn: Callable[[ErrorInfo, int], bool],
    ) -> None:
        self._timeline = timeline
        self._bounds = bounds
        self._refuses_turn = refuses_turn
        self._attribution = Attribution()
        self._pending_items: dict[int, set[str]] = {}
        self._transcribed: set[int] = set()
        self._noise = 0
        self._stops: set[str | int] = set()
        self._commits: set[str | int] = set()
        self._last_commit_ns: int | None = None
        self._speech_open_ns: int | None = None
        self.refusal: ErrorInfo | None = None
        self.last_error: ErrorInfo | None = None

    @property
    def current(self) -> TurnFacts | None:
        """The turn that was begun last."""
        return self._timeline.turns[-1] if self._timeline.turns else None

    def begin(self, turn: TurnFacts) -> None:
        """The caller starts to speak; what arrives from now on belongs to `turn` unless it says otherwise."""
        self._timeline.turns.append(turn)
        self._last_commit_ns = self._speech_open_ns = None
        self._stops, self._commits = set(), set()
        self.refusal = None

    def feed(self, signal: Signal, read_ns: int) -> int | None:
        """Store one signal and learn from it; the number of the response that it is part of, if of any."""
        current = self._timeline.turns[-1].index if self._timeline.turns else None
        turn, response = self._attribution.attribute(signal, current)
        if response is None:
            self._learn(signal, turn)
        if isinstance(signal, _NOISE):
            self._noise += 1
            if self._noise > MOST_NOISE:
                self._timeline.dropped_signals += 1
                return None
        self._timeline.entries.append(Entry(signal, read_ns, turn, response))
        return response

    def _learn(self, signal: Signal, turn: int | None) -> None:
        """What `signal`, no part of a response, says about what the caller is owed."""
        if isinstance(signal, SpeechStarted):
            self._speech_open_ns = signal.at_ns
        elif isinstance(signal, SpeechStopped):
            self._speech_open_ns, self._last_commit_ns = None, signal.at_ns
            self._stops.add(signal.item_id or signal.at_ns)
        elif isinstance(signal, InputCommitted):
            self._last_commit_ns = signal.at_ns
            self._commits.add(signal.item_id or signal.at_ns)
            if turn is not None and signal.item_id is not None:
                self._pending_items.setdefault(turn, set()).add(signal.item_id)
        elif isinstance(signal, InputTranscript | InputTranscriptFailed):
            if turn is not None and (isinstance(signal, InputTranscriptFailed) or signal.final):
                self._transcribed.add(turn)
                if signal.item_id is not None:
                    self._pending_items.get(turn, set()).discard(signal.item_id)
        elif isinstance(signal, ServerError) and not signal.benign:
            self.last_error = signal.error
            if turn is not None and self._refuses_turn(signal.error, turn):
                self.refusal = signal.error

    # decisions

    def over(self, now_ns: int) -> TurnEnd | None:
        """How the current turn ended, or None while it goes on; asks for the caller to have spoken already."""
        turn = self.current
        if turn is None:
            return None
        if self.refusal is not None:
            return "error"
        mine = self._attribution.of_turn(turn.index)
        for response in mine:
            if response.ended_ns is None:
                limit = min(response.first_ns + self._bounds.response_ns, response.last_ns + self._bounds.reply_ns)
                return "response_timeout" if now_ns >= max(limit, turn.speech_end_ns) else None
        answered = any((response.ended_ns or 0) >= turn.speech_end_ns for response in mine)
        waiting_since = self._waiting_since(turn, len(mine), answered)
        if waiting_since is not None:
            if now_ns < waiting_since + self._bounds.reply_ns:
                return None
            return "completed" if answered else "reply_timeout"
        if not answered and now_ns < turn.speech_end_ns + EARLY_SETTLE_NS:
            return None
        return "completed"

    def _waiting_since(self, turn: TurnFacts, responses: int, answered: bool) -> int | None:
        """Since when the caller is owed a reply: none came yet, or the server took in more speech than it answered."""
        latest_ns = max(turn.speech_end_ns, self._last_commit_ns or 0)
        if not responses or max(len(self._stops), len(self._commits)) > responses:
            return latest_ns
        if self._speech_open_ns is not None and not answered:
            return max(turn.speech_end_ns, self._speech_open_ns)
        return None

    def next_check_ns(self, now_ns: int) -> int:
        """When `over` may change its mind without a new signal; a caller sleeps no longer than until then."""
        turn = self.current
        if turn is None:
            return now_ns + self._bounds.reply_ns
        marks = [turn.speech_end_ns + self._bounds.reply_ns, turn.speech_end_ns + EARLY_SETTLE_NS]
        for response in self._attribution.of_turn(turn.index):
            if response.ended_ns is None:
                marks += [response.first_ns + self._bounds.response_ns, response.last_ns + self._bounds.reply_ns]
        if self._last_commit_ns is not None:
            marks.append(self._last_commit_ns + self._bounds.reply_ns)
        ahead = [mark for mark in marks if mark > now_ns]
        return min(ahead) if ahead else now_ns + 50_000_000

    def transcription_due(self, turn: int) -> bool:
        """Whether the transcription of `turn` is still to come."""
        if not self._timeline.transcription_expected:
            return False
        return bool(self._pending_items.get(turn)) or turn not in self._transcribed
