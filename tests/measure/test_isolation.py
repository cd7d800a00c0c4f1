"""Words of one call in another: every way in which they come, and what must not be taken for them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.isolation import SaidTurn, cross_talk
from bench.measure.wer import score_words

ORDER, LAST = "My order number is four five seven nine one.", "The last four digits are three eight zero six."
PHONE, HOURS = "My phone number is five five five, two one seven eight.", "When do you close on Friday?"
RESET = "I forgot my password and I need to reset it."


def turn(session: str, said: str, heard: str | None = None, reply: str | None = None, at_s: float = 0.0) -> SaidTurn:
    """A turn of a call that is open from `at_s` for ten seconds; without `heard` it was heard as it was said."""
    heard = said if heard is None else heard
    score = score_words(said, heard, "en")
    return SaidTurn(session, at_s, at_s + 10, "en", said, heard, None if score is None else score.wer, reply)


def pairs(*turns: SaidTurn) -> list[tuple[int, str, str]]:
    return [(each.place, each.other, each.part) for each in cross_talk(turns)]


def test_swapped_transcriptions_name_both_calls() -> None:
    assert pairs(turn("a", ORDER, HOURS), turn("b", HOURS, ORDER), turn("c", RESET)) == [
        (0, "b", "transcript"),
        (1, "a", "transcript"),
    ]


def test_swapped_replies_name_both_calls() -> None:
    assert pairs(
        turn("a", ORDER, reply="You said three eight zero six."),
        turn("b", LAST, reply="Order 45791 is on its way."),
        turn("c", HOURS, reply="We close at 6."),
    ) == [(0, "b", "reply"), (1, "a", "reply")]


@pytest.mark.parametrize(
    "heard", ["my order number is 45791", "My order number is 4-5-7-9-1!", "my order number is 457 91"]
)
def test_the_spelling_of_a_number_does_not_matter(heard: str) -> None:
    assert pairs(turn("a", HOURS, heard), turn("b", ORDER)) == [(0, "b", "transcript")]


def test_a_few_words_of_it_may_be_misheard() -> None:
    assert pairs(turn("a", ORDER, "When do you close on Fry day?"), turn("b", HOURS)) == [(0, "b", "transcript")]
    assert pairs(turn("a", ORDER, "When did you clothe Fry day?"), turn("b", HOURS)) == []
    assert pairs(turn("a", ORDER, "I forgot my password and need to reset it"), turn("b", RESET)) == [
        (0, "b", "transcript")
    ]


@pytest.mark.parametrize(
    ("what", "turns"),
    [
        ("sound", [turn("a", ORDER, reply="Order 45791."), turn("b", LAST, reply="Ending in 3806.")]),
        ("misheard", [turn("a", ORDER, "My border lumber is for fun."), turn("b", HOURS)]),
        ("nothing heard", [turn("a", ORDER, ""), turn("b", HOURS)]),
        ("one word", [turn("a", ORDER, "Yes."), turn("b", "Yes.")]),
        ("not at the same time", [turn("a", ORDER, HOURS), turn("b", HOURS, at_s=60)]),
        ("an earlier turn of this call", [turn("a", HOURS), turn("a", ORDER, HOURS), turn("b", HOURS)]),
        ("the same sentence", [turn("a", HOURS), turn("b", HOURS)]),
        ("misheard and said again", [turn("a", ORDER, "My order is 3806.", "3806?"), turn("b", LAST)]),
        ("a short number", [turn("a", HOURS, reply="At 18."), turn("b", "It costs eighteen dollars.")]),
        (
            "a number of the shop, which one caller says too",
            [*(turn(f"c{n}", HOURS, reply="Call 555-2178 for that.") for n in range(6)), turn("b", PHONE)],
        ),
        ("said before", [turn("a", ORDER), turn("a", HOURS, reply="45791 comes Friday."), turn("b", ORDER)]),
        ("an echo that was not transcribed", [replace(turn("a", ORDER), hypothesis=None, wer=None), turn("b", HOURS)]),
    ],
)  # fmt: skip
def test_what_is_no_cross_talk(what: str, turns: list[SaidTurn]) -> None:
    assert pairs(*turns) == [], what


@given(st.integers(0, 10_000))
def test_sound_calls_raise_no_alarm_however_badly_they_are_heard(seed: int) -> None:
    draw = random.Random(seed)
    turns = []
    for number in range(20):
        said = draw.choice([ORDER, LAST, PHONE, HOURS, RESET])
        words = [word for word in said.split() if draw.random() > 0.3]
        draw.shuffle(words) if draw.random() < 0.2 else None
        turns.append(turn(f"call-{number}", said, " ".join(words), reply=said))
    assert pairs(*turns) == []
