"""What a run teaches about calls of another length: cost and tokens by turn, turns a minute, what is billed besides.

In: a `View`. Out: `Learned`, which gives a call of any length, and its resamples over whole calls.
Trap: a longer call costs more than in proportion, since each response reads the whole call again. Beyond the longest
call of the run its growth is a straight line through the turns that there were, without the first one: that has nothing
in the cache, so the way from it to the second is not the way from there on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.report.bill_growth import input_tokens, output_tokens
from bench.report.bill_usage import price_missing
from bench.report.stats import Floats
from bench.report.view import Mask, View

RESAMPLES = 1000
BLOCK = 2_000_000
FIRST_LEFT_OUT_FROM = 2
"""In calls of more turns than this, the line leaves out the first."""
ENOUGH = 3
"""Turns of one number whose mean counts more than the line through all turns."""
MOST_TURNS = 20_000
_SEED = 20_260
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Learned:
    """By call (rows) and number of the turn (columns), NaN where there is none; and one figure for each call.

    `billed_by_minute`: turns have no cost, calls have one of their minutes.
    """

    usd: Matrix
    in_tokens: Matrix
    out_tokens: Matrix
    beside_usd: Floats
    """What each call was billed outside its turns; NaN where that is not known."""
    minutes: Floats
    turns: Floats
    call_usd: Floats
    billed_by_minute: bool

    @property
    def calls(self) -> int:
        return int(self.minutes.size)

    @property
    def longest_turns(self) -> int:
        """The number of turns of the longest call."""
        return int(self.usd.shape[1])

    def weights(self) -> Iterator[Matrix]:
        """How often each call is drawn in each resample, some resamples at a time: a run may have 100,000 calls."""
        rng = np.random.default_rng(_SEED)
        together = max(1, BLOCK // self.calls)
        for first in range(0, RESAMPLES, together):
            rows = min(together, RESAMPLES - first)
            found = np.zeros((rows, self.calls))
            drawn = rng.integers(0, self.calls, size=(rows, self.calls))
            np.add.at(found, (np.arange(rows)[:, None], drawn), 1.0)
            yield found


@dataclass(frozen=True, slots=True)
class LongCall:
    """A call of a given length, once for each row of the weights; NaN where it cannot be told."""

    turns: Floats
    usd: Floats
    in_tokens: Floats
    out_tokens: Floats
    last_in_tokens: Floats
    """Input of its last turn."""


def learn(view: View, calls: Mask | None = None) -> Learned | None:
    """From the measured calls that had an answer and a known length, of `calls` if given; None where there is none."""
    minutes = view.call["duration_ms"] / 60_000
    number = view.turn["turn"].astype(np.intp)
    at = {session: place for place, session in enumerate(view.sessions["session_id"])}
    call = np.array([at.get(session, -1) for session in view.turns["session_id"]], dtype=np.intp)
    own = view.answered & (call >= 0)
    good = view.calls_measured & ~np.isnan(minutes) & (minutes > 0)
    good &= np.isin(np.arange(len(minutes)), call[own])
    good &= calls if calls is not None else True
    if not good.any():
        return None
    rows = np.flatnonzero(good)
    place = np.full(len(minutes), -1, dtype=np.intp)
    place[rows] = np.arange(len(rows))
    own &= place[call] >= 0
    shape = (len(rows), min(int(number[own].max()) + 1, MOST_TURNS))
    own &= number < shape[1]
    where = (place[call[own]], number[own])

    def laid_out(values: Floats) -> Matrix:
        found = np.full(shape, np.nan)
        found[where] = values[own]
        return found

    priced = not price_missing(view.run)
    usd = laid_out(view.turn["cost_usd"] if priced else np.full(len(number), np.nan))
    call_usd = view.call["cost_usd"][rows] if priced else np.full(len(rows), np.nan)
    none = view.call["other_responses"] == 0
    beside = np.where(none, np.nan_to_num(view.call["other_cost_usd"]), view.call["other_cost_usd"])
    return Learned(
        usd=usd,
        in_tokens=laid_out(input_tokens(view)),
        out_tokens=laid_out(output_tokens(view)),
        beside_usd=beside[rows],
        minutes=minutes[rows],
        turns=view.call["turns_ended"][rows],
        call_usd=call_usd,
        billed_by_minute=bool(np.isnan(usd).all() and not np.isnan(call_usd).all()),
    )


def call_of(learned: Learned, minutes: float, weights: Matrix, *, grows: bool = True) -> LongCall:
    """A call of `minutes`, learned from the calls as `weights` (one row a resample) count them.

    Without `grows`, turns beyond the longest call of the run are like the last one of it.
    """
    per_minute = (weights @ learned.turns) / (weights @ learned.minutes)
    turns = minutes * per_minute
    tokens = [_summed(values, weights, turns, grows) for values in (learned.in_tokens, learned.out_tokens)]
    if learned.billed_by_minute:
        known = np.isfinite(learned.call_usd)
        rate = (weights[:, known] @ learned.call_usd[known]) / (weights[:, known] @ learned.minutes[known])
        usd = minutes * rate
    else:
        known = np.isfinite(learned.beside_usd)
        with np.errstate(invalid="ignore"):
            beside = (weights[:, known] @ learned.beside_usd[known]) / weights[:, known].sum(axis=1)
        usd = _summed(learned.usd, weights, turns, grows)[0] + beside
    return LongCall(turns, usd, tokens[0][0], tokens[1][0], tokens[0][1])


def resampled(learned: Learned, minutes: float, *, grows: bool = True) -> LongCall:
    """The same call, learned from each resample of the run's calls."""
    parts = [call_of(learned, minutes, weights, grows=grows) for weights in learned.weights()]
    return LongCall(*(np.concatenate([getattr(part, name) for part in parts]) for name in LongCall.__slots__))


