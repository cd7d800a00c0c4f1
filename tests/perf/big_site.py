"""Time and memory of a site from many stored runs: `python -m tests.perf.big_site [RUNS]`.

In: how many runs (1,000). Out: seconds of a first build and of one that knows all runs already, and pages written.
A few nights are made and copied under new dates, so that making them takes no longer than building.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from bench.store.manifest import Manifest
from tests.site.nights import FIRST, night_run

DIFFERENT = 8
BOUND_S = 60.0


def make(root: Path, runs: int) -> None:
    """`runs` nights in a row, of which every eighth has the same rows."""
    made = [night_run(root, night).folder.root for night in range(min(DIFFERENT, runs))]
    for night in range(DIFFERENT, runs):
        at = FIRST + timedelta(days=night)
        folder = root / f"{at:%Y%m%dT%H%M%SZ}-nightly"
        shutil.copytree(made[night % DIFFERENT], folder)
        manifest = Manifest.model_validate_json((folder / "run.json").read_bytes())
        changed = {"run_id": folder.name, "started_at": at, "ended_at": at + timedelta(minutes=4)}
        (folder / "run.json").write_text(manifest.model_copy(update=changed).model_dump_json())


def build(reports: Path, out: Path) -> float:
    begun = time.monotonic()
    words = [sys.executable, "-m", "bench", "site", str(reports), "--out", str(out)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def main(runs: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        reports, out = Path(name) / "reports", Path(name) / "site"
        make(reports, runs)
        first, again = build(reports, out), build(reports, out)
        pages = len(list(out.rglob("*.html")))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "runs": runs,
        "pages": pages,
        "first_build_s": round(first, 1),
        "next_build_s": round(again, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "most_memory_mb": round(used.ru_maxrss / 1024),
        "within_bound": first < BOUND_S,
    }
    print(json.dumps(found))
    return 0 if first < BOUND_S else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
