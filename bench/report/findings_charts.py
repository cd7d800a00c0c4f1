"""The charts of a report, as data of `summary.json`."""

from __future__ import annotations

from pydantic import Field

from bench.report.findings_parts import Interval, Part


class Reached(Part):
    """A milestone of a turn, and when it was reached."""

    name: str
    title: str
    at_ms: float


class SlowTurn(Part):
    """One of the slowest answered turns, with its milestones in the order in which they came."""

    session_id: str
    turn: int
    fixture: str
    open_sessions: int | None
    first_audible_ms: float
    marks: list[Reached]


class Curve(Part):
    """A distribution: `share` of turns answered within `ms`; it ends below 1 when some were never answered."""

    name: str
    title: str
    n: int
    ms: list[float]
    share: list[float]


class PhaseBand(Part):
    """When a phase was, on the axis of the chart."""

    name: str
    from_s: float
    until_s: float


class TimeChart(Part):
    """Latency over the run. Dots are a sample when `shown < n`; medians are over every turn of their slice."""

    metric: str
    title: str
    n: int
    shown: int
    at_s: list[float]
    ms: list[float]
    median_at_s: list[float]
    median_ms: list[float]
    failed_at_s: list[float]
    failed_n: int
    warmup_until_s: float | None
    """None also where phases are drawn."""
    end_s: float
    phases: list[PhaseBand] = Field(default_factory=list)


class LoadBin(Part):
    low: int
    high: int
    n: int
    p50: float | None
    p95: float | None
    p50_interval: Interval | None = None
    p95_interval: Interval | None = None


class LoadChart(Part):
    """Latency by how many calls were open at the turn's start."""

    metric: str
    title: str
    bins: list[LoadBin]


class ErrorSeries(Part):
    """How often a kind of error came in each slice of the run."""

    name: str
    counts: list[int]


class TrafficChart(Part):
    """Calls open at once (the most of each slice), turns begun a minute, and errors by kind, over equal slices."""

    slice_s: float
    slices: int
    end_s: float
    open_calls: list[int]
    turns_per_min: list[float]
    errors: list[ErrorSeries]


class Charts(Part):
    metric_title: str | None = None
    """The latency that stands for the run in every chart."""
    over_time: TimeChart | None
    distribution: list[Curve]
    by_target: list[Curve] = Field(default_factory=list)
    """The same of the headline latency, a curve for each of several targets."""
    by_load: LoadChart | None
    traffic: TrafficChart | None = None
    slowest: list[SlowTurn]
