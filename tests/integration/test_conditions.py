"""A matrix on the simulated server: the same calls on any number of workers, and ends of turns found under noise."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from bench.calibrate.sent import log_files, read_truth
from bench.calibrate.truth import check_turns
from bench.store.reader import iter_timelines, read_run
from tests.support.processes import bench, simulated_server
from tests.support.taking import within

SCENARIO = {
    "name": "matrix",
    "conditions": {
        "cafe": {"noise": {"kind": "pink", "snr": "20dB"}},
        "hiss": {"noise": {"kind": "white", "snr": "20dB", "between_turns": True}},
    },
    "conversation": [
        {"say": ["yes-rms", "yes-slt"]},
        {"say": ["yes-rms", "yes-slt"]},
    ],
    "matrix": {"condition": ["clean", "cafe", "hiss"], "frame": ["20ms", "100ms"]},
    "load": {"callers": 6, "sessions": 12},
    "health": {"client_late": "10s"},
}


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_every_cell_has_its_calls_and_its_turns_end_in_time(tmp_path: Path, workers: int) -> None:
    path, profile, out = tmp_path / "matrix.yaml", tmp_path / "profile.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(SCENARIO))
    profile.write_text(
        yaml.safe_dump(
            {"endpointing": "500ms", "first_token": "600ms", "first_audio": "650ms", "reply_length": "400ms"}
        )
    )
    with simulated_server(profile, truth_log=tmp_path / "truth.jsonl") as url:
        done = bench("run", path, "--url", url, "--out", out, "--workers", workers)
    assert done.returncode == 0, done.stdout + done.stderr
    turns = pd.read_parquet(out / "turns.parquet")
    calls = pd.read_parquet(out / "sessions.parquet")
    assert calls.groupby("cell").size().to_dict() == {
        f"{name} / {frame} frames": 2 for name in ("clean", "cafe", "hiss") for frame in ("20ms", "100ms")
    }
    assert set(turns["condition"]) == {"clean", "cafe", "hiss"}
    assert (turns["status"] == "ok").all()
    checked = check_turns(read_run(out), iter_timelines(out), read_truth(log_files(tmp_path / "truth.jsonl")))
    assert checked["matched"].all()
    within(checked["endpoint_ms_error"])
    soonest_ms = checked["endpoint_ms_true"].groupby(turns["condition"]).min()
    assert (soonest_ms - 500).abs().max() < 20, "noise moves no mark; a busy machine only makes the server later"
    assert "CONDITIONS" in done.stdout
    assert "CELLS OF THE MATRIX" in done.stdout


def test_a_step_s_own_condition_comes_before_that_of_the_scenario(tmp_path: Path) -> None:
    path, profile, out = tmp_path / "steps.yaml", tmp_path / "profile.yaml", tmp_path / "run"
    uses = ({}, {"condition": "clean"}, {"condition": {"gain": "-6dB"}})
    steps = [{"say": "yes-rms", **use} for use in uses]
    health = {"client_late": "10s"}
    body = {"name": "steps", "condition": {"clip": "6dB"}, "conversation": steps, "health": health}
    path.write_text(yaml.safe_dump(body))
    profile.write_text(yaml.safe_dump({"reply_length": "400ms"}))
    with simulated_server(profile) as url:
        done = bench("run", path, "--url", url, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    turns = pd.read_parquet(out / "turns.parquet").sort_values("turn")
    assert list(turns["condition"]) == ["clip 6dB", "clean", "gain -6dB"]
