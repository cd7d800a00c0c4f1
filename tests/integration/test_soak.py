"""Ten minutes of a hundred calls: nothing grows, nothing pauses for long and no row is lost.

Slow: `pytest -m slow tests/integration/test_soak.py`. `SOAK_S` and `SOAK_CALLS` in the environment change the length
and the load.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml

from tests.support.processes import simulated_server

SOAK_S = float(os.environ.get("SOAK_S", "600"))
SOAK_CALLS = int(os.environ.get("SOAK_CALLS", "100"))
SAMPLE_S = 2.0
LONGEST_PAUSE_MS = 30.0
"""Of the garbage collector; with the cycles of finished calls it was 58 ms after a minute."""


def slope_per_min(values: list[float]) -> float:
    """Growth of the later two thirds, per minute, by least squares: the start of a run may well grow."""
    later = np.asarray(values[len(values) // 3 :])
    minutes = np.arange(len(later)) * SAMPLE_S / 60
    return float(np.polyfit(minutes, later, 1)[0])


@pytest.mark.slow
def test_a_long_run_does_not_grow(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text(yaml.safe_dump({"seed": 1, "reply_length": "1200ms"}))
    body = {
        "name": "soak",
        "target": {"url": "ws://127.0.0.1:9/v1/realtime", "model": "simulated"},
        "conversation": [{"say": ["yes-rms", "yes-slt", "balance-rms"]}, {"pause": "500ms"}, {"say": "yes-rms"}],
        "load": {"callers": SOAK_CALLS, "ramp": "5s", "duration": f"{SOAK_S:g}s"},
    }
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(body))
    out = tmp_path / "run"
    memory: list[float] = []
    files: list[float] = []
    with simulated_server(tmp_path / "profile.yaml") as url:
        command = [
            sys.executable,
            "-m",
            "bench",
            "run",
            str(tmp_path / "scenario.yaml"),
            "--url",
            url,
            "--out",
            str(out),
        ]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        process = psutil.Process(run.pid)
        began = time.monotonic()
        while run.poll() is None and time.monotonic() - began < SOAK_S:
            memory.append(process.memory_info().rss / 2**20)
            files.append(float(process.num_fds()))
            time.sleep(SAMPLE_S)
        output, _ = run.communicate(timeout=180)
    assert run.returncode in {0, 4}, output[-3000:]
    turns, sessions = pd.read_parquet(out / "turns.parquet"), pd.read_parquet(out / "sessions.parquet")
    assert len(turns) == sessions["turns_ended"].sum()
    assert (turns["status"] == "ok").mean() > 0.99, turns["status"].value_counts().to_dict()
    assert max(files) <= SOAK_CALLS + 64, "one socket a call, and a constant rest"
    assert slope_per_min(files) < 1
    health = json.loads((out / "run.json").read_text())["health"]["workers"]["w0"]
    assert health["gc_pause_longest_ms"] < LONGEST_PAUSE_MS, "finished calls leave nothing to be searched for"
    # Rows of ended turns are on disk, not in memory: what may grow is the allocator's own slack.
    assert slope_per_min(memory) < max(2.0, 0.02 * memory[-1]), (memory[len(memory) // 3], memory[-1])
