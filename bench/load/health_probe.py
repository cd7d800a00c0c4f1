"""The health of one worker: was the generator itself in the way?

In: delays of frames and messages as calls leave them, and probes of the loop (every 50 ms), spans in which the process
stood still, CPU (its own and the machine's), garbage collection, open files and memory. Out: `ProbeReadings`, which
several workers' add up to the run's certificate.
Trap: a load generator that slows down under its own load reports its own delay as the vendor's.
"""

from __future__ import annotations

import gc
import os
import resource
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import psutil

from bench.facts.gaps import Gap
from bench.load.histogram import Histogram
from bench.load.host_load import FULL, between, read_host
from bench.session.call import Delays
from bench.store.certificate import Arrivals, HealthCertificate, StoredGap, WorkerCertificate
from bench.transport.witness import gaps_since

_OPEN_FILES = Path("/proc/self/fd")
PROBE_S = 0.05
MOST_GAPS = 10
"""Gaps that are kept one by one, the longest; all are counted."""
FOLD_EVERY = 20
"""Probes between two readings of the counters that cost a system call."""


@dataclass(slots=True)
class _Gc:
    """Garbage collection pauses, from the interpreter's own callbacks."""

    began_ns: int = 0
    pauses: int = 0
    total_ns: int = 0
    longest_ns: int = 0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        now_ns = time.monotonic_ns()
        if phase == "start":
            self.began_ns = now_ns
        elif self.began_ns:
            took_ns = now_ns - self.began_ns
            self.pauses += 1
            self.total_ns += took_ns
            self.longest_ns = max(self.longest_ns, took_ns)


class GapRecord:
    """The gaps of a process: those of all its threads, and those in which its loop alone was held up."""

    def __init__(self, since_ns: int) -> None:
        self.count = 0
        self.total_ns = 0
        self._until_ns = since_ns
        self._longest: list[Gap] = []
        self._held: list[Gap] = []
        self._recent: list[Gap] = []

    def add(self, found: Iterable[Gap], held: Iterable[Gap]) -> None:
        """Take in gaps of the process, and of its loop; one of the loop inside of one of the process is the same."""
        new = [gap for gap in found if gap.end_ns > self._until_ns]
        known = [*new, *self._recent]
        self._recent = new
        self._until_ns = max((gap.end_ns for gap in new), default=self._until_ns)
        # The loop may wake before the witness does: its gap is judged a second later.
        waiting, self._held = self._held, list(held)
        alone = [gap for gap in waiting if not any(_overlap(gap, other) for other in known)]
        self.count += len(new) + len(alone)
        self.total_ns += sum(gap.length_ns for gap in (*new, *alone))
        every = sorted((*self._longest, *new, *alone), key=lambda gap: gap.length_ns, reverse=True)
        self._longest = every[:MOST_GAPS]

    def stored(self) -> list[StoredGap]:
        """The longest ones, as they are kept."""
        offset_ns = time.time_ns() - time.monotonic_ns()
        return [
            StoredGap(at=(gap.start_ns + offset_ns) / 1e9, length_ms=round(gap.length_ns / 1e6, 3), kind=gap.kind)
            for gap in self._longest
        ]

    @property
    def longest_ms(self) -> float | None:
        return round(self._longest[0].length_ns / 1e6, 3) if self._longest else None


def _overlap(one: Gap, other: Gap) -> bool:
    return one.start_ns < other.end_ns and other.start_ns < one.end_ns


@dataclass(frozen=True, slots=True)
class ProbeReadings:
    """What one worker's probe found: its certificate, and the histograms from which the run's is made."""

    certificate: WorkerCertificate
    histograms: Mapping[str, Histogram]
    """By the name of the certificate's field."""

    def to_wire(self) -> dict[str, Any]:
        """Plain data for a message."""
        histograms = {name: histogram.to_wire() for name, histogram in self.histograms.items()}
        return {"certificate": self.certificate.model_dump(mode="json"), "histograms": histograms}

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> ProbeReadings:
        """The inverse of `to_wire`."""
        histograms = {name: Histogram.from_wire(each) for name, each in data["histograms"].items()}
        return cls(WorkerCertificate.model_validate(data["certificate"]), histograms)


