"""A run against a cascade that it starts itself: stages in the rows, and failures that name their service."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile
import yaml

from bench.errors import ExitCode
from bench.scenario.cascade import LEGS
from tests.server.support import server_process
from tests.support.bursts import RATE, noise_burst, two_turns
from tests.support.priority import first_in_line
from tests.support.processes import bench, fresh_server

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


def legs_profile(stt_ms: int, llm_ms: int, tts_ms: int) -> str:
    legs = f"stt: {{delay: {stt_ms}ms}}, llm: {{first_token: {llm_ms}ms}}, tts: {{first_byte: {tts_ms}ms, word: 100ms}}"
    return f"catalogue: bursts.yaml\nreply: Certainly.\nlegs: {{{legs}}}\n"


@pytest.mark.slow
@pytest.mark.parametrize("injected_ms", [(60, 80, 50), (40, 95, 85)], ids=str)
def test_a_comparison_with_one_model_shows_the_delays_of_the_services(
    tmp_path: Path, injected_ms: tuple[int, int, int]
) -> None:
    """The difference of the headlines is the sum of the injected delays, within 5 ms, and so is that of the stages.

    One model and three services answer from simulated servers, in turns that are all alike. A machine that is busy with
    something else delays each of the six messages of a cascade, so three pairs are made, and their median counts. The
    two sets of delays differ by more than the bound.
    """
    single_ms = 100
    (tmp_path / "legs.yaml").write_text(legs_profile(*injected_ms))
    (tmp_path / "single.yaml").write_text(
        "catalogue: bursts.yaml\ndelays_from: commit\nleading_silence: 0ms\nreply: Certainly.\n"
        f"first_token: {single_ms}ms\nfirst_audio: {single_ms}ms\n"
    )
    soundfile.write(tmp_path / "burst.wav", noise_burst(200, 600, 200), RATE, subtype="PCM_16")
    entry = {"id": "burst", "file": "burst.wav", "text": "Hello, there!"}
    (tmp_path / "bursts.yaml").write_text(yaml.safe_dump({"fixtures": [entry]}))
    turns = [{"say": "burst"}, {"pause": "100ms"}] * 6
    found: list[tuple[float, float]] = []
    with (
        first_in_line(),
        fresh_server(dialect="openai-http", engine="simulated", profile=tmp_path / "legs.yaml") as services,
        fresh_server(engine="simulated", profile=tmp_path / "single.yaml") as address,
    ):
        path = scenario_of(
            tmp_path, services, conversation=turns, fixtures="bursts.yaml", load={"callers": 1, "sessions": 2}
        )
        for _ in range(3):
            for name, words in (("one", ("--url", address)), ("three", ())):
                done = bench("run", path, "--out", tmp_path / f"{name}-{len(found)}", *words, cwd=tmp_path)
                assert done.returncode == ExitCode.PASS, done.stderr
            runs = [tmp_path / f"{name}-{len(found)}" for name in ("one", "three")]
            bench("compare", *runs, "--out", tmp_path / f"compared-{len(found)}")
            compared = json.loads((tmp_path / f"compared-{len(found)}" / "compare.json").read_text())
            row = next(row for row in compared["pairs"][0]["rows"] if row["measure"] == "first_audible_ms: p50")
            stages = pd.read_parquet(runs[1] / "turns.parquet")[[*INJECTED, "llm_sentence_ms", "cascade_own_ms"]]
            for column, least_ms in zip(INJECTED, injected_ms, strict=True):
                assert stages[column].min() >= least_ms
            expected_ms = sum(injected_ms) - single_ms
            found.append((row["value"] - expected_ms, stages.median().sum() - single_ms - expected_ms))
    wrong_ms, stages_ms = (statistics.median(each) for each in zip(*found, strict=True))
    assert abs(wrong_ms) <= 5, found
    assert abs(stages_ms) <= 5, found
