"""What differs between two runs: one measure of both, and one thing that was not the same. Plain data."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from bench.report.findings_parts import Part

Level = Literal["refuse", "warn", "note"]
Verdict = Literal["worse", "better", "different", "same", "cannot tell", "not comparable"]
"""`different` is said of a metric in which more is neither better nor worse."""


class Condition(Part):
    """Something that was not the same in all runs. `values` are in the order of the runs, None where one is silent."""

    key: str
    """What `--allow` takes."""
    title: str
    level: Level
    values: list[str | None]
    metrics: list[str] = Field(default_factory=list)
    """The metrics that it touches; empty: all."""
    allowed: bool = False
    """The user said that it is intended."""
    advice: str = ""

    def touches(self, metric: str) -> bool:
        return not self.metrics or metric in self.metrics


class MetricDifference(Part):
    """One measure of two runs, and the difference between them: b - a, in the unit of the metric."""

    measure: str
    """As `--metric` takes it: `first_audible_ms: p95`."""
    metric: str
    title: str
    fold: str
    """`p95`, `mean`, or empty where the metric is one number of a run."""
    unit: str
    decimals: int = 0
    a: float | None = None
    b: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    detectable: float | None = None
    """The smallest true difference that 80 of 100 such pairs of runs would have shown."""
    matters: float | None = None
    """A difference below this does not matter."""
    verdict: Verdict = "cannot tell"
    n_a: int = 0
    n_b: int = 0
    calls_a: int = 0
    calls_b: int = 0
    lost_a: int = 0
    """Rows that count as waiting for ever: nobody answered."""
    lost_b: int = 0
    refused: str | None = None
    """Why the two numbers must not be compared."""

    def relative(self, value: float | None) -> float | None:
        """`value` as a share of a; None where that says nothing, and for shares, whose differences are in points."""
        if value is None or not self.a or math.isinf(self.a) or self.unit == "share":
            return None
        return value / abs(self.a)
