"""Percentiles, rates and pooled ratios with intervals, from raw rows; nothing here knows of turns or files.

Percentiles are inclusive and linear between ranks (numpy's and pandas' default), so that `frame[column].quantile(.95)`
gives the printed number. Intervals are 95 %. Turns of one call are not independent, so intervals resample whole calls.
Trap: a percentile that its sample cannot support is None, not a guess: `p` needs one value beyond it (p90: 10 values,
p95: 20, p99: 100) and never fewer than 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Limits = tuple[float, float]
Method = Literal[
    "bootstrap over calls", "clustered by call (Woodruff)", "clustered by call (delta)", "Wilson (no error was seen)"
]

MIN_VALUES = 3
MIN_CLUSTERS = 5
RESAMPLES = 1000
BLOCK_VALUES = 200_000
"""Values that are resampled at once: enough to keep numpy busy, little enough to stay in the cache."""
KEPT_CLUSTERS = BLOCK_VALUES // RESAMPLES
"""Of so many clusters the draws are kept for the next statistic: less than 2 MB."""
# Above these sizes resampling costs more than it adds; the linearised intervals agree with it closely.
BOOTSTRAP_VALUES = 10_000
BOOTSTRAP_CLUSTERS = 5_000
Z95 = 1.959963984540054
_SEED = 20_260


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its 95 % limits; `limits` is None where the sample is too small for one."""

    value: float | None
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Percentiles of one sample, in the order asked for, and how their limits were found (None: no limits)."""

    estimates: tuple[Estimate, ...]
    method: Method | None


def supported(n: int, percent: float) -> bool:
    """Whether `n` values are enough to print percentile `percent`; the low tail needs what the high tail does."""
    tail = min(percent, 100 - percent)
    return n >= MIN_VALUES and round(n * tail, 6) >= 100


def percentile(ordered: Floats, percent: float) -> float:
    """The inclusive linear percentile of a sorted, non-empty array that may end in infinities."""
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    return _between(ordered, below, position - below)


def percentiles(values: Floats, clusters: Codes, percents: Sequence[float], *, resample: bool = True) -> Percentiles:
    """Percentiles of `values` (infinities allowed, no NaN) with intervals over `clusters` (codes of the calls).

    Without `resample`, small samples have linearised intervals as well, which cost a hundredth.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    wanted = [percent for percent in percents if supported(len(values), percent)]
    found = {percent: percentile(ordered, percent) for percent in wanted}
    limits: dict[float, Limits] = {}
    method: Method | None = None
    codes = _compact(clusters)
    if wanted and codes.max() + 1 >= MIN_CLUSTERS:
        if resample and len(values) <= BOOTSTRAP_VALUES:
            limits, method = _bootstrap(ordered, codes[order], wanted), "bootstrap over calls"
        else:
            limits, method = _woodruff(ordered, codes[order], found), "clustered by call (Woodruff)"
    return Percentiles(tuple(Estimate(found.get(p), limits.get(p)) for p in percents), method)


def wilson(events: float, n: float, z: float = Z95) -> Estimate:
    """A share and its Wilson score interval (Wilson 1927); None for an empty sample."""
    if n == 0:
        return Estimate(None)
    share = events / n
    spread = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    centre = share + z**2 / (2 * n)
    scale = 1 + z**2 / n
    # At the ends the exact limit is 0 or 1; rounding must not leave the share outside of its own interval.
    low = 0.0 if events == 0 else (centre - spread) / scale
    high = 1.0 if events == n else (centre + spread) / scale
    return Estimate(share, (low, high))


def clustered_wilson(clusters: Iterable[tuple[int, int]], z: float = Z95) -> Estimate:
    """A share and its Wilson interval over clusters of (events, n), such as the turns of one call.

    The sample counts as smaller by the design effect (Rao and Scott 1992), never as larger: turns of one call that
    stand or fall together are not so many independent ones.
    """
    known = [(events, n) for events, n in clusters if n]
    total, events = sum(n for _, n in known), sum(events for events, _ in known)
    if not total or len(known) < 2 or events in (0, total):
        return wilson(events, total, z)
    share, count = events / total, len(known)
    squares = sum((good - share * n) ** 2 for good, n in known)
    effect = max(1.0, count / (count - 1) * squares / (total * share * (1 - share)))
    found = wilson(events / effect, total / effect, z)
    return Estimate(share, found.limits)


def pooled(numerators: Floats, denominators: Floats, clusters: Codes) -> tuple[Estimate, Method | None]:
    """Sum of numerators over sum of denominators (a pooled WER, a price per minute), with limits over clusters."""
    total = float(denominators.sum())
    if len(numerators) == 0 or total <= 0:
        return Estimate(None), None
    value = float(numerators.sum()) / total
    codes = _compact(clusters)
    count = int(codes.max()) + 1
    if count < MIN_CLUSTERS:
        return Estimate(value), None
    tops = np.bincount(codes, weights=numerators, minlength=count)
    bottoms = np.bincount(codes, weights=denominators, minlength=count)
    if count > BOOTSTRAP_CLUSTERS:
        residuals = tops - value * bottoms
        error = math.sqrt(count / (count - 1) * float(np.square(residuals).sum())) / total
        return Estimate(value, (max(0.0, value - Z95 * error), value + Z95 * error)), "clustered by call (delta)"
    draws = _kept_draws(count) if count <= KEPT_CLUSTERS else _draws(count)
    below = bottoms[draws].sum(axis=1)
    ratios = tops[draws].sum(axis=1)[below > 0] / below[below > 0]
    return Estimate(value, _inner95(np.sort(ratios))), "bootstrap over calls"


