"""Whether the numbers of a run can be trusted, as data of `summary.json`: the load as it was made, lateness of workers,
and the calibration."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from bench.report.findings_parts import Part
from bench.store.calibration import Level
from bench.store.certificate import Arrivals, Spread, WorkerFigures

Trust = Literal["yes", "with care", "no", "unknown"]


class LoadReport(Part):
    """Offered as the scenario says, achieved as the rows show."""

    sentence: str = "-"
    """What was offered, in words."""
    offered: dict[str, str]
    callers_seen: int
    calls: int
    peak_open_calls: int | None
    peak_talking: int | None
    elapsed_s: float | None
    calls_per_min: float | None
    turns_per_min: float | None
    caller_audio_min: float | None
    reply_audio_min: float | None


class WorkerHealth(WorkerFigures):
    """The health certificate of one worker process."""

    name: str
    calls_at_once: int | None = None
    kernel_stamps: bool | None = None
    """Whether the kernel stamped arrivals; None when nobody said."""
    frame_late: Spread | None = None
    loop_lag: Spread | None = None
    recv_lag: Spread | None = None


class Health(Part):
    """The harness's own delays: what part of every number above is its doing, and whether that is too much."""

    client_late_turns: int
    client_late_share: float | None
    client_late_bound: float
    client_late_of: int = 0
    """Turns after warm-up, of which `client_late_turns` were sent late."""
    client_late_after: str | None = None
    """The lateness from which a turn is left out, as the scenario says it; None in an older run."""
    kernel_stamps: dict[str, bool | None]
    frame_late: Spread | None = None
    loop_lag: Spread | None = None
    recv_lag: Spread | None = None
    missed_deadlines_share: float | None = None
    workers: list[WorkerHealth] = Field(default_factory=list)
    arrivals: Arrivals | None = None
    overload: list[str] = Field(default_factory=list)
    """Signs that the machine, not the target, was at its limit."""
    cautions: list[str] = Field(default_factory=list)
    """What else a reader must know before trusting the numbers."""
    trust: Trust = "unknown"
    conclusion: list[str] = Field(default_factory=list)
    """Plain sentences: can the numbers be trusted, and why."""
    facts: dict[str, Any]


class CalibrationInfo(Part):
    """The newest calibration of the host that placed the calls, beside what this run asked of it."""

    created_at: datetime
    bench_version: str
    hostname: str | None
    transport: str
    frame_ms: int
    workers: int
    error_bound_ms: float
    late_bound_ms: float
    highest_level: int | None
    quoted_level: int | None
    """The level nearest to this run's load: its errors are the ones that are quoted."""
    run_calls_per_worker: int | None
    exceeded: bool
    """Whether a worker of this run held more calls than a worker of the highest passed level."""
    differences: list[str] = Field(default_factory=list)
    """How this run differed from the calibration."""
    levels: list[Level]

    @property
    def quoted(self) -> Level | None:
        return next((level for level in self.levels if level.calls == self.quoted_level), None)
