"""Word scores: equal to jiwer's on the same texts, honest about what was not heard."""

from __future__ import annotations

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.measure.wer import alignment, score_words
from bench.measure.words.normaliser import normalise

VOCABULARY = ["order", "number", "four", "two", "seven", "please", "cancel", "I'd", "like", "$5", "the", "Mr.", "42"]
WORDS = st.lists(st.sampled_from(VOCABULARY))


@pytest.mark.parametrize(
    ("reference", "hypothesis", "counts", "wer"),
    [
        ("What is my balance?", "what is my balance", (4, 0, 0, 0), 0.0),
        ("What is my balance?", "what is a balance please", (3, 1, 0, 1), 0.5),
        ("What is my balance?", "what balance", (2, 0, 2, 0), 0.5),
        ("What is my balance?", "", (0, 0, 4, 0), 1.0),
        ("order four two seven", "order 427", (4, 0, 0, 0), 0.0),  # numbers are written alike
        ("I'd like to cancel", "I would like to cancel", (5, 0, 0, 0), 0.0),
        ("", "hello there", (0, 0, 0, 2), None),  # no word was said: a rate has no denominator
        ("[noise]", "", (0, 0, 0, 0), None),
        ("yes", "no no no", (0, 1, 0, 2), 3.0),  # more than all words wrong
    ],
)
def test_counts(reference: str, hypothesis: str, counts: tuple[int, int, int, int], wer: float | None) -> None:
    score = score_words(reference, hypothesis, "en-GB")
    assert score is not None
    assert (score.hits, score.substitutions, score.deletions, score.insertions) == counts
    assert score.wer == wer
    assert score.cer is None


def test_no_transcription_is_not_an_empty_one() -> None:
    assert score_words("hello", None, "en") is None


def test_raw_score_keeps_case_and_punctuation() -> None:
    score = score_words("What is my balance?", "what is my balance", "en")
    assert score is not None
    assert (score.wer, score.wer_raw) == (0.0, 0.5)


def test_characters_where_words_have_no_spaces() -> None:
    score = score_words("今天天气很好。", "今天天气不好", "zh-CN")
    assert score is not None
    assert score.cer == pytest.approx(1 / 6)
    assert (score.char_errors, score.reference_chars) == (1, 6)
    assert score.wer == 1.0  # one "word": why CER is the figure to read
    spaced = score_words("今天 天气 很好", "今天天气很好", "zh")
    assert spaced is not None
    assert spaced.cer == 0.0


def test_alignment_shows_each_side() -> None:
    chunks = alignment("What is my balance today?", "what was my balance", "en")
    assert [(chunk.op, chunk.reference, chunk.hypothesis) for chunk in chunks] == [
        ("equal", ("what",), ("what",)),
        ("substitute", ("is",), ("was",)),
        ("equal", ("my", "balance"), ("my", "balance")),
        ("delete", ("today",), ()),
    ]
    assert alignment("", "", "en") == []
    assert [chunk.op for chunk in alignment("很好", "不好", "zh")] == ["substitute", "equal"]


@settings(max_examples=150, deadline=None)
@given(WORDS, WORDS)
def test_equal_to_jiwer_on_the_same_normalised_texts(said: list[str], transcribed: list[str]) -> None:
    reference, hypothesis = " ".join(said), " ".join(transcribed)
    score = score_words(reference, hypothesis, "en")
    theirs = jiwer.process_words(normalise(reference, "en"), normalise(hypothesis, "en"))
    assert score is not None
    assert (score.hits, score.substitutions, score.deletions, score.insertions) == (
        theirs.hits,
        theirs.substitutions,
        theirs.deletions,
        theirs.insertions,
    )
    assert score.wer == (theirs.wer if score.reference_words else None)
    if said:
        assert score.wer_raw == jiwer.process_words(reference, hypothesis).wer


@settings(max_examples=150, deadline=None)
@given(WORDS)
def test_a_perfect_transcription_has_no_error(said: list[str]) -> None:
    score = score_words(" ".join(said), " ".join(said), "en")
    assert score is not None
    assert (score.substitutions, score.deletions, score.insertions) == (0, 0, 0)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.sampled_from(["en", "de", "hi", "ja", "unknown", ""]))
def test_any_text_can_be_scored(reference: str, hypothesis: str, language: str) -> None:
    score = score_words(reference, hypothesis, language)
    assert score is not None
    assert score.wer is None or score.wer >= 0
    assert score.hits + score.substitutions + score.deletions == score.reference_words
