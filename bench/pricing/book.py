"""Dated price books: YAML files of what a vendor charges, with the source of every figure.

In: the name of a shipped book or a path; out: a validated `PriceBook`, and the rates of a model or None.
Trap: a model is found by its exact name or a listed alias, never by a resemblance: a new snapshot may have a new
price, and an invented price is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from bench.errors import BenchError
from bench.pricing.yaml_lines import LocatedYaml, parse_yaml

Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _as_text(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


Month = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$")]
"""A day, or a month where the source gives no day."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenPrices(_Strict):
    """USD per million tokens of one modality; a price that is left out is unknown, not free."""

    input: Usd | None = None
    cached: Usd | None = None
    """Input tokens served from the cache; they are part of the input count and cost this instead of `input`."""
    output: Usd | None = None


class TokenMeters(_Strict):
    """Prices by modality; a modality that is left out has no known price."""

    text: TokenPrices = TokenPrices()
    audio: TokenPrices = TokenPrices()
    image: TokenPrices = TokenPrices()


class TranscriptionMeters(_Strict):
    """What transcribing the caller costs: by tokens, by minute of audio, or either, as the server reports it."""

    tokens_usd_per_million: TokenMeters | None = None
    audio_usd_per_minute: Usd | None = None

    @model_validator(mode="after")
    def _has_a_price(self) -> TranscriptionMeters:
        if self.tokens_usd_per_million is None and self.audio_usd_per_minute is None:
            raise ValueError("give `tokens_usd_per_million`, `audio_usd_per_minute`, or both")
        return self


class _Sourced(_Strict):
    aliases: tuple[str, ...] = ()
    source: str = Field(min_length=1)
    source_date: Month
    deprecated: bool = False
    shutdown: date | None = None
    successor: str | None = None
    note: str | None = None


class Rates(_Sourced):
    """The prices of one realtime model, with where and when they were read."""

    tokens_usd_per_million: TokenMeters | None = None
    session_usd_per_minute: Usd | None = None
    transcription: TranscriptionMeters | None = None
    """Meters of a server that transcribes by itself, whatever transcription model it was asked for."""

    @model_validator(mode="after")
    def _has_a_price(self) -> Rates:
        if self.tokens_usd_per_million is None and self.session_usd_per_minute is None:
            raise ValueError("give `tokens_usd_per_million` or `session_usd_per_minute`")
        return self


class TranscriptionRates(_Sourced, TranscriptionMeters):
    """The prices of one transcription model."""


class PriceBook(_Strict):
    """One dated reading of price lists. `label` is printed wherever a price of this book is shown."""

    book: str = Field(min_length=1)
    date: date
    currency: Literal["USD"] = "USD"
    vendor: str | None = None
    label: str | None = None
    models: Mapping[str, Rates] = {}
    transcription: Mapping[str, TranscriptionRates] = {}

    @model_validator(mode="after")
    def _names_are_unique(self) -> PriceBook:
        for what, entries in (("models", self.models), ("transcription", self.transcription)):
            seen: set[str] = set()
            for name in (alias for key, entry in entries.items() for alias in (key, *entry.aliases)):
                if name in seen:
                    raise ValueError(f"`{name}` stands twice under `{what}` (as a name or an alias)")
                seen.add(name)
        return self


class BookShelf(PriceBook):
    """Several books read as one: a model's price is taken from the first of `parts` that lists it."""

    parts: tuple[PriceBook, ...]
    price_as: str | None = None
    """Price every model as this one."""


Books = PriceBook | Sequence[PriceBook] | None


def books_for(book: str | Path | None, model: str | None = None, *, base: Path | None = None) -> BookShelf:
    """The shelf of one run: `book` (a shipped name, or a path relative to the folder `base`) before the shipped ones.

    `model` prices everything as that model; raises `BenchError` when no book lists it, or when `book` cannot be read.
    """
    chosen: list[PriceBook] = []
    if book is not None:
        path = Path(book) if base is None else base / book
        chosen = [load_book(str(book) if str(book) in shipped_books() else path)]
    parts = (*chosen, *(shipped for shipped in default_books() if shipped not in chosen))
    if model is not None and find_rates(model, parts) is None:
        raise BenchError(f"pricing.model: {why_unpriced(model, parts)}", hint="name a model of a price book")
    first = chosen[0] if chosen else parts[0]
    title = " + ".join(part.book for part in parts)
    # No label of its own: whether a price is an example depends on the book it is taken from (`book_of`).
    return BookShelf(book=title, date=first.date, parts=parts, price_as=model)


