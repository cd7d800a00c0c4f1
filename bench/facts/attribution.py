"""Which turn and which response of a call a signal belongs to: decided once, when it comes, and kept in the timeline.

In: signals in order, and the turn under way. Out: an `Attributed` for each. The session asks `responses` whether a
turn is over; the measures group the entries of a timeline by the numbers given here.
Trap: ids may be missing on some events of a response and present on others, an item may be transcribed after the
next turn began, and any event may be missing altogether.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bench.facts.signals import (
    AudioDelta,
    AudioDone,
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

# Tuples, since this runs for every message: a union of types is slower to ask.
_OF_A_RESPONSE = (ResponseStarted, TextDelta, AudioDelta, Onset, AudioDone, ToolCall, ResponseEnded)
_OF_AN_ITEM = (SpeechStarted, SpeechStopped, InputCommitted, InputTranscript, InputTranscriptFailed)


class Attributed(NamedTuple):
    """Where a signal belongs; None for no turn yet, or for what is no part of a response."""

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


class Attribution:
    """Attributes the signals of one call."""

    def __init__(self) -> None:
        self.responses: list[ResponseState] = []
        self._by_id: dict[str | None, ResponseState] = {}
        self._turn_of_item: dict[str, int] = {}

    def of_turn(self, turn: int) -> list[ResponseState]:
        """The responses of turn `turn`, in order of their first sign."""
        return [response for response in self.responses if response.turn == turn]

    def attribute(self, signal: Signal, turn: int | None) -> Attributed:
        """Where `signal` belongs while `turn` is under way; learns from it."""
        if isinstance(signal, _OF_A_RESPONSE):
            response = self._by_id.get(signal.response_id) or self._response(signal, turn)
            response.last_ns = max(response.last_ns, signal.at_ns)
            if isinstance(signal, ResponseStarted):
                response.announced = True
            elif isinstance(signal, ResponseEnded) and response.ended_ns is None:
                response.ended_ns = signal.at_ns
            return Attributed(response.turn, response.number)
        if isinstance(signal, _OF_AN_ITEM) and signal.item_id is not None and turn is not None:
            turn = self._turn_of_item.setdefault(signal.item_id, turn)
        return Attributed(turn, None)

    def _response(self, signal: ReplySignal, turn: int | None) -> ResponseState:
        """The response of `signal`, whose id is not known yet; a new one where it is the first sign of one.

        A signal without an id belongs to the response that is open; without one, output opens a new response and a
        closing mark goes to the last. An id met first within an open response that had none names that response.
        """
        last = self.responses[-1] if self.responses else None
        still_open = last is not None and last.ended_ns is None
        name = signal.response_id
        if name is None:
            if last is not None and (still_open or isinstance(signal, AudioDone | Onset)):
                return last
        elif last is not None and still_open and last.response_id is None and not _begins_another(signal, last):
            last.response_id = name
            self._by_id[name] = last
            return last
        response = ResponseState(len(self.responses), turn, name, signal.at_ns, signal.at_ns)
        self.responses.append(response)
        if name is not None:
            self._by_id[name] = response
        return response


def _begins_another(signal: ReplySignal, last: ResponseState) -> bool:
    return isinstance(signal, ResponseStarted) and last.announced
