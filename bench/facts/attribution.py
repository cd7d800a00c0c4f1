"""Which turn and which response of a call a signal belongs to: decided once, when it comes, and kept in the timeline.

In: signals in order, the turn under way, and what the caller did in it. Out: an `Attributed` for each. The session asks
`of_turn` whether a turn is over; the measures group the entries of a timeline by the numbers given here. What nobody
asked for (a greeting, a reply to silence, to a cough, to a turn that is over) is of no turn: it belongs to the call.
Trap: ids may be missing on some events of a response and present on others or name two responses, an item may be
transcribed after the next turn began, and any event may be missing altogether.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.facts.acts import Sound
from bench.facts.signals import (
    AudioDelta,
    AudioDone,
    IdleTimeout,
    InputCommitted,
    InputTranscript,
    InputTranscriptFailed,
    Onset,
    ReplySignal,
    ResponseEnded,
    ResponseStarted,
    Signal,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolCall,
)
from bench.facts.timeline import TurnFacts

# Tuples, since this runs for every message: a union of types is slower to ask.
_OF_A_RESPONSE = (ResponseStarted, TextDelta, AudioDelta, Onset, AudioDone, ToolCall, ResponseEnded)
_OF_AN_ITEM = (SpeechStarted, SpeechStopped, InputCommitted, InputTranscript, InputTranscriptFailed)
_TRANSCRIBED = (InputTranscript, InputTranscriptFailed)


class Attributed(NamedTuple):
    """Where a signal belongs; None for no turn, or for what is no part of a response."""

    turn: int | None
    response: int | None


@dataclass(slots=True)
class ResponseState:
    """One response as far as it has come; times are arrivals, monotonic ns."""

    number: int
    turn: int | None
    response_id: str | None
    first_ns: int
    last_ns: int
    announced: bool = False
    ended_ns: int | None = None
    cancelled: bool = False
    failed: bool = False
    unprompted: bool = False
    """It began while the caller spoke, before the server had taken anything in of the turn."""


@dataclass(slots=True)
class _Taken:
    """What the server said that it took in of one turn: by item, or by time where it names none."""

    stops: set[str | int] = field(default_factory=set)
    commits: set[str | int] = field(default_factory=set)
    items: bool = False
    transcribed: bool = False

    @property
    def utterances(self) -> int:
        return max(len(self.stops), len(self.commits))


class Attribution:
    """Attributes the signals of one call.

    `turns` and `sounds` are the call's own, as they grow: with them, only what can belong to a turn does. Without them,
    whatever is new belongs to the turn that is given. `manual`: the caller says when a turn ends.
    """

    def __init__(self, turns: Sequence[TurnFacts] = (), sounds: Sequence[Sound] = (), *, manual: bool = False) -> None:
        self.responses: list[ResponseState] = []
        self.moved: list[int] = []
        """Responses that turned out to be of no turn after some of their signals were attributed; the caller of
        `attribute` mends those and empties the list."""
        self._turns = turns
        self._sounds = sounds
        self._sounds_taken = 0
        """How many sounds there were when the server last took one of them for speech."""
        self._manual = manual
        self._by_id: dict[str | None, ResponseState] = {}
        self._turn_of_item: dict[str, int | None] = {}
        self._silence_owed = False
        """The next new response answers silence."""
        self._taken: dict[int, _Taken] = {}

    def forget_names(self) -> None:
        """A new session begins: an id that comes from now on names something new."""
        self._by_id.clear()
        self._turn_of_item.clear()
        self._silence_owed = False

    def of_turn(self, turn: int) -> list[ResponseState]:
        """The responses of turn `turn`, in order of their first sign."""
        return [response for response in self.responses if response.turn == turn]

    def utterances(self, turn: int) -> int:
        """How many utterances the server said it took in during turn `turn`; more than one where it split it."""
        return self._taken[turn].utterances if turn in self._taken else 0

    def attribute(self, signal: Signal, turn: int | None) -> Attributed:
        """Where `signal` belongs while `turn` is the last that was begun; learns from it."""
        if isinstance(signal, _OF_A_RESPONSE):
            response = self._known(signal) or self._response(signal, turn)
            response.last_ns = max(response.last_ns, signal.at_ns)
            if isinstance(signal, ResponseStarted):
                response.announced = True
            elif isinstance(signal, ResponseEnded) and response.ended_ns is None:
                response.ended_ns = signal.at_ns
                response.cancelled, response.failed = signal.status == "cancelled", signal.status == "failed"
            return Attributed(response.turn, response.number)
        if isinstance(signal, IdleTimeout):
            return self._silence(signal)
        if isinstance(signal, _OF_AN_ITEM):
            turn = self._item(signal, turn)
        return Attributed(turn, None)

    def _silence(self, signal: IdleTimeout) -> Attributed:
        """The server takes in silence: its item, and the response that follows, are of no turn."""
        self._silence_owed = True
        if signal.item_id is not None:
            self._turn_of_item[signal.item_id] = None
        return Attributed(None, None)

    # responses

    def _known(self, signal: ReplySignal) -> ResponseState | None:
        """The response that the signal's id names. An id that is announced again after its end names another one."""
        response = self._by_id.get(signal.response_id)
        again = isinstance(signal, ResponseStarted) and response is not None and response.announced
        return None if again and response is not None and response.ended_ns is not None else response

    def _response(self, signal: ReplySignal, turn: int | None) -> ResponseState:
        """The response of `signal`, whose id is not known yet; a new one where it is the first sign of one.

        A signal without an id belongs to the response that is open; without one, output opens a new response and a
        closing mark goes to the last. An id met first within an open response that had none names that response.
        """
        last = self.responses[-1] if self.responses else None
        still_open = last is not None and last.ended_ns is None
        name = signal.response_id
        if name is None:
            elsewhere = last is not None and _another(signal, last) and self._asked_by(signal.at_ns, turn) != last.turn
            if last is not None and (still_open or isinstance(signal, AudioDone | Onset)) and not elsewhere:
                return last
        elif last is not None and still_open and last.response_id is None and not _another(signal, last):
            last.response_id = name
            self._by_id[name] = last
            return last
        return self._new(signal, self._asked_by(signal.at_ns, turn))

    def _new(self, signal: ReplySignal, turn: int | None) -> ResponseState:
        if self._silence_owed:
            turn, self._silence_owed = None, False
        response = ResponseState(len(self.responses), turn, signal.response_id, signal.at_ns, signal.at_ns)
        if turn is not None and self._turns:
            response.unprompted = not self.utterances(turn) and signal.at_ns < self._turns[-1].speech_end_ns
        self.responses.append(response)
        if signal.response_id is not None:
            self._by_id[signal.response_id] = response
        if turn is not None and self._turns:
            self._disown(turn)
        return response

    def _asked_by(self, at_ns: int, turn: int | None) -> int | None:
        """The turn that asked for a response whose first sign came at `at_ns`, or None.

        Nobody asked before the caller made a sound (with push to talk: before we sent our request), nor after the turn
        was over.
        """
        if not self._turns or turn is None:
            return turn
        current = self._turns[-1]
        since_ns = current.commit_ns if self._manual else current.speech_start_ns
        if self._sounds_taken == len(self._sounds) > 0 and self._sound_since(at_ns):
            return None
        return turn if current.end is None and since_ns is not None and at_ns >= since_ns else None

    def _runs_on(self, name: str, signal: Signal) -> bool:
        """Whether an item that began with a sound ends with the turn that followed: the server took both for one."""
        if self._turn_of_item[name] is not None or not isinstance(signal, SpeechStopped | InputCommitted):
            return False
        current = self._turns[-1] if self._turns else None
        ended = current is not None and signal.at_ns >= current.speech_end_ns
        return ended and bool(self._sounds) and current is not None and self._lacks(current, signal)

    def _named_anew(self, name: str, signal: Signal) -> bool:
        """Whether a server gives the name of an item that it had taken in to one of the turn under way."""
        owner = self._turn_of_item[name]
        if owner is None or not self._turns or owner == self._turns[-1].index or owner not in self._taken:
            return False
        taken = self._taken[owner]
        if isinstance(signal, SpeechStarted):
            return name in taken.stops or name in taken.commits
        since_ns = self._turns[-1].commit_ns
        asked = self._manual and since_ns is not None and signal.at_ns >= since_ns
        return isinstance(signal, InputCommitted) and name in taken.commits and asked

    def _sound_since(self, at_ns: int) -> bool:
        """Whether the last that the caller made heard by then is a sound, and no turn."""
        return bool(self._sounds) and self._turns[-1].t0_ns < self._sounds[-1].t0_ns <= at_ns

    def _disown(self, turn: int) -> None:
        """Take a greeting out of `turn` that ran into it.

        It began while the caller spoke and before the server had taken anything in, and all that was taken in
        has a response of its own by now.
        """
        for response in self.of_turn(turn)[:-1]:
            surplus = len(self.of_turn(turn)) > self.utterances(turn) > 0
            if surplus and response.unprompted:
                response.turn = None
                self.moved.append(response.number)

    # items

    def _item(self, signal: Signal, turn: int | None) -> int | None:
        """The turn of the caller's audio that `signal` is about; learns what the server took in of it."""
        name: str | None = getattr(signal, "item_id", None)
        if name is None:
            turn = self._spoken_in(signal, turn)
        elif turn is not None:
            if name not in self._turn_of_item or self._runs_on(name, signal) or self._named_anew(name, signal):
                self._turn_of_item[name] = self._spoken_in(signal, turn)
            turn = self._turn_of_item[name]
        if turn is None:
            if isinstance(signal, SpeechStopped | InputCommitted) and self._turns and self._sound_since(signal.at_ns):
                self._sounds_taken = len(self._sounds)
            return None
        self._silence_owed = False  # something was said after it, so that what follows answers that
        taken = self._taken.setdefault(turn, _Taken())
        taken.items = True
        if isinstance(signal, SpeechStopped):
            taken.stops.add(name or signal.at_ns)
        elif isinstance(signal, InputCommitted):
            taken.commits.add(name or signal.at_ns)
        elif isinstance(signal, InputTranscriptFailed) or (isinstance(signal, InputTranscript) and signal.final):
            taken.transcribed = True
        return turn

    def _spoken_in(self, signal: Signal, turn: int | None) -> int | None:
        """The turn in which the audio of a new item was spoken; None for silence that the server took in by itself.

        What comes before the caller can have been heard is about the turn before; so is what comes when a turn is
        over. There it counts only as long as that turn lacks it.
        """
        if not self._turns or turn is None:
            return turn
        current, before = self._turns[-1], self._turns[-2] if len(self._turns) > 1 else None
        if self._sound_since(signal.at_ns):
            # A transcription that names no item is the turn's as long as that lacks one.
            lacks = isinstance(signal, _TRANSCRIBED) and self._lacks(current, signal)
            return current.index if lacks else None
        if current.end is not None:
            return current.index if self._lacks(current, signal) else None
        words = isinstance(signal, _TRANSCRIBED) and signal.at_ns < current.speech_end_ns
        if words and before is not None and self._lacks(before, signal):
            return before.index
        # A detector may hear a breath that no annotation counts as speech.
        heard_from_ns = current.t0_ns if isinstance(signal, SpeechStarted) else current.speech_start_ns
        if signal.at_ns >= heard_from_ns:
            return turn
        return before.index if before is not None and self._lacks(before, signal) else None

    def _lacks(self, turn: TurnFacts, signal: Signal) -> bool:
        """Whether nothing of the kind of `signal` has come for `turn`."""
        taken = self._taken.get(turn.index, _NOTHING)
        return not (taken.transcribed if isinstance(signal, _TRANSCRIBED) else taken.items)


_NOTHING = _Taken()


def _another(signal: ReplySignal, last: ResponseState) -> bool:
    return isinstance(signal, ResponseStarted) and last.announced
