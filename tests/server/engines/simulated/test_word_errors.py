"""Transcripts hold exactly the word errors that they say, as the scorer counts them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.audio.catalogue import load_catalogue
from bench.audio.languages import language_of
from bench.measure.wer import WordScore, score_words
from bench.scenario.model import shipped_catalogue
from bench.server.engines.simulated.word_errors import Transcript, count, with_errors

PIECES = ["balance", "please", "four", "22", "I", "Hello,", "order", "the", "$5", "is", "?"]
SHIPPED = sorted({(each.text, each.language) for each in load_catalogue(shipped_catalogue()).fixtures.values()})
TEXTS = [text for text, language in SHIPPED if language == "en"]


def check(score: WordScore, made: Transcript, language: str) -> None:
    """Word by word, or in all by characters where words have no spaces."""
    put_in = (made.substitutions, made.deletions, made.insertions)
    if language_of(language).has_spaces:
        assert (score.substitutions, score.deletions, score.insertions) == put_in, made.text
    else:
        assert score.char_errors == sum(put_in), made.text


@settings(max_examples=150, deadline=None)
@given(
    said=st.sampled_from(SHIPPED),
    wanted=st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)),
    seed=st.integers(0, 10_000),
)
def test_the_scorer_finds_what_was_put_in(said: tuple[str, str], wanted: tuple[int, int, int], seed: int) -> None:
    text, language = said
    asked = {"substitutions": wanted[0], "deletions": wanted[1], "insertions": wanted[2]}
    made = with_errors(text, **asked, rng=random.Random(seed), language=language)
    score = score_words(text, made.text, language)
    assert score is not None
    check(score, made, language)
    given_ = (made.substitutions, made.deletions, made.insertions)
    assert all(each <= most for each, most in zip(given_, wanted, strict=True)), "never more than was asked for"


@settings(max_examples=60, deadline=None)
@given(
    text=st.lists(
        st.sampled_from(["balance", "please", "four", "22", "I", "Hello,", "order", "the", "$5", "is", "?"])
    ).map(" ".join),
    seed=st.integers(0, 100),
)
def test_any_text_gives_counts_that_are_true(text: str, seed: int) -> None:
    made = with_errors(text, substitutions=1, deletions=1, insertions=1, rng=random.Random(seed))
    score = score_words(text, made.text, "en")
    assert score is not None
    assert (score.substitutions, score.deletions, score.insertions) == (
        made.substitutions,
        made.deletions,
        made.insertions,
    )


@pytest.mark.parametrize("language", sorted({language for _, language in SHIPPED}))
def test_every_shipped_language_can_be_misheard(language: str) -> None:
    """Ten drawn transcripts of each text: some have errors, and the scorer finds exactly those."""
    put_in = 0
    for text in [text for text, each in SHIPPED if each == language]:
        for seed in range(10):
            made = with_errors(
                text, substitutions=1, deletions=1, insertions=0, rng=random.Random(seed), language=language
            )
            score = score_words(text, made.text, language)
            assert score is not None
            check(score, made, language)
            put_in += made.substitutions + made.deletions
    assert put_in > 0


def test_the_same_seed_gives_the_same_words() -> None:
    asked = {"substitutions": 2.0, "deletions": 1.0, "insertions": 1.0}
    made = [with_errors(max(TEXTS, key=len), **asked, rng=random.Random(seed)).text for seed in (5, 5, 6)]
    assert made[0] == made[1] != made[2]


def test_a_share_is_kept_on_average() -> None:
    rng = random.Random(2)
    drawn = [count(0.13, 10, rng) for _ in range(4000)]
    assert set(drawn) == {1, 2}
    assert sum(drawn) / len(drawn) == pytest.approx(1.3, abs=0.04)
