"""Whether the turn under way is over, and what it waits for. Sans-I/O: signals and times in, decisions out.

A turn ends when the reply that answers it has ended, not when any response has: a server whose VAD splits the
caller's sentence replies early, is interrupted, and replies again. What belongs to which response and turn is decided
by `bench.facts.attribution`. Trap: a transcription may arrive after the next turn began.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.facts.acts import Sound
from bench.facts.attribution import Attribution, ResponseState
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
RETRY_SETTLE_NS = 500_000_000
"""How long a caller whose response failed or was taken back waits for a server that tries again by itself."""
MOST_NOISE = 500
"""Signals of no consequence that one session stores; a server may repeat an error for every audio frame."""
_NO_END_NS = 2**62
_TAKEN = (SpeechStarted, SpeechStopped, InputCommitted)
_NOISE = (ServerError, Unrecognised, Malformed, RateLimits)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long each thing is waited for, ns: configuration, the first sign of a reply, a whole response, a late
    transcription, the answer to our hanging up; and how long is listened to one reply."""

    ready_ns: int
    reply_ns: int
    response_ns: int
    transcription_ns: int
    close_ns: int
    playback_ns: int = 120_000_000_000


class Tracker:
    """Keeps the signals of one call with what they were attributed to, and tells what to wait for."""

    def __init__(
        self,
        timeline: Timeline,
        bounds: Bounds,
        *,
        refuses_turn: Callable[[ErrorInfo, int], bool],
        refuses_reply: Callable[[ErrorInfo, int], bool] | None = None,
    ) -> None:
        self._timeline = timeline
        self._bounds = bounds
        self._refuses_turn = refuses_turn
        self._refuses_reply = refuses_reply or refuses_turn
        self._attribution = Attribution(timeline.turns, timeline.sounds, manual=timeline.manual)
        self._pending_items: dict[int, set[str]] = {}
        self._transcribed: set[int] = set()
        self._transcribed_ns: dict[int, int] = {}
        """When the last transcription of a turn was final, or failed."""
        self._noise = 0
        self._last_commit_ns: int | None = None
        self._speech_open_ns: int | None = None
        self.refusal: ErrorInfo | None = None
        self._refused_ns: int | None = None
        """When `refusal` came, while the reply that was asked for besides may still come."""
        self.last_error: ErrorInfo | None = None
        self.turn_error: ErrorInfo | None = None
        """The first error that came during the current turn: the cause of what follows from it."""

    @property
    def current(self) -> TurnFacts | None:
        """The turn that was begun last."""
        return self._timeline.turns[-1] if self._timeline.turns else None

    @property
    def bounds(self) -> Bounds:
        """How long each thing is waited for."""
        return self._bounds

    def unasked(self, first: int) -> ResponseState | None:
        """The first response from number `first` on that belongs to the call: the agent spoke of its own accord."""
        return next((each for each in self._attribution.responses[first:] if each.turn is None), None)

    def answers_until_ns(self, sound: Sound, now_ns: int) -> int | None:
        """Until when an answer to a sound may come, where the server took it for speech; None once that is settled."""
        taken = [
            entry.signal.at_ns
            for entry in self._timeline.entries
            if entry.turn is None and isinstance(entry.signal, _TAKEN) and entry.signal.at_ns >= sound.t0_ns
        ]
        if not taken:
            return None
        answers = [each for each in self._attribution.responses if each.first_ns >= sound.t0_ns and each.turn is None]
        due_ns = self.said_by_ns(answers[-1].number) if answers else max(taken) + EARLY_SETTLE_NS
        return due_ns if now_ns < due_ns and not (answers and answers[-1].ended_ns is not None) else None

    def of_turn(self, turn: int) -> list[ResponseState]:
        """The responses of turn `turn` so far."""
        return self._attribution.of_turn(turn)

    def response(self, number: int) -> ResponseState:
        """The response of that number."""
        return self._attribution.responses[number]

    def said(self, number: int, now_ns: int) -> bool:
        """Whether the response of that number has ended, or is waited for no longer."""
        return now_ns >= self.said_by_ns(number)

    def said_by_ns(self, number: int) -> int:
        """Until when the response of that number is waited for at most; its end, once it has ended."""
        response = self._attribution.responses[number]
        if response.ended_ns is not None:
            return response.ended_ns
        return min(response.first_ns + self._bounds.response_ns, response.last_ns + self._bounds.reply_ns)

    def replying(self, turn: int) -> bool:
        """Whether a response of turn `turn` is open although the caller cut into it and went on."""
        interrupted = any(each.index == turn and each.end == "interrupted" for each in self._timeline.turns)
        return interrupted and any(each.ended_ns is None for each in self._attribution.of_turn(turn))

    def renewed(self) -> None:
        """The call goes on in a new session: names of the one before may come again, for other things."""
        self._attribution.forget_names()
        self._pending_items.clear()
        self.last_error = None

    def begin(self, turn: TurnFacts) -> None:
        """The caller starts to speak; what arrives from now on belongs to `turn` unless it says otherwise."""
        self._timeline.turns.append(turn)
        self._last_commit_ns = self._speech_open_ns = None
        self.refusal = None
        self._refused_ns = None
        self.turn_error = None

    def feed(self, signal: Signal, read_ns: int) -> int | None:
        """Store one signal and learn from it; the number of the response that it is part of, if of any."""
        current = self._timeline.turns[-1].index if self._timeline.turns else None
        turn, response = self._attribution.attribute(signal, current)
        if response is None:
            self._learn(signal, turn, current)
        elif self._attribution.moved:
            self._move()
        if isinstance(signal, _NOISE):
            self._noise += 1
            if self._noise > MOST_NOISE:
                self._timeline.dropped_signals += 1
                return None
        self._timeline.entries.append(Entry(signal, read_ns, turn, response))
        return response

    def _move(self) -> None:
        """Mend the entries of responses that turned out to belong to no turn."""
        moved = set(self._attribution.moved)
        self._attribution.moved.clear()
        for place, entry in enumerate(self._timeline.entries):
            if entry.response in moved:
                self._timeline.entries[place] = replace(entry, turn=None)

    def _learn(self, signal: Signal, turn: int | None, current: int | None) -> None:
        """What `signal`, no part of a response, says about what the caller is owed."""
        if isinstance(signal, SpeechStarted | SpeechStopped) and turn != current:
            return  # about an earlier turn, or about silence
        if isinstance(signal, SpeechStarted):
            self._speech_open_ns = signal.at_ns
        elif isinstance(signal, SpeechStopped):
            self._speech_open_ns, self._last_commit_ns = None, signal.at_ns
        elif isinstance(signal, InputCommitted):
            if turn == current:
                self._last_commit_ns = signal.at_ns
            if turn is not None and signal.item_id is not None:
                self._pending_items.setdefault(turn, set()).add(signal.item_id)
        elif isinstance(signal, InputTranscript | InputTranscriptFailed):
            if turn is not None and (isinstance(signal, InputTranscriptFailed) or signal.final):
                self._transcribed.add(turn)
                self._transcribed_ns[turn] = signal.at_ns
                if signal.item_id is not None:
                    self._pending_items.get(turn, set()).discard(signal.item_id)
        elif isinstance(signal, ServerError) and not signal.benign:
            self.last_error = signal.error
            self.turn_error = self.turn_error or signal.error
            if turn is not None and self._refuses_turn(signal.error, turn):
                self.refusal = self.refusal or signal.error
                self._refused_ns = None if self._refuses_reply(signal.error, turn) else signal.at_ns

    # decisions

    def over(self, now_ns: int) -> TurnEnd | None:
        """How the current turn ended, or None while it goes on; asks for the caller to have spoken already."""
        turn = self.current
        if turn is None:
            return None
        if self._timeline.transcribes:
            return self._written_down(turn, now_ns)
        mine = self._attribution.of_turn(turn.index)
        refused = self.refusal is not None
        if refused and self._refused_ns is None:
            return "error"
        for response in mine:
            if response.ended_ns is None:
                over = now_ns >= max(self.said_by_ns(response.number), turn.speech_end_ns)
                return ("error" if refused else "response_timeout") if over else None
        owed_ns = self._tools_until_ns(turn, mine)
        if owed_ns is not None and not refused:
            return None if now_ns < owed_ns else "reply_timeout"
        if refused:
            return "error" if mine or now_ns >= (self._refused_ns or 0) + self._settle_ns else None
        ended = [response for response in mine if (response.ended_ns or 0) >= turn.speech_end_ns]
        waiting_until = self._waiting_until(turn, mine, bool(ended))
        if waiting_until is not None:
            if now_ns < waiting_until:
                return None
            return "completed" if ended or any(response.unprompted for response in mine) else "reply_timeout"
        if all(response.unprompted for response in ended):
            last_ns = max(turn.speech_end_ns, *(response.ended_ns or 0 for response in ended), 0)
            return "completed" if now_ns >= last_ns + EARLY_SETTLE_NS else None
        if all(response.cancelled or response.failed for response in ended):
            last_ns = max(response.ended_ns or 0 for response in ended)
            return "completed" if now_ns >= last_ns + RETRY_SETTLE_NS else None
        return "completed"

    def _written_down(self, turn: TurnFacts, now_ns: int) -> TurnEnd | None:
        """How a turn of a session that only writes down ended: with the last transcription of what was said.

        One that came before the caller had ended may be of a part; it is taken for all when no other follows.
        """
        if self.refusal is not None:
            return "error"
        final_ns = self._transcribed_ns.get(turn.index)
        if final_ns is not None and self._speech_open_ns is None and not self._pending_items.get(turn.index):
            settled_ns = 0 if final_ns >= turn.speech_end_ns else turn.speech_end_ns + EARLY_SETTLE_NS
            return "completed" if now_ns >= max(settled_ns, turn.speech_end_ns) else None
        latest_ns = max(turn.speech_end_ns, self._last_commit_ns or 0)
        return "reply_timeout" if now_ns >= latest_ns + self._bounds.reply_ns else None

    def _tools_until_ns(self, turn: TurnFacts, mine: Sequence[ResponseState]) -> int | None:
        """Until when the reply to the results of tools is waited for; None when none is owed."""
        uses = [use for use in self._timeline.tools if use.turn == turn.index]
        if any(use.sent_ns is None and use.error != "too_many_calls" for use in uses):
            return _NO_END_NS  # each tool has a bound of its own
        asked_ns = max((use.asked_ns for use in uses if use.asked_ns is not None), default=None)
        if asked_ns is None or any(response.first_ns >= asked_ns for response in mine):
            return None
        return asked_ns + self._bounds.reply_ns

    @property
    def _settle_ns(self) -> int:
        return min(EARLY_SETTLE_NS, self._bounds.reply_ns)

    def _waiting_until(self, turn: TurnFacts, mine: Sequence[ResponseState], answered: bool) -> int | None:
        """How long the caller waits for a reply that is owed: none came yet, or more speech was taken in after it.

        A reply answers all that was taken in before it began. What was taken in later may be noise: once a reply was
        heard to its end, another one is waited for only as long as it takes to settle.
        """
        latest_ns = max(turn.speech_end_ns, self._last_commit_ns or 0)
        if not mine:
            return latest_ns + self._bounds.reply_ns
        more = self._attribution.utterances(turn.index) > sum(not response.unprompted for response in mine)
        if more and (self._last_commit_ns or 0) > mine[-1].first_ns:
            whole = [response.ended_ns or 0 for response in mine if not response.cancelled]
            early = any(response.unprompted and not response.cancelled for response in mine)
            if early or (whole and max(whole) >= turn.speech_end_ns):
                return max(latest_ns, *whole) + self._settle_ns
            return latest_ns + self._bounds.reply_ns
        if self._speech_open_ns is not None and not answered:
            return max(turn.speech_end_ns, self._speech_open_ns) + self._bounds.reply_ns
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
            else:
                marks += [response.ended_ns + RETRY_SETTLE_NS, response.ended_ns + self._settle_ns]
        if self._last_commit_ns is not None:
            marks += [self._last_commit_ns + self._bounds.reply_ns, self._last_commit_ns + self._settle_ns]
        asked = [use.asked_ns for use in self._timeline.tools if use.turn == turn.index and use.asked_ns is not None]
        if asked:
            marks.append(max(asked) + self._bounds.reply_ns)
        if self._refused_ns is not None:
            marks.append(self._refused_ns + self._settle_ns)
        ahead = [mark for mark in marks if mark > now_ns]
        return min(ahead) if ahead else now_ns + 50_000_000

    def transcription_due(self, turn: int) -> bool:
        """Whether the transcription of `turn` is still to come."""
        if not self._timeline.transcription_expected:
            return False
        return bool(self._pending_items.get(turn)) or turn not in self._transcribed
