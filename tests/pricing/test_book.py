"""Books: what is shipped is complete and sourced; what a user writes wrong is named with file, line and key."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bench.errors import BenchError, ExitCode
from bench.pricing.book import (
    Books,
    books_for,
    default_books,
    load_book,
    shipped_books,
)

OPENAI = load_book("openai-2026-11")
GOOD = """
book: mine
date: 2026-11-22
models:
  my-model:
    aliases: [mine-eu]
    tokens_usd_per_million:
      text: {input: 1.5, output: 3}
    source: our contract
    source_date: 2026-11
"""

PRICES = [
    ("gpt-4o-realtime-preview-2024-10-01", (5, 2.5, 20), (100, 20, 200), (None, None)),
    ("gpt-4o-realtime-preview", (5, 2.5, 20), (40, 2.5, 80), (None, None)),
    ("gpt-4o-realtime-preview-2024-12-17", (5, 2.5, 20), (40, 2.5, 80), (None, None)),
    ("gpt-4o-mini-realtime-preview", (0.6, 0.3, 2.4), (10, 0.3, 20), (None, None)),
    ("gpt-realtime", (4, 0.4, 16), (32, 0.4, 64), (5, 0.5)),
    ("gpt-realtime-2025-08-28", (4, 0.4, 16), (32, 0.4, 64), (5, 0.5)),
    ("gpt-realtime-mini", (0.6, 0.06, 2.4), (10, 0.3, 20), (0.8, 0.08)),
    ("gpt-realtime-mini-2025-10-06", (0.6, 0.06, 2.4), (10, 0.3, 20), (0.8, 0.08)),
    ("gpt-realtime-mini-2025-12-15", (0.6, 0.06, 2.4), (10, 0.3, 20), (0.8, 0.08)),
    ("gpt-realtime-1.5", (4, 0.4, 16), (32, 0.4, 64), (5, 0.5)),
    ("gpt-realtime-2", (4, 0.4, 24), (32, 0.4, 64), (5, 0.5)),
    ("gpt-realtime-2.1", (4, 0.4, 24), (32, 0.4, 64), (5, 0.5)),
    ("gpt-realtime-2.1-mini", (0.6, 0.06, 2.4), (10, 0.3, 20), (0.8, 0.08)),
]


@pytest.mark.parametrize(("model", "text", "audio", "image"), PRICES)
def test_published_prices(
    model: str, text: tuple[float, ...], audio: tuple[float, ...], image: tuple[float | None, ...]
) -> None:
    rates = default_books().rates(model)
    assert rates is not None
    meters = rates.tokens_usd_per_million
    assert meters is not None
    assert (meters.text.input, meters.text.cached, meters.text.output) == text
    assert (meters.audio.input, meters.audio.cached, meters.audio.output) == audio
    assert (meters.image.input, meters.image.cached) == image


@pytest.mark.parametrize(
    ("model", "per_minute"),
    [
        ("whisper-1", 0.006),
        ("gpt-realtime-whisper", 0.017),
        ("gpt-live-transcribe", 0.017),
        ("gpt-transcribe", 0.0045),
        ("gpt-4o-transcribe", None),
    ],
)
def test_transcription_by_the_minute(model: str, per_minute: float | None) -> None:
    meters = default_books().transcription("gpt-realtime", model)
    assert meters is not None
    assert meters.audio_usd_per_minute == per_minute


@pytest.mark.parametrize("name", shipped_books())
def test_shipped_books_are_dated_and_sourced(name: str) -> None:
    book = load_book(name)
    assert book.book == name
    for entry in (*book.models.values(), *book.transcription.values()):
        assert entry.source
        assert entry.source_date[:7] <= book.date.isoformat()[:7]


def test_retirements() -> None:
    rates = Books(parts=(OPENAI,)).rates("gpt-realtime-2025-08-28")
    assert rates is not None
    assert (rates.deprecated, rates.shutdown, rates.successor) == (True, date(2027, 1, 20), "gpt-realtime-2.1")
    assert all(entry.successor in OPENAI.models for entry in OPENAI.models.values() if entry.successor)


def test_example_prices_say_that_they_are() -> None:
    for model in ("local-pipeline", "simulated"):
        book = default_books().book_of(model)
        assert book is not None
        assert book.label == "example prices, not a bill"
    vendor = books_for(None).book_of("gpt-realtime")
    assert vendor is not None
    assert (vendor.book, vendor.label) == ("openai-2026-11", None)


@pytest.mark.parametrize("model", ["gpt-realtime-3", "GPT-REALTIME", "gpt-realtime-mini-2026-01-01", "", None])
def test_a_resemblance_is_not_a_price(model: str | None) -> None:
    assert default_books().rates(model) is None
    assert "null" in (default_books().why_unpriced(model) or "")


def test_why_unpriced() -> None:
    assert default_books().why_unpriced("gpt-realtime") is None
    assert "gpt-realtime-2" in (default_books().why_unpriced("gpt-realtime-3") or "")
    assert "no price book" in (Books().why_unpriced("gpt-realtime") or "")
    assert Books().rates("gpt-realtime") is None


def test_a_users_book_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD.replace("my-model", "gpt-realtime"), encoding="utf-8")
    shelf = books_for("mine.yaml", base=tmp_path)
    mine = shelf.rates("gpt-realtime")
    assert mine is not None
    assert mine.tokens_usd_per_million is not None
    assert mine.tokens_usd_per_million.text.input == 1.5
    assert mine.tokens_usd_per_million.audio.input is None
    assert shelf.rates("mine-eu") == mine
    assert shelf.rates("gpt-realtime-mini") is not None
    assert shelf.book_of("gpt-realtime") == load_book(path)
    assert books_for("openai-2026-11", base=tmp_path).parts[0] == OPENAI


def test_price_as() -> None:
    shelf = books_for(None, "gpt-realtime-mini")
    assert shelf.rates("my-deployment") == OPENAI.models["gpt-realtime-mini"]
    assert shelf.rates(None) == OPENAI.models["gpt-realtime-mini"]
    with pytest.raises(BenchError, match="gpt-realtime-x"):
        books_for(None, "gpt-realtime-x")


WRONG = [
    (
        "input: 1.5",
        "inptu: 1.5",
        [":8: models.my-model.tokens_usd_per_million.text.inptu: unknown key", "did you mean 'input'?", "cached"],
    ),
    (
        "input: 1.5",
        "input: cheap",
        [":8: models.my-model.tokens_usd_per_million.text.input: found 'cheap'; allowed: a number"],
    ),
    ("input: 1.5", "input: -1", [":8: ", "found -1; allowed: 0 or more"]),
    ("input: 1.5", "input: .nan", [":8: ", "found '.nan'; allowed: a number"]),
    (
        "    source: our contract\n",
        "",
        [":5: models.my-model.source: required, but missing; Where the prices were read"],
    ),
    (
        "source_date: 2026-11",
        "source_date: last year",
        [":10: ", "source_date: found 'last year'; allowed: a day such as"],
    ),
    ("date: 2026-11-22", "date: today", [":3: date: found 'today'; allowed: a day such as 2026-11-22"]),
    ("book: mine\n", "book: mine\ncurrency: EUR\n", [":3: currency: found 'EUR'; allowed: USD"]),
    ("models:", "modles:", [":4: modles: unknown key", "did you mean 'models'?", "transcription"]),
    (
        "    aliases: [mine-eu]\n",
        "    alias: mine-eu\n",
        [":6: models.my-model.alias: unknown key", "did you mean 'aliases'?"],
    ),
    ("aliases: [mine-eu]", "aliases: [my-model]", [":5: models.my-model: 'my-model' is listed twice"]),
    (
        "tokens_usd_per_million:\n      text: {input: 1.5, output: 3}",
        "note: free",
        [":5: models.my-model: has no price", "session_usd_per_minute"],
    ),
    ("book: mine", "book: mine\nbook: yours", [":3: book: found twice, first in line 2"]),
    ("book: mine", "book: [mine", [":3:5: not valid YAML"]),
]


@pytest.mark.parametrize(("before", "after", "said"), WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, said: list[str]) -> None:
    path = tmp_path / "mine.yaml"
    assert before in GOOD
    path.write_text(GOOD.replace(before, after), encoding="utf-8")
    with pytest.raises(BenchError) as caught:
        load_book(path)
    assert caught.value.exit_code == ExitCode.USAGE
    assert caught.value.hint
    for words in ["mine.yaml", *said]:
        assert words in caught.value.message


@pytest.mark.parametrize("text", ["", "- a list\n", "just words\n"])
def test_not_a_book_at_all(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchError, match="allowed: a mapping with at least book, date and models"):
        load_book(path)


def test_not_text_at_all(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"book: \xff\xfe")
    with pytest.raises(BenchError, match="not a UTF-8 text"):
        load_book(path)


def test_a_book_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(BenchError) as caught:
        load_book("openai-2026-12")
    assert "openai-2026-11" in (caught.value.hint or "")
    with pytest.raises(BenchError, match=r"nothing\.yaml"):
        books_for("nothing.yaml", base=tmp_path)
    with pytest.raises(BenchError, match="cannot be read: Is a directory"):
        load_book(tmp_path)


def test_a_transcription_deployment_is_priced_as_a_model_that_has_a_price() -> None:
    shelf = books_for(None, transcription_model="gpt-4o-mini-transcribe")
    meters = shelf.transcription("gpt-realtime", "my-deploy")
    assert meters is not None
    assert meters.tokens_usd_per_million is not None
    # It comes before the meters of a server that transcribes with a model of its own.
    assert shelf.transcription("local-pipeline", "whatever") == meters
    assert books_for(None).transcription("gpt-realtime", "my-deploy") is None
    assert "'my-deploy'" in books_for(None).why_transcription_unpriced("my-deploy")


def test_a_transcription_model_without_a_price_is_refused() -> None:
    with pytest.raises(BenchError, match=r"pricing.transcription_model: .*'gpt-4o-transcrib'") as caught:
        books_for(None, transcription_model="gpt-4o-transcrib")
    assert "gpt-4o-transcribe" in (caught.value.hint or "")


def test_a_shipped_book_is_read_once_and_a_users_file_each_time(tmp_path: Path) -> None:
    name = shipped_books()[0]
    assert load_book(name) is load_book(name)
    path = tmp_path / "mine.yaml"
    for input_usd in (1.5, 2.5):
        path.write_text(GOOD.replace("input: 1.5", f"input: {input_usd}"), encoding="utf-8")
        rates = load_book(path).models["my-model"].tokens_usd_per_million
        assert rates is not None
        assert rates.text.input == input_usd
