"""What a typical conversation costs with each model, at the prices of every dated book.

In: a definition of the conversation, and price books. Out: a `PriceStory` of steps. It holds even where nothing was
measured: prices are read, not measured.
Trap: a book is a reading on its date. Nobody looked between two books, so the line is a step; and a model that a book
does not list has no price of that date.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from bench.pricing.book import Books, PriceBook, Rates, all_books
from bench.pricing.estimate import Assumed, Exchange, simulate_call
from bench.pricing.price import price_minutes, price_turn
from bench.report.findings_bill import PriceLine, PricePoint
from bench.site.config import ConversationConfig
from bench.site.digest import RunDigest


@dataclass(frozen=True, slots=True)
class PriceStory:
    """The conversation with one model by date. `checked` is the newest reading of its prices."""

    model: str
    line: PriceLine
    checked: date | None = None
    source: str = ""
    source_date: str = ""
    shutdown: date | None = None
    example: bool = False
    by_minute: bool = False
    rates: str = "{}"
    """The newest prices as JSON: USD per million tokens, or per minute of the session; null where unknown."""

    @property
    def usd(self) -> float | None:
        """At the newest prices."""
        return self.line.points[-1].usd if self.line.points else None

    @property
    def lacking(self) -> list[str]:
        return self.line.points[-1].lacking if self.line.points else []


def known_books(runs: Iterable[RunDigest]) -> list[PriceBook]:
    """Shipped books and those that runs brought, oldest first."""
    own = {(book.book, book.date): book for run in runs for book in run.books}
    books = {(book.book, book.date): book for book in all_books()} | own
    return sorted(books.values(), key=lambda book: (book.date, book.book))


def story(model: str | None, books: Sequence[PriceBook], conversation: ConversationConfig) -> PriceStory | None:
    """The prices of `model` in every book that lists it; None where no book does."""
    if model is None:
        return None
    points = []
    newest: tuple[PriceBook, Rates] | None = None
    for book in books:
        rates = Books(parts=(book,)).rates(model)
        if rates is None:
            continue
        newest = book, rates
        usd, lacking = conversation_usd(conversation, rates)
        points.append(PricePoint(date=str(book.date), book=book.book, usd=usd, lacking=lacking))
    if newest is None:
        return None
    book, rates = newest
    return PriceStory(
        model=model,
        line=PriceLine(model=model, points=points),
        checked=book.date,
        source=rates.source,
        source_date=rates.source_date,
        shutdown=rates.shutdown,
        example=book.label is not None,
        by_minute=rates.tokens_usd_per_million is None,
        rates=json.dumps(_plain(rates)),
    )


def _plain(rates: Rates) -> dict[str, object]:
    meters = rates.tokens_usd_per_million
    if meters is None:
        return {"minute": rates.session_usd_per_minute}
    return {
        name: {side: getattr(prices, side) for side in ("input", "cached", "output")}
        for name, prices in (("text", meters.text), ("audio", meters.audio))
    }


def conversation_usd(conversation: ConversationConfig, rates: Rates) -> tuple[float | None, list[str]]:
    """USD of the whole conversation, or None with what has no price."""
    each = Exchange(
        heard_s=conversation.caller_s,
        caller_s=conversation.caller_s,
        caller_words=conversation.caller_s * conversation.words_per_s,
        reply_s=conversation.agent_s,
        reply_words=conversation.agent_s * conversation.words_per_s,
    )
    assumed = Assumed(
        caller_tokens_per_s=conversation.caller_tokens_per_s,
        agent_tokens_per_s=conversation.agent_tokens_per_s,
        tokens_per_word=conversation.tokens_per_word,
        cache_from_tokens=conversation.cache_from_tokens,
        preamble_tokens=conversation.instructions_tokens,
    )
    billed = list(simulate_call([each] * conversation.exchanges, 0.0, assumed))
    if rates.tokens_usd_per_million is None:
        usd = price_minutes(rates, billed[-1].ends_s / 60)
        return usd, [] if usd is not None else ["minutes of the session"]
    total = 0.0
    lacking: dict[str, None] = {}
    for response in billed:
        cost = price_turn(response.usage, None, rates, None)
        lacking |= dict.fromkeys(map(str, cost.unknown))
        total += cost.total_usd or 0.0
    return (None, list(lacking)) if lacking else (total, [])
