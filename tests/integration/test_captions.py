"""Sessions that only transcribe, against a server that knows when it sent each word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from bench.calibrate.captions import check_captions, worst_ms
from bench.calibrate.sent import log_files, read_truth
from bench.facts.signals import InputTranscript
from bench.store.reader import iter_timelines, read_run
from tests.support.processes import ROOT, bench, simulated_server

SPOKEN = ("balance-rms", "plan-prices-awb")


def play(folder: Path, profile: dict[str, Any], load: dict[str, Any], *words: str, **session: Any) -> str:
    catalogue = yaml.safe_load((ROOT / "fixtures" / "audio" / "catalogue.yaml").read_text())
    kept = [each for each in catalogue["fixtures"] if each["id"] in SPOKEN]
    for each in kept:
        each["file"] = str(ROOT / "fixtures" / "audio" / each["file"])
    (folder / "catalogue.yaml").write_text(yaml.safe_dump({"fixtures": kept}))
    (folder / "profile.yaml").write_text(
        yaml.safe_dump({"catalogue": "catalogue.yaml", "endpointing": "250ms", **profile})
    )
    body = {
        "name": "captions",
        "target": {"url": "ws://127.0.0.1:9/"},
        "fixtures": "catalogue.yaml",
        "session": {"type": "transcription", "transcription": {"model": "gpt-realtime-whisper"}, **session},
        "conversation": [{"say": name} for name in SPOKEN],
        "load": load,
        "timeouts": {"reply": "2s"},
        "health": {"client_late": "10s"},
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(body))
    with simulated_server(folder / "profile.yaml", truth_log=folder / "truth.jsonl") as url:
        done = bench("run", folder / "scenario.yaml", "--url", f"{url}", "--out", folder / "run", *words)
    return done.stdout + done.stderr


def turns_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "run" / "turns.parquet").sort_values(["session_index", "turn"])


def checked(folder: Path) -> pd.DataFrame:
    truth = read_truth(log_files(folder / "truth.jsonl"))
    return check_captions(read_run(folder / "run"), iter_timelines(folder / "run"), truth)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("captions")
    faults = [
        {"kind": "transcription", "how": how, "at_turn": 1, "sessions": [place]}
        for place, how in enumerate(("failed", "never"))
    ]
    profile = {"captions": {"delay": "200ms", "style": "updated", "unstable": 0.3}, "faults": faults}
    return folder, play(folder, profile, {"callers": 3, "sessions": 3, "ramp": "600ms"})


def test_each_word_is_timed_as_the_server_sent_it(ran: tuple[Path, str]) -> None:
    good = checked(ran[0]).dropna(subset=["shown_ms"])
    assert len(good) > 30, ran[1]
    assert good["shown_ms_true"].notna().all()
    for column in ("shown_ms_error", "settled_ms_error", "final_ms_error"):
        # Bounds hold on a busy machine; what one that is not shows is in `test_fifty_calls_at_once`.
        assert worst_ms(good, column, 0.9) < 15, column
    assert worst_ms(good, "word_end_ms_error", 0.5) < 15, "both sides know the same ends of words"
    assert (good["changes"] == good["changes_true"]).all()
    assert good["changes"].max() > 0
    assert (good["settled_ms"] >= good["shown_ms"]).all()


def test_a_turn_ends_with_its_text_and_says_what_became_of_it(ran: tuple[Path, str]) -> None:
    turns = turns_of(ran[0])
    assert set(turns["session_type"]) == {"transcription"}
    outcomes = {
        (row["session_index"], row["turn"]): (row["status"], row["error_kind"], row["error_code"], row["stage"])
        for row in turns.to_dict("records")
        if row["status"] != "ok"
    }
    assert outcomes == {
        (0, 1): ("failed", "server", "transcription_failed", "transcription"),
        (1, 1): ("no_reply", "timeout", "transcription_timeout", "transcription"),
    }
    good = turns[turns["status"] == "ok"]
    assert (good["wer"] == 0).all()
    assert good["first_audio_ms"].isna().all()
    assert (good["cost_usd"] > 0).all()


def test_the_report_has_the_captions(ran: tuple[Path, str]) -> None:
    for said in ("CAPTIONS: DELAY OF WORDS", "Words changed after they were shown", "Cost per minute of speech"):
        assert said in ran[1]
    assert "FIRST AUDIBLE" not in ran[1].upper().split("THRESHOLDS", 1)[1]


@pytest.mark.slow
def test_a_transcription_at_once_has_the_delay_of_its_turn(tmp_path: Path) -> None:
    """Push to talk, and no word before the end: what is shown is final."""
    output = play(tmp_path, {}, {"callers": 1, "sessions": 1}, turn_detection="manual")
    turns = turns_of(tmp_path)
    assert list(turns["status"]) == ["ok", "ok"], output
    assert (turns["word_settled_worst_ms"] > turns["word_settled_ms"]).all()
    assert (turns["caption_changes"] == 0).all()
    assert np.allclose(turns["caption_final_ms"], turns["transcription_ms"])


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("style", ["delta", "updated"])
def test_fifty_calls_at_once(tmp_path: Path, style: str, workers: int) -> None:
    profile = {"captions": {"delay": {"lognormal": {"median": "250ms", "sigma": 0.2}}, "style": style, "unstable": 0.1}}
    words = ["--workers", str(workers)] if workers else []
    output = play(tmp_path, profile, {"callers": 50, "sessions": 50, "ramp": "3s"}, *words)
    good = checked(tmp_path)
    assert len(good) > 500, output
    for column in ("shown_ms_error", "settled_ms_error", "final_ms_error"):
        assert worst_ms(good, column) <= 2, column
    assert (good["changes"] == good["changes_true"]).all()


def whisper(folder: Path, legs: dict[str, Any], load: dict[str, Any], *words: str) -> str:
    (folder / "profile.yaml").write_text(yaml.safe_dump({"legs": legs}))
    body = {
        "name": "files",
        "target": {"dialect": "openai-transcriptions", "url": "URL"},
        "session": {"type": "transcription", "transcription": {"model": "whisper-1"}, "turn_detection": "manual"},
        "conversation": [{"say": "yes-slt"}, {"say": "balance-rms"}],
        "load": load,
        "health": {"client_late": "10s"},
    }
    truth = folder / "truth.jsonl"
    with simulated_server(folder / "profile.yaml", truth_log=truth, dialect="openai-http") as url:
        (folder / "scenario.yaml").write_text(yaml.safe_dump(body).replace("URL", url))
        done = bench("run", folder / "scenario.yaml", "--out", folder / "run", *words)
    return done.stdout + done.stderr


def answers_ms(folder: Path) -> tuple[list[float], list[float]]:
    """When each text arrived, and when the server had written it, in order, ms."""
    lines = [json.loads(line) for line in (folder / "truth.jsonl").read_bytes().splitlines()]
    sent = sorted(line["first_ns"] / 1e6 for line in lines if line["kind"] == "request" and line["status"] == 200)
    came = [
        entry.signal.at_ns / 1e6
        for timeline in iter_timelines(folder / "run")
        for entry in timeline.entries
        if isinstance(entry.signal, InputTranscript)
    ]
    return sorted(came), sent


def test_a_transcriber_of_files_beside_it(tmp_path: Path) -> None:
    fault = {"leg": "stt", "kind": "status", "status": 429, "at_request": 1}
    output = whisper(tmp_path, {"stt": {"delay": "150ms"}, "faults": [fault]}, {"callers": 1, "sessions": 1})
    turns = turns_of(tmp_path)
    assert list(turns["status"]) == ["ok", "failed"], output
    assert list(turns["error_kind"])[1] == "rate_limit"
    first = turns.iloc[0]
    assert first["caption_final_ms"] > 150 + 100, "the caller lets go 100 ms after the end of speech"
    assert (first["wer"], first["caption_updates"]) == (0, 0)
    assert first["cost_usd"] > 0
    came, sent = answers_ms(tmp_path)
    assert np.abs(np.array(came) - np.array(sent)).max() < 15


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_fifty_callers_with_files(tmp_path: Path, workers: int) -> None:
    words = ["--workers", str(workers)] if workers else []
    delay = {"lognormal": {"median": "200ms", "sigma": 0.3}}
    output = whisper(tmp_path, {"stt": {"delay": delay}}, {"callers": 50, "sessions": 50, "ramp": "5s"}, *words)
    assert (turns_of(tmp_path)["status"] == "ok").all(), output
    came, sent = answers_ms(tmp_path)
    assert len(came) == len(sent) == 100
    assert np.quantile(np.abs(np.array(came) - np.array(sent)), 0.99) <= 2
