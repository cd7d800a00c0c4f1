"""What the live page costs a run, in pairs of runs against a server whose truth is known: with the page, and without.

    python -m tests.perf.live_cost --calls 200 --pairs 3

With the page, a reader takes its events all the time, as a browser does. Prints for each pair and at the end the error
of the measured latencies, how late frames left and messages were read, and the ratio between the two.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench.workers.link  # noqa: F401  Locust patches the standard library, which must come first

import psutil  # isort: skip
from rich.console import Console  # isort: skip

from bench.calibrate.levels import CalibrateOptions, measure_level
from bench.live.address import LiveAddress
from bench.live.feed import LivePage
from bench.load.spec import RunSpec
from bench.load.watchers import Watcher
from bench.store.calibration import Level

READER = "import sys, urllib.request as u\nfor line in u.urlopen(sys.argv[1]): pass"
FIGURES = ("error of first audio", "error of TTFT", "frames late", "messages read late")


def level(calls: int, options: CalibrateOptions, root: Path, *, live: bool) -> Level:
    """One run of `calls` calls at a time."""
    if not live:
        return measure_level(calls, options, root)
    readers: list[subprocess.Popen[bytes]] = []
    served: list[Cpu] = []
    with LivePage(LiveAddress(port=0), Console(file=io.StringIO())) as page:

        def watched(spec: RunSpec) -> Watcher:
            feed = page.open(spec)
            served.append(Cpu(feed.pid))
            url = feed.url.replace("/?", "/events?")
            readers.append(subprocess.Popen([sys.executable, "-c", READER, url]))
            return feed

        found = measure_level(calls, options, root, watched)
        share = served[0].share()
    for reader in readers:
        with contextlib.suppress(subprocess.TimeoutExpired):
            reader.wait(10)
        reader.kill()
    print(f"with the page: its process used {share:.1%} of a core, from the first call to the end of the run")
    return found


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each run, after its ramp")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    options = CalibrateOptions(seconds=given.seconds, workers=given.workers)
    ratios: dict[str, list[float]] = {name: [] for name in FIGURES}
    with tempfile.TemporaryDirectory() as root:
        for pair in range(given.pairs):
            order = (True, False) if pair % 2 else (False, True)
            found = {live: level(given.calls, options, Path(root, f"{pair}-{live}"), live=live) for live in order}
            without, with_page = p99s(found[False]), p99s(found[True])
            for name in FIGURES:
                ratios[name].append(with_page[name] / max(without[name], 0.01))
                print(f"pair {pair + 1}: {name}, p99: {without[name]:.2f} ms without, {with_page[name]:.2f} ms with")
            late = {live: found[live].client_late_turns for live in found}
            turns = found[True].turns
            print(f"pair {pair + 1}: turns late ourselves, of {turns:,}: {late[False]} without, {late[True]} with")
    for name, each in ratios.items():
        print(f"{name}: p99 with the page / without, median of {len(each)} pairs: {statistics.median(each):.2f}")


if __name__ == "__main__":
    main()
