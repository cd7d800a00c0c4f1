"""A recogniser listens to the replies of recorded calls: exact counts, and a listener that fails costs no report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from tests.support.bursts import RATE, noise_burst
from tests.support.processes import bench, simulated_server

WRITTEN = "Your order will be with you on Monday."
EAR = """
import numpy as np

def loud_ms(samples, rate_hz):
    return np.count_nonzero(np.abs(samples) > 300) * 1000 / rate_hz

def hear(samples, rate_hz, language):
    assert samples.dtype == np.int16 and language == "en", (samples.dtype, language)
    if 300 < loud_ms(samples, rate_hz) < 420:
        return "your order will be with me on monday morning"
    return "something else"

def perfect(samples, rate_hz, language):
    return "Your order will be with you on Monday!"

def broken(samples, rate_hz, language):
    raise RuntimeError("no model")
"""
PROFILE = {
    "catalogue": "catalogue.yaml",
    "endpointing": "180ms",
    "first_token": "250ms",
    "first_audio": "300ms",
    "leading_silence": "100ms",
    "reply": WRITTEN,
    "reply_length": "400ms",
}


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a run of two calls of two turns, with its scenario and an ear beside it; and what it printed."""
    folder = tmp_path_factory.mktemp("heard")
    soundfile.write(folder / "burst.wav", noise_burst(60, 300, 60), RATE, subtype="PCM_16")
    entry = {"id": "burst", "file": "burst.wav", "text": "Hello, there!", "language": "en"}
    (folder / "catalogue.yaml").write_text(yaml.safe_dump({"fixtures": [entry]}))
    (folder / "profile.yaml").write_text(yaml.safe_dump(PROFILE))
    (folder / "ear.py").write_text(EAR)
    scenario = {
        "name": "heard",
        "fixtures": "catalogue.yaml",
        "conversation": [{"say": "burst"}, {"say": "burst"}],
        "load": {"callers": 2, "sessions": 2},
        "health": {"client_late": "10s"},
        "record": {"share": "100%", "reply_words": "ear:hear"},
        "thresholds": ["reply_wer < 30%"],
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    with simulated_server(folder / "profile.yaml") as url:
        done = bench("run", folder / "scenario.yaml", "--url", url, "--out", folder / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def turns_of(folder: Path) -> pd.DataFrame:
    table = pd.read_parquet(folder / "run" / "turns.parquet")
    return table.sort_values(["session_index", "turn"]).reset_index(drop=True)


def test_the_counts_are_those_of_what_was_heard(heard: tuple[Path, str]) -> None:
    folder, printed = heard
    turns = turns_of(folder)
    assert (turns["reply_hypothesis"] == "your order will be with me on monday morning").all()
    counts = turns[["reply_hits", "reply_substitutions", "reply_deletions", "reply_insertions"]].to_numpy(dtype=int)
    assert np.array_equal(counts, [[7, 1, 0, 1]] * 4)
    assert (turns["reply_wer"] == 2 / 8).all()
    assert (turns["wer"] == 0).all(), "the words of the caller are another matter"
    known = json.loads((folder / "run" / "run.json").read_text())["reply_words"]
    assert (known["recogniser"], known["listened"]) == ("ear:hear", 4)
    assert known["floor_errors"] > 0.8 * known["floor_words"], "it hears something else in every known sentence"
    assert known["other_words"] is None, "all replies are the same"
    assert "Reply WER, pooled" in printed
    assert "reply_wer" in printed, "a threshold may be about it"


def test_measured_again_what_was_heard_stays(heard: tuple[Path, str]) -> None:
    folder, _ = heard
    before = turns_of(folder)
    assert bench("report", folder / "run", "--recompute").returncode == 0
    pd.testing.assert_frame_equal(before, turns_of(folder))


def test_another_ear_may_listen_later(heard: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = heard
    monkeypatch.chdir(folder)
    failed = bench("report", "run", "--reply-words", "ear:broken")
    assert failed.returncode == 2
    assert "ear:broken failed: RuntimeError: no model" in failed.stderr
    assert (turns_of(folder)["reply_wer"] == 2 / 8).all()
    again = bench("report", "run", "--reply-words", "ear:perfect")
    assert again.returncode == 0, again.stdout + again.stderr
    assert (turns_of(folder)["reply_wer"] == 0).all()


def test_an_ear_that_is_not_there_is_told_before_the_run(heard: tuple[Path, str]) -> None:
    folder, _ = heard
    words = ("--set", "record.reply_words=ear:deaf", "--out", folder / "none")
    done = bench("run", folder / "scenario.yaml", "--url", "ws://127.0.0.1:9/", *words)
    assert done.returncode == 2
    assert "record.reply_words: ear:deaf cannot be imported" in done.stderr
    assert not (folder / "none").exists()
    done = bench("validate", folder / "scenario.yaml", "--set", "record.reply_words=whisper")
    assert done.returncode == 2
    assert "found 'whisper'; allowed: pocketsphinx, or module:function" in done.stdout + done.stderr
