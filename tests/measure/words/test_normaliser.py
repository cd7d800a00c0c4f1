"""What holds for every text: normalising twice is as good as once, and a digit is never lost or invented."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.measure.wer import comparable, score_words
from bench.measure.words.compounds import as_in_reference
from bench.measure.words.normaliser import VERSION, normalise, normaliser_name

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "ar", "hi", "zh", "ja", "ru", "th", "tr", "ko")
DIGITS = st.lists(st.integers(0, 9), min_size=3, max_size=12)
WORDS = "zero one two three four five six seven eight nine".split()  # noqa: SIM905
VOCABULARY = [
    "five",
    "twenty",
    "hundred",
    "and",
    "a",
    "half",
    "past",
    "$5",
    "3:30",
    "1,000",
    "I'd",
    "A.B.",
    "w w w",
    "%",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(VOCABULARY)).map(" ".join) | st.text(max_size=40), st.sampled_from(LANGUAGES))
def test_nothing_raises_and_the_same_text_scores_0(text: str, language: str) -> None:
    score = score_words(text, text, language)
    assert score is not None
    assert score.substitutions + score.deletions + score.insertions == 0
    assert score.wer in (0.0, None)


@settings(max_examples=200, deadline=None)
@given(DIGITS, st.sampled_from(["", " ", "-", ", ", " - "]), st.data())
def test_digits_are_the_same_however_they_are_grouped(digits: list[int], separator: str, data: st.DataObject) -> None:
    written, at = [], 0
    while at < len(digits):
        size = data.draw(st.integers(1, 4))
        written.append("".join(map(str, digits[at : at + size])))
        at += size
    said = " ".join(WORDS[digit] for digit in digits)
    heard = separator.join(written)
    assert normalise(said, "en") == normalise(heard, "en") == " ".join(map(str, digits))


@settings(max_examples=200, deadline=None)
@given(DIGITS, st.data())
def test_one_wrong_digit_is_one_error(digits: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(digits) - 1))
    other = data.draw(st.integers(0, 9).filter(lambda digit: digit != digits[place]))
    wrong = [*digits[:place], other, *digits[place + 1 :]]
    score = score_words(" ".join(WORDS[d] for d in digits), "".join(map(str, wrong)), "en")
    assert score is not None
    assert 1 <= score.substitutions + score.deletions + score.insertions <= 2
    assert score.reference_words == len(digits)


@given(st.integers(0, 10**9))
@settings(max_examples=150, deadline=None)
def test_a_number_with_and_without_commas_is_one_number(number: int) -> None:
    assert normalise(f"{number:,}", "en") == normalise(str(number), "en") == " ".join(str(number))


@given(st.lists(st.sampled_from(["wi", "fi", "wifi", "log", "in", "login", "5"])), st.data())
def test_compounds_never_change_the_reference_and_never_invent(reference: list[str], data: st.DataObject) -> None:
    heard = data.draw(st.lists(st.sampled_from(["wi", "fi", "wifi", "log", "in", "login", "5"])))
    assert "".join(as_in_reference(reference, heard)) == "".join(heard)
    assert as_in_reference(reference, reference) == reference


def test_versions_are_kept_apart() -> None:
    assert normaliser_name("en-GB").startswith(f"bench {VERSION} english (whisper-normalizer ")
    assert normaliser_name("el") == f"bench {VERSION} basic"
    assert normaliser_name("ru").startswith(f"bench {VERSION} ru (num2words ")
    assert comparable({normaliser_name("en"), normaliser_name("de"), normaliser_name("zh")})
    assert comparable(set())
    assert not comparable({normaliser_name("en"), "whisper-english 0.1.15"})
    assert not comparable({normaliser_name("en"), f"bench {VERSION + 1} english"})


def test_a_text_that_is_too_long_is_not_scored() -> None:
    assert score_words("hello", "one " * 6_000, "en") is None
    with pytest.raises(ValueError, match="no language"):
        score_words("hello", "hello", "Klingon")
