"""A run against a cascade that it starts itself: stages in the rows, and failures that name their service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from bench.errors import ExitCode
from bench.scenario.cascade import LEGS
from tests.server.support import server_process
from tests.support.bursts import two_turns
from tests.support.processes import bench, simulated_server

INJECTED = {"stt_ms": 60, "llm_ttft_ms": 80, "tts_ttfb_ms": 50}
PROFILE = """
catalogue: catalogue.yaml
reply: Certainly.
legs:
  stt: {delay: 60ms}
  llm: {first_token: 80ms, token_gap: 1ms}
  tts: {first_byte: 50ms, word: 300ms}
  faults:
    - {leg: llm, kind: status, status: 429, at_request: 1}
"""


def scenario_of(folder: Path, services: str, **changed: Any) -> Path:
    body = two_turns(folder)
    body["target"] = {"cascade": {leg: {"url": services, "model": f"my-{leg}"} for leg in LEGS}}
    body |= {"session": {"turn_detection": "manual", "transcription": None}, "load": {"sessions": 1}, **changed}
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One call of two turns, the second of which is refused by the language model."""
    folder = tmp_path_factory.mktemp("cascade")
    profile = folder / "legs.yaml"
    profile.write_text(PROFILE)
    two_turns(folder)
    with server_process(dialect="openai-http", engine="simulated", profile=profile) as (_, services):
        done = bench("run", scenario_of(folder, services), "--out", folder / "run")
    assert done.returncode in {ExitCode.PASS, ExitCode.THRESHOLD_FAILED}, done.stderr
    return folder / "run"


def test_the_stages_of_a_turn_are_in_its_row(run: Path) -> None:
    turn = pd.read_parquet(run / "turns.parquet").iloc[0]
    assert turn["status"] == "ok"
    for column, least_ms in INJECTED.items():
        assert turn[column] >= least_ms - 1
    stages = [*INJECTED, "llm_sentence_ms", "cascade_own_ms"]
    assert sum(turn[column] for column in stages) <= turn["commit_to_first_audio_ms"] + 1
    assert turn["speech_characters"] == len("Certainly.")
    assert turn["speech_model"] == "my-tts"
    assert turn["transcription_model"] == "my-stt"
    assert turn["transcription_seconds"] > 1
    assert turn["provider"] == "cascade"


def test_a_failure_names_its_service(run: Path) -> None:
    turn = pd.read_parquet(run / "turns.parquet").iloc[1]
    assert (turn["status"], turn["error_kind"], turn["error_code"]) == (
        "failed", "rate_limit", "llm_rate_limit_exceeded",
    )  # fmt: skip
    assert turn["stt_ms"] >= INJECTED["stt_ms"] - 1
    assert pd.isna(turn["tts_ttfb_ms"])


def test_what_is_stored_knows_no_address_of_the_run_alone(run: Path) -> None:
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["target"]["model"] == "my-stt + my-llm + my-tts"
    assert manifest["target"]["url"] is None
    assert manifest["scenario"]["target"]["url"] is None
    assert manifest["scenario"]["target"]["cascade"]["sentences"]["split"] == "sentence"


def test_a_service_that_is_not_there_is_named_before_the_first_call(tmp_path: Path) -> None:
    done = bench("run", scenario_of(tmp_path, "http://127.0.0.1:9/v1"), "--out", tmp_path / "run")
    assert done.returncode == ExitCode.UNREACHABLE
    assert not (tmp_path / "run").exists()


def test_a_target_is_called_in_one_way(tmp_path: Path) -> None:
    path = scenario_of(tmp_path, "http://127.0.0.1:9/v1")
    both = bench("run", path, "--set", "target.url=ws://h/v1", "--dry-run")
    assert both.returncode == ExitCode.USAGE
    assert "found with url" in both.stderr
    instead = bench("run", path, "--url", "ws://127.0.0.1:1/v1/realtime", "--dry-run")
    assert instead.returncode == ExitCode.PASS, instead.stderr
    assert "my-stt" not in instead.stdout


@pytest.mark.slow
def test_a_comparison_with_one_model_shows_the_delays_of_the_services(tmp_path: Path) -> None:
    """The difference of the headlines is the sum of the stages, within 5 ms, and those are what was injected."""
    profile, single = tmp_path / "legs.yaml", tmp_path / "single.yaml"
    profile.write_text(PROFILE.partition("  faults:")[0])
    single.write_text(
        "catalogue: catalogue.yaml\ndelays_from: commit\nfirst_token: 0ms\nfirst_audio: 0ms\nleading_silence: 0ms\n"
    )
    two_turns(tmp_path)
    load = {"callers": 1, "sessions": 6}
    with (
        server_process(dialect="openai-http", engine="simulated", profile=profile) as (_, services),
        simulated_server(single) as address,
    ):
        path = scenario_of(tmp_path, services, load=load)
        for name, words in (("one", ("--url", address)), ("three", ())):
            bench("run", path, "--out", tmp_path / name, *words)
    bench("compare", tmp_path / "one", tmp_path / "three", "--out", tmp_path / "compared")
    found = json.loads((tmp_path / "compared" / "compare.json").read_text())
    row = next(row for row in found["pairs"][0]["rows"] if row["measure"] == "first_audible_ms: p50")
    stages = pd.read_parquet(tmp_path / "three" / "turns.parquet")[[*INJECTED, "llm_sentence_ms", "cascade_own_ms"]]
    assert row["value"] == pytest.approx(stages.median().sum(), abs=5)
    # What is left is the way of three requests through this machine, which depends on what else it does.
    added_ms = row["value"] - stages[["llm_sentence_ms", "cascade_own_ms"]].median().sum() - sum(INJECTED.values())
    assert 0 <= added_ms < 30
