"""What a launch will cost, and what it asks of the endpoint at its peak, learned from a stored run.

In: what was learned, and the traffic to expect. Out: a `Projection` with 95 % limits by resampling whole calls.
Trap: the limits say how well the run's own mean is known. They say nothing of days that differ, of longer replies or of
other callers; and a call that is longer than any of the run is an extrapolation, which the projection says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.report.bill_learned import Learned, LongCall, call_of, resampled
from bench.report.erlang import calls_at_once, lines_for
from bench.report.findings_bill import Projected, Projection
from bench.report.stats import MIN_CLUSTERS, Floats, percentile

REFUSED = 0.01
"""The share of calls that may find no line free, for which lines are counted."""


@dataclass(frozen=True, slots=True)
class Launch:
    """The traffic to expect. `minutes` None: as long as the calls of the run; other None: not said."""

    calls_per_day: float | None = None
    minutes: float | None = None
    peak_share: float | None = None
    """Part of the day's calls that comes in its busiest hour."""
    days: int = 30
    """Days of a month with so many calls."""


def project(learned: Learned, launch: Launch) -> Projection:
    """Per call, day, month, and at the peak. A figure that the run cannot support is None."""
    mean_minutes = float(learned.minutes.mean())
    minutes = launch.minutes or mean_minutes
    everyone = np.ones((1, learned.calls))
    here = call_of(learned, minutes, everyone)
    extrapolated = bool(here.turns[0] > learned.longest_turns + 1e-9)
    drawn = resampled(learned, minutes) if learned.calls >= MIN_CLUSTERS else None
    # How a call goes on that is longer than any of the run is not known: at the least, it grows no more.
    flat = resampled(learned, minutes, grows=False) if drawn is not None and extrapolated else drawn

    def of(figure: Callable[[LongCall], Floats]) -> Projected:
        if drawn is None or flat is None:
            return _projected(figure(here))
        return _projected(figure(here), figure(flat), figure(drawn))

    own = call_of(learned, mean_minutes, everyone)
    found = Projection(
        minutes=minutes,
        calls=learned.calls,
        own_minutes=mean_minutes,
        own_turns=float(learned.turns.mean()),
        longest_turns=learned.longest_turns,
        extrapolated=extrapolated,
        by_minute=learned.billed_by_minute,
        calls_per_day=launch.calls_per_day,
        days=launch.days,
        peak_share=launch.peak_share,
        turns=of(lambda call: call.turns),
        call_usd=of(lambda call: call.usd),
        minute_usd=of(lambda call: call.usd / minutes),
        own_call_usd=_known(own.usd),
        call_tokens=of(lambda call: call.in_tokens + call.out_tokens),
        last_input_tokens=_known(here.last_in_tokens),
    )
    if launch.calls_per_day is not None:
        found.day_usd = _times(found.call_usd, launch.calls_per_day)
        found.month_usd = _times(found.call_usd, launch.calls_per_day * launch.days)
        if launch.peak_share is not None:
            _at_peak(found, launch.calls_per_day * launch.peak_share)
    return found


def _at_peak(found: Projection, per_hour: float) -> None:
    found.peak_calls_per_hour = per_hour
    found.peak_calls_at_once = calls_at_once(per_hour, found.minutes)
    found.peak_lines = lines_for(found.peak_calls_at_once, REFUSED)
    found.peak_tokens_per_min = _times(found.call_tokens, per_hour / 60)
    found.peak_responses_per_min = _times(found.turns, per_hour / 60)
    found.peak_hour_usd = _times(found.call_usd, per_hour)


def _projected(here: Floats, least: Floats | None = None, most: Floats | None = None) -> Projected:
    """A figure with its limits: the low one of the resamples of `least`, the high one of those of `most`."""
    value = _known(here)
    if value is None or least is None or most is None or np.isnan(least).any() or np.isnan(most).any():
        return Projected(value=value)
    ends = [percentile(np.sort(part), percent) for part in (least, most) for percent in (2.5, 97.5)]
    return Projected(value=value, low=min(ends), high=max(ends))


def _known(values: Floats) -> float | None:
    value = float(values[0])
    return value if np.isfinite(value) else None


def _times(projected: Projected, factor: float) -> Projected:
    values = (projected.value, projected.low, projected.high)
    value, low, high = (None if each is None else each * factor for each in values)
    return Projected(value=value, low=low, high=high)
