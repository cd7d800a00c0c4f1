"""Laying a price book over what was used: USD by row and meter, and what is missing.

In: `Usage` of turns or calls, `Books`. Out: `Priced`. The rules are those of `bench.pricing.price`, which prices a turn
when it ends; a test holds the two together.
Trap: a call that is billed by its minutes has no cost per turn, and one that is billed by tokens none per minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.pricing.book import Books, Rates, SpeechMeters, TranscriptionMeters
from bench.pricing.meters import METERS, MODEL_METERS, usd_per_unit
from bench.pricing.price import (
    ALL_TOKENS,
    METER_WITHOUT_PRICE,
    PRICED_BY_MINUTE,
    PRICED_BY_TOKENS,
    Unknown,
    no_price_for,
)
from bench.report.bill_usage import COLUMN, MODEL, SESSION, SPEECH, TRANSCRIPTION, RunUsage, Sold, Usage
from bench.report.stats import Codes, Floats
from bench.report.view import Mask

_MINUTES = COLUMN["transcription minutes"]
_SPOKEN_TOKENS = slice(TRANSCRIPTION.start, _MINUTES)


BooksOf = Callable[[str | None], Books]
"""The books of a target, by its name."""


@dataclass(frozen=True, slots=True)
class Priced:
    """USD of each row by meter, 0 where there is nothing to pay or no price, and which rows lack what.

    `rates` are USD for one unit of each meter in each row's group, NaN where there is none. `charged` is what was
    charged: a transcription that is reported in both units pays for one of them.
    """

    usd: Floats
    charged: Floats
    lacks: dict[Unknown, Mask]
    by_minute: Mask
    billed: Mask
    rates: tuple[Floats, ...]
    group_of: Codes

    @property
    def incomplete(self) -> Mask:
        """Rows in which a used meter has no sum."""
        return _any([*self.lacks.values()], len(self.usd))

    @property
    def known(self) -> Floats:
        """What could be priced of each row; NaN where that is nothing, or there is nothing to pay for."""
        sums: Floats = self.usd.sum(axis=1)
        return np.where(self.billed & ~(self.incomplete & (sums == 0)) & ~(self.by_minute & (sums == 0)), sums, np.nan)

    @property
    def total(self) -> Floats:
        """The price of each row; NaN where a part of it is missing."""
        return np.where(self.incomplete | self.by_minute, np.nan, self.known)


@dataclass(frozen=True, slots=True)
class PricedRun:
    """`call_usd` prices each call with its turns, NaN where a part is missing; `call_known_usd` is the known part."""

    turns: Priced
    calls: Priced
    call_usd: Floats
    call_known_usd: Floats
    call_of_turn: Codes

    @property
    def at_least(self) -> bool:
        """Some meter has no sum, so that the total is a lower bound."""
        return bool(self.turns.incomplete.any() or self.calls.incomplete.any())

    def lacking(self) -> dict[Unknown, int]:
        """What is missing, and in how many rows."""
        found: dict[Unknown, int] = {}
        for part in (self.turns, self.calls):
            for unknown, rows in part.lacks.items():
                found[unknown] = found.get(unknown, 0) + int(rows.sum())
        return {unknown: rows for unknown, rows in found.items() if rows}

    def by_meter(self) -> Floats:
        """USD of the whole run, meter by meter."""
        sums: Floats = self.turns.usd.sum(axis=0) + self.calls.usd.sum(axis=0)
        return sums

    def total_usd(self) -> float | None:
        """What is known of the run's price; `at_least` says whether that is all. None where nothing is known."""
        known = np.concatenate([self.turns.known, self.calls.known])
        return None if np.isnan(known).all() else float(np.nansum(known))


def price_run(usage: RunUsage, books: BooksOf, *, transcribed: bool = True) -> PricedRun:
    """The whole run at the prices of `books`. Without `transcribed`, the transcription of callers is left out."""
    turns = price(usage.turns, books, transcribed=transcribed)
    calls = price(usage.calls, books, transcribed=transcribed)
    here = usage.call_of_turn >= 0
    known, broken = calls.known, calls.incomplete.copy()
    of_turns = np.zeros(len(known))
    any_known = ~np.isnan(known)
    places = usage.call_of_turn[here]
    np.add.at(of_turns, places, np.nan_to_num(turns.known[here]))
    np.logical_or.at(broken, places, turns.incomplete[here])
    np.logical_or.at(any_known, places, ~np.isnan(turns.known[here]))
    # What a session costs by the minute is all that it costs.
    sums = np.where(calls.by_minute, np.nan_to_num(known), np.nan_to_num(known) + of_turns)
    sums = np.where(any_known, sums, np.nan)
    return PricedRun(turns, calls, np.where(broken, np.nan, sums), sums, usage.call_of_turn)


