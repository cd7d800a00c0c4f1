"""The whole instrument against an independent server with a known truth."""

from __future__ import annotations

import json
from pathlib import Path

import jiwer
import numpy as np
import pandas as pd
import pytest
import yaml
from whisper_normalizer.english import EnglishTextNormalizer

from bench.measure.words.normaliser import normalise
from tests.support.processes import bench, voice_server


def turns_of(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "turns.parquet")


@pytest.mark.parametrize("mode", ["server_vad", "manual"])
def test_latencies_agree_with_what_the_server_did(scenario: Path, tmp_path: Path, mode: str) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        done = bench(
            "run", scenario, "--url", url, "--out", out, "--set", "load.callers=12", "--set", "load.sessions=12",
            "--set", f"session.turn_detection={mode}",
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    turns = turns_of(out)
    assert len(turns) == 24
    assert set(turns["status"]) == {"ok"}
    actual_ms = turns["reply_text"].str.split().str[0].astype(float)
    error_ms = (turns["first_audio_ms"] - actual_ms).to_numpy(dtype=float)
    # Bounds hold on a busy machine: what the server kept is known, only its own send and our lateness remain.
    assert abs(np.median(error_ms)) < 3
    assert np.percentile(np.abs(error_ms), 90) < 15
    silence_ms = (turns["first_audible_ms"] - turns["first_audio_ms"]).to_numpy(dtype=float)
    assert np.abs(silence_ms - 120).max() < 3
    if mode == "manual":
        assert turns["endpoint_ms"].isna().all()
        assert (turns["commit_to_first_audio_ms"] < turns["first_audio_ms"]).all()
    else:
        assert (turns["endpoint_ms"] > 290).all()
    assert (turns["hypothesis"] == "hello there").all()
    assert (turns["wer"] == 0).all()
    assert (turns["wer_raw"] > 0).all()
    assert turns["cost_usd"].isna().all(), "the model has no price, which is not a price of zero"


def test_a_longer_silence_before_the_reply_is_heard_as_such(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    # Within the first 200 ms, the server's first chunk: in a later one it would wait for a server that is held up.
    with voice_server(silence_ms=185, delay_ms=450) as url:
        assert bench("run", scenario, "--url", url, "--out", out).returncode == 0
    turns = turns_of(out)
    assert np.abs(turns["leading_silence_ms"].to_numpy(dtype=float) - 185).max() < 3
    assert turns["first_audio_ms"].median() < 500


def test_the_summary_says_what_the_rows_say(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        done = bench("run", scenario, "--url", url, "--out", out)
    assert done.returncode == 0
    manifest = json.loads((out / "run.json").read_text())
    assert manifest["state"] == "finished"
    for name in ("summary.json", "report.html", "report.md", "turns.csv", "sessions.parquet"):
        assert (out / name).stat().st_size > 0
    again = bench("report", out)
    assert again.returncode == 0
    assert again.stdout.strip() in done.stdout


def test_wer_is_jiwers_and_whispers_stands_beside_it(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    heard = "hello their, mister Smith owes 25 dollars"
    catalogue = tmp_path / "catalogue.yaml"
    spoken = ["Hello there! Mr. Smith owes twenty-five dollars.", "HELLO, it's Mr Smith's $25."]
    body = yaml.safe_load(catalogue.read_text())
    for entry, text in zip(body["fixtures"], spoken, strict=True):
        entry["text"] = text
    catalogue.write_text(yaml.safe_dump(body))
    with voice_server(transcript=heard) as url:
        done = bench("run", scenario, "--url", url, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    whisper = EnglishTextNormalizer()
    turns = turns_of(out)

    def words_of(name: str) -> list[str]:
        return [normalise(text, "en") for text in turns[name]]

    expected = jiwer.process_words(words_of("reference"), words_of("hypothesis"))
    for row in turns.to_dict("records"):
        theirs = jiwer.process_words(whisper(row["reference"]), whisper(row["hypothesis"]))
        assert row["wer_whisper"] == pytest.approx(theirs.wer)
    summary = json.loads((out / "summary.json").read_text())
    errors = turns[["substitutions", "deletions", "insertions"]].sum().sum()
    words = turns[["hits", "substitutions", "deletions"]].sum().sum()
    assert errors / words == pytest.approx(expected.wer)
    assert expected.wer > 0
    assert f"{expected.wer:.4f}"[:5] in json.dumps(summary)


def test_the_same_events_measured_again_give_the_same_rows(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        assert bench("run", scenario, "--url", url, "--out", out).returncode == 0
    before = turns_of(out).sort_values(["session_index", "turn"]).reset_index(drop=True)
    assert bench("report", out, "--recompute", "--price-as", "gpt-realtime-mini").returncode == 0
    after = turns_of(out).sort_values(["session_index", "turn"]).reset_index(drop=True)
    costs = [column for column in before if column.startswith("cost_")]
    pd.testing.assert_frame_equal(before.drop(columns=costs), after.drop(columns=costs))
    assert (out / "turns.as-run.parquet").exists()