def _summed(values: Matrix, weights: Matrix, turns: Floats, grows: bool) -> tuple[Floats, Floats]:
    """The sum over the first `turns` turns of a call, the last of them in part, and the value of the last one."""
    curve = _curve(values, weights, int(np.ceil(turns.max())))
    if not grows and curve.shape[1] > values.shape[1]:
        curve[:, values.shape[1] :] = curve[:, values.shape[1] - 1, None]
    whole = np.floor(turns + 1e-9).astype(np.intp)
    part = np.maximum(turns - whole, 0.0)
    before = np.column_stack([np.zeros(len(curve)), np.cumsum(curve, axis=1)])
    rows = np.arange(len(curve))
    following = np.minimum(whole, curve.shape[1] - 1)
    last = np.where(part > 0, following, np.maximum(following - (whole < curve.shape[1]), 0))
    sums = before[rows, np.minimum(whole, curve.shape[1])] + np.where(part > 0, part * curve[rows, following], 0.0)
    return sums, curve[rows, last]


def _curve(values: Matrix, weights: Matrix, wanted: int) -> Matrix:
    """The mean of each turn number where there are enough such turns, and elsewhere the line through the turns."""
    known = ~np.isnan(values)
    numbers = np.arange(values.shape[1], dtype=np.float64)
    n, sums = weights @ known, weights @ np.where(known, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(n > 0, sums / n, np.nan)
    fitted = numbers >= (1 if values.shape[1] > FIRST_LEFT_OUT_FROM else 0)
    start, slope = _line(numbers[fitted], n[:, fitted], sums[:, fitted])
    line = np.maximum(start[:, None] + slope[:, None] * np.arange(max(wanted, 1)), 0.0)
    curve: Matrix = line.copy()
    shared = min(values.shape[1], curve.shape[1])
    means, line = means[:, :shared], line[:, :shared]
    counts = ~np.isnan(means) & ((known.sum(axis=0)[:shared] >= ENOUGH) | np.isnan(line))
    curve[:, :shared] = np.where(counts, means, line)
    return curve


def _line(numbers: Floats, n: Matrix, sums: Matrix) -> tuple[Floats, Floats]:
    """Start and slope of the least-squares line through all turns, for each row; NaN where they have one number."""
    count, x, y = n.sum(axis=1), n @ numbers, sums.sum(axis=1)
    spread = count * (n @ numbers**2) - x**2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(spread > 1e-9, (count * (sums @ numbers) - x * y) / spread, np.nan)
        return (y - slope * x) / count, slope
