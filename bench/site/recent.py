"""What a target is like now: its last nights together, with an interval that holds what nights differ by.

In: a `Series`. Out: `Recent` figures. Trap: the error within a run says little of the next night. With three nights or
more the interval comes from their spread (Student's t); with one it is that of the run; shares are pooled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.report.gate.nights import LEAST_NIGHTS
from bench.report.stats import Z95, Limits, wilson
from bench.report.student import t_quantile
from bench.site.digest import AVAILABILITY, Seen
from bench.site.windows import WINDOW, Night, Series, differing

Getter = Callable[[Night], Seen | None]


@dataclass(frozen=True, slots=True)
class Recent:
    """A figure over the last nights: mean of percentiles, pooled share. `by_run` are the values by run id."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = "ms"
    decimals: int = 0
    worse: str = "higher"
    title: str = ""
    fold: str = ""
    n: int = 0
    """Rows of all these nights."""
    by_run: dict[str, float] = field(default_factory=dict)
    error: float = 0.0
    """Of the mean, where there are too few nights to see it; 0 where it is not known."""

    @property
    def nights(self) -> int:
        return len(self.by_run)

    @property
    def never(self) -> int:
        """Nights whose figure falls among turns that nobody answered."""
        return sum(map(math.isinf, self.by_run.values()))


def last_nights(series: Series, *, away_too: bool = False) -> list[Night]:
    """The newest usable runs of the kind that is run now, oldest first; an outage counts for availability alone."""
    found: list[Night] = []
    for night in reversed(series.nights):
        if not night.usable or (night.state == "outage" and not away_too):
            continue
        if found and any(fact.level == "warn" and not fact.metrics for _, fact in differing(night.run, found[0].run)):
            break
        found.append(night)
        if len(found) == WINDOW:
            break
    return found[::-1]


def getter(measure: str) -> Getter:
    """The figure of a measure."""
    return lambda night: night.target.seen(measure)


def recent(series: Series, measure: str) -> Recent:
    """`measure` over the last nights; those in which its definition or prices were others are left out."""
    return recent_of(last_nights(series, away_too=measure == AVAILABILITY), getter(measure))


def recent_of(nights: Sequence[Night], get: Getter) -> Recent:
    """The figure that `get` reads of each night."""
    pairs: list[tuple[Night, Seen]] = []
    for night in reversed(nights):
        seen = get(night)
        if seen is None:
            continue
        if pairs and any(seen.metric in fact.metrics for _, fact in differing(night.run, pairs[0][0].run)):
            break
        pairs.append((night, seen))
    if not pairs:
        return Recent()
    pairs.reverse()
    seens = [seen for _, seen in pairs]
    values = np.array([seen.value for seen in seens], dtype=np.float64)
    share = seens[0].unit == "share"
    value, limits, error = _pooled(seens) if share else _mean(seens, values)
    low, high = limits or (None, None)
    last = seens[-1]
    return Recent(
        value=value,
        low=low,
        high=high,
        unit=last.unit,
        decimals=last.decimals,
        worse=last.worse,
        title=last.title,
        fold=last.fold,
        n=sum(seen.n for seen in seens),
        by_run={night.run.run_id: float(each) for (night, _), each in zip(pairs, values, strict=True)},
        error=error,
    )


def unanswered(fold: str) -> str:
    """What makes a percentile infinite."""
    share = {"p50": "over half of turns", "p95": "over 5 % of turns"}.get(fold, "too many turns")
    return f"{share} unanswered"


def _mean(seens: Sequence[Seen], values: np.ndarray) -> tuple[float, Limits | None, float]:
    value = float(values.mean())
    if not np.isfinite(values).all():
        return math.inf, None, 0.0
    if len(values) >= LEAST_NIGHTS:
        error = float(values.std(ddof=1)) / math.sqrt(len(values))
        reach = t_quantile(0.975, len(values) - 1) * error
        return value, (max(0.0, value - reach), value + reach), error
    known = all(seen.error > 0 for seen in seens)
    error = math.sqrt(sum(seen.error**2 for seen in seens)) / len(seens) if known else 0.0
    if len(seens) == 1 and seens[0].low is not None and seens[0].high is not None:
        return value, (seens[0].low, seens[0].high), error
    return value, (value - Z95 * error, value + Z95 * error) if known else None, error


def _pooled(seens: Sequence[Seen]) -> tuple[float, Limits | None, float]:
    """All words, turns or calls together; the interval is Wilson's of as many as calls are worth, or that of nights if
    it is wider."""
    known = all(seen.whole > 0 for seen in seens)
    weights = [seen.whole if known else seen.rows or seen.n for seen in seens]
    total = sum(seen.rows or seen.n for seen in seens)
    value = sum((seen.value or 0.0) * weight for seen, weight in zip(seens, weights, strict=True)) / sum(weights)
    low, high = wilson(value * total, total).limits or (value, value)
    error = math.sqrt(max(value * (1 - value), 1 / total) / total)
    if len(seens) >= LEAST_NIGHTS:
        spread = float(np.std([seen.value or 0.0 for seen in seens], ddof=1)) / math.sqrt(len(seens))
        reach = t_quantile(0.975, len(seens) - 1) * spread
        low, high = max(0.0, min(low, value - reach)), min(1.0, max(high, value + reach))
        error = max(error, spread)
    return value, (low, high), error
