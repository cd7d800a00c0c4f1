"""The phases of a run side by side, as data of `summary.json`."""

from __future__ import annotations

from pydantic import Field

from bench.report.findings_parts import Figure, Part


class PhaseRow(Part):
    """One phase. A turn belongs to the phase in which it began, a call to that in which it was planned to begin.

    Figures are of measured turns, latencies those of the run's headline; a turn without an answer is never. A warm-up
    phase has counts alone.
    """

    name: str
    warmup: bool
    load: str
    """What was planned, in words; empty for what followed the last phase."""
    begin_s: float
    """Since the first call was planned to begin."""
    end_s: float | None
    """None for what followed the last phase."""
    calls: int
    calls_within: int
    """Calls that ended in the phase as well."""
    turns: int
    within: int
    """Turns that ended in the phase as well."""
    over: int
    """Turns that ran over the end of the phase."""
    cut_off: int
    """Turns of its calls that the end of the run kept from being made or ended."""
    measured: int
    answered: int
    p50: Figure = Field(default_factory=Figure)
    p95: Figure = Field(default_factory=Figure)
    p50_within: Figure = Field(default_factory=Figure)
    """The same of the turns that ended in the phase alone."""
    p95_within: Figure = Field(default_factory=Figure)
    error_rate: Figure = Field(default_factory=Figure)
    errors: int = 0
    goodput: Figure = Field(default_factory=Figure)
    good: int | None = None
    """Turns that were answered and kept the objectives of the phase; None where it has none."""
    objectives: list[str] = Field(default_factory=list)


class PhasesReport(Part):
    """All phases of one run, in order."""

    metric: str | None
    """The latency of the figures; None where no turn was spoken."""
    title: str
    rows: list[PhaseRow]
