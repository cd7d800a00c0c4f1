"""The health of the load generator as `run.json` keeps it: how late it was, how busy, and what it could not begin.

In: certificates of workers, or what any version wrote. Out: typed figures.
Trap: a figure that is missing or broken is None, which is "nobody said" and never 0.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, computed_field, model_validator


class StoredPart(BaseModel):
    """A part of a stored file. A newer version may add keys; they are kept when an older one rewrites the file."""

    model_config = ConfigDict(extra="allow", validate_assignment=True)


def _figure(value: object) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None  # type: ignore[arg-type]


def _whole(value: object) -> int | None:
    known = _figure(value)
    return None if known is None else int(known)


Figure = Annotated[float | None, BeforeValidator(_figure)]
Whole = Annotated[int | None, BeforeValidator(_whole)]


class Spread(StoredPart):
    """Percentiles of some durations; None where nothing was measured."""

    n: int
    p50_ms: Figure = None
    p95_ms: Figure = None
    p99_ms: Figure = None
    max_ms: Figure = None


def _spread(value: object) -> object:
    if not isinstance(value, dict):
        return value if isinstance(value, Spread) else None
    count = _whole(value.get("n"))
    return None if count is None else {**value, "n": count}


OptionalSpread = Annotated[Spread | None, BeforeValidator(_spread)]


class StoredGap(StoredPart):
    """A span in which a worker stood still; `kind` as in `bench.facts.gaps`."""

    at: Figure = None
    """Wall-clock seconds (Unix) of its beginning."""
    length_ms: Figure = None
    kind: Annotated[str, BeforeValidator(str)] = "frozen"


def _gaps(value: object) -> object:
    """The gaps that can be read; what is broken is left out."""
    known = value if isinstance(value, list | tuple) else []
    return [
        gap for gap in known if isinstance(gap, StoredGap) or (isinstance(gap, dict) and _figure(gap.get("length_ms")))
    ]


class WorkerFigures(StoredPart):
    """What one worker process used. Shares are of one core, or of the host's CPU time (steal, `host_*`)."""

    missed_deadlines_share: Figure = None
    """Frames that left later than a whole frame's length."""
    cpu_share: Figure = None
    cpu_share_peak: Figure = None
    steal_share: Figure = None
    host_cpu_share: Figure = None
    """All processes of the machine together, of all its CPUs."""
    host_cpu_full_share: Figure = None
    """Share of the seconds in which next to no CPU was free."""
    cpu_pressure_share: Figure = None
    """Share of the time in which some process had to wait for a CPU (Linux's PSI)."""
    throttled_share: Figure = None
    """Share of the time in which the limit of the container kept its processes from running."""
    gap_count: Whole = None
    gap_longest_ms: Figure = None
    gap_total_ms: Figure = None
    gaps: Annotated[list[StoredGap], BeforeValidator(_gaps)] = Field(default_factory=list)
    """The longest spans in which the process, or its loop alone, stood still; longest first."""
    gc_pauses: Whole = None
    gc_pause_total_ms: Figure = None
    gc_pause_longest_ms: Figure = None
    open_files_most: Whole = None
    open_files_limit: Whole = None
    rss_most_bytes: Whole = None


class WorkerCertificate(WorkerFigures):
    """One worker's figures, and how late it was over every frame, message and probe."""

    niceness: Whole = None
    loop_lag_ms: OptionalSpread = None
    frame_late_ms: OptionalSpread = None
    recv_lag_ms: OptionalSpread = None


class Arrivals(StoredPart):
    """Calls that were due, that were begun, and that were dropped because `max_open` calls were open."""

    offered: Whole = None
    achieved: Whole = None
    dropped: Whole = None


def _certificates(value: object) -> object:
    known = value if isinstance(value, dict) else {}
    return {str(name): said if isinstance(said, dict | WorkerCertificate) else {} for name, said in known.items()}


class HealthCertificate(StoredPart):
    """The whole run: delays of all workers together, each worker's own, and open arrivals (a closed pool has none)."""

    loop_lag_ms: OptionalSpread = None
    frame_late_ms: OptionalSpread = None
    recv_lag_ms: OptionalSpread = None
    workers: Annotated[dict[str, WorkerCertificate], BeforeValidator(_certificates)] = Field(default_factory=dict)
    arrivals: Arrivals | None = None

    @model_validator(mode="before")
    @classmethod
    def _held_once(cls, data: Any) -> Any:
        """The dropped arrivals of a run of the first versions, which had no `arrivals`."""
        if not isinstance(data, dict):
            return data
        said = dict(data)
        dropped = _whole(said.pop("dropped_arrivals", None))
        if not isinstance(said.get("arrivals"), dict | Arrivals):
            said["arrivals"] = None if dropped is None else {"dropped": dropped}
        return said

    @computed_field  # type: ignore[prop-decorator]
    @property
    def dropped_arrivals(self) -> int | None:
        """The same number as `arrivals.dropped`, where readers of the first versions look for it."""
        return None if self.arrivals is None else self.arrivals.dropped
