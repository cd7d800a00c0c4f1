"""What recording calls costs the loop that paces audio, in pairs of runs: every call recorded, and none.

    python -m tests.perf.recording_cost --calls 100 --pairs 3

Prints, for each pair and at the end, how late frames left and messages were read, and the ratio between the two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import yaml

from tests.support.processes import ROOT, bench, simulated_server

FIGURES = ("frame_late_ms", "recv_lag_ms", "loop_lag_ms")


def run(folder: Path, url: str, calls: int, *, record: bool) -> dict[str, float]:
    """The p99 of each delay."""
    folder.mkdir()
    body = {
        "name": "cost",
        "fixtures": str(ROOT / "fixtures" / "audio" / "catalogue.yaml"),
        "conversation": [{"say": "balance-rms"}, {"say": "order-status-slt"}],
        "load": {"callers": calls, "ramp": "5s", "sessions": 2 * calls},
        **({"record": {"share": "100%"}} if record else {}),
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(body))
    done = bench("run", folder / "scenario.yaml", "--url", url, "--out", folder / "run", timeout_s=300)
    assert done.returncode in {0, 4}, done.stdout + done.stderr
    health = json.loads((folder / "run" / "run.json").read_text())["health"]
    return {name: health[name]["p99_ms"] for name in FIGURES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    ratios: dict[str, list[float]] = {name: [] for name in FIGURES}
    with tempfile.TemporaryDirectory() as root, simulated_server(None) as url:
        for pair in range(options.pairs):
            order = (True, False) if pair % 2 else (False, True)
            found = {record: run(Path(root, f"{pair}-{record}"), url, options.calls, record=record) for record in order}
            for name in FIGURES:
                ratios[name].append(found[True][name] / max(found[False][name], 0.01))
                print(f"pair {pair + 1}: {name} p99 {found[False][name]:.2f} -> {found[True][name]:.2f} ms recorded")
    for name, each in ratios.items():
        print(f"{name}: p99 with recordings / without, median of {len(each)} pairs: {statistics.median(each):.2f}")


if __name__ == "__main__":
    main()
