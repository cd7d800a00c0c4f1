"""Made-up runs to be compared: the same plan each time, with latencies, failures and facts as a test wants them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure.metrics import metric_versions
from bench.measure.records import TurnRecord
from bench.store.manifest import write_manifest
from bench.store.reader import Run
from tests.report.build import fail, finished, rows

Change = Callable[[TurnRecord, np.random.Generator], None]


def run_of(
    root: Path,
    draw: int,
    *,
    calls: int = 30,
    slower: float = 1.0,
    fails: float = 0.0,
    change: Change | None = None,
    **facts: Any,
) -> Run:
    """A finished run of `calls` calls of two turns; its waits are `slower` times as long as usual."""
    turns, sessions = rows(calls, 2, fails=0.0, warm=2, seed=draw)
    rng = np.random.default_rng(draw + 500)
    for row in turns:
        for name in ("first_audible_ms", "first_audio_ms", "ttft_ms"):
            setattr(row, name, getattr(row, name) * slower)
        if change is not None:
            change(row, rng)
        if rng.random() < fails:
            fail(row, "no_reply", "timeout", None, "no reply within 15 s")
    run = finished(root, turns, sessions, **{"metric_versions": metric_versions(), **facts})
    run.manifest.verdict, run.manifest.exit_code = "pass", 0
    write_manifest(run.folder, run.manifest)
    return run
