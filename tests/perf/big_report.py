"""How long `bench report` takes, and how much memory, on a run of a million turns.

`python -m tests.perf.big_report RUN [--turns 1000000]` repeats the rows of a finished run, each copy with calls of its
own, later times and slightly other latencies, until there are that many turns; then it renders the folder in a
process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from bench.store.folder import RunFolder
from bench.store.manifest import read_manifest, write_manifest
from bench.store.reader import read_run


def repeated(frame: pd.DataFrame, copies: int, step_s: float, *, seed: int) -> pd.DataFrame:
    """`copies` of the rows, no two calls with the same id and no two copies with the same latencies."""
    whole = pd.concat([frame] * copies, ignore_index=True)
    copy = np.repeat(np.arange(copies), len(frame))
    whole["session_id"] = whole["session_id"].astype(str) + "-" + pd.Series(copy).astype(str)
    stretch = np.random.default_rng(seed).lognormal(0, 0.1, len(whole))
    for name in whole.columns:
        if name.endswith("_ms") and whole[name].dtype == np.float64:
            whole[name] = whole[name] * stretch
        elif name in {"started_at", "ended_at"}:
            whole[name] = whole[name] + copy * step_s
    return whole


def make(source: Path, target: Path, turns: int) -> int:
    """A run folder with at least `turns` turns; how many it has."""
    run = read_run(source)
    copies = -(-turns // len(run.turns))
    step_s = float(run.sessions["ended_at"].max() - run.sessions["started_at"].min())
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("events", "spool", "report.*", "turns.csv"))
    big = repeated(run.turns, copies, step_s, seed=1)
    big.to_parquet(target / "turns.parquet")
    repeated(run.sessions, copies, step_s, seed=2).to_parquet(target / "sessions.parquet")
    folder = RunFolder(target)
    manifest = read_manifest(folder)
    for counts in manifest.counts.workers.values():
        for name in ("turns_sent", "turns_received", "sessions_sent", "sessions_received"):
            number = getattr(counts, name)
            setattr(counts, name, None if number is None else number * copies)
    write_manifest(folder, manifest)
    return len(big)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run folder whose rows are repeated")
    parser.add_argument("--turns", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        target = Path(root) / "big"
        turns = make(options.run, target, options.turns)
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "bench", "report", str(target)], capture_output=True, check=False)
        took_s = time.monotonic() - began
        peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        if not (target / "report.html").exists():
            sys.exit(f"bench report ended with code {done.returncode}: {done.stderr.decode()[-2000:]}")
        summary = json.loads((target / "summary.json").read_text())
    print(
        f"{turns:,} turns: {took_s:.1f} s, {peak_mib:,.0f} MiB at most; "
        f"verdict {summary['verdict']['name']}, exit code {done.returncode}"
    )


if __name__ == "__main__":
    main()
