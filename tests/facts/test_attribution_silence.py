"""What a server says because the caller is silent belongs to no turn, whenever it comes."""

from __future__ import annotations

from bench.facts.attribution import Attribution
from bench.facts.signals import (
    IdleTimeout,
    InputCommitted,
    InputTranscript,
    ResponseEnded,
    ResponseStarted,
    SpeechStarted,
    SpeechStopped,
)
from bench.facts.timeline import TurnFacts

SPEECH = (SpeechStarted(520, "v"), SpeechStopped(640, "v"), InputCommitted(640, "v"), ResponseStarted(650, "t"))
SILENCE = (IdleTimeout(505, "s"), InputCommitted(506, "s"), ResponseStarted(507, "p"))


def turn(index: int, start: int, end: int) -> TurnFacts:
    return TurnFacts(index, 0, "f", start, start, end, end, "words", "en", "us", "v")


def subject(*turns: TurnFacts) -> Attribution:
    return Attribution(list(turns))


def test_silence_that_is_answered_as_the_next_turn_begins() -> None:
    it = subject(turn(0, 0, 100), turn(1, 500, 600))
    assert [tuple(it.attribute(signal, 1)) for signal in SILENCE] == [(None, None), (None, None), (None, 0)]
    assert [tuple(it.attribute(signal, 1)) for signal in SPEECH] == [(1, None)] * 3 + [(1, 1)]
    assert it.utterances(1) == 1
    assert tuple(it.attribute(InputTranscript(700, "s", "uh", final=True), 1)) == (None, None)


def test_an_answer_to_silence_that_never_comes_does_not_take_the_next_one() -> None:
    it = subject(turn(0, 0, 100), turn(1, 500, 600))
    it.attribute(SILENCE[0], 1)
    assert [tuple(it.attribute(signal, 1)) for signal in SPEECH] == [(1, None)] * 3 + [(1, 0)]


def test_silence_without_a_name() -> None:
    it = subject(turn(0, 0, 100), turn(1, 500, 600))
    assert tuple(it.attribute(IdleTimeout(505), 1)) == (None, None)
    assert tuple(it.attribute(ResponseStarted(530, "p"), 1)) == (None, 0)
    assert tuple(it.attribute(ResponseEnded(540, "p", "completed"), 1)) == (None, 0)
