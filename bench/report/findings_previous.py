"""What changed since the previous run of a scenario, as it is stored in `summary.json`.

In: nothing. Out: plain types.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from bench.report.findings_differences import Condition, MetricDifference
from bench.report.findings_parts import Part


class Previous(Part):
    """The run before this one, and each measure of both: `a` is that run's, `b` this one's."""

    run_id: str
    started_at: datetime
    verdict: str
    folder: str
    """The way to it from this run's folder."""
    rows: list[MetricDifference]
    conditions: list[Condition] = Field(default_factory=list)
    """What was not the same, apart from what is only worth knowing."""
    warnings: list[str] = Field(default_factory=list)
