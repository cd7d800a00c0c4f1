"""Runs that their budget ends, against what the server says that it billed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest
import soundfile
import yaml

from bench.errors import ExitCode
from tests.support.books import DEAR
from tests.support.bursts import RATE, noise_burst
from tests.support.processes import bench, simulated_server

PROFILE = """
seed: 5
endpointing: 150ms
first_token: 170ms
first_audio: 200ms
reply_length: 300ms
recognition: {unknown_after: 150ms}
"""
CALLERS, TURNS = 4, 4
LIMIT_USD = 0.12
LEAST_USD = 0.05
"""What must be spent by then: the limit less a turn of every caller that is in flight, at most $0.016 each."""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """200 calls of 4 turns at $0.008 to $0.012 a turn: $8."""
    soundfile.write(tmp_path / "burst.wav", noise_burst(60, 400, 60), RATE, subtype="PCM_16")
    entry = {"id": "burst", "file": "burst.wav", "text": "Hello, there!"}
    (tmp_path / "catalogue.yaml").write_text(yaml.safe_dump({"fixtures": [entry]}))
    (tmp_path / "dear.yaml").write_text(DEAR)
    (tmp_path / "profile.yaml").write_text(PROFILE)
    body = {
        "name": "dear",
        "target": {"url": "ws://127.0.0.1:9/v1/realtime", "model": "dear"},
        "fixtures": "catalogue.yaml",
        "session": {"transcription": None},
        "conversation": [{"say": "burst"}] * TURNS,
        "load": {"callers": CALLERS, "sessions": 200},
        "health": {"client_late": "10s"},
        "pricing": {"book": "dear.yaml"},
        "estimate": {"reply": "300ms"},
    }
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


def run(scenario: Path, *words: str) -> tuple[Any, dict[str, Any], Path, list[float]]:
    """The process, the manifest, the run folder, and what the server billed for each response, USD."""
    log, out = scenario.parent / "truth.jsonl", scenario.parent / "run"
    with simulated_server(scenario.parent / "profile.yaml", truth_log=log) as url:
        done = bench("run", scenario, "--url", url, "--out", out, *words)
    return done, json.loads((out / "run.json").read_text()), out, billed(log)


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_money(scenario: Path, workers: str) -> None:
    done, manifest, out, bill = run(scenario, "--set", f"budget.max_usd={LIMIT_USD}", "--workers", workers)
    assert done.returncode == ExitCode.BUDGET, done.stdout + done.stderr
    assert manifest["stop_reason"] == "budget"
    assert manifest["state"] == "finished"
    assert f"the limit is max_usd = ${LIMIT_USD}" in manifest["stop_sentence"]
    assert manifest["stop_sentence"] in done.stdout
    used = manifest["budget"]
    assert LEAST_USD < used["known_usd"] + used["estimated_usd"] < LIMIT_USD
    # The truth: never beyond the limit by more than the turns that were in flight.
    assert LEAST_USD < sum(bill) < LIMIT_USD + CALLERS * max(bill)
    assert len(pd.read_parquet(out / "turns.parquet")) >= 3
    summary = json.loads((out / "summary.json").read_text())
    assert summary["verdict"]["exit_code"] == ExitCode.BUDGET
    assert summary["cost"]["budget"]["max_usd"] == LIMIT_USD


def test_money_of_turns_without_a_usage_is_estimated(scenario: Path) -> None:
    profile = scenario.parent / "profile.yaml"
    profile.write_text(f"{PROFILE}faults: [{{kind: missing_usage, rate: 0.5}}]\n")
    done, manifest, _, bill = run(scenario, "--set", f"budget.max_usd={LIMIT_USD}")
    assert done.returncode == ExitCode.BUDGET, done.stdout + done.stderr
    used = manifest["budget"]
    assert used["estimated_turns"] > 0
    assert used["estimated_usd"] > 0.005
    # What the server does not tell, it bills all the same.
    assert LEAST_USD < sum(bill) + used["estimated_usd"] < LIMIT_USD + CALLERS * max(bill)
    assert "Of it, estimated (" in done.stdout


def test_more_calls_at_a_time_than_the_money_is_for(scenario: Path) -> None:
    load = ["--set", "load.callers=20", "--set", "load.sessions=20"]
    done, manifest, _, _ = run(scenario, "--set", "budget.max_usd=0.05", *load)
    assert done.returncode == ExitCode.BUDGET, done.stdout + done.stderr
    said = "does not cover the first turn of 20 calls at a time"
    assert any(said in note for note in manifest["notes"])
    assert said in done.stdout


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_calls(scenario: Path, workers: str) -> None:
    done, manifest, out, _ = run(scenario, "--set", "budget.max_sessions=7", "--workers", workers)
    assert done.returncode == ExitCode.BUDGET, done.stdout + done.stderr
    calls = pd.read_parquet(out / "sessions.parquet")
    assert sorted(calls["session_index"]) == list(range(7)), "the first seven of the plan, whoever makes them"
    assert (calls["status"] == "ok").all(), "calls that began may finish"
    assert manifest["budget"]["sessions"] == 7
    assert "7 calls begun, and the load asks for more" in done.stdout


@pytest.mark.slow
def test_a_load_that_asks_for_no_more_passes(scenario: Path) -> None:
    done, manifest, _, _ = run(scenario, "--set", "budget.max_sessions=4", "--set", "load.sessions=4")
    assert done.returncode == ExitCode.PASS, done.stdout + done.stderr
    assert (manifest["stop_reason"], manifest["stop_sentence"]) == ("completed", None)
    assert "4 of 4" in done.stdout


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_minutes(scenario: Path, workers: str) -> None:
    done, manifest, out, _ = run(scenario, "--set", "budget.max_minutes=0.3", "--workers", workers)
    assert done.returncode == ExitCode.BUDGET, done.stdout + done.stderr
    used = manifest["budget"]["minutes"]
    talked = pd.read_parquet(out / "sessions.parquet")["duration_ms"].sum() / 60_000
    assert used == pytest.approx(talked, abs=0.02)
    assert 0.2 < talked < 0.32


def test_open_arrivals_end_with_the_last_call_that_may_begin(scenario: Path) -> None:
    load = ["load={arrival: constant, rate: 240/min, duration: 60s}", "budget.max_sessions=5"]
    done, manifest, out, _ = run(scenario, *(word for each in load for word in ("--set", each)))
    assert done.returncode == ExitCode.BUDGET, done.stdout + done.stderr
    assert len(pd.read_parquet(out / "sessions.parquet")) == 5
    assert manifest["budget"]["minutes"] < 1, "it does not wait for the end of the duration"


def billed(log: Path) -> list[float]:
    found = []
    for event in map(orjson.loads, log.read_bytes().splitlines()):
        usage = event.get("usage")
        if event["kind"] != "event" or event["type"] != "response.done" or usage is None:
            continue
        into, out = usage["input_token_details"], usage["output_token_details"]
        cached = into["cached_tokens_details"]
        usd = (into["text_tokens"] - cached["text_tokens"]) * 10 + cached["text_tokens"] * 1
        usd += (into["audio_tokens"] - cached["audio_tokens"]) * 200 + cached["audio_tokens"] * 20
        usd += out["text_tokens"] * 20 + out["audio_tokens"] * 800
        found.append(usd / 1e6)
    return found
