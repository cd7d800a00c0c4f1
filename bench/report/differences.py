"""The difference between two sets of rows, with an interval, and the smallest one that they could have shown.

In: values of both, the call that each belongs to, a statistic. Out: a `Difference`, always b - a.
Whole calls are resampled, since the turns of a call are not independent. Values may be infinite (never), not NaN.
Trap: an interval that holds 0 does not say that both are equal. It says that a difference below `detectable` would not
have been seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from bench.report.stats import (
    BLOCK_VALUES,
    BOOTSTRAP_CLUSTERS,
    BOOTSTRAP_VALUES,
    MIN_CLUSTERS,
    Codes,
    Floats,
    Limits,
    cluster_weights,
    percentile,
    supported,
    weighted_percentiles,
)
from bench.report.student import t_quantile

LEVEL = 0.95
POWER = 0.8
"""How sure it is that a difference of `detectable` is seen."""
RESAMPLES = 2000
SEED = 20_260
_NORMAL = NormalDist()

Judgement = Literal["better", "worse", "same", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Statistic:
    """What is compared: a percentile or the mean of the values, or the ratio of the sums of two columns.

    The values of a ratio have the shape (rows, 2): numerators and denominators. A share is a ratio of 0 and 1 to 1, and
    `counts` is one of events to whatever they could have happened to, such as word errors to words.
    """

    kind: Literal["percentile", "ratio", "share", "counts"]
    percent: float = 50.0

    @property
    def label(self) -> str:
        """`p95`, or the kind."""
        return f"p{self.percent:g}" if self.kind == "percentile" else self.kind


P50, P95 = Statistic("percentile", 50.0), Statistic("percentile", 95.0)
RATIO, SHARE, COUNTS = Statistic("ratio"), Statistic("share"), Statistic("counts")


@dataclass(frozen=True, slots=True)
class Difference:
    """b - a. What a sample cannot support is None: the statistic of too few rows, limits of fewer than 5 calls."""

    a: float | None
    b: float | None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    """A true difference of this size is seen in 80 of 100 such runs."""
    level: float = LEVEL
    sessions: int = 0
    """Calls that the interval rests on, of the side that has fewer."""

    def judged(self, worse: Literal["higher", "lower"], *, same_within: float | None = None) -> Judgement:
        """What b is, compared with a. `same_within`: a difference that does not matter; if all of the interval lies in
        it, both are the same.
        """
        if self.low is None or self.high is None:
            return "cannot tell"
        if same_within is not None and -same_within <= self.low and self.high <= same_within:
            return "same"
        if self.low > 0 or self.high < 0:
            return "worse" if (self.low > 0) == (worse == "higher") else "better"
        return "cannot tell"


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two sets: its rows, the code of the call of each, and how many codes there are."""

    values: Floats
    codes: Codes
    count: int

    @property
    def calls(self) -> int:
        """Calls that have a row; of paired sides the codes may be more."""
        return len(np.unique(self.codes))


def difference(
    values_a: Floats,
    sessions_a: Codes,
    values_b: Floats,
    sessions_b: Codes,
    statistic: Statistic = P50,
    seed: int = SEED,
    *,
    level: float = LEVEL,
    paired: bool = False,
) -> Difference:
    """The statistic of `values_b` minus that of `values_a`, with limits at `level`.

    `sessions_*` are codes of the calls. With `paired`, equal codes on both sides belong together (calls that were made
    side by side) and are resampled together: what both had in common cancels.
    """
    found_a, found_b = _of(values_a, statistic), _of(values_b, statistic)
    if found_a is None or found_b is None:
        return Difference(found_a, found_b, level=level)
    value = _minus(found_b, found_a)
    a, b = _sides(values_a, sessions_a, values_b, sessions_b, paired=paired)
    fewest = min(a.calls, b.calls)
    limits = None
    if fewest >= MIN_CLUSTERS:
        if statistic.kind == "share" or (statistic.kind == "counts" and (_rare(a) or _rare(b))):
            limits = _newcombe(a, b, level)
        elif max(len(values_a), len(values_b)) > BOOTSTRAP_VALUES or max(a.count, b.count) > BOOTSTRAP_CLUSTERS:
            limits = _linearised(a, b, statistic, (found_a, found_b), level, paired=paired)
        else:
            limits = _bootstrap(a, b, statistic, seed, level, paired=paired)
    if limits is None:
        return Difference(found_a, found_b, value, level=level, sessions=fewest)
    z = _NORMAL.inv_cdf(0.5 + level / 2)
    detectable = (limits[1] - limits[0]) / 2 * (z + _NORMAL.inv_cdf(POWER)) / z
    seen = detectable if math.isfinite(detectable) else None
    return Difference(found_a, found_b, value, *limits, seen, level, fewest)


