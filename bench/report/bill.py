"""The bill of a stored run: by meter, by unit, by turn of a call, what the cache saved, and its price over time.

In: a `View`, of a run as it was or at other prices. Out: a `Bill`.
Trap: quantities are priced anew from the rows, and the meters are shown only if they add up to the cost that the rows
hold.
"""

from __future__ import annotations

import math

import numpy as np

from bench.errors import BenchError
from bench.pricing.meters import METERS
from bench.report.bill_growth import growth
from bench.report.bill_history import histories
from bench.report.bill_price import BooksOf, Priced, PricedRun, price_run
from bench.report.bill_usage import COLUMN, KINDS, price_missing, usage_of
from bench.report.findings_bill import Bill, BillMeter, CacheSaving, UnitPrice
from bench.report.money import cost_per_minute
from bench.report.phrases import amount
from bench.report.reprice import Repriced
from bench.report.stats import Codes, Estimate, Floats, pooled
from bench.report.view import View
from bench.store.prices import RunPrices

AGREES = 1e-6
"""The part by which the sum of the meters may differ from the stored cost: they are added in another order."""


def bill(view: View, again: Repriced | None = None) -> Bill:
    """The bill at the prices of the run, or those of `again`, whose rows `view` then holds."""
    found = Bill(units=units(view), growth=growth(view), priced_again=again.then if again else None)
    books_of = _books_of(view, again.prices if again else None)
    if books_of is None:
        return found
    usage = usage_of(view.run)
    priced = price_run(usage, books_of)
    found.history = histories(view.run.manifest, usage, books_of)
    if not _agrees(priced, view):
        return found
    found.meters = meters(priced)
    found.lacking = lacking(priced)
    found.cache = cache(priced)
    return found


def _books_of(view: View, prices: RunPrices | None) -> BooksOf | None:
    try:
        return (prices or RunPrices.then(view.run.manifest)).of_call
    except BenchError:
        return None  # the book of an older run, which is not here any more


def _agrees(priced: PricedRun, view: View) -> bool:
    """Whether the rows were priced by these books."""
    known = np.where(np.isnan(view.turn["cost_usd"]), view.turn["cost_partial_usd"], view.turn["cost_usd"])
    calls = np.where(np.isnan(view.call["cost_usd"]), view.call["cost_partial_usd"], view.call["cost_usd"])
    stored = float(np.nansum(known)) + float(np.nansum(calls))
    anew = float(np.nansum(priced.turns.known)) + float(np.nansum(priced.call_known_usd))
    return math.isclose(stored, anew, rel_tol=AGREES, abs_tol=1e-9)


def meters(priced: PricedRun) -> list[BillMeter]:
    """Every meter that was used, in the order of a bill."""
    found = []
    usd = priced.by_meter()
    for place, meter in enumerate(METERS):
        quantity = sum(float(part.charged[:, place].sum()) for part in (priced.turns, priced.calls))
        if quantity <= 0:
            continue
        rates = {rate for part in (priced.turns, priced.calls) for rate in _rates(part, place)}
        known = not any(math.isnan(rate) for rate in rates)
        rate = next(iter(rates)) * meter.rate_scale if known and len(rates) == 1 else None
        found.append(
            BillMeter(
                name=meter.name,
                unit=meter.unit,
                quantity=quantity,
                rate_usd=None if rate is None else round(rate, 9),
                usd=float(usd[place]) if known else None,
            )
        )
    return found


def _rates(part: Priced, place: int) -> set[float]:
    """The rates at which a meter was charged; NaN is one rate, however many groups lack theirs."""
    used = np.unique(part.group_of[part.charged[:, place] > 0])
    rates = [float(part.rates[group][place]) for group in used]
    return {rate for rate in rates if not math.isnan(rate)} | ({math.nan} if any(map(math.isnan, rates)) else set())


def lacking(priced: PricedRun) -> list[str]:
    """`transcription (no price for the transcription model 'x'), in 12 rows`, the most frequent first."""
    found = sorted(priced.lacking().items(), key=lambda each: (-each[1], str(each[0])))
    return [f"{unknown}, in {amount(rows, 'row')}" for unknown, rows in found]


def units(view: View) -> list[UnitPrice]:
    """A turn, a call, a minute of conversation, 1,000 calls; over measured rows that have a price.

    None where a price is missing: the rows that need none of it, such as first turns without a cache, stand for no
    others. A count that is missing here and there does no such harm.
    """
    turns, calls = view.turn["cost_usd"], view.call["cost_usd"]
    if price_missing(view.run):
        turns, calls = np.full(len(turns), np.nan), np.full(len(calls), np.nan)
    known = ~np.isnan(turns) & ~view.warmup
    priced = view.calls_measured & ~np.isnan(calls)
    per_turn = _mean(turns[known], view.calls_of_turns[known])
    per_call = _mean(calls[priced], np.flatnonzero(priced))
    per_minute, timed = cost_per_minute(view, priced)
    return [
        _unit("turn", "Per turn", per_turn, int(known.sum())),
        _unit("call", "Per call", per_call, int(priced.sum())),
        _unit("talk_minute", "Per conversation minute", per_minute, timed),
        _unit("1000_calls", "Per 1,000 calls", _times(per_call, 1000), int(priced.sum())),
    ]


def _mean(values: Floats, clusters: Codes) -> Estimate:
    return pooled(values, np.ones(len(values)), clusters)[0]


def _times(estimate: Estimate, factor: float) -> Estimate:
    if estimate.value is None:
        return estimate
    limits = estimate.limits and (estimate.limits[0] * factor, estimate.limits[1] * factor)
    return Estimate(estimate.value * factor, limits)


def _unit(name: str, title: str, estimate: Estimate, n: int) -> UnitPrice:
    low, high = estimate.limits or (None, None)
    return UnitPrice.model_validate(
        {"name": name, "title": title, "usd": estimate.value, "low_usd": low, "high_usd": high, "n": n}
    )


def cache(priced: PricedRun) -> CacheSaving | None:
    """What the cached tokens would have cost as fresh ones; None where no token came from a cache."""
    parts = (priced.turns, priced.calls)
    tokens = {
        kind: sum(float(part.charged[:, COLUMN[f"cached {kind} input"]].sum()) for part in parts) for kind in KINDS
    }
    cached = sum(tokens.values())
    if not cached:
        return None
    fresh = sum(float(part.charged[:, COLUMN[f"{kind} input"]].sum()) for part in parts for kind in KINDS)
    found = CacheSaving(input_tokens=int(cached + fresh), cached_tokens=int(cached))
    paid_usd = fresh_usd = 0.0
    for part in parts:
        for group, rates in enumerate(part.rates):
            mine = part.charged[part.group_of == group]
            for kind in KINDS:
                place = COLUMN[f"cached {kind} input"]
                used = float(mine[:, place].sum())
                if used:
                    paid_usd += used * float(rates[place])
                    fresh_usd += used * float(rates[COLUMN[f"{kind} input"]])
    if math.isnan(paid_usd + fresh_usd):
        return found
    return found.model_copy(update={"paid_usd": paid_usd, "fresh_usd": fresh_usd, "saved_usd": fresh_usd - paid_usd})
