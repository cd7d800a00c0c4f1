"""A stored run at other prices: the same calls and turns, with new money. Nothing is measured again.

In: a `Run` and the books to price it with. Out: another `Run` whose cost columns are those of the books.
Trap: the files of the run hold the prices that it was made with; a report of other prices is never written over them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.pricing.book import load_book
from bench.pricing.meters import METERS, MODEL_METERS
from bench.pricing.price import ALL_TOKENS, Side, Unknown
from bench.report.bill_price import Priced, PricedRun, price_run
from bench.report.bill_usage import SPEECH, TRANSCRIPTION, Usage, usage_of
from bench.report.stats import Floats
from bench.report.view import Mask
from bench.store.manifest import UsedPriceBook
from bench.store.prices import SERVED_COLUMNS, RunPrices, served_models
from bench.store.reader import Run

_SIDES: tuple[Side, ...] = ("input", "cached", "output")


@dataclass(frozen=True, slots=True)
class Repriced:
    """`then` names the books that the run was priced with; `folder` is where the report of the new prices belongs."""

    run: Run
    prices: RunPrices
    then: str
    folder: Path


def reprice(run: Run, book: str, price_as: str | None = None) -> Repriced:
    """`run` at the prices of `book`, and of shipped books that are not newer for what it does not list.

    `price_as` prices every model as that one. Raises `BenchError` when the book cannot be read.
    """
    chosen = load_book(book)
    prices = RunPrices.as_model(run.manifest, price_as, book)
    again = at_prices(run, prices)
    again.manifest.price_books = again.manifest.price_books or [
        UsedPriceBook(name=chosen.book, date=str(chosen.date), example=chosen.label is not None)
    ]
    as_model = f"-as-{price_as}" if price_as else ""
    name = "".join(c if c.isalnum() or c in "-._" else "_" for c in f"prices-{chosen.book}{as_model}")
    return Repriced(again, prices, _then(run), run.folder.root / name)


def at_prices(run: Run, prices: RunPrices) -> Run:
    """`run` with the money of other prices in its rows, and the books that have them in its manifest."""
    manifest = run.manifest.model_copy(deep=True)
    manifest.price_books = prices.used(manifest, served_models(pa.Table.from_pandas(run.sessions[SERVED_COLUMNS])))
    usage = usage_of(run)
    priced = price_run(usage, prices.of_call)
    turns, sessions = _turns(run.turns, priced.turns, usage.turns), _sessions(run.sessions, priced, usage.calls)
    return replace(run, manifest=manifest, turns=turns, sessions=sessions)


def _then(run: Run) -> str:
    books = [f"{book.name} of {book.date}" if book.date else book.name for book in run.manifest.price_books]
    return ", ".join(books) or "no price book"


def _turns(frame: pd.DataFrame, priced: Priced, usage: Usage) -> pd.DataFrame:
    columns = _columns(priced, usage, frame["responses"].to_numpy(dtype=np.float64, na_value=0.0) > 0)
    return frame.assign(**columns)


def _sessions(frame: pd.DataFrame, priced: PricedRun, usage: Usage) -> pd.DataFrame:
    own = _columns(priced.calls, usage, frame["other_responses"].to_numpy(dtype=np.float64, na_value=0.0) > 0)
    # A session that is billed by its minutes is billed for nothing else.
    own = {f"other_{name}": column.mask(priced.calls.by_minute) for name, column in own.items()}
    whole, known = priced.call_usd, priced.call_known_usd
    return frame.assign(
        **own,
        cost_usd=whole,
        cost_partial_usd=np.where(np.isnan(whole), known, np.nan),
        cost_unknown=_unknown_of_calls(frame, priced),
    )


def _columns(priced: Priced, usage: Usage, answered: Mask) -> dict[str, pd.Series]:
    total, known = priced.total, priced.known
    sides = {side: _side(priced, side, answered) for side in _SIDES}
    spoken = usage.quantities[:, TRANSCRIPTION].any(axis=1) & ~_lacks(priced, ("transcription",))
    words = np.where(spoken & ~priced.by_minute, priced.usd[:, TRANSCRIPTION].sum(axis=1), np.nan)
    said = usage.quantities[:, SPEECH].any(axis=1) & ~_lacks(priced, ("speech",))
    speech = np.where(said & ~priced.by_minute, priced.usd[:, SPEECH].sum(axis=1), np.nan)
    unknown = _said(priced.lacks, len(total))
    numbers = {
        "cost_usd": total,
        "cost_partial_usd": np.where(np.isnan(total), known, np.nan),
        **{f"cost_{side}_usd": values for side, values in sides.items()},
        "cost_transcription_usd": words,
        "cost_speech_usd": speech,
    }
    return {name: pd.Series(values) for name, values in numbers.items()} | {
        "cost_unknown": pd.Series(unknown, dtype="string"),
        "cost_note": pd.Series(_notes(priced.lacks, len(total)), dtype="string"),
    }


def _side(priced: Priced, side: Side, answered: Mask) -> Floats:
    """The sum of a side of the model's meters, NaN where a part of it is missing."""
    places = [place for place, meter in enumerate(MODEL_METERS) if meter.side == side]
    names = (ALL_TOKENS, "output" if side == "output" else "input", *(METERS[place].name for place in places))
    missing = _lacks(priced, names) | priced.by_minute | ~answered
    return np.where(missing, np.nan, priced.usd[:, places].sum(axis=1))


def _lacks(priced: Priced, meters: Iterable[str]) -> Mask:
    found = np.zeros(len(priced.usd), dtype=np.bool_)
    for unknown, rows in priced.lacks.items():
        if unknown.meter in meters:
            found |= rows
    return found


def _said(lacks: dict[Unknown, Mask], rows: int) -> list[str | None]:
    """The column `cost_unknown`, as it is written when a turn is priced."""
    return _joined([(str(unknown).replace(";", ","), where) for unknown, where in lacks.items()], rows)


def _notes(lacks: dict[Unknown, Mask], rows: int) -> list[str | None]:
    return _joined([(unknown.reason, where) for unknown, where in lacks.items()], rows)


def _joined(parts: list[tuple[str, Mask]], rows: int) -> list[str | None]:
    found: list[list[str]] = [[] for _ in range(rows)]
    for text, where in parts:
        for place in np.flatnonzero(where).tolist():
            found[place].append(text)
    return ["; ".join(each) or None for each in found]


def _unknown_of_calls(frame: pd.DataFrame, priced: PricedRun) -> pd.Series:
    """What each call lacks, its turns' parts first."""
    of_turns = {unknown: np.zeros(len(frame), dtype=np.bool_) for unknown in priced.turns.lacks}
    for unknown, rows in priced.turns.lacks.items():
        places = priced.call_of_turn[rows]
        of_turns[unknown][places[places >= 0]] = True
    parts = dict(of_turns)
    for unknown, rows in priced.calls.lacks.items():
        parts[unknown] = parts[unknown] | rows if unknown in parts else rows
    return pd.Series(_said(parts, len(frame)), dtype="string").mask(priced.calls.by_minute)
