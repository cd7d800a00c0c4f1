"""A sound that the caller makes while it listens is no turn, and what the server makes of it belongs to the call."""

from __future__ import annotations

from bench.facts.acts import Sound
from bench.facts.attribution import Attribution
from bench.facts.signals import (
    InputCommitted,
    InputTranscript,
    ResponseEnded,
    ResponseStarted,
    Signal,
    SpeechStarted,
    SpeechStopped,
)
from bench.facts.timeline import TurnFacts


def turn(index: int, start: int, end: int) -> TurnFacts:
    return TurnFacts(index, 0, "f", start, start, end, end, "words", "en", "us", "v")


def sound(start: int) -> Sound:
    return Sound(1, "cough", start, start, start + 40, start + 60, 0, 0)


class Subject:
    """One turn from 0 to 100, whose reply begins at 150."""

    def __init__(self) -> None:
        self.turns, self.sounds = [turn(0, 0, 100)], [sound(300)][:0]
        self.attribution = Attribution(self.turns, self.sounds)
        self.places: list[tuple[int | None, int | None]] = []
        self.feed(SpeechStarted(10, "u"), SpeechStopped(140, "u"), InputCommitted(140, "u"), ResponseStarted(150, "r"))

    def feed(self, *signals: Signal) -> list[tuple[int | None, int | None]]:
        return [tuple(self.attribution.attribute(signal, self.turns[-1].index)) for signal in signals]  # type: ignore[misc]


HEARD = (SpeechStarted(330, "c"), SpeechStopped(380, "c"), InputCommitted(380, "c"))


def test_what_is_taken_in_of_a_sound_and_what_answers_it_is_of_no_turn() -> None:
    it = Subject()
    it.sounds.append(sound(300))
    assert it.feed(*HEARD) == [(None, None)] * 3
    assert it.feed(ResponseEnded(381, "r", "cancelled")) == [(0, 0)]
    assert it.feed(ResponseStarted(390, "s"), InputTranscript(395, "c", "ahem", final=True)) == [
        (None, 1),
        (None, None),
    ]
    assert it.attribution.utterances(0) == 1


def test_the_same_without_names() -> None:
    it = Subject()
    it.sounds.append(sound(300))
    nameless = (SpeechStarted(330), SpeechStopped(380), InputCommitted(380))
    assert it.feed(*nameless, ResponseStarted(390, "s")) == [(None, None)] * 3 + [(None, 1)]


def test_a_sound_that_nobody_takes_in_changes_nothing() -> None:
    it = Subject()
    it.sounds.append(sound(300))
    # A second response of the same turn, such as after a tool.
    assert it.feed(ResponseEnded(340, "r", "completed"), ResponseStarted(350, "s")) == [(0, 0), (0, 1)]


def test_a_late_transcription_of_the_turn_is_still_the_turns() -> None:
    it = Subject()
    it.sounds.append(sound(300))
    assert it.feed(InputTranscript(320, "u", "words", final=True)) == [(0, None)]
    assert it.feed(InputTranscript(330, None, "words", final=True)) == [(None, None)], "it has one already"


def test_the_next_turn_is_a_turn_again() -> None:
    it = Subject()
    it.sounds.append(sound(300))
    it.feed(*HEARD)
    it.turns.append(turn(1, 500, 600))
    assert it.feed(SpeechStarted(520, "v"), InputCommitted(640, "v"), ResponseStarted(650, "t")) == [
        (1, None),
        (1, None),
        (1, 1),
    ]


def test_a_server_that_takes_sound_and_turn_for_one_has_heard_the_turn() -> None:
    it = Subject()
    it.sounds.append(sound(300))
    assert it.feed(SpeechStarted(330, "c")) == [(None, None)]
    it.turns.append(turn(1, 350, 450))
    assert (
        it.feed(SpeechStopped(500, "c"), InputCommitted(500, "c"), InputTranscript(510, "c", "words", final=True))
        == [(1, None)] * 3
    )
