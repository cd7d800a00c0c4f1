"""What something beside a run costs it: pairs of runs against a server whose truth is known, with it and without.

Gives for each pair and at the end the error of the measured latencies, how late frames left and messages were read, and
the ratio between the two. Import it first: Locust patches the standard library, which must come before anything else.
"""

from __future__ import annotations

import argparse
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
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each run, after its ramp")
    parser.add_argument("--workers", type=int, default=1)
    return parser


def compare(given: argparse.Namespace, what: str, without: OneRun, beside: OneRun) -> None:
    """Make the pairs, the order changing from one to the next, and print what they say of `what`."""
    options = CalibrateOptions(seconds=given.seconds, workers=given.workers)
    ratios: dict[str, list[float]] = {name: [] for name in FIGURES}
    with tempfile.TemporaryDirectory() as root:
        for pair in range(given.pairs):
            order = (True, False) if pair % 2 else (False, True)
            found = {on: (beside if on else without)(given.calls, options, Path(root, f"{pair}-{on}")) for on in order}
            plain, loaded = p99s(found[False]), p99s(found[True])
            for name in FIGURES:
                ratios[name].append(loaded[name] / max(plain[name], 0.01))
                print(f"pair {pair + 1}: {name}, p99: {plain[name]:.2f} ms without, {loaded[name]:.2f} ms with {what}")
            late = {on: found[on].client_late_turns for on in found}
            turns = found[True].turns
            print(f"pair {pair + 1}: turns late ourselves, of {turns:,}: {late[False]} without, {late[True]} with")
    for name, each in ratios.items():
        print(f"{name}: p99 with {what} / without, median of {len(each)} pairs: {statistics.median(each):.2f}")