class HealthProbe:
    """Watches one worker process from `start` to `stop`; `readings` may be asked at any time."""

    def __init__(self, delays: Delays, *, frame_ms: float) -> None:
        self._delays = delays
        self._frame_ms = frame_ms
        self._process = psutil.Process()
        self._gc = _Gc()
        self._greenlet: gevent.Greenlet | None = None
        self._cpu_began = 0.0
        self._began_s = 0.0
        self._most_cpu = 0.0
        self._host = self._host_before = self._host_now = read_host()
        self._seconds = self._full_seconds = 0
        self._window = (0.0, 0.0)
        self._lags: list[int] = []
        self._held: list[Gap] = []
        self._due_ns = 0
        self._gaps = GapRecord(time.monotonic_ns())
        self.loop_lag = Histogram()
        self.frame_late = Histogram()
        self.recv_lag = Histogram()
        self._most_files = 0
        self._most_rss = 0

    def start(self) -> None:
        """Begin to watch."""
        self._began_s = time.monotonic()
        self._cpu_began = self._cpu_s()
        self._window = (self._began_s, self._cpu_began)
        self._host = self._host_before = self._host_now = read_host()
        self._gaps = GapRecord(time.monotonic_ns())
        gaps_since(time.monotonic_ns())
        gc.callbacks.append(self._gc)
        self._greenlet = gevent.spawn(self._probe)

    def stop(self) -> None:
        """Watch no more; the readings stay as they are."""
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            gc.callbacks.remove(self._gc)
            greenlet.kill()
            # A probe that is overdue by now counts as late as it is.
            self._probed(max(time.monotonic_ns(), self._due_ns))
            self._fold()
            self._gaps.add(gaps_since(0), ())

    def _probe(self) -> None:
        self._due_ns = time.monotonic_ns()
        while True:
            self._due_ns += round(PROBE_S * 1e9)
            wait_s = (self._due_ns - time.monotonic_ns()) / 1e9
            gevent.sleep(max(0.0, wait_s))
            now_ns = time.monotonic_ns()
            self._probed(now_ns)
            if now_ns - self._due_ns > PROBE_S * 1e9:
                self._due_ns = now_ns  # one long stall is one sample, not a train of them
            if len(self._lags) >= FOLD_EVERY:
                self._fold()

    def _probed(self, now_ns: int) -> None:
        late_ns = now_ns - self._due_ns
        self._lags.append(late_ns // 1000)
        if late_ns > PROBE_S * 1e9:
            self._held.append(Gap(self._due_ns, now_ns, late_ns, "loop"))

    def _fold(self) -> None:
        delays = self._delays
        late, delays.frame_late_us = delays.frame_late_us, []
        lag, delays.recv_lag_us = delays.recv_lag_us, []
        lags, self._lags = self._lags, []
        held, self._held = self._held, []
        self.loop_lag.add(lags)
        self._gaps.add(gaps_since(0, closed=True), held)
        self.frame_late.add(late)
        self.recv_lag.add(lag)
        now_s, cpu_s = time.monotonic(), self._cpu_s()
        elapsed_s = now_s - self._window[0]
        if elapsed_s >= 0.5:
            self._most_cpu = max(self._most_cpu, (cpu_s - self._window[1]) / elapsed_s)
            self._window = (now_s, cpu_s)
        # To look takes a file too: a process that may open no more is still watched.
        with suppress(OSError):
            self._look_at_files()
            self._look_at_host()

    def _look_at_files(self) -> None:
        if _OPEN_FILES.is_dir():
            self._most_files = max(self._most_files, len(os.listdir(_OPEN_FILES)))
        self._most_rss = max(self._most_rss, self._process.memory_info().rss)

    def _look_at_host(self) -> None:
        self._host_now = now = read_host()
        if now.at_s - self._host_before.at_s >= 0.5:
            self._seconds += 1
            self._full_seconds += (between(self._host_before, now).busy or 0) > FULL
            self._host_before = now

    def _cpu_s(self) -> float:
        times = os.times()
        return times.user + times.system

    def readings(self) -> ProbeReadings:
        """The figures of this worker so far."""
        elapsed_s = max(1e-9, time.monotonic() - self._began_s)
        with suppress(OSError):
            self._host_now = read_host()
        host = between(self._host, self._host_now)
        histograms = {"loop_lag_ms": self.loop_lag, "frame_late_ms": self.frame_late, "recv_lag_ms": self.recv_lag}
        certificate = WorkerCertificate(
            loop_lag_ms=self.loop_lag.spread(),
            frame_late_ms=self.frame_late.spread(),
            recv_lag_ms=self.recv_lag.spread(),
            missed_deadlines_share=self.frame_late.share_over(self._frame_ms),
            cpu_share=round((self._cpu_s() - self._cpu_began) / elapsed_s, 4),
            cpu_share_peak=round(self._most_cpu, 4),
            steal_share=host.steal,
            host_cpu_share=host.busy,
            host_cpu_full_share=round(self._full_seconds / self._seconds, 4) if self._seconds else None,
            cpu_pressure_share=host.pressure,
            throttled_share=host.throttled,
            gap_count=self._gaps.count,
            gap_longest_ms=self._gaps.longest_ms,
            gap_total_ms=round(self._gaps.total_ns / 1e6, 3),
            gaps=self._gaps.stored(),
            niceness=os.getpriority(os.PRIO_PROCESS, 0),
            gc_pauses=self._gc.pauses,
            gc_pause_total_ms=round(self._gc.total_ns / 1e6, 3),
            gc_pause_longest_ms=round(self._gc.longest_ns / 1e6, 3),
            open_files_most=self._most_files or None,
            open_files_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            rss_most_bytes=self._most_rss or None,
        )
        return ProbeReadings(certificate, histograms)


def over_stretches(parts: Sequence[ProbeReadings]) -> ProbeReadings:
    """The readings of one worker over several stretches of a run: delays merged, counts added, the worst of shares."""
    merged: dict[str, Histogram] = {}
    for part in parts:
        for name, histogram in part.histograms.items():
            merged.setdefault(name, Histogram()).merge(histogram)
    every = [part.certificate for part in parts]
    worst = max(every, key=lambda each: each.cpu_share_peak or 0.0)
    figures: dict[str, Any] = {}
    for name in _ADDED:
        known = [value for each in every if (value := getattr(each, name)) is not None]
        figures[name] = sum(known) if known else None
    for name in _WORST:
        figures[name] = max((value for each in every if (value := getattr(each, name)) is not None), default=None)
    gaps = sorted((gap for each in every for gap in each.gaps), key=lambda gap: gap.length_ms or 0.0, reverse=True)
    spreads = {name: histogram.spread() for name, histogram in merged.items()}
    return ProbeReadings(worst.model_copy(update={**figures, **spreads, "gaps": gaps[:MOST_GAPS]}), merged)


_ADDED = ("gap_count", "gap_total_ms", "gc_pauses", "gc_pause_total_ms")
_WORST = (
    "missed_deadlines_share",
    "cpu_share",
    "cpu_share_peak",
    "steal_share",
    "host_cpu_share",
    "host_cpu_full_share",
    "cpu_pressure_share",
    "throttled_share",
    "gap_longest_ms",
    "gc_pause_longest_ms",
    "open_files_most",
    "rss_most_bytes",
)


def certificate_of(workers: Mapping[str, ProbeReadings], arrivals: Iterable[Arrivals | None]) -> HealthCertificate:
    """The certificate of a run: delays of all workers merged, each worker's own figures, arrivals added up."""
    merged: dict[str, Histogram] = {}
    for readings in workers.values():
        for name, histogram in readings.histograms.items():
            merged.setdefault(name, Histogram()).merge(histogram)
    known = [found for found in arrivals if found is not None]
    counts = ("offered", "achieved", "dropped")
    return HealthCertificate(
        **{name: histogram.spread() for name, histogram in merged.items()},
        workers={name: readings.certificate for name, readings in workers.items()},
        arrivals=Arrivals(**{name: sum(getattr(found, name) or 0 for found in known) for name in counts})
        if known
        else None,
    )


def raise_file_limit() -> int:
    """Lift the soft limit on open files to the hard one where the system allows it; the limit now in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else 1_048_576
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            return soft
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
