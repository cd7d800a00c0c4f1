"""What something beside a run costs it: runs against a server whose truth is known, in threes: without, with, without.

Gives for each three and at the end the error of the measured latencies, how late frames left and messages were read,
and two ratios: with it over the two runs without, and the greater of those two over the lesser, which is what the
machine alone does to the figure. Import it first: Locust patches the standard library, which must come before anything
else.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bench.workers.link  # noqa: F401  Locust patches the standard library, which must come first

import psutil  # isort: skip

from bench.calibrate.levels import CalibrateOptions  # isort: skip
from bench.store.calibration import Level  # isort: skip

FIGURES = ("error of first audio", "error of TTFT", "frames late", "messages read late")
LEAST_MS = 0.01  # of what a ratio is made of
OneRun = Callable[[int, CalibrateOptions, Path], Level]


class Cpu:
    """What a process uses from now on."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._began, self._before = time.monotonic(), self._used()

    def _used(self) -> float:
        return float(sum(self._process.cpu_times()[:2]))

    def share(self) -> float:
        return (self._used() - self._before) / (time.monotonic() - self._began)


def p99s(found: Level) -> dict[str, float]:
    spreads = (found.errors["first_audio_ms"], found.errors["ttft_ms"], found.frame_late, found.recv_lag)
    return {name: float(spread.p99_ms or 0.0) for name, spread in zip(FIGURES, spreads, strict=True)}


def parser_of(text: str | None) -> argparse.ArgumentParser:
    """The options that every such comparison has."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=3, help="how often: each is a run with it between two without")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each run, after its ramp")
    parser.add_argument("--workers", type=int, default=1)
    return parser


def compare(given: argparse.Namespace, what: str, without: OneRun, beside: OneRun) -> None:
    """Make the threes and print what they say of `what`."""
    options = CalibrateOptions(seconds=given.seconds, workers=given.workers)
    ratios: dict[str, list[float]] = {name: [] for name in FIGURES}
    alone: dict[str, list[float]] = {name: [] for name in FIGURES}
    with tempfile.TemporaryDirectory() as root:
        for pair in range(given.pairs):
            # `what` is in the middle, so that a machine that grows slower or faster favours neither
            before, loaded, after = (
                run(given.calls, options, Path(root, f"{pair}-{place}"))
                for place, run in enumerate((without, beside, without))
            )
            for name in FIGURES:
                first, found, last = (max(p99s(level)[name], LEAST_MS) for level in (before, loaded, after))
                ratios[name].append(found / math.sqrt(first * last))
                alone[name].append(max(first, last) / min(first, last))
                print(f"{pair + 1}: {name}, p99: without {first:.2f}, with {what} {found:.2f}, without {last:.2f} ms")
            late = ", ".join(str(level.client_late_turns) for level in (before, loaded, after))
            print(f"{pair + 1}: turns late ourselves, of {loaded.turns:,} each: {late}", flush=True)
    for name in FIGURES:
        print(
            f"{name}: p99 with {what} / without, median of {given.pairs}: {statistics.median(ratios[name]):.2f}; "
            f"without / without: {statistics.median(alone[name]):.2f}, up to {max(alone[name]):.2f}"
        )
