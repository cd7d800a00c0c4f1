"""What a search found, as data of `summary.json`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.report.findings_parts import Figure, Part
from bench.store.search_record import LimitKind


class LevelRow(Part):
    """One level of load, by the last look at it. Figures are of the turns after it had settled."""

    level: float
    name: str
    """`36 calls at a time`."""
    calls: int
    """Calls that began, over all looks."""
    never_ready: int
    """Calls after it had settled that never became ready."""
    turns: int
    """Turns that count, those of calls that were refused included."""
    good: int
    goodput: Figure
    p50: Figure = Field(default_factory=Figure)
    p95: Figure = Field(default_factory=Figure)
    error_rate: Figure = Field(default_factory=Figure)
    held: bool | None
    """Whether it was carried; None where the search was cut off before that was known."""
    sure: bool
    reason: LimitKind | None = None
    sentence: str = ""
    causes: dict[str, int] = Field(default_factory=dict)


class CeilingReport(Part):
    """The most load that the target carried, and what kept it from carrying more."""

    of: Literal["callers", "rate"]
    unit: str
    """`calls at a time` or `calls per minute`."""
    ceiling: float
    """The highest level that was carried below the lowest that was not; 0 where none was."""
    ceiling_text: str
    low: float
    """95 % limits: the highest level that is sure to be carried."""
    high: float | None
    """And the lowest level that is sure not to be; None without one."""
    at_least: bool
    """The ceiling was not met, or it is that of this machine: the target carries at least so much."""
    finished: bool
    limit: LimitKind | None = None
    limit_text: str | None = None
    limit_sentence: str | None = None
    """What was seen at the lowest level that was not carried."""
    planned_peak: float | None = None
    headroom: float | None = None
    """(ceiling - planned peak) / planned peak; negative where the ceiling is lower."""
    headroom_sentence: str | None = None
    ask: str | None = None
    """The limit to ask the vendor for, for the planned peak."""
    goodput: float
    """Share of good turns that was asked of a level."""
    confidence: float
    objectives: list[str]
    default_objectives: bool
    metric: str | None = None
    title: str = "first audible"
    calls: int
    """Calls of the whole search."""
    rows: list[LevelRow]
    """Levels, the lowest first."""

    @property
    def ceiling_known_above_peak(self) -> bool:
        """Whether the planned peak was carried; False without one."""
        return self.planned_peak is not None and self.ceiling >= self.planned_peak
