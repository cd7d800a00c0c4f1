"""Open arrivals against a real server: planned instants, a cap, and waits charged from the plan."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.processes import bench, voice_server


def open_load(scenario: Path, load: dict[str, object]) -> Path:
    import yaml

    body = yaml.safe_load(scenario.read_text())
    body["load"] = load
    body["conversation"] = [{"say": "burst-1"}]
    scenario.write_text(yaml.safe_dump(body))
    return scenario


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_constant_arrivals_come_at_their_instants(scenario: Path, tmp_path: Path, workers: int) -> None:
    out = tmp_path / "run"
    open_load(scenario, {"arrival": "constant", "rate": "3/s", "duration": "4s"})
    with voice_server() as url:
        done = bench("run", scenario, "--url", url, "--out", out, "--workers", workers)
    assert done.returncode == 0, done.stdout + done.stderr
    sessions = pd.read_parquet(out / "sessions.parquet").sort_values("session_index")
    assert list(sessions["session_index"]) == list(range(12))
    if workers == 0:
        planned = sessions["started_at"] - sessions["start_late_ms"] / 1000
        assert np.abs(np.diff(planned.to_numpy()) - 1 / 3).max() < 0.002
    assert (sessions["start_late_ms"] >= 0).all()
    assert (sessions["connect_ms"] >= sessions["start_late_ms"]).all(), "waits count from the intended start"
    arrivals = json.loads((out / "run.json").read_text())["health"]["arrivals"]
    assert arrivals == {"offered": 12, "achieved": 12, "dropped": 0}


def test_arrivals_beyond_the_cap_are_dropped_and_counted(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    open_load(scenario, {"arrival": "poisson", "rate": "5/s", "duration": "4s", "max_open": 3})
    with voice_server() as url:
        done = bench("run", scenario, "--url", url, "--out", out, "--seed", "3")
    sessions = pd.read_parquet(out / "sessions.parquet")
    arrivals = json.loads((out / "run.json").read_text())["health"]["arrivals"]
    assert arrivals["dropped"] > 0
    assert arrivals["offered"] == arrivals["achieved"] + arrivals["dropped"]
    assert len(sessions) == arrivals["achieved"]
    assert "dropped" in done.stdout
