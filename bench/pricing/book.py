"""Dated price books: YAML files of what a vendor charges, with the source of every figure.

In: the name of a shipped book or a path. Out: `Books`, which give the rates of a model or None.
Trap: a model is found by its exact name or a listed alias, never by a resemblance: a new snapshot may have a new
price, and an invented price is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field

from bench.config.block import Block, Complaint, Text, nearest, refusal
from bench.config.problems import load_block
from bench.errors import BenchError

AnyRates = TypeVar("AnyRates", bound="_Sourced")

SHIPPED = Path(__file__).parent / "books"
_HINT = "prices are USD, per million tokens or per minute; see docs/measuring.md, Price books"


def _month(value: str) -> str:
    if re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", value) is None:
        raise refusal(f"found '{value}'; allowed: a day such as 2026-11-22, or a month such as 2026-11")
    return value


Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Month = Annotated[str, AfterValidator(_month)]
"""A day, or a month where the source gives no day."""


class TokenPrices(Block):
    """USD per million tokens of one modality; a price that is left out is unknown, not free."""

    input: Usd | None = None
    cached: Usd | None = None
    """Input tokens served from the cache; they are part of the input count and cost this instead of `input`."""
    output: Usd | None = None


class TokenMeters(Block):
    """Prices by modality; a modality that is left out has no known price."""

    text: TokenPrices = TokenPrices()
    audio: TokenPrices = TokenPrices()
    image: TokenPrices = TokenPrices()


class TranscriptionMeters(Block):
    """What transcribing the caller costs: by tokens, by minute of audio, or either, as the server reports it."""

    tokens_usd_per_million: TokenMeters | None = None
    audio_usd_per_minute: Usd | None = None

    def complaints(self) -> Iterator[Complaint]:
        """A model without a price."""
        if self.tokens_usd_per_million is None and self.audio_usd_per_minute is None:
            yield Complaint((), "has no price; allowed: tokens_usd_per_million, audio_usd_per_minute, or both")


class SpeechMeters(Block):
    """What speaking a text costs: by its characters, or by the minute of sound that comes of it."""

    characters_usd_per_million: Usd | None = None
    audio_usd_per_minute: Usd | None = None

    def complaints(self) -> Iterator[Complaint]:
        """A model without a price, or with two."""
        if (self.characters_usd_per_million is None) == (self.audio_usd_per_minute is None):
            yield Complaint((), "needs one price: characters_usd_per_million or audio_usd_per_minute")


class _Sourced(Block):
    aliases: tuple[str, ...] = ()
    source: Text = Field(description="Where the prices were read.", examples=["our contract"])
    source_date: Month = Field(description="When they were read.", examples=["2026-11-22"])
    deprecated: bool = False
    shutdown: date | None = None
    successor: str | None = None
    note: str | None = None


class Rates(_Sourced):
    """The prices of one realtime model, with where and when they were read."""

    tokens_usd_per_million: TokenMeters | None = None
    session_usd_per_minute: Usd | None = None
    transcription: TranscriptionMeters | None = None
    """Meters of a server that transcribes with its own model, whichever one was requested."""

    def complaints(self) -> Iterator[Complaint]:
        """A model without a price."""
        if self.tokens_usd_per_million is None and self.session_usd_per_minute is None:
            yield Complaint((), "has no price; allowed: tokens_usd_per_million or session_usd_per_minute")


class TranscriptionRates(_Sourced, TranscriptionMeters):
    """The prices of one transcription model."""


class SpeechRates(_Sourced, SpeechMeters):
    """The prices of one model that speaks."""


class PriceBook(Block):
    """One dated reading of price lists. `label` is printed wherever a price of this book is shown."""

    book: Text = Field(description="The name of the book.")
    date: date  # no Field(...): a default would hide the type of the same name
    currency: Literal["USD"] = "USD"
    vendor: str | None = None
    label: str | None = None
    models: dict[str, Rates] = Field(default_factory=dict)
    transcription: dict[str, TranscriptionRates] = Field(default_factory=dict)
    speech: dict[str, SpeechRates] = Field(default_factory=dict)

    def complaints(self) -> Iterator[Complaint]:
        """Names and aliases that are listed twice."""
        for block, entries in (
            ("models", self.models),
            ("transcription", self.transcription),
            ("speech", self.speech),
        ):
            seen: set[str] = set()
            for key, entry in entries.items():
                for name in (key, *entry.aliases):
                    if name in seen:
                        yield Complaint((block, key), f"'{name}' is listed twice (as a name or an alias)")
                    seen.add(name)


class Books(Block):
    """The price books of a run: a model's price is taken from the first of `parts` that lists it."""

    parts: tuple[PriceBook, ...] = ()
    price_as: str | None = None
    """Price every model as this one."""
    transcription_as: str | None = None
    """Price every transcription as one of this model."""

    def rates(self, model: str | None) -> Rates | None:
        """The rates of `model` in the first book that lists it (exact name or alias), or None."""
        book = self.book_of(model)
        return _listed(book.models, self.price_as or model) if book else None

    def book_of(self, model: str | None) -> PriceBook | None:
        """The book that `rates` takes its rates from; show its `date` and `label` with any price."""
        return next((book for book in self.parts if _listed(book.models, self.price_as or model)), None)

    def transcription(self, model: str | None, transcription_model: str | None) -> TranscriptionMeters | None:
        """What transcription costs in a session with `model`: its own meters if it has such, else its model's.

        `transcription_as` comes before both.
        """
        rates = self.rates(model)
        if self.transcription_as is None and rates is not None and rates.transcription is not None:
            return rates.transcription
        name = self.transcription_as or transcription_model
        return next(filter(None, (_listed(book.transcription, name) for book in self.parts)), None)

    def transcription_book_of(self, model: str | None, transcription_model: str | None) -> PriceBook | None:
        """The book that `transcription` takes its meters from."""
        rates = self.rates(model)
        if self.transcription_as is None and rates is not None and rates.transcription is not None:
            return self.book_of(model)
        name = self.transcription_as or transcription_model
        return next((book for book in self.parts if _listed(book.transcription, name) is not None), None)

    def speech(self, speech_model: str | None) -> SpeechRates | None:
        """What speaking costs with `speech_model` (exact name or alias); None when no book lists it."""
        return next(filter(None, (_listed(book.speech, speech_model) for book in self.parts)), None)

    def book_of_speech(self, speech_model: str | None) -> PriceBook | None:
        """The book that `speech` takes its rates from."""
        return next((book for book in self.parts if _listed(book.speech, speech_model)), None)

    def why_speech_unpriced(self, speech_model: str | None) -> str:
        """Why what was spoken has no price."""
        if speech_model is None:
            return "no price for the speech model, whose name is not known"
        return f"no price for the speech model '{speech_model}'"

    def why_unpriced(self, model: str | None) -> str | None:
        """One line that says why `model` has no price and what to do; None when it has one."""
        if self.rates(model) is not None:
            return None
        if not self.parts:
            return "no price book is loaded, so costs are null"
        titles = ", ".join(book.book for book in self.parts)
        model = self.price_as or model
        if model is None:
            return f"the model is not known, so costs are null (books: {titles})"
        names = [name for book in self.parts for key, rates in book.models.items() for name in (key, *rates.aliases)]
        return f"no price for model {model} in {titles}{nearest(model, names)}: costs are null until a book lists it"

    def why_transcription_unpriced(self, transcription_model: str | None) -> str:
        """Why a transcription has no price, and what to do."""
        name = self.transcription_as or transcription_model
        if name is None:
            return "no price for the transcription model, whose name is not known"
        return f"no price for the transcription model '{name}'"

    def transcription_names(self) -> list[str]:
        """Every name and alias under which a transcription model has a price."""
        entries = [pair for book in self.parts for pair in book.transcription.items()]
        return [name for key, rates in entries for name in (key, *rates.aliases)]


