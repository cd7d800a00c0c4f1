"""Which turn and response a signal belongs to, with and without ids, in any order of events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.facts.attribution import Attributed, Attribution
from bench.facts.signals import (
    AudioDelta,
    AudioDone,
    InputCommitted,
    InputTranscript,
    Onset,
    RateLimits,
    ResponseEnded,
    ResponseStarted,
    Signal,
    SpeechStopped,
    TextDelta,
)
from bench.facts.timeline import TurnFacts


def started(name: str | None) -> Signal:
    return ResponseStarted(1, name)


def words(name: str | None) -> Signal:
    return TextDelta(2, name, "a")


def sound(name: str | None) -> Signal:
    return AudioDelta(3, name, None, 10)


def onset(name: str | None) -> Signal:
    return Onset(3, name, 0)


def sound_done(name: str | None) -> Signal:
    return AudioDone(4, name)


def ended(name: str | None) -> Signal:
    return ResponseEnded(5, name, "completed")


@pytest.mark.parametrize(
    ("case", "signals", "responses"),
    [
        ("one after the other", [started("a"), words("a"), ended("a"), started("b"), ended("b")], [0, 0, 0, 1, 1]),
        ("at the same time", [started("a"), started("b"), words("a"), sound("b"), ended("b")], [0, 1, 0, 1, 1]),
        ("no ids at all", [started(None), sound(None), ended(None), sound(None), ended(None)], [0, 0, 0, 1, 1]),
        ("an id at the end only", [started(None), sound(None), ended("a")], [0, 0, 0]),
        ("an id after the start", [started(None), sound("a"), ended("a"), sound("a")], [0, 0, 0, 0]),
        ("ids on output alone", [sound("a"), ended(None)], [0, 0]),
        ("a second start is another response", [started(None), started("b"), sound("b")], [0, 1, 1]),
        ("a closing mark after the end goes to the last", [sound(None), ended(None), sound_done(None)], [0, 0, 0]),
        ("an onset after the end, too", [sound(None), ended(None), onset(None)], [0, 0, 0]),
        ("an end without anything is a response", [ended("a"), ended("b")], [0, 1]),
        ("the end before the start", [ended("a"), started("a"), sound("a")], [0, 0, 0]),
        ("an id used twice", [started("a"), sound("a"), ended("a")] * 2, [0, 0, 0, 1, 1, 1]),
        ("a start told twice", [started("a"), started("a"), sound("a"), ended("a"), ended("a")], [0] * 5),
    ],
)
def test_responses(case: str, signals: list[Signal], responses: list[int]) -> None:
    attribution = Attribution()
    assert [attribution.attribute(signal, 0).response for signal in signals] == responses, case


def test_what_comes_late_belongs_where_it_began() -> None:
    attribution = Attribution()
    assert attribution.attribute(InputCommitted(1, "u0"), 0) == Attributed(0, None)
    assert attribution.attribute(sound("r0"), 0) == Attributed(0, 0)
    assert attribution.attribute(sound("r0"), 1) == Attributed(0, 0)
    assert attribution.attribute(InputTranscript(9, "u0", "words", final=True), 1) == Attributed(0, None)
    assert attribution.attribute(InputTranscript(9, None, "words", final=True), 1) == Attributed(1, None)
    assert attribution.attribute(SpeechStopped(9, "u1"), 1) == Attributed(1, None)
    assert attribution.attribute(RateLimits(9), 1) == Attributed(1, None)


def test_a_response_that_nobody_asked_for_is_of_no_turn() -> None:
    attribution = Attribution()
    assert attribution.attribute(started("greeting"), None) == Attributed(None, 0)
    assert attribution.attribute(ended("greeting"), 0) == Attributed(None, 0)
    assert attribution.of_turn(0) == []


names = st.sampled_from(["a", "b", "c", None])
kinds = st.sampled_from([started, words, sound, onset, sound_done, ended])
events = st.lists(st.tuples(kinds, names), max_size=30).map(lambda pairs: [make(name) for make, name in pairs])


@given(events)
def test_every_signal_of_a_response_has_one_and_a_response_has_one_id(signals: list[Signal]) -> None:
    attribution = Attribution()
    numbers: dict[str, set[int]] = {}
    for place, signal in enumerate(signals):
        turn, response = attribution.attribute(signal, place // 10)
        assert response is not None
        assert attribution.responses[response].turn == turn
        name = signal.response_id  # type: ignore[union-attr]
        if name is not None:
            numbers.setdefault(name, set()).add(response)
    assert len({number for found in numbers.values() for number in found}) == sum(map(len, numbers.values()))


@given(events)
def test_ids_that_are_given_everywhere_do_not_depend_on_the_order(signals: list[Signal]) -> None:
    named = [signal for signal in signals if signal.response_id is not None]  # type: ignore[union-attr]
    attribution = Attribution()
    by_name: dict[int | None, set[str]] = {}
    for signal in named:
        by_name.setdefault(attribution.attribute(signal, 0).response, set()).add(signal.response_id)  # type: ignore[union-attr]
    assert all(len(found) == 1 for found in by_name.values())


# with the call's own turns


def turn(index: int, t0: int, *, over: bool = False, commit: int | None = None) -> TurnFacts:
    """Speech from 10 to 100 after `t0`."""
    facts = TurnFacts(index, 0, "f", t0, t0 + 10, t0 + 100, t0 + 120, "words", "en", "us", "v", commit_ns=commit)
    facts.end = "completed" if over else None
    return facts


def words_of(item: str | None, at_ns: int) -> Signal:
    return InputTranscript(at_ns, item, "words", final=True)


@pytest.mark.parametrize(
    ("case", "turns", "manual", "at_ns", "belongs_to"),
    [
        ("before any sound of the caller", [turn(0, 1000)], False, 1005, None),
        ("while the caller speaks", [turn(0, 1000)], False, 1050, 0),
        ("after the caller spoke", [turn(0, 1000)], False, 1500, 0),
        ("when the turn is over", [turn(0, 1000, over=True)], False, 1500, None),
        ("in the lead-in of the next turn", [turn(0, 1000, over=True), turn(1, 2000)], False, 2005, None),
        ("push to talk, before our request", [turn(0, 1000)], True, 1110, None),
        ("push to talk, after our request", [turn(0, 1000, commit=1130)], True, 1140, 0),
        (
            "push to talk, the next turn not asked yet",
            [turn(0, 0, over=True, commit=130), turn(1, 2000)],
            True,
            2050,
            None,
        ),
    ],
)
def test_who_asked_for_a_response(
    case: str, turns: list[TurnFacts], manual: bool, at_ns: int, belongs_to: int | None
) -> None:
    attribution = Attribution(turns, manual=manual)
    assert attribution.attribute(ResponseStarted(at_ns, "r"), turns[-1].index) == (belongs_to, 0), case


def test_what_the_server_took_in_of_silence_is_of_no_turn() -> None:
    turns = [turn(0, 1000)]
    attribution = Attribution(turns)
    assert attribution.attribute(InputCommitted(1200, "u0"), 0).turn == 0
    turns[0].end = "completed"
    assert attribution.attribute(InputCommitted(1500, "silence"), 0).turn is None
    assert attribution.attribute(words_of("silence", 1600), 0).turn is None
    assert attribution.attribute(words_of("u0", 1700), 0).turn == 0
    assert attribution.utterances(0) == 1


def test_words_without_a_name_go_to_the_turn_that_lacks_them() -> None:
    turns = [turn(0, 1000, over=True)]
    attribution = Attribution(turns)
    turns.append(turn(1, 2000))
    assert attribution.attribute(words_of(None, 2050), 1).turn == 0, "nobody understands a sentence in its middle"
    assert attribution.attribute(words_of(None, 2060), 1).turn == 1, "turn 0 has its words"
    turns[-1].end = "completed"
    assert attribution.attribute(words_of(None, 2200), 1).turn is None


def test_a_greeting_that_ran_into_the_turn_is_found_out_by_the_reply_that_follows() -> None:
    attribution = Attribution([turn(0, 1000)])
    assert attribution.attribute(ResponseStarted(1050, "hello"), 0) == (0, 0)
    attribution.attribute(InputCommitted(1300, "u0"), 0)
    assert attribution.attribute(ResponseStarted(1400, "r0"), 0) == (0, 1)
    assert attribution.moved == [0]
    assert [response.number for response in attribution.of_turn(0)] == [1]


def test_an_early_reply_whose_utterance_was_taken_in_is_the_turns() -> None:
    attribution = Attribution([turn(0, 1000)])
    attribution.attribute(InputCommitted(1040, "u0"), 0)
    attribution.attribute(ResponseStarted(1050, "early"), 0)
    attribution.attribute(InputCommitted(1300, "u0b"), 0)
    attribution.attribute(ResponseStarted(1400, "r0"), 0)
    assert attribution.moved == []
    assert len(attribution.of_turn(0)) == 2
