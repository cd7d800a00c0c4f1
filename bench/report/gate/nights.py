"""The statistics of the gate: one figure of each of a few nights, and the same of the night that is judged.

In: what each run gave, with its own error. Out: `Judged`: the change, its probability by chance, and what would have
been seen. Nothing here knows of turns or files.

The model: a night's figure is a level that all nights share, plus what differs from night to night, plus the error of
the calls of that night; all independent and normal. The standard deviation S of the window holds both parts, so the
change of a new night has the standard error S x sqrt(1 + 1/k), with k - 1 degrees of freedom (a prediction interval).
Where the new night has fewer calls than the others, the part of S that is due to calls grows with its own error.
Trap: a percentile that falls among turns without an answer has no size. It is as unlikely as their share is.
Trap: a window in which nothing ever failed has no spread at all, and one failure would be infinitely unlikely. Shares
are therefore judged as arcsines, and with few events never with less spread than chance alone gives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.report.stats import Floats
from bench.report.student import detectable, t_cdf, t_quantile

LEAST_NIGHTS = 3
"""Two nights have a spread that may be anything."""
FEW_EVENTS = 5.0
"""Events a night below which the spread of a share is bounded by that of chance."""
DRIFT_LEVEL = 0.05
SIMULATED = 4000
SEED = 20_261

Scale = Literal["plain", "share"]
Worse = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Night:
    """The figure of one run."""

    value: float
    """Of a share 0 to 1; infinite where it falls among turns that nobody answered."""
    error: float = 0.0
    """Its standard error by the calls of this run; 0 where it is not known."""
    events: float = 0.0
    """Of a share: in how many of `rows` it happened; of a percentile: of how many turns there is no value."""
    rows: float = 0.0
    """What it could have happened to, counted as independent rows."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A measure of the new night against the window."""

    nights: int
    value: float
    baseline: float
    """Mean of the window; of a share, that of its arcsines."""
    spread: float
    """Standard deviation between the nights, in the unit of the figure."""
    within: float
    """The part of it that the calls of a night alone would give."""
    moved: float
    """The change on the scale of the test, positive where it is for the worse."""
    error: float
    """Its standard error, on the same scale."""
    least: float
    """The smallest change that matters, on the same scale."""
    p_worse: float
    """The probability of such a change for the worse, or a greater one, if nothing changed."""
    scale: Scale
    worse: Worse
    drift: float | None = None
    """Change by night within the window itself, where that is more than chance; positive is up."""

    @property
    def freedom(self) -> int:
        return self.nights - 1

    @property
    def change(self) -> float:
        """New minus baseline, in the unit of the figure."""
        return self.value - self.baseline

    @property
    def p_better(self) -> float:
        return 1 - self.p_worse

    def bound(self, alpha: float) -> float:
        """The figure beyond which the gate alarms at level `alpha`."""
        return self._beside(max(t_quantile(1 - alpha, self.freedom) * self.error, self.least))

    def seen(self, alpha: float, power: float) -> float:
        """The smallest true change that is found with `power`, in the unit of the figure."""
        bound = t_quantile(1 - alpha, self.freedom)
        found = detectable(self.error, bound, self.least, self.freedom, power)
        return abs(self._beside(found) - self.baseline)

    def ruled_out(self, alpha: float) -> bool:
        """Whether a change for the worse that matters would rarely look like this."""
        return self.moved + t_quantile(1 - alpha, self.freedom) * self.error < self.least

    def _beside(self, moved: float) -> float:
        """The figure that lies `moved` from the baseline, for the worse."""
        signed = moved if self.worse == "higher" else -moved
        return self.baseline + signed if self.scale == "plain" else _back(_forth(self.baseline) + signed)


def judge(window: Sequence[Night], new: Night, worse: Worse, least: float, scale: Scale = "plain") -> Judged | None:
    """`new` against `window`, in the order of the nights; None where too few have a finite figure.

    `least` is the smallest change that matters, in the unit of the figure.
    """
    known = [night for night in window if math.isfinite(night.value)]
    if len(known) < LEAST_NIGHTS or (math.isinf(new.value) and len(known) < len(window)):
        # An infinite figure is no news where the window has one too, and its size is not known.
        return None
    values = np.array([_on(scale, night.value) for night in known])
    variance = float(values.var(ddof=1))
    within = float(np.square([_error(night, scale) for night in known]).mean())
    if scale == "share" and sum(night.events for night in known) < FEW_EVENTS * len(known):
        variance = max(variance, within)
    middle = float(values.mean())
    mean = middle if scale == "plain" else _back(middle)
    of_calls = min(variance, within)
    growth = max(1.0, _error(new, scale) ** 2 / within) if within > 0 and math.isfinite(new.error) else 1.0
    error = math.sqrt(variance + of_calls * (growth - 1) + variance / len(known))
    sign = 1.0 if worse == "higher" else -1.0
    moved = sign * (_on(scale, new.value) - middle) if math.isfinite(new.value) else math.inf
    return Judged(
        nights=len(known),
        value=new.value,
        baseline=mean,
        spread=_unit(math.sqrt(variance), mean, scale),
        within=_unit(math.sqrt(of_calls), mean, scale),
        moved=moved,
        error=error,
        least=least if scale == "plain" else abs(_forth(mean + sign * least) - middle),
        p_worse=_beyond(moved, error, len(known) - 1) if math.isfinite(moved) else _lost(known, new),
        scale=scale,
        worse=worse,
        drift=_drift(values, mean, scale),
    )


