"""Calls that are kept as sound: both voices where the rows say they were, and only the calls that were asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
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
first_token: 250ms
first_audio: 300ms
leading_silence: 100ms
reply_length: 400ms
"""


def played(folder: Path, record: dict[str, Any], sessions: int, *words: str, **scenario: Any) -> tuple[Path, str]:
    """The run folder and the text of a run of two turns a call."""
    soundfile.write(folder / "burst.wav", noise_burst(60, 300, 60), RATE, subtype="PCM_16")
    fixtures = {"fixtures": [{"id": "burst", "file": "burst.wav", "text": "Hello, there!"}]}
    (folder / "catalogue.yaml").write_text(yaml.safe_dump(fixtures))
    (folder / "profile.yaml").write_text(PROFILE)
    body = {
        "name": "recorded",
        "fixtures": "catalogue.yaml",
        "session": {"transcription": None},
        "conversation": [{"say": "burst"}, {"say": "burst"}],
        "load": {"callers": 3, "sessions": sessions},
        "health": {"client_late": "300ms"},
        "record": record,
        **scenario,
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(body))
    with simulated_server(folder / "profile.yaml") as url:
        done = bench("run", folder / "scenario.yaml", "--url", url, "--out", folder / "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run", done.stdout


def onsets_s(channel: np.ndarray, rate_hz: int) -> np.ndarray:
    """When sound begins after 100 ms of silence."""
    loud = np.flatnonzero(np.abs(channel) > 0.01)
    return loud[np.flatnonzero(np.diff(loud, prepend=-rate_hz) > rate_hz // 10)] / rate_hz


def check(run: Path) -> int:
    """Compare every recording with the rows; how many there are."""
    turns, calls = pd.read_parquet(run / "turns.parquet"), pd.read_parquet(run / "sessions.parquet")
    files = sorted((run / "calls").glob("call-*.wav"))
    for file in files:
        sound, rate_hz = soundfile.read(file)
        call = calls[calls["session_index"] == int(file.stem.removeprefix("call-"))].iloc[0]
        own = turns[turns["session_id"] == call["session_id"]].sort_values("turn")
        ready_s = call["started_at"] + (call["session_ready_ms"] - call["start_late_ms"]) / 1000
        said_s = own["started_at"].to_numpy() - ready_s + 0.060
        caller, agent = (onsets_s(sound[:, side], rate_hz) for side in (0, 1))
        assert caller == pytest.approx(said_s, abs=0.002)
        heard_s = said_s + 0.300 + own["first_audible_ms"].to_numpy() / 1000
        assert agent == pytest.approx(heard_s, abs=0.003)
    return len(files)


def test_both_voices_are_where_the_rows_say(tmp_path: Path) -> None:
    run, text = played(tmp_path, {"share": "100%"}, 3)
    assert check(run) == 3
    assert "RECORDED CALLS" in text
    page = (run / "report.html").read_text()
    assert page.count("<audio") == 3
    assert 'src="calls/call-000000.wav"' in page
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["calls_recorded"] == 3
    assert manifest["recording_s"] > 0
    assert bench("report", run, "--out", tmp_path / "elsewhere").returncode == 0
    assert 'src="../run/calls/call-000000.wav"' in (tmp_path / "elsewhere" / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_only_the_slowest_are_kept(tmp_path: Path, workers: str) -> None:
    run, _ = played(tmp_path, {"slowest": 2}, 9, "--workers", workers)
    assert check(run) == 2
    turns = pd.read_parquet(run / "turns.parquet")
    slowest = turns.groupby("session_index")["first_audible_ms"].max().nlargest(2).index
    assert {int(file.stem.removeprefix("call-")) for file in (run / "calls").iterdir()} == set(slowest)


@pytest.mark.slow
def test_a_share_is_the_same_calls_every_time(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, _ = played(tmp_path / "one", {"share": 0.4}, 15, "--workers", "0")
    two, _ = played(tmp_path / "two", {"share": 0.4}, 15, "--workers", "2")
    assert check(one) == check(two)
    assert {file.name for file in (one / "calls").iterdir()} == {file.name for file in (two / "calls").iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["pcmu", "pcma"])
def test_telephone_calls_are_recorded_too(tmp_path: Path, codec: str) -> None:
    run, _ = played(
        tmp_path, {"share": "100%"}, 3, session={"transcription": None, "input_format": codec, "output_format": codec}
    )
    assert check(run) == 3
