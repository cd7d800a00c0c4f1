"""A load in phases against the simulated server: who calls in which phase, and what ran over the end of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile
import yaml

from tests.support.bursts import RATE, noise_burst
from tests.support.processes import bench, simulated_server

PROFILE = """
seed: 1
catalogue: catalogue.yaml
endpointing: 180ms
first_token: 100ms
first_audio: 150ms
leading_silence: 0ms
reply_length: 200ms
"""
POOL = [
    {"name": "warm-up", "callers": 1, "duration": "1500ms", "warmup": True},
    {"name": "hold", "callers": 2, "duration": "3s", "objectives": ["first_audible_ms < 5s"]},
    {"name": "spike", "callers": 5, "duration": "2s", "objectives": ["first_audible_ms < 1ms"]},
    {"name": "cool-down", "callers": 1, "duration": "2s"},
]
RATES = [
    {"name": "ramp", "rate": "3/s", "ramp": True, "duration": "2s"},
    {"name": "spike", "rate": "6/s", "duration": "1500ms"},
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("server")
    (root / "catalogue.yaml").write_text(yaml.safe_dump(catalogue(root)))
    (root / "profile.yaml").write_text(PROFILE)
    with simulated_server(root / "profile.yaml") as url:
        yield url


def catalogue(folder: Path) -> dict[str, Any]:
    soundfile.write(folder / "burst.wav", noise_burst(60, 300, 60), RATE, subtype="PCM_16")
    return {"fixtures": [{"id": "burst", "file": "burst.wav", "text": "Hello, there!"}]}


def run_of(
    folder: Path, url: str, phases: list[dict[str, Any]], workers: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], str]:
    """The turns, the calls, the summary and the text of a run of two turns a call."""
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(catalogue(folder)))
    body = {
        "name": "phases",
        "fixtures": "catalogue.yaml",
        "session": {"transcription": None},
        "conversation": [{"say": "burst"}, {"say": "burst"}],
        "load": {"phases": phases},
        "health": {"client_late": "10s"},
        "thresholds": ["error_rate < 5%"],
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(body))
    out = folder / f"run-{workers}"
    done = bench("run", folder / "scenario.yaml", "--url", url, "--out", out, "--workers", workers)
    assert done.returncode == 0, done.stdout + done.stderr
    turns, calls = pd.read_parquet(out / "turns.parquet"), pd.read_parquet(out / "sessions.parquet")
    return turns, calls, json.loads((out / "summary.json").read_text()), done.stdout


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_callers_come_and_go_with_the_phases(url: str, tmp_path: Path, workers: int) -> None:
    turns, calls, summary, text = run_of(tmp_path, url, POOL, workers)
    callers = {phase: set(rows["caller"]) for phase, rows in calls.groupby("phase")}
    assert callers == {"warm-up": {0}, "hold": {0, 1}, "spike": {0, 1, 2, 3, 4}, "cool-down": {0}}
    assert set(calls["session_index"] % 5) == set(range(5)), "each caller has numbers of its own"
    assert calls["status"].eq("ok").all(), "whoever is not wanted any more finishes the call under way"
    assert calls.groupby("phase")["warmup"].all().to_dict() == {phase: phase == "warm-up" for phase in callers}

    order = ["warm-up", "hold", "spike", "cool-down", "finishing"]
    at = {name: place for place, name in enumerate(order)}
    assert (turns["phase_ended"].map(at) >= turns["phase"].map(at)).all()
    assert (calls["phase_ended"].map(at) >= calls["phase"].map(at)).all()
    over = turns[turns["phase_ended"] != turns["phase"]]
    of_the_spike = calls[(calls["phase"] == "spike") & (calls["caller"] > 0)]
    assert (of_the_spike["phase_ended"] != "spike").any(), "they go on in the next phase"
    assert 0 < len(over) < len(turns)
    assert turns["warmup"].eq(turns["phase"] == "warm-up").all()

    goodput = next(rate for rate in summary["rates"] if rate["name"] == "goodput")
    assert goodput["events"] == len(turns[~turns["phase"].isin(["warm-up", "spike"])])
    assert "hold" in text


@pytest.mark.slow
def test_arrivals_are_the_same_calls_for_any_number_of_workers(url: str, tmp_path: Path) -> None:
    found = []
    for workers in (0, 2):
        _, calls, _, _ = run_of(tmp_path, url, RATES, workers)
        found.append(calls.sort_values("session_index")[["session_index", "phase"]].to_numpy().tolist())
    assert found[0] == found[1]
    assert [phase for _, phase in found[0]] == ["ramp"] * 3 + ["spike"] * 9
