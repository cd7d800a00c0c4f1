"""How many calls one core carries: this project against the obvious alternatives, on the same server, in one run.

`python -m tests.perf.peers [--frame 20] [--seconds 4]` climbs a ladder of simultaneous calls for each client until the
99th percentile of frame lateness passes 10 ms or frames are missing, and prints the last level that held. Give it
a machine with two free cores: one for the client, one for the server.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.perf.clients import CLIENTS
from tests.support.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

LATE_BOUND_MS = 10.0
LEAST_SHARE = 0.995
LADDER = [10, 15, 20, 30, 40, 60, 80, 100, 125, 150, 200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 1000, 1200]
LADDER += [1400, 1600, 2000, 2500]


@contextmanager
def sink() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.perf.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield f"ws://127.0.0.1:{int(process.stdout.readline())}/v1/realtime"
    finally:
        process.stdin.close()
        process.wait(10)


def measure(name: str, calls: int, frame_ms: int, seconds: float) -> dict[str, Any]:
    """One level of one client, in processes of their own."""
    with sink() as url:
        done = subprocess.run(
            [sys.executable, "-m", "tests.perf.clients", name, url, str(calls), str(frame_ms), str(seconds)],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            cwd=ROOT,
        )
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            result: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
            return result
    raise RuntimeError(f"{name} at {calls} calls gave no result: {done.stderr[-1000:]}")


def holds(result: dict[str, Any]) -> bool:
    """Whether a level was carried."""
    p99 = result["p99_ms"]
    return p99 is not None and p99 <= LATE_BOUND_MS and result["sent_share"] >= LEAST_SHARE


def climb(name: str, frame_ms: int, seconds: float) -> dict[str, Any] | None:
    """The highest level of the ladder that held, by doubling over it and then halving the gap."""
    low, high = -1, len(LADDER)
    best: dict[str, Any] | None = None
    place = 3
    while low + 1 < high:
        result = measure(name, LADDER[place], frame_ms, seconds)
        print(f"  {name:<26} {json.dumps(result)} {'holds' if holds(result) else 'fails'}", flush=True)
        if holds(result):
            low, best = place, result
            place = min(high - 1, place + 4) if high == len(LADDER) else (low + high) // 2
        else:
            high = place
            place = (low + high) // 2
    return best


def compare(frame_ms: int, seconds: float) -> dict[str, int]:
    """Client -> calls that it carried."""
    return {name: (climb(name, frame_ms, seconds) or {"calls": 0})["calls"] for name in CLIENTS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frame", type=int, default=20, help="frame length, ms")
    parser.add_argument("--seconds", type=float, default=4.0, help="measured time per level")
    options = parser.parse_args()
    carried = compare(options.frame, options.seconds)
    print(f"\ncalls carried by one process, {options.frame} ms frames, lateness p99 <= {LATE_BOUND_MS:g} ms")
    for name, calls in carried.items():
        ratio = f"{carried['bench'] / calls:5.1f}x" if calls else "    -"
        top = "  (the top of the ladder)" if calls == LADDER[-1] else ""
        print(f"  {name:<26} {calls:5d}   bench carries {ratio}{top}")


if __name__ == "__main__":
    main()
