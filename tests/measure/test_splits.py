"""One utterance that the server took in as two: seen, and judged by the answer to the whole."""

from __future__ import annotations

from typing import Any

import pytest

from bench.facts.signals import Signal, SpeechStarted
from bench.measure.records import TurnRecord
from tests.measure.build import audio, committed, done, measure, ns, onset, started, stopped, text

FIRST: list[Signal] = [stopped(-900, "u1"), committed(-900, "u1"), started(-890, "a")]
TAKEN_BACK: list[Signal] = [SpeechStarted(ns(-600), "u2"), done(-590, "a", "cancelled", reason="turn_detected")]
SECOND: list[Signal] = [stopped(500, "u2"), committed(500, "u2"), started(520, "b")]
ANSWER: list[Signal] = [text(600, "Yes.", "b"), audio(700, 400, "b"), onset(700, 0, "b"), done(900, "b")]


def shown(row: TurnRecord) -> tuple[Any, ...]:
    return row.split_turn, row.status, row.error_code, row.first_audio_ms


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ([*SECOND, *ANSWER], (False, "ok", None, 700)),
        ([*FIRST, *TAKEN_BACK, *SECOND, *ANSWER], (True, "ok", None, 700)),
        # The first half was answered before it could be taken back, after the caller had ended.
        (
            [*FIRST, audio(100, 200, "a"), done(200, "a"), *SECOND, *ANSWER],
            (True, "ok", None, 700),
        ),
        # ... and before: the agent spoke into the sentence.
        ([*FIRST, audio(-500, 200, "a"), done(-400, "a"), *SECOND, *ANSWER], (True, "early", None, 700)),
        # Only the first half was answered, however well.
        ([*FIRST, audio(100, 200, "a"), done(200, "a"), *SECOND[:2]], (True, "no_reply", "half_answered", 100)),
        # A turn that ends a little before the annotated end, and a breath after it.
        ([stopped(-60, "u1"), *SECOND, *ANSWER], (False, "ok", None, 700)),
        # One that ends far too soon, and never hears the rest.
        ([*FIRST, audio(-500, 200, "a"), done(-400, "a")], (False, "early", None, -500)),
        # Without the detector's events, commits say it.
        ([committed(-900, "u1"), *TAKEN_BACK[:1], committed(500, "u2"), *SECOND[2:], *ANSWER], (True, "ok", None, 700)),
        # Without either, an answer that was taken back.
        ([started(-890, "a"), *TAKEN_BACK[1:], *SECOND[2:], *ANSWER], (True, "ok", None, 700)),
        ([started(-890, "a"), *TAKEN_BACK[1:]], (False, "cancelled", "turn_detected", None)),
        ([], (None, "no_reply", "empty_reply", None)),
    ],
)
def test_what_a_split_is(signals: list[Signal], expected: tuple[Any, ...]) -> None:
    assert shown(measure(signals)) == expected


def test_nobody_splits_a_turn_in_push_to_talk() -> None:
    assert measure([*SECOND, *ANSWER], line={"manual": True}).split_turn is None


def test_the_answer_is_the_first_to_the_whole() -> None:
    late = [started(2_000, "c"), audio(2_100, 100, "c"), done(2_200, "c")]
    assert measure([*FIRST, *TAKEN_BACK, *SECOND, *ANSWER, *late]).first_audio_ms == 700
