"""What the traffic of a run costs at the prices of each dated book.

In: what was used, and the books of the run. Out: a `PriceLine` for each model, oldest date first.
Trap: a book is a reading on its date. Between two dates nobody looked, so a line is a step and not a slope; and a model
that is not in a book has no price of that date, whatever it cost before or after.
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.pricing.book import Books, PriceBook, Rates, all_books
from bench.report.bill_price import BooksOf, price_run, priced_as
from bench.report.bill_usage import RunUsage, Sold, pooled_usage
from bench.report.findings_bill import PriceLine, PricePoint
from bench.store.manifest import Manifest


def histories(manifest: Manifest, usage: RunUsage, books_of: BooksOf) -> list[PriceLine]:
    """A line for the models of the run and for their successors, those with two dated prices or more."""
    sold = {each for part in (usage.turns, usage.calls) for each in part.sold}
    books = dated_books(manifest)
    called = dict.fromkeys(name for each in sorted(sold, key=str) if (name := _name(each, books_of)) is not None)
    rates = {name: _newest(name, books) for name in called}
    next_ones = dict.fromkeys(entry.successor for entry in rates.values() if entry and entry.successor)
    lines = [history(name, usage, books) for name in called]
    lines += [history(name, usage, books, of_run=False) for name in next_ones if name not in called]
    return [line for line in lines if len(line.points) > 1]


def dated_books(manifest: Manifest) -> list[PriceBook]:
    """Shipped books and those of the run, the oldest first."""
    own = [manifest.own_price_book, *(target.own_price_book for target in manifest.targets)]
    books = [*all_books(), *(book for book in own if book is not None)]
    return sorted({book.book + str(book.date): book for book in books}.values(), key=lambda book: book.date)


def history(model: str, usage: RunUsage, books: Iterable[PriceBook], *, of_run: bool = True) -> PriceLine:
    """What the whole traffic costs as `model`, by every book that lists it."""
    small = pooled_usage(usage)
    points = []
    for book in books:
        one = Books(parts=(book,), price_as=model)
        if one.rates(model) is None:
            continue
        priced = price_run(small, by_any_target(one), transcribed=False)
        lacking = [str(unknown) for unknown in priced.lacking()]
        usd = None if lacking else priced.total_usd()
        points.append(PricePoint(date=str(book.date), book=book.book, usd=usd, lacking=lacking))
    return PriceLine(model=model, of_run=of_run, points=points)


def by_any_target(books: Books) -> BooksOf:
    """The same books for every target."""
    return lambda _target: books


def _name(sold: Sold, books_of: BooksOf) -> str | None:
    books = books_of(sold.target)
    return books.price_as or priced_as(sold, books)


def _newest(model: str, books: list[PriceBook]) -> Rates | None:
    return next((rates for book in reversed(books) if (rates := Books(parts=(book,)).rates(model))), None)
