"""Delays and changes of captions, from recorded transcriptions: each number in a case where it is small, and not."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.facts.signals import InputTranscript
from bench.facts.timeline import Entry
from bench.measure.captions import Shown, caption_columns
from bench.measure.transcript import heard_in
from tests.measure.build import SPEECH_END_NS, facts, ns

MS = 1_000_000
ENDS_MS = (-1500, -1000, -600, 0)  # of "What is my balance?", before the end of speech


def piece(ms: float, words: str, *, whole: bool = False) -> InputTranscript:
    return InputTranscript(ns(ms), "u1", words, final=False, whole=whole)


def final(ms: float, words: str) -> InputTranscript:
    return InputTranscript(ns(ms), "u1", words, final=True)


def columns(*signals: InputTranscript, **turn: Any) -> dict[str, Any]:
    values = {"reference": "What is my balance?", "word_ends_ns": [SPEECH_END_NS + end * MS for end in ENDS_MS], **turn}
    spoken = facts(**values)
    entries = [Entry(signal, signal.at_ns, 0) for signal in signals]
    return caption_columns(spoken, entries, heard_in(entries, spoken, expected=True))


def words(found: dict[str, Any]) -> list[list[float]]:
    return list(json.loads(found["caption_words"]))


def test_words_that_are_shown_as_they_stay() -> None:
    found = columns(
        piece(-1200, "What"),
        piece(-700, " is"),
        piece(-400, " my"),
        piece(300, " balance"),
        final(500, "What is my balance?"),
    )
    assert words(found) == [[300, 300], [300, 300], [200, 200], [300, 300]]
    assert (found["word_shown_ms"], found["word_settled_ms"], found["word_settled_worst_ms"]) == (300, 300, 300)
    assert (found["caption_final_ms"], found["caption_updates"]) == (500, 4)
    assert (found["caption_words_shown"], found["caption_changes"]) == (4, 0)


def test_a_word_that_only_the_final_text_puts_right() -> None:
    found = columns(
        piece(-1200, "Why"), piece(-700, " is my"), piece(300, " balance"), final(500, "What is my balance?")
    )
    assert words(found)[0] == [300, 2000]
    assert words(found)[2] == [-100, -100], "it was shown before its sound had ended"
    assert found["caption_changes"] == 1
    assert found["word_settled_worst_ms"] == 2000


def test_a_whole_text_takes_the_place_of_what_was_shown() -> None:
    found = columns(
        piece(-1200, "Wet", whole=True),
        piece(-900, "What is", whole=True),
        piece(-850, "What is my knee", whole=True),
        piece(-500, "What is", whole=True),
        final(400, "What is my balance?"),
    )
    assert words(found) == [[300, 600], [100, 100], [1000, 1000], [400, 400]]
    assert found["caption_changes"] == 3, "one word became another, two were taken back"


def test_words_that_were_misheard_have_their_times_and_those_that_are_missing_none() -> None:
    found = columns(piece(-500, "What my"), final(400, "What my balcony"))
    assert words(found) == [[1000, 1000], [100, 100], [400, 400]]
    assert found["caption_words_shown"] == 3


def test_case_and_punctuation_are_no_change() -> None:
    found = columns(piece(-500, "what is my"), final(400, "What is my... balance?"))
    assert found["caption_changes"] == 0


def test_a_transcription_that_comes_at_once() -> None:
    found = columns(final(400, "What is my balance?"))
    assert words(found) == [[1900, 1900], [1400, 1400], [1000, 1000], [400, 400]]
    assert found["caption_updates"] == 0
    assert found["caption_rtf"] == pytest.approx(400 / ((SPEECH_END_NS - facts().speech_start_ns) / MS))


def test_without_ends_of_words_only_they_are_missing() -> None:
    found = columns(piece(0, "What"), final(400, "What is my balance?"), word_ends_ns=None)
    assert found["caption_final_ms"] == 400
    assert found["caption_words_shown"] == 4
    assert "caption_words" not in found
    assert "caption_words" not in columns(final(400, "What is"), word_ends_ns=[1, 2])


def test_without_a_final_text_nothing_is_settled() -> None:
    found = columns(piece(0, "What is"))
    assert (found["caption_final_ms"], found["caption_rtf"]) == (None, None)
    assert "word_shown_ms" not in found
    assert found["caption_updates"] == 1


TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=4).map(" ".join), min_size=1, max_size=8)


@given(TEXTS)
def test_places_agree_with_the_history_of_texts(texts: list[str]) -> None:
    shown = Shown()
    for at_ns, text in enumerate(texts):
        shown.take(InputTranscript(at_ns, "u", text, final=False, whole=True))
    history = [text.split() for text in texts]
    assert [place.word for place in shown.places] == history[-1]
    changes = sum(
        before[at : at + 1] != after[at : at + 1] for before, after in pairwise(history) for at in range(len(before))
    )
    assert shown.changes == changes
    for at, place in enumerate(shown.places):
        settled = len(texts) - 1
        while settled and history[settled - 1][at : at + 1] == history[-1][at : at + 1]:
            settled -= 1
        assert place.since_ns == settled
        assert place.shown_ns <= place.since_ns
