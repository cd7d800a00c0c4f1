"""Where the last word of a text ends: by alignment, whatever follows it."""

from __future__ import annotations

import pytest

from bench.audio.annotate import SpeechSpan, high_passed
from bench.audio.catalogue import load_catalogue, shipped_catalogue
from bench.audio.evidence import judge
from bench.audio.word_aligner import last_word, pronunciation, spoken_words
from tests.support.degraded_families import FAMILIES
from tests.support.recordings import RATE_HZ, take

NEAR_MS = 65.0
SPEAKERS = ["balance-rms", "appointment-slt"]
MORE_SPEAKERS = ["digits-card-kal16", "hours-friday-awb"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I can’t log in, e-mail me.", "i can't log in e mail me"),
        ("Option 2, at 5 o'clock", "option two at five o'clock"),
        ("The U.S. office", "the u.s office"),
        ("My number is 555-2178.", ""),
        ("Straße", ""),
        ("", ""),
        ("!?", ""),
    ],
)
def test_a_text_is_words_or_it_is_left_alone(text: str, words: str) -> None:
    assert " ".join(spoken_words(text)) == words


def test_a_word_that_no_dictionary_has_is_read_by_its_letters() -> None:
    assert pronunciation("zorblatt") == "Z AA R B L AE T T"
    assert pronunciation("schmee") == "SH M IY"


def aligned_ms(
    family: str, strength: str, fixture_id: str, text: str | None = None, language: str = "en"
) -> float | None:
    """Where the last word ends, counted from the true end."""
    made = take(fixture_id)
    FAMILIES[family][strength](made)
    whole = SpeechSpan(made.start_ms, len(made.samples) * 1000 / RATE_HZ)
    word = last_word(high_passed(made.samples, RATE_HZ), RATE_HZ, made.text if text is None else text, whole, -12.0)
    return None if word is None or word.end_ms is None else word.end_ms - made.end_ms


@pytest.mark.parametrize(
    "fixture_id", [*SPEAKERS, *(pytest.param(each, marks=pytest.mark.slow) for each in MORE_SPEAKERS)]
)
@pytest.mark.parametrize(
    ("family", "strength"),
    [
        ("clean", "as it is"),
        ("second voice", "0 ms after, +0 dB, voice 2"),
        ("second voice", "120 ms after, -10 dB, voice 3"),
        ("laugh", "-8 dB, 60 ms after"),
        ("beep", "-6 dB, 120 ms after"),
        ("DC", "+0.02"),
    ],
)
def test_the_last_word_is_found_whatever_follows_it(family: str, strength: str, fixture_id: str) -> None:
    near_ms = 4 * NEAR_MS if family == "second voice" else NEAR_MS
    assert aligned_ms(family, strength, fixture_id) == pytest.approx(0, abs=near_ms)


def test_a_word_that_no_dictionary_has_is_found_too() -> None:
    text = "What is the balance of my cheggin account?"
    assert aligned_ms("clean", "as it is", "balance-rms", text) == pytest.approx(0, abs=NEAR_MS)


def test_what_cannot_be_aligned_says_nothing() -> None:
    for text, language in (
        ("残高はいくらですか", "ja"),
        ("w", "ru"),
        ("", "en"),
        ("Hello.", "qqq zzz"),
    ):
        made = take("yes-rms")
        assert (
            last_word(high_passed(made.samples, RATE_HZ), RATE_HZ, text, SpeechSpan(0, 1000), -12.0, language) is None
        )


@pytest.mark.parametrize("fixture_id", ["balance-it", "order-number-es", "balance-fr", "appointment-de", "balance-zh"])
@pytest.mark.parametrize(
    ("family", "strength"),
    [
        ("second voice", "0 ms after, +0 dB, voice 2"),
        ("second voice", "120 ms after, -10 dB, voice 3"),
        ("mmm", "-8 dB, 40 ms after"),
        ("dialled digit", "120 ms after"),
    ],
)
def test_what_follows_the_last_word_is_told_in_any_language(family: str, strength: str, fixture_id: str) -> None:
    made = take(fixture_id)
    language = load_catalogue(shipped_catalogue()).get(fixture_id).language
    assert judge(made.pcm, RATE_HZ, made.text, language).findings == ()
    FAMILIES[family][strength](made)
    assert judge(made.pcm, RATE_HZ, made.text, language).findings


@pytest.mark.parametrize(("said", "read"), [("four five seven nine one", "45791"), ("five nine", "59")])
def test_a_number_in_digits_is_read_in_each_way_and_the_fitting_one_counts(said: str, read: str) -> None:
    made = take("order-number-rms")
    text = made.text.replace(said, read)
    found = judge(made.pcm, RATE_HZ, text)
    assert found.findings == ()
    if text != made.text:
        assert found.last_word_ms == pytest.approx(made.end_ms, abs=2 * NEAR_MS)


def test_a_text_that_is_not_what_is_said_is_told() -> None:
    made = take("balance-rms")
    found = judge(made.pcm, RATE_HZ, "Please cancel my order and send the money back to me.")
    assert any("the last word" in doubt or "do not fit" in doubt for doubt in found.doubts)


def test_a_voice_that_begins_at_once_is_told_with_the_end_of_the_last_word() -> None:
    made = take("balance-rms")
    FAMILIES["second voice"]["0 ms after, +0 dB, voice 1"](made)
    (doubt,) = (doubt for doubt in judge(made.pcm, RATE_HZ, made.text).doubts if "the last word" in doubt)
    assert "'account'" in doubt
    assert "sound goes on for 1,8" in doubt
