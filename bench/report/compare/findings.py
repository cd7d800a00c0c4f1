"""A comparison of stored runs as data: what `compare.json` holds and every rendering reads."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from bench.report.findings_charts import Curve
from bench.report.findings_differences import Condition, MetricDifference, Verdict
from bench.report.findings_parts import Part

COMPARISON_VERSION = 1


class RunCard(Part):
    """One of the runs: which it is, and whether its own numbers can be used."""

    letter: str
    """`A`, by which tables and charts call it."""
    folder: str
    run_id: str
    scenario: str
    started_at: datetime
    target: str
    """Model and address, or the embedded server."""
    verdict: str
    reasons: list[str] = Field(default_factory=list)
    """What decided the verdict of the run itself."""
    trust: str
    """Whether the harness itself was fit: `yes`, `with care`, `no`, `unknown`."""
    calls: int
    turns: int
    answered: int

    @property
    def usable(self) -> bool:
        """Whether its numbers describe the target."""
        return self.verdict in {"pass", "failed"}


class Pair(Part):
    """A run against the first one."""

    letter: str
    paired: bool
    """Calls of the same number said the same, so that they were resampled together."""
    rows: list[MetricDifference]

    def counted(self, verdict: Verdict) -> list[MetricDifference]:
        return [row for row in self.rows if row.verdict == verdict]


class Comparison(Part):
    """Two or more runs; the first is what the others are compared with."""

    comparison_version: int = COMPARISON_VERSION
    bench_version: str
    runs: list[RunCard]
    conditions: list[Condition]
    pairs: list[Pair]
    level: float
    power: float
    resamples: int
    seed: int
    headline: str | None = None
    """The latency that is drawn, and its title."""
    headline_title: str = ""
    curves: list[Curve] = Field(default_factory=list)
    """Its distribution in each run."""
    warnings: list[str] = Field(default_factory=list)
