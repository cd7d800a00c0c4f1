"""The recordings that were spoken and those that were kept of calls, as data of `summary.json`."""

from __future__ import annotations

from pydantic import Field

from bench.report.findings_charts import SlowTurn
from bench.report.findings_parts import Part
from bench.store.manifest import RecordingEnd


class RecordedCall(Part):
    """A call that was kept as sound, with the milestones of its turns."""

    file: str
    """Within the run folder, such as `calls/call-000012.wav`."""
    session_id: str
    turns: int
    answered: int
    slowest_ms: float | None
    """The slowest first audible; None without an answered turn."""
    marks: list[SlowTurn] = Field(default_factory=list)


class EarlyEnd(Part):
    """Turns of one recording in which the server called the speech over before its annotated end."""

    fixture: str
    turns: int
    of: int
    median_ms: float


class RecordingsReport(Part):
    """What speaks against the zero of the latencies. `doubts` are by fixture id, as they stood before the run."""

    doubts: dict[str, list[str]] = Field(default_factory=dict)
    early: list[EarlyEnd] = Field(default_factory=list)
    ends: dict[str, RecordingEnd] = Field(default_factory=dict)
    """Where speech ends in each recording, and how sharp that is."""
