"""Targets that were called in turn in one run, side by side, as data of `summary.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.report.findings_parts import Figure, Part


class TargetDifference(Part):
    """How a target differs from the best one in one figure: its own minus that of the best."""

    metric: str
    statistic: str
    """`p50`, `p95`, `share` or `ratio`."""
    title: str
    unit: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    """Limits that hold for all comparisons of the report together."""
    detectable: float | None = None
    """A true difference of this size is seen in 80 of 100 such runs."""
    judged: Literal["better", "worse", "same", "cannot tell"] = "cannot tell"


class TargetRow(Part):
    """One target. Latencies are those of the run's headline, of measured turns; one without an answer is never."""

    name: str
    rank: int | None
    """From 1. Targets that cannot be told from the best one are all first; None for one without a turn, and for
    one whose few turns were half or more not answered."""
    url: str | None = None
    model: str | None = None
    calls: int
    """Calls after warm-up, of which `ready` were configured and acknowledged."""
    ready: int
    turns: int
    answered: int
    p50: Figure = Field(default_factory=Figure)
    p95: Figure = Field(default_factory=Figure)
    error_rate: Figure = Field(default_factory=Figure)
    errors: int = 0
    """Turns with an error, of `turns`."""
    wer: Figure = Field(default_factory=Figure)
    cost_per_minute_usd: Figure = Field(default_factory=Figure)
    differences: list[TargetDifference] = Field(default_factory=list)
    """From the first of the rows; none for that one itself."""

    @property
    def median_difference(self) -> TargetDifference | None:
        """That of the figure that targets are ranked by."""
        return next((each for each in self.differences if each.statistic == "p50"), None)


class TargetsReport(Part):
    """Several targets of one run, the best first."""

    metric: str | None
    """The latency that they are ranked by; None where no turn was spoken."""
    title: str
    rows: list[TargetRow]
    sentence: str
    """Who is the fastest, by how much, and of whom that cannot be told."""
    level: float = 0.95
    """Of the limits of each difference; above 0.95 with more than two targets, so that 0.95 holds for all together."""