def pooled_errors(errors: Floats, of: Floats, clusters: Codes) -> tuple[Estimate, Method | None]:
    """`pooled` for a rate of errors, such as a WER.

    Resampling calls without an error finds none, which would make 0 of 50 words as sure as 0 of 50,000: without any
    error the upper limit is Wilson's, of the words.
    """
    found, method = pooled(errors, of, clusters)
    if found.value != 0.0:
        return found, method
    limits = wilson(0, float(of.sum())).limits
    return Estimate(0.0, limits), "Wilson (no error was seen)"


def _bootstrap(ordered: Floats, codes: Codes, percents: Sequence[float]) -> dict[float, Limits]:
    """Resample whole clusters: each draw gives every value a weight, and ranks are read off the summed weights."""
    count, n = int(codes.max()) + 1, len(ordered)
    rng = np.random.default_rng(_SEED)
    found = np.empty((RESAMPLES, len(percents)))
    block = max(1, BLOCK_VALUES // max(n, count))
    for row in range(0, RESAMPLES, block):
        rows = min(block, RESAMPLES - row)
        weights = cluster_weights(rng, rows, count) if rows < RESAMPLES else _kept_weights(count)
        found[row : row + rows] = weighted_percentiles(ordered, weights[:, codes], percents)
    found.sort(axis=0)
    return {percent: _inner95(found[:, column]) for column, percent in enumerate(percents)}


def _draws(count: int) -> Codes:
    """Which of `count` clusters each resample holds: (RESAMPLES, count), the same every time."""
    return np.random.default_rng(_SEED).integers(0, count, size=(RESAMPLES, count), dtype=np.intp)


@lru_cache(maxsize=8)
def _kept_draws(count: int) -> Codes:
    """`_draws` of few clusters: every statistic of a small run asks for them again, and drawing is half of its cost."""
    found = _draws(count)
    found.flags.writeable = False
    return found


@lru_cache(maxsize=8)
def _kept_weights(count: int) -> Codes:
    """`cluster_weights` of all resamples of few clusters."""
    found = cluster_weights(np.random.default_rng(_SEED), RESAMPLES, count)
    found.flags.writeable = False
    return found


def cluster_weights(rng: np.random.Generator, rows: int, count: int) -> Codes:
    """`rows` resamples of `count` clusters with replacement, as how often each cluster was drawn: (rows, count)."""
    chosen = rng.integers(0, count, (rows, count)) + np.arange(rows)[:, None] * count
    weights: Codes = np.bincount(chosen.ravel(), minlength=rows * count).reshape(rows, count)
    return weights


def weighted_percentiles(ordered: Floats, weights: Codes, percents: Sequence[float]) -> Floats:
    """Percentiles of the sorted `ordered`, each value repeated as often as its weight says, for each row of `weights`.

    Shapes: weights (rows, values), result (rows, percents). A row of zeros gives the first value.
    """
    rows, n = weights.shape
    ranks = np.cumsum(weights, axis=1)
    positions = np.maximum(ranks[:, -1:] - 1, 0) * np.asarray(percents) / 100
    below = np.floor(positions)
    # All resamples as one sorted array: each begins beyond the last rank of the one before it.
    line = np.arange(rows)[:, None]
    begin = line * (int(ranks.max()) + 2)
    joined = (ranks + begin).ravel()
    low, high = (
        ordered[(np.searchsorted(joined, rank + begin, side="right") - line * n).clip(max=n - 1)]
        for rank in (below, below + 1)
    )
    return _blend(low, high, positions - below)


def _woodruff(ordered: Floats, codes: Codes, found: dict[float, float]) -> dict[float, Limits]:
    """Invert a cluster-robust interval of the share at or below each percentile (Woodruff 1952)."""
    n, count = len(ordered), int(codes.max()) + 1
    sizes = np.bincount(codes, minlength=count)
    limits = {}
    for percent, value in found.items():
        upto = int(np.searchsorted(ordered, value, side="right"))
        residuals = np.bincount(codes[:upto], minlength=count) - upto / n * sizes
        error = 100 * math.sqrt(count / (count - 1) * float(np.square(residuals).sum())) / n
        low, high = max(0.0, percent - Z95 * error), min(100.0, percent + Z95 * error)
        limits[percent] = (percentile(ordered, low), percentile(ordered, high))
    return limits


def _inner95(ordered: Floats) -> Limits:
    return percentile(ordered, 2.5), percentile(ordered, 97.5)


def _between(ordered: Floats, below: int, part: float) -> float:
    low = float(ordered[below])
    if part <= 0 or below + 1 >= len(ordered):
        return low
    high = float(ordered[below + 1])
    if math.isfinite(low) and math.isfinite(high):
        return low + part * (high - low)
    return float(_blend(np.array([low]), np.array([high]), np.array([part]))[0])


def _blend(low: Floats, high: Floats, part: Floats) -> Floats:
    """Between two neighbours in order. Any share of an infinite one is infinite; inf - inf must not become NaN.

    Between the two infinities it is the nearer one.
    """
    inside = np.isfinite(low) & np.isfinite(high)
    start = np.where(inside, low, 0.0)
    beyond = np.where(np.isfinite(low), part > 0, np.where(np.isfinite(high), part >= 1, part >= 0.5))
    return np.where(inside, start + part * (np.where(inside, high, 0.0) - start), np.where(beyond, high, low))


def _compact(clusters: Codes) -> Codes:
    """Codes 0..k-1 of the clusters that are present."""
    if len(clusters) == 0:
        return clusters
    present = np.zeros(int(clusters.max()) + 1, dtype=np.intp)
    present[clusters] = 1
    compact: Codes = (np.cumsum(present) - 1)[clusters]
    return compact
