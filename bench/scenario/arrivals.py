"""What all load shapes have in common: a worker's share, and calls that arrive whether or not earlier ones have ended.

In: instants of a plan, the number of workers. Out: what one worker begins, and when. Arrival number `i` belongs to
worker `i % workers`, so that the calls of all workers together are the plan.
Trap: a cap on open calls is dealt out as well; the parts of all workers are the cap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import ClassVar

from bench.config.units import format_duration, spaced

Windows = tuple[tuple[float, float], ...]
"""When a caller may begin calls: from (included) to (not included), in seconds from the start, in order."""
FOR_EVER = float("inf")


@dataclass(frozen=True, slots=True)
class WorkerShare:
    """What one worker begins: callers (closed pool) or arrivals (open), and when, in seconds from the start."""

    offsets_s: list[float] = field(default_factory=list)
    callers: list[int] = field(default_factory=list)
    """Closed pool: the caller of each offset; empty for open arrivals."""
    windows_s: list[Windows] = field(default_factory=list)
    """Closed pool: when each of these callers may begin calls; empty for open arrivals."""
    indices: list[int] = field(default_factory=list)
    """Open arrivals: the run-wide session index of each offset; empty for a closed pool."""
    max_open: int | None = None
    """Open arrivals: this worker's part of the cap; the parts of all workers are the cap."""


def pool_share(windows_s: Sequence[Windows], *, worker: int, workers: int) -> WorkerShare:
    """The callers of one worker, from the windows of all; caller `i` belongs to worker `i % workers`."""
    mine = [caller for caller in range(worker, len(windows_s), workers) if windows_s[caller]]
    own = [windows_s[caller] for caller in mine]
    return WorkerShare(offsets_s=[windows[0][0] for windows in own], callers=mine, windows_s=own)


def next_within(windows_s: Windows, at_s: float) -> float | None:
    """The first instant from `at_s` on at which a caller may begin a call; None when its time is over."""
    return next((max(at_s, start) for start, end in windows_s if at_s < end), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenArrivals(ABC):
    """Calls that arrive whether or not earlier ones have ended: at most `sessions`, none at or after `duration_s`."""

    is_open: ClassVar[bool] = True
    sessions: int | None = None
    duration_s: float | None = None
    max_open: int | None = None

    @abstractmethod
    def arrivals_s(self, seed: int) -> Iterator[float]:
        """Instants in seconds from the start, without the bounds."""

    def offsets_s(self, seed: int) -> list[float]:
        times_s, end_s = self.arrivals_s(seed), self.duration_s
        if end_s is None and self.sessions is None:
            raise ValueError("open arrivals need a duration or a number of sessions")
        if end_s is not None:
            times_s = takewhile(lambda at_s: at_s < end_s, times_s)
        return list(islice(times_s, self.sessions))

    @abstractmethod
    def calls_in(self, seconds: float) -> float:
        """How many calls arrive in the first `seconds`, on average."""

    @abstractmethod
    def _rates(self) -> str:
        """`at 30/min`, in the words of the shape."""

    def most_open(self) -> int | None:
        return self.max_open

    def describe(self) -> str:
        """`arriving evenly spaced at 30/min, at most 200 open at once`."""
        cap = "" if self.max_open is None else f", at most {self.max_open:,} open at once"
        return f"arriving {self._rates()}{cap}"

    def share(self, seed: int, *, worker: int, workers: int) -> WorkerShare:
        offsets, cap = self.offsets_s(seed), self.max_open
        mine = list(range(worker, len(offsets), workers))
        part = None if cap is None else cap // workers + (worker < cap % workers)
        return WorkerShare(offsets_s=[offsets[index] for index in mine], indices=mine, max_open=part)


def duration_text(seconds: float) -> str:
    """`1 min 30 s`."""
    return spaced(format_duration(round(seconds * 1000)))