NO_BOOKS = Books()


def books_for(
    book: str | Path | PriceBook | None,
    model: str | None = None,
    *,
    transcription_model: str | None = None,
    base: Path | None = None,
) -> Books:
    """The books of one run: `book` (a shipped name, or a path relative to the folder `base`) before the shipped ones.

    `model` prices everything as that model, `transcription_model` every transcription as one of that model; raises
    `BenchError` when no book lists them, or when `book` cannot be read.
    """
    parts = default_books().parts
    if book is not None:
        chosen = book if isinstance(book, PriceBook) else _chosen(book, base)
        parts = (chosen, *(shipped for shipped in parts if shipped != chosen))
    books = Books(parts=parts, price_as=model, transcription_as=transcription_model)
    if model is not None and (reason := Books(parts=parts).why_unpriced(model)) is not None:
        raise BenchError(f"pricing.model: {reason}", hint="name a model of a price book")
    if transcription_model is not None and transcription_model not in (names := books.transcription_names()):
        raise BenchError(
            f"pricing.transcription_model: no book has a price for the transcription model '{transcription_model}'"
            f"{nearest(transcription_model, names)}",
            hint=f"name one of: {', '.join(names)}",
        )
    return books


def _chosen(book: str | Path, base: Path | None) -> PriceBook:
    path = Path(book) if base is None else base / book
    return load_book(str(book) if str(book) in shipped_books() else path)


