"""Number words are read as the number that the library wrote out, in every language that is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indic_numtowords import num2words as indic
from num2words import num2words

from bench.measure.words.normaliser import normalise
from bench.measure.words.number_words import _BY_INDIC, _BY_NUM2WORDS

OFTEN = ("ru", "pl", "tr", "fi", "ar", "hi")
LANGUAGES = [
    pytest.param(code, marks=() if code in OFTEN else pytest.mark.slow) for code in (*_BY_NUM2WORDS, *sorted(_BY_INDIC))
]


def written(number: int, code: str) -> str:
    return str(indic(number, lang=code)) if code in _BY_INDIC else num2words(number, lang=_BY_NUM2WORDS[code] or code)


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_number_up_to_999_is_read_as_itself(code: str) -> None:
    for number in (*range(130), *range(130, 1000, 17), 1000):
        assert normalise(written(number, code), code) == " ".join(str(number)), (code, number)


@given(st.sampled_from(["ru", "pl", "fi", "hi"]), st.integers(1000, 99_999))
def test_thousands_are_read_with_what_follows(code: str, number: int) -> None:
    assert normalise(written(number, code), code) == " ".join(str(number))


@given(st.sampled_from(["ru", "pl", "hi", "fi"]), st.lists(st.integers(1, 9), min_size=2, max_size=9))
def test_digits_that_are_dictated_one_by_one_stay_apart(code: str, digits: list[int]) -> None:
    said = ", ".join(written(digit, code) for digit in digits)
    assert normalise(said, code) == normalise("".join(map(str, digits)), code)


def test_words_without_a_number_are_left() -> None:
    texts = {"ru": "мой номер телефона", "tr": "telefon numaram", "hi": "नमस्ते दुनिया", "ko": "천천히 만일 사이"}
    for code, text in texts.items():
        assert normalise(text, code) == text