def _of(values: Floats, statistic: Statistic) -> float | None:
    if statistic.kind == "percentile":
        if not supported(len(values), statistic.percent):
            return None
        return percentile(np.sort(values), statistic.percent)
    bottom = float(values[:, 1].sum()) if len(values) else 0.0
    return float(values[:, 0].sum()) / bottom if bottom > 0 else None


def _minus(b: float, a: float) -> float:
    """b - a, where both may be never."""
    return 0.0 if math.isinf(a) and math.isinf(b) else b - a


def _sides(
    values_a: Floats, sessions_a: Codes, values_b: Floats, sessions_b: Codes, *, paired: bool
) -> tuple[_Side, _Side]:
    """Both with codes from 0 without gaps; those of both together where they are paired."""
    if paired:
        names, both = np.unique(np.concatenate([sessions_a, sessions_b]), return_inverse=True)
        middle = len(sessions_a)
        return _Side(values_a, both[:middle], len(names)), _Side(values_b, both[middle:], len(names))
    names_a, codes_a = np.unique(sessions_a, return_inverse=True)
    names_b, codes_b = np.unique(sessions_b, return_inverse=True)
    return _Side(values_a, codes_a, len(names_a)), _Side(values_b, codes_b, len(names_b))


def _bootstrap(a: _Side, b: _Side, statistic: Statistic, seed: int, level: float, *, paired: bool) -> Limits | None:
    """Limits from resamples of whole calls; resamples that hold nothing of one side are left out."""
    rng = np.random.default_rng(seed)
    if statistic.kind == "percentile":
        a, b = _ordered(a), _ordered(b)
    block = max(1, BLOCK_VALUES // max(len(a.values), len(b.values), a.count, b.count))
    found = []
    for done in range(0, RESAMPLES, block):
        rows = min(block, RESAMPLES - done)
        weights_a = cluster_weights(rng, rows, a.count)
        weights_b = weights_a if paired else cluster_weights(rng, rows, b.count)
        drawn_a = _resampled(a, weights_a[:, a.codes], statistic)
        drawn_b = _resampled(b, weights_b[:, b.codes], statistic)
        both_never = np.isinf(drawn_a) & np.isinf(drawn_b)
        found.append(np.where(both_never, 0.0, drawn_b - np.where(both_never, 0.0, drawn_a)))
    draws = np.concatenate(found)
    draws = np.sort(draws[~np.isnan(draws)])
    if not len(draws):
        return None
    share = _expanded(level, min(a.calls, b.calls))
    return percentile(draws, 100 * share), percentile(draws, 100 * (1 - share))


def _ordered(side: _Side) -> _Side:
    order = np.argsort(side.values, kind="stable")
    return _Side(side.values[order], side.codes[order], side.count)


def _resampled(side: _Side, weights: Codes, statistic: Statistic) -> Floats:
    """The statistic in each resample; NaN where a resample holds no row."""
    if statistic.kind == "percentile":
        drawn = weighted_percentiles(side.values, weights, (statistic.percent,))[:, 0]
        return np.where(weights.sum(axis=1) > 0, drawn, np.nan)
    bottoms = weights @ side.values[:, 1]
    return np.where(bottoms > 0, weights @ side.values[:, 0] / np.where(bottoms > 0, bottoms, 1.0), np.nan)


def _expanded(level: float, clusters: int) -> float:
    """The share of draws beyond each limit; fewer than (1 - level) / 2, since few calls look too much alike.

    Hesterberg, "What Teachers Should Know About the Bootstrap" (2015): the expanded percentile interval.
    """
    reach = math.sqrt(clusters / (clusters - 1)) * t_quantile(0.5 + level / 2, clusters - 1)
    return _NORMAL.cdf(-reach)


def _newcombe(a: _Side, b: _Side, level: float) -> Limits:
    """Limits of a difference of shares (Newcombe 1998, method 10), each of as many rows as its calls are worth.

    A bootstrap of a share without a single event has no width at all; this has.
    """
    (share_a, low_a, high_a), (share_b, low_b, high_b) = _wilson(a, level), _wilson(b, level)
    value = share_b - share_a
    return value - math.hypot(share_b - low_b, high_a - share_a), value + math.hypot(high_b - share_b, share_a - low_a)


def _rare(side: _Side) -> bool:
    """Whether so few calls have an event that resamples of them would look too much alike."""
    return len(np.unique(side.codes[side.values[:, 0] > 0])) < MIN_CLUSTERS


def worth(values: Floats, codes: Codes) -> float:
    """How many independent rows a share or a rate of counts (shape (rows, 2)) stands on.

    Fewer than there are, where those of one call fail together. `codes` are those of the calls, from 0 without gaps.
    """
    events, whole = values[:, 0], values[:, 1]
    n = float(whole.sum())
    share = min(1.0, float(events.sum()) / n)
    plain, calls = share * (1 - share) / max(1.0, n - 1), len(np.unique(codes))
    if plain <= 0 or calls < 2:
        return n
    residuals = np.bincount(codes, weights=events - share * whole)
    clustered = calls / (calls - 1) * float(np.square(residuals).sum()) / n**2
    return n / max(1.0, clustered / plain)


def _wilson(side: _Side, level: float) -> tuple[float, float, float]:
    """A share with its Wilson limits; what fails together in one call counts as fewer rows."""
    n = worth(side.values, side.codes)
    share = min(1.0, float(side.values[:, 0].sum()) / float(side.values[:, 1].sum()))
    z = _NORMAL.inv_cdf(0.5 + level / 2)
    centre, scale = share + z**2 / (2 * n), 1 + z**2 / n
    spread = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low = 0.0 if share == 0 else (centre - spread) / scale
    high = 1.0 if share == 1 else (centre + spread) / scale
    return share, low, high


def _linearised(
    a: _Side, b: _Side, statistic: Statistic, found: tuple[float, float], level: float, *, paired: bool
) -> Limits | None:
    """Limits from how far each call moves the difference; for samples that are too large to be resampled."""
    moved_a, moved_b = (
        np.bincount(side.codes, weights=_influence(side.values, statistic, value), minlength=side.count)
        for side, value in ((a, found[0]), (b, found[1]))
    )
    squares = np.square(moved_b - moved_a) if paired else np.concatenate([np.square(moved_a), np.square(moved_b)])
    reach = t_quantile(0.5 + level / 2, min(a.calls, b.calls) - 1) * math.sqrt(float(squares.sum()))
    value = _minus(found[1], found[0])
    return None if math.isnan(reach) else (value - reach, value + reach)


def _influence(values: Floats, statistic: Statistic, found: float) -> Floats:
    """How far each row moves the statistic (its empirical influence)."""
    n = len(values)
    if statistic.kind != "percentile":
        moved: Floats = (values[:, 0] - found * values[:, 1]) / float(values[:, 1].sum())
        return moved
    ordered, share = np.sort(values), statistic.percent / 100
    reach = min(1.96 * math.sqrt(share * (1 - share) / n), share, 1 - share)
    low, high = (percentile(ordered, 100 * (share + side * reach)) for side in (-1, 1))
    # How far the percentile moves for each unit of rank, around it.
    slope = (high - low) / (2 * reach)
    return np.where(values <= found, share - 1, share) * slope / n