def _lost(known: Sequence[Night], new: Night) -> float:
    """How unlikely it is that so many turns have no value: that, and no time, is what an infinite percentile says.

    Of 20 turns one without an answer is enough for an infinite p95, and one of 20 says little.
    """
    if new.rows <= 0 or any(night.rows <= 0 for night in known):
        return 0.0
    shares = [Night(night.events / night.rows, events=night.events, rows=night.rows) for night in (*known, new)]
    found = judge(shares[:-1], shares[-1], "higher", 0.0, "share")
    return 0.0 if found is None else found.p_worse


def holm(probabilities: Sequence[float]) -> list[float]:
    """Holm's adjusted probabilities (1979): those below a level keep the whole family's false alarms below it."""
    found = [1.0] * len(probabilities)
    reached = 0.0
    for rank, place in enumerate(sorted(range(len(probabilities)), key=lambda each: probabilities[each])):
        reached = max(reached, min(1.0, (len(probabilities) - rank) * probabilities[place]))
        found[place] = reached
    return found


def false_alarms(judged: Sequence[Judged], alpha: float) -> float:
    """How often the gate would alarm if nothing changed: nights drawn from the model, judged by the rules of the gate.

    The measures are drawn independently of one another, which real ones are not: theirs is at most this.
    """
    if not judged:
        return 0.0
    rng = np.random.default_rng(SEED)
    p_values, matters = [], []
    for each in judged:
        k = each.nights
        draws = rng.normal(size=(SIMULATED, k + 1))
        change = draws[:, 0] - draws[:, 1:].mean(axis=1)
        spread = draws[:, 1:].std(axis=1, ddof=1) * math.sqrt(1 + 1 / k)
        p_values.append(1 - t_cdf(change / spread, k - 1))
        # One unit of the draws is the standard deviation of a single night.
        unit = each.error / math.sqrt(1 + 1 / k)
        matters.append(change * unit >= each.least)
    probabilities, important = np.array(p_values), np.array(matters)
    order = np.argsort(probabilities, axis=0)
    ranked = np.take_along_axis(probabilities, order, axis=0)
    steps = (len(judged) - np.arange(len(judged)))[:, None]
    rejected = np.maximum.accumulate(ranked * steps, axis=0) <= alpha
    alarms: Floats = (rejected & np.take_along_axis(important, order, axis=0)).any(axis=0)
    return float(alarms.mean())


def _on(scale: Scale, value: float) -> float:
    return value if scale == "plain" else _forth(value)


def _forth(share: float) -> float:
    """A share on the scale on which its spread does not depend on it."""
    return math.asin(math.sqrt(min(1.0, max(0.0, share))))


def _back(angle: float) -> float:
    return math.sin(min(math.pi / 2, max(0.0, angle))) ** 2


def _error(night: Night, scale: Scale) -> float:
    """The error by the calls alone; of a share that of so many independent rows."""
    if scale == "plain":
        return night.error
    return 1 / (2 * math.sqrt(night.rows)) if night.rows > 0 else 0.0


def _unit(spread: float, mean: float, scale: Scale) -> float:
    """A standard deviation of the test's scale in the unit of the figure."""
    if scale == "plain":
        return spread
    return abs(_back(_forth(mean) + spread) - mean)


def _beyond(moved: float, error: float, freedom: int) -> float:
    if math.isinf(moved):
        return 0.0
    if error <= 0:
        return 0.0 if moved > 0 else 0.5 if moved == 0 else 1.0
    return float(1 - t_cdf(np.array([moved / error]), freedom)[0])


def _drift(values: Floats, mean: float, scale: Scale) -> float | None:
    """The slope of a straight line through the nights in order, where chance alone would rarely give one."""
    k = len(values)
    places = np.arange(k) - (k - 1) / 2
    slope = float((places * values).sum() / np.square(places).sum())
    left = values - values.mean() - slope * places
    freedom = k - 2
    error = math.sqrt(float(np.square(left).sum()) / freedom / float(np.square(places).sum())) if freedom > 1 else 0.0
    if error <= 0 or 2 * (1 - float(t_cdf(np.array([abs(slope) / error]), freedom)[0])) > DRIFT_LEVEL:
        return None
    return slope if scale == "plain" else _back(_forth(mean) + slope) - mean