def price(usage: Usage, books_of: BooksOf, *, transcribed: bool = True) -> Priced:
    """Every row of `usage` at the prices of its target's books."""
    rows = len(usage.quantities)
    usd, charged = np.zeros((rows, len(METERS))), np.zeros((rows, len(METERS)))
    by_minute = np.zeros(rows, dtype=np.bool_)
    lacks: dict[Unknown, Mask] = {}
    rates_of = []
    for group, sold in enumerate(usage.sold):
        mine, books = usage.sold_of == group, books_of(sold.target)
        model = priced_as(sold, books)
        rates, spoken = books.rates(model), books.transcription(model, sold.transcription_model)
        speech = books.speech(sold.speech_model)
        rate = np.array([_rate(meter_rate) for meter_rate in _rates(rates, spoken, speech)])
        rates_of.append(rate)
        used = usage.quantities * mine[:, None]
        if rates is not None and rates.tokens_usd_per_million is None:
            by_minute |= mine
            used[:, :SESSION] = 0.0
        else:
            used[:, SESSION] = 0.0
            for unknown, where in _lacking_model(usage, used, mine, rates, rate, sold, books):
                _note(lacks, unknown, where)
            if transcribed:
                for unknown, where in _lacking_words(usage, used, mine, spoken, rate, sold, books):
                    _note(lacks, unknown, where)
            else:
                used[:, TRANSCRIPTION] = 0.0
            for unknown, where in _lacking_speech(used, speech, sold, books):
                _note(lacks, unknown, where)
        usd += used * np.nan_to_num(rate)
        charged += used
    return Priced(usd, charged, lacks, by_minute, usage.billed | by_minute, tuple(rates_of), usage.sold_of)


def priced_as(sold: Sold, books: Books) -> str | None:
    """The model whose prices count: the one that was asked for, or where no book lists it, the server's own word."""
    return sold.model if books.rates(sold.model) is not None else sold.server_model or sold.model


def _any(masks: list[Mask], rows: int) -> Mask:
    found = np.zeros(rows, dtype=np.bool_)
    for mask in masks:
        found |= mask
    return found


def _any_meter(masks: Mask) -> Mask:
    found: Mask = np.any(masks, axis=1)
    return found


def _rates(
    rates: Rates | None, spoken: TranscriptionMeters | None, speech: SpeechMeters | None
) -> Iterator[float | None]:
    return (usd_per_unit(meter, rates, spoken, speech) for meter in METERS)


def _rate(value: float | None) -> float:
    return np.nan if value is None else value


def _note(lacks: dict[Unknown, Mask], unknown: Unknown, where: Mask) -> None:
    if where.any():
        lacks[unknown] = lacks[unknown] | where if unknown in lacks else where


def _gaps(usage: Usage, mine: Mask, *, words: bool) -> Iterator[tuple[Unknown, Mask]]:
    """What has no count, of the transcription or of everything else."""
    for code, gaps in enumerate(usage.gaps):
        for gap in gaps:
            if (gap.meter == "transcription") is words:
                yield gap, mine & (usage.gap_of == code)


def _lacking_model(
    usage: Usage, used: Floats, mine: Mask, rates: Rates | None, rate: Floats, sold: Sold, books: Books
) -> Iterator[tuple[Unknown, Mask]]:
    gaps = list(_gaps(usage, mine, words=False))
    yield from gaps
    if rates is None:
        unpriced = _any_meter(used[:, MODEL] > 0) | _any([where for _, where in gaps], len(mine))
        yield Unknown(ALL_TOKENS, books.why_unpriced(sold.model) or "no price for this model"), unpriced
        return
    for place, meter in enumerate(MODEL_METERS):
        if np.isnan(rate[place]):
            yield Unknown(meter.name, no_price_for(meter.name)), used[:, place] > 0


def _lacking_speech(
    used: Floats, speech: SpeechMeters | None, sold: Sold, books: Books
) -> Iterator[tuple[Unknown, Mask]]:
    """What was spoken and has no price; takes out of `used` the unit in which it is not charged."""
    if speech is None:
        yield Unknown("speech", books.why_speech_unpriced(sold.speech_model)), _any_meter(used[:, SPEECH] > 0)
    else:
        by_characters = speech.characters_usd_per_million is not None
        used[:, SPEECH.stop - 1 if by_characters else SPEECH.start] = 0.0


def _lacking_words(
    usage: Usage, used: Floats, mine: Mask, spoken: TranscriptionMeters | None, rate: Floats, sold: Sold, books: Books
) -> Iterator[tuple[Unknown, Mask]]:
    """What the transcription lacks; takes out of `used` the unit in which it is not charged."""
    yield from _gaps(usage, mine, words=True)
    tokens = _any_meter(used[:, _SPOKEN_TOKENS] > 0)
    minutes: Mask = used[:, _MINUTES] > 0
    if spoken is None:
        yield Unknown("transcription", books.why_transcription_unpriced(sold.transcription_model)), tokens | minutes
        return
    if spoken.tokens_usd_per_million is not None:
        missing = (used[:, _SPOKEN_TOKENS] > 0) & np.isnan(rate[_SPOKEN_TOKENS])
        yield Unknown("transcription", METER_WITHOUT_PRICE), _any_meter(missing)
        used[tokens, _MINUTES] = 0.0
        minutes = minutes & ~tokens
        if spoken.audio_usd_per_minute is None:
            yield Unknown("transcription", PRICED_BY_TOKENS), minutes
    else:
        yield Unknown("transcription", PRICED_BY_MINUTE), tokens & ~minutes
        used[minutes, _SPOKEN_TOKENS] = 0.0