def load_book(name_or_path: str | Path) -> PriceBook:
    """A shipped book by name (`openai-2026-11`) or any book by path; ConfigError lists all that is wrong with it."""
    known = shipped_books()
    if name_or_path in known:
        return _shipped_book(str(name_or_path))
    path = Path(name_or_path)
    return _read_book(path, _HINT if path.exists() else f"give a path, or one of: {', '.join(known)}")


@cache
def _shipped_book(name: str) -> PriceBook:
    """Read once: a site asks for the same few books in each of its runs."""
    return _read_book(SHIPPED / f"{name}.yaml", _HINT)


def _read_book(path: Path, hint: str) -> PriceBook:
    return load_block(path, PriceBook, needs="book, date and models", hint=hint)


def shipped_books() -> list[str]:
    """Names of the books that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


@cache
def all_books() -> tuple[PriceBook, ...]:
    """Every shipped book, the newest first."""
    return tuple(sorted((load_book(name) for name in shipped_books()), key=lambda book: book.date, reverse=True))


@cache
def default_books() -> Books:
    """The newest shipped book of each series (`openai-2026-11` of `openai-*`): what is charged now.

    Older readings are for runs that are priced at another date. Every model of theirs is in the newest one too.
    """
    newest: dict[str, PriceBook] = {}
    for book in all_books():
        newest.setdefault(series_of(book), book)
    return Books(parts=tuple(newest.values()))


def series_of(book: PriceBook) -> str:
    """What readings of the same prices on several dates have in common: the name without its date."""
    return re.sub(r"-\d{4}-\d{2}(-\d{2})?$", "", book.book)


def books_at(book: str | Path | PriceBook, model: str | None = None, transcription_model: str | None = None) -> Books:
    """`book`, and behind it the shipped books that are not newer: no price of a later date stands in for a missing one.

    `model` prices every model as that one, `transcription_model` every transcription as one of that model. One that
    no book of that date lists has no price, which is for the report to say.
    """
    chosen = book if isinstance(book, PriceBook) else load_book(book)
    newest: dict[str, PriceBook] = {series_of(chosen): chosen}
    for shipped in all_books():
        if shipped.date <= chosen.date:
            newest.setdefault(series_of(shipped), shipped)
    return Books(parts=tuple(newest.values()), price_as=model, transcription_as=transcription_model)


def _listed(entries: dict[str, AnyRates], name: str | None) -> AnyRates | None:
    """The entry of that name or alias."""
    return next((entry for key, entry in entries.items() if name is not None and name in (key, *entry.aliases)), None)
