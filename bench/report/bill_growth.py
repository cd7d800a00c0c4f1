"""How the cost of a turn grows with its place in the call: every response sends the whole call again as input.

In: a `View`. Out: one row for each number of a turn.
Trap: late turns are those of long calls alone, so each row says how many turns it stands on.
"""

from __future__ import annotations

import numpy as np

from bench.report.findings_bill import GrowthRow
from bench.report.stats import Floats, pooled
from bench.report.view import Mask, View

MOST_ROWS = 60
"""A call of more turns is shown to here."""


def growth(view: View) -> list[GrowthRow]:
    """Means over the answered turns of each number; nothing where all calls have one turn."""
    number = view.turn["turn"]
    if not view.answered.any() or np.nanmax(number[view.answered]) < 1:
        return []
    rows = [_row(view, int(place), view.answered & (number == place)) for place in np.unique(number[view.answered])]
    return rows[:MOST_ROWS]


def input_tokens(view: View) -> Floats:
    """Input of each turn, cached or not: by modality, or the total where the server gave no more; NaN: not said."""
    return _sum(view, ("in_text", "in_audio", "in_image"), view.turn["in_total"])


def output_tokens(view: View) -> Floats:
    return _sum(view, ("out_text", "out_audio"), view.turn["out_total"])


def _sum(view: View, names: tuple[str, ...], instead: Floats) -> Floats:
    parts = np.column_stack([view.turn[name] for name in names])
    return np.where(np.isnan(parts).all(axis=1), instead, np.nansum(parts, axis=1))


def _row(view: View, place: int, rows: Mask) -> GrowthRow:
    usd = view.turn["cost_usd"]
    priced = rows & ~np.isnan(usd)
    estimate = pooled(usd[priced], np.ones(int(priced.sum())), view.calls_of_turns[priced])[0]
    low, high = estimate.limits or (None, None)
    cached = _sum(view, ("in_cached_text", "in_cached_audio", "in_cached_image"), np.full(len(rows), np.nan))
    return GrowthRow(
        turn=place + 1,
        n=int(rows.sum()),
        input_tokens=_mean(input_tokens(view), rows),
        cached_tokens=_mean(cached, rows),
        output_tokens=_mean(output_tokens(view), rows),
        usd=estimate.value,
        low_usd=low,
        high_usd=high,
    )


def _mean(values: Floats, rows: Mask) -> float | None:
    known = values[rows & ~np.isnan(values)]
    return float(known.mean()) if len(known) else None
