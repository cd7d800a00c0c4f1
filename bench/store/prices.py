"""The price books of a stored run: those that it was priced with, and others that it may be priced with now.

In: a manifest. Out: `RunPrices`, the books of each call.
Trap: interleaved targets may each have a book and names of their own; and a run is shown with the shipped book that it
named, though a newer one may have come since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from bench.errors import BenchError
from bench.pricing.book import Books, PriceBook, books_at, books_for, load_book, shipped_books
from bench.store.manifest import Manifest, UsedPriceBook

SERVED_COLUMNS = ["target", "server_model"]
"""Of the session rows: what `served_models` reads."""

_Choose = Callable[[PriceBook | None, dict[str, Any]], Books]
"""From the book that was kept with the run or target, and what its scenario says under `pricing`."""


@dataclass(frozen=True, slots=True)
class RunPrices:
    """The books that each call is priced with; `by_target` are those of targets with prices of their own."""

    shared: Books
    by_target: Mapping[str, Books]

    @classmethod
    def wanted(cls, manifest: Manifest, book: str | None = None, price_as: str | None = None) -> RunPrices:
        """What the run's scenario asked for, at today's prices; `book` and `price_as` come first, for every target.

        Raises `BenchError` when a book cannot be read, or no book has the model.
        """
        return _each(manifest, lambda kept, pricing: _wanted(manifest, kept, pricing, book, price_as))

    @classmethod
    def then(cls, manifest: Manifest) -> RunPrices:
        """What the run was priced with. Raises `BenchError` when a book is not there any more."""
        used = next((each.name for each in manifest.price_books if each.name in shipped_books()), None)
        return _each(
            manifest,
            lambda kept, pricing: _wanted(manifest, kept or (None if pricing.get("book") else used), pricing),
        )

    @classmethod
    def as_model(
        cls, manifest: Manifest, model: str | None, book: str | None = None, transcription_model: str | None = None
    ) -> RunPrices:
        """Every target priced as `model`, by `book` or else the run's own books; a model in none of them has no price.

        `transcription_model` prices every transcription as one of that model.
        """
        chosen = None if book is None else load_book(book)

        def choose(kept: PriceBook | None, pricing: dict[str, Any]) -> Books:
            name, words = model or pricing.get("model"), transcription_model or pricing.get("transcription_model")
            if chosen is not None:
                return books_at(chosen, name, words)
            return Books(parts=books_for(kept).parts, price_as=name, transcription_as=words)

        return _each(manifest, choose)

    def of_call(self, target: str | None) -> Books:
        return self.by_target.get(target or "", self.shared)

    def used(self, manifest: Manifest, served: Iterable[tuple[str | None, str]] = ()) -> list[UsedPriceBook]:
        """The books in which the models of a run have their prices: those asked for, and `used_as_served`."""
        targets = manifest.targets or [manifest.target]
        asked = [book for each in targets for book in self._used(each.name, each.model)]
        return _once([*asked, *self.used_as_served(manifest, served)])

    def used_as_served(self, manifest: Manifest, served: Iterable[tuple[str | None, str]]) -> list[UsedPriceBook]:
        """The books of the models that servers named (each with its target), where no book lists the one asked for."""
        targets = manifest.targets or [manifest.target]
        unlisted = {each.name for each in targets if not self._used(each.name, each.model)}
        return _once([book for name, model in served if name in unlisted for book in self._used(name, model)])

    def _used(self, target: str | None, model: str | None) -> list[UsedPriceBook]:
        books = self.of_call(target)
        return UsedPriceBook.used(books.price_as or model, books)


def _once(books: list[UsedPriceBook]) -> list[UsedPriceBook]:
    return [book for place, book in enumerate(books) if book not in books[:place]]


def _each(manifest: Manifest, choose: _Choose) -> RunPrices:
    shared = _block(manifest.scenario, "pricing")
    own: dict[str, Books] = {}
    for target in manifest.targets:
        pricing = _block(_block(manifest.scenario, "targets").get(target.name or ""), "pricing")
        if target.name is not None and pricing:
            # The book of all targets is the run's own; that of this one was kept with it.
            kept = target.own_price_book or (None if pricing.get("book") else manifest.own_price_book)
            own[target.name] = choose(kept, {**shared, **pricing})
    return RunPrices(choose(manifest.own_price_book, shared), own)


def _block(data: object, name: str) -> dict[str, Any]:
    found = data.get(name) if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _wanted(
    manifest: Manifest,
    kept: PriceBook | str | None,
    pricing: dict[str, Any],
    book: str | None = None,
    price_as: str | None = None,
) -> Books:
    """The books that `pricing` names, of which `kept` was stored, with what is asked for now before them."""
    model, transcription_model = price_as or pricing.get("model"), pricing.get("transcription_model")
    chosen: str | PriceBook | None = book or kept or pricing.get("book")
    try:
        return books_for(chosen, model, transcription_model=transcription_model)
    except BenchError as error:
        if book or not isinstance(chosen, str):
            raise
        # An older run does not hold the book itself, and its name is relative to a scenario that may be elsewhere.
        raise BenchError(
            f"{manifest.run_id}: the run was priced with the book '{chosen}', which cannot be read from here ({error})",
            hint="name it with --book FILE, or a shipped one",
        ) from error


def served_models(sessions: pa.Table) -> list[tuple[str | None, str]]:
    """Each model that a server named, with its target, from the session rows of a run."""
    rows = sessions.select(SERVED_COLUMNS).group_by(SERVED_COLUMNS).aggregate([]).to_pylist()
    return [(row["target"], row["server_model"]) for row in rows if row["server_model"]]