def load_book(name_or_path: str | Path) -> PriceBook:
    """A shipped book by name (`openai-2026-11`) or any book by path.

    Raises `BenchError` naming the file, the line and key, what was found and what is allowed.
    """
    shipped = files("bench.pricing") / "books" / f"{name_or_path}.yaml"
    if isinstance(name_or_path, str) and name_or_path in shipped_books():
        return _parse(f"{name_or_path}.yaml", shipped.read_text(encoding="utf-8"))
    path = Path(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        near = get_close_matches(path.name, shipped_books(), n=1)
        raise BenchError(
            f"price book {name_or_path}: {error.strerror or error}",
            hint=f"did you mean {near[0]}?" if near else f"give a path, or one of: {', '.join(shipped_books())}",
        ) from error
    except UnicodeDecodeError as error:
        raise BenchError(f"price book {path}: not UTF-8 text ({error.reason})", hint="save it as UTF-8") from error
    return _parse(str(path), text)


def shipped_books() -> list[str]:
    """Names of the books that come with the package."""
    folder = files("bench.pricing") / "books"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


@cache
def default_books() -> tuple[PriceBook, ...]:
    """All shipped books, the newest first, so that the newest price of a model is found first."""
    return tuple(sorted((load_book(name) for name in shipped_books()), key=lambda book: book.date, reverse=True))


def find_rates(model: str | None, books: Books) -> Rates | None:
    """The rates of `model` in the first book that lists it (exact name or alias), or None."""
    found = _find(model, books)
    return found[1] if found else None


def book_of(model: str | None, books: Books) -> PriceBook | None:
    """The book that `find_rates` would take its rates from; its `date` and `label` belong beside any price."""
    found = _find(model, books)
    return found[0] if found else None


def find_transcription(model: str | None, transcription_model: str | None, books: Books) -> TranscriptionMeters | None:
    """What transcription costs in a session with `model`: its own meters if it has such, else its model's."""
    rates = find_rates(model, books)
    if rates is not None and rates.transcription is not None:
        return rates.transcription
    for book in _as_books(books):
        for name, entry in book.transcription.items():
            if transcription_model is not None and transcription_model in (name, *entry.aliases):
                return entry
    return None


def why_unpriced(model: str | None, books: Books) -> str | None:
    """One line that says why `model` has no price and what to do; None when it has one."""
    if find_rates(model, books) is not None:
        return None
    if not _as_books(books):
        return "no price book is loaded, so costs are null"
    titles = ", ".join(book.book for book in _as_books(books))
    if model is None:
        return f"the model is not known, so costs are null (books: {titles})"
    names = [name for book in _as_books(books) for key, rates in book.models.items() for name in (key, *rates.aliases)]
    near = get_close_matches(model, names, n=1)
    hint = f"; the nearest name is {near[0]}" if near else ""
    return f"no price for model {model} in {titles}{hint}: costs are null until a book lists it"


def _as_books(books: Books) -> Sequence[PriceBook]:
    if books is None:
        return ()
    if isinstance(books, BookShelf):
        return books.parts
    return (books,) if isinstance(books, PriceBook) else books


def _find(model: str | None, books: Books) -> tuple[PriceBook, Rates] | None:
    if isinstance(books, BookShelf) and books.price_as is not None:
        model = books.price_as
    for book in _as_books(books):
        for name, rates in book.models.items():
            if model is not None and model in (name, *rates.aliases):
                return book, rates
    return None


def _parse(title: str, text: str) -> PriceBook:
    try:
        located = parse_yaml(text)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise BenchError(
            f"price book {title}{line}: not valid YAML: {error.problem}", hint="see docs/measuring.md, Price books"
        ) from error
    except yaml.YAMLError as error:
        raise BenchError(f"price book {title}: not valid YAML: {error}") from error
    if not isinstance(located.value, dict):
        found = type(located.value).__name__
        raise BenchError(
            f"price book {title}: found {found}, expected a mapping with `book`, `date`, `models`",
            hint="see docs/measuring.md, Price books",
        )
    try:
        return PriceBook.model_validate(located.value)
    except ValidationError as error:
        raise _explain(title, located, error.errors(include_url=False)) from error


def _explain(title: str, located: LocatedYaml, problems: Iterable[Any]) -> BenchError:
    """All problems of a book as one error, each with its line and key."""
    said = []
    for problem in problems:
        place = tuple(problem["loc"])
        key = ".".join(str(part) for part in place) or "(the book)"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            allowed = _allowed_keys(place)
            near = get_close_matches(str(place[-1]), allowed, n=1)
            message = f"unknown key, allowed here: {', '.join(allowed)}" + (
                f"; did you mean {near[0]}?" if near else ""
            )
        elif problem["type"] != "missing" and not isinstance(problem["input"], dict):
            message = f"{message}, found {problem['input']!r}"
        said.append(f"line {located.line_of(place)}, {key}: {message}")
    return BenchError(
        f"price book {title}: " + "; ".join(said),
        hint="prices are USD, per million tokens or per minute; see docs/measuring.md, Price books",
    )


def _allowed_keys(place: tuple[int | str, ...]) -> list[str]:
    """Keys that the schema knows beside the last part of `place`."""
    model: type[BaseModel] = PriceBook
    by_key: dict[str, type[BaseModel]] = {"tokens_usd_per_million": TokenMeters}
    for depth, part in enumerate(place[:-1]):
        if depth == 1:
            model = Rates if place[0] == "models" else TranscriptionRates
        elif depth > 1:
            model = by_key.get(str(part), TokenPrices if model is TokenMeters else TranscriptionMeters)
    return list(model.model_fields)
