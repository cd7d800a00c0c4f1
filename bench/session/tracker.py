"""Which turn a signal belongs to, and whether the turn is over. Sans-I/O: signals and times in, decisions out.

A turn ends when the reply that answers it has ended, not when any response has: a server whose VAD splits the
caller's sentence replies early, is interrupted, and replies again. Trap: ids may be missing on some events of a
response and present on others, and a transcription may arrive after the next turn began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.facts.signals import (
    AudioDelta,
    AudioDone,
    ErrorInfo,
    InputCommitted,
    InputTranscript,
    InputTranscriptFailed,
    Malformed,
    Onset,
    RateLimits,
    ResponseEnded,
    ResponseStarted,
    ServerError,
    Signal,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolCall,
    Unrecognised,
)
from bench.facts.timeline import Entry, Timeline, TurnEnd, TurnFacts

EARLY_SETTLE_NS = 3_000_000_000
"""How long a caller whom the server cut off waits for the real answer before taking the early one for all."""
MOST_NOISE = 500
"""Signals of no consequence that one session stores; a server may repeat an error for every audio frame."""
_NOISE = (ServerError, Unrecognised, Malformed, RateLimits)
_REPLY = (ResponseStarted, TextDelta, AudioDelta, AudioDone, Onset, ToolCall, ResponseEnded)


@dataclass(slots=True)
class _Response:
    turn: int | None
    started_ns: int
    last_ns: int
    ended_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """The waits of a turn, ns: for the first sign of a reply, for a whole response, for a late transcription."""

    reply_ns: int
    response_ns: int
    transcription_ns: int


@dataclass(slots=True)
class _Items:
    turn_of: dict[str, int] = field(default_factory=dict)
    pending: dict[int, set[str]] = field(default_factory=dict)
    transcribed: set[int] = field(default_factory=set)


class Tracker:
    """Attributes the signals of one call to its turns and tells what to wait for."""

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
        self._responses: dict[str | None, _Response] = {}
        self._items = _Items()
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

    def feed(self, signal: Signal, read_ns: int) -> None:
        """Store one signal and learn from it."""
        turn = self._attribute(signal)
        if isinstance(signal, _NOISE):
            self._noise += 1
            if self._noise > MOST_NOISE:
                self._timeline.dropped_signals += 1
                return
        self._timeline.entries.append(Entry(signal, read_ns, turn))

    def _attribute(self, signal: Signal) -> int | None:
        turn = self.current.index if self.current else None
        if isinstance(signal, _REPLY):
            return self._reply(signal, turn)
        if isinstance(signal, SpeechStarted):
            self._speech_open_ns = signal.at_ns
            self._own(signal.item_id, turn)
        elif isinstance(signal, SpeechStopped):
            self._speech_open_ns, self._last_commit_ns = None, signal.at_ns
            self._stops.add(signal.item_id or signal.at_ns)
            return self._own(signal.item_id, turn)
        elif isinstance(signal, InputCommitted):
            self._last_commit_ns = signal.at_ns
            self._commits.add(signal.item_id or signal.at_ns)
            turn = self._own(signal.item_id, turn)
            if turn is not None and signal.item_id is not None:
                self._items.pending.setdefault(turn, set()).add(signal.item_id)
        elif isinstance(signal, InputTranscript | InputTranscriptFailed):
            return self._transcript(signal, turn)
        elif isinstance(signal, ServerError) and not signal.benign:
            self.last_error = signal.error
            if turn is not None and self._refuses_turn(signal.error, turn):
                self.refusal = signal.error
        return turn

    def _own(self, item_id: str | None, turn: int | None) -> int | None:
        if item_id is None or turn is None:
            return turn
        return self._items.turn_of.setdefault(item_id, turn)

    def _transcript(self, signal: InputTranscript | InputTranscriptFailed, turn: int | None) -> int | None:
        turn = self._own(signal.item_id, turn)
        if turn is not None and (isinstance(signal, InputTranscriptFailed) or signal.final):
            self._items.transcribed.add(turn)
            if signal.item_id is not None:
                self._items.pending.get(turn, set()).discard(signal.item_id)
        return turn

    def _reply(self, signal: Signal, turn: int | None) -> int | None:
        response_id: str | None = getattr(signal, "response_id", None)
        known = self._responses.get(response_id)
        if known is None and isinstance(signal, ResponseEnded):
            anonymous = self._responses.get(None)
            known = anonymous if anonymous is not None and anonymous.ended_ns is None else None
        if known is None or (response_id is None and known.ended_ns is not None and known.turn != turn):
            known = self._responses[response_id] = _Response(turn, signal.at_ns, signal.at_ns)
        known.last_ns = max(known.last_ns, signal.at_ns)
        if isinstance(signal, ResponseEnded):
            known.ended_ns = signal.at_ns
        return known.turn

    # decisions

    def over(self, now_ns: int) -> TurnEnd | None:
        """How the current turn ended, or None while it goes on; asks for the caller to have spoken already."""
        turn = self.current
        if turn is None:
            return None
        if self.refusal is not None:
            return "error"
        mine = [response for response in self._responses.values() if response.turn == turn.index]
        for response in mine:
            if response.ended_ns is None:
                limit = min(response.started_ns + self._bounds.response_ns, response.last_ns + self._bounds.reply_ns)
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
        for response in self._responses.values():
            if response.turn == turn.index and response.ended_ns is None:
                marks += [response.started_ns + self._bounds.response_ns, response.last_ns + self._bounds.reply_ns]
        if self._last_commit_ns is not None:
            marks.append(self._last_commit_ns + self._bounds.reply_ns)
        ahead = [mark for mark in marks if mark > now_ns]
        return min(ahead) if ahead else now_ns + 50_000_000

    def transcription_due(self, turn: int) -> bool:
        """Whether the transcription of `turn` is still to come."""
        if not self._timeline.transcription_expected:
            return False
        return bool(self._items.pending.get(turn)) or turn not in self._items.transcribed
