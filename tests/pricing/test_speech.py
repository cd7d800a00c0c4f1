"""What a cascade has spoken: by characters or by minutes, and never guessed."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.pricing.book import SpeechMeters, default_books, load_book
from bench.pricing.price import Cost, Speech, with_speech

BY_CHARACTERS = SpeechMeters(characters_usd_per_million=15.0)
BY_MINUTES = SpeechMeters(audio_usd_per_minute=0.015)
KNOWN = Cost(total_usd=0.01, known_usd=0.01)


def test_each_unit_has_its_price() -> None:
    speech = Speech("m", 1000, 30.0)
    assert with_speech(KNOWN, speech, BY_CHARACTERS, "").total_usd == pytest.approx(0.01 + 0.015)
    assert with_speech(KNOWN, speech, BY_MINUTES, "").speech_usd == pytest.approx(0.0075)
    assert with_speech(KNOWN, None, None, "") == KNOWN


def test_what_is_not_known_makes_the_total_unknown() -> None:
    unpriced = with_speech(KNOWN, Speech("m", 1000, 30.0), None, "no price for the speech model 'm'")
    assert (unpriced.total_usd, unpriced.known_usd, unpriced.speech_usd) == (None, 0.01, None)
    assert [str(each) for each in unpriced.unknown] == ["speech (no price for the speech model 'm')"]
    uncounted = with_speech(KNOWN, Speech("m", None, 30.0), BY_CHARACTERS, "")
    assert uncounted.total_usd is None
    still = with_speech(Cost(total_usd=None, known_usd=None), Speech("m", 1000, 30.0), BY_CHARACTERS, "")
    assert (still.total_usd, still.known_usd) == (None, pytest.approx(0.015))


def test_shipped_books_have_the_usual_ones() -> None:
    books = default_books()
    speech = books.speech("tts-1")
    assert speech is not None
    assert speech.characters_usd_per_million == 15
    assert books.speech("kokoro") is None
    chat = books.rates("gpt-4.1-mini")
    assert chat is not None
    assert chat.tokens_usd_per_million is not None
    assert chat.tokens_usd_per_million.text.cached == 0.1


def test_a_model_that_speaks_has_one_price(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "book.yaml"
    head = "book: b\ndate: 2026-11-26\nspeech:\n  m: {source: s, source_date: 2026-11, "
    path.write_text(head + "characters_usd_per_million: 1, audio_usd_per_minute: 1}\n")
    with pytest.raises(BenchError, match="needs one price"):
        load_book(path)
