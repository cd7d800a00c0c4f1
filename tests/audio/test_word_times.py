"""Ends of words in the shipped recordings: in order, within the speech, the last at its annotated end."""

from __future__ import annotations

import pytest

from bench.audio.catalogue import load_catalogue, shipped_catalogue
from bench.audio.word_times import plain_word, plain_words, word_times

FIXTURES = load_catalogue(shipped_catalogue()).fixtures


@pytest.mark.parametrize("name", ["balance-rms", "agent-awb", "plan-prices-awb", "yes-slt"])
def test_the_words_of_a_recording(name: str) -> None:
    fixture = FIXTURES[name]
    found = word_times(fixture)
    assert found is not None
    assert plain_words(" ".join(found.words)) == plain_words(fixture.text)
    assert list(found.ends_ms) == sorted(found.ends_ms)
    assert fixture.speech_start_ms < found.ends_ms[0]
    assert found.ends_ms[-1] == fixture.speech_end_ms


@pytest.mark.parametrize("name", ["balance-es", "balance-zh"])
def test_a_language_that_the_model_does_not_know(name: str) -> None:
    assert word_times(FIXTURES[name]) is None


@pytest.mark.parametrize(
    ("word", "plain"),
    [("Balance?", "balance"), ("I’d", "i'd"), ("--", ""), ("twenty-five", "twenty five"), ("é!", "é")],
)
def test_a_word_as_it_is_compared(word: str, plain: str) -> None:
    assert plain_word(word) == plain
