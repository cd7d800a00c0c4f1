"""Latency does not depend on the format of the audio: one run over all of them against servers of equal delays."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import yaml

from tests.support.processes import ROOT, bench, simulated_server

FRAME_MS = 20
FORMATS = ("pcm16", "pcmu", "pcma")
WIDEBAND = "gemini-live"
"""A dialect that sends 16 kHz of the caller's audio and brings 24 kHz of the reply's."""
PROFILE = {
    "seed": 6,
    "endpointing": "300ms",
    "first_token": "330ms",
    "first_audio": "350ms",
    "leading_silence": "60ms",
    "reply_length": "300ms",
}
TRUE_FIRST_AUDIBLE_MS = 350 + 60
CALLS_EACH = 2


@pytest.fixture(scope="module")
def turns(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The turns of one run that calls every pair of formats, and the dialect of another rate, in turn."""
    folder = tmp_path_factory.mktemp("formats")
    profile = folder / "profile.yaml"
    profile.write_text(yaml.safe_dump(PROFILE))
    with simulated_server(profile) as openai, simulated_server(profile, dialect=WIDEBAND) as wideband:
        targets: dict[str, Any] = {
            f"{heard}-{spoken}": {"url": openai, "session": {"input_format": heard, "output_format": spoken}}
            for heard in FORMATS
            for spoken in FORMATS
        }
        targets[WIDEBAND] = {"url": wideband, "dialect": WIDEBAND}
        sessions = CALLS_EACH * len(targets)
        scenario = {
            "name": "formats",
            "targets": {name: {"model": "simulated", **target} for name, target in targets.items()},
            "fixtures": str(ROOT / "fixtures" / "audio" / "catalogue.yaml"),
            "session": {"frame": f"{FRAME_MS}ms"},
            "conversation": [{"say": "yes-rms"}],
            "load": {"interleave": True, "callers": sessions, "sessions": sessions, "ramp": "500ms"},
            "health": {"client_late": "10s"},
            "timeouts": {"reply": "4s", "transcription": "1s"},
        }
        (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
        done = bench("run", folder / "scenario.yaml", "--out", folder / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    turns = pd.read_parquet(folder / "run" / "turns.parquet")
    assert turns.groupby("target").size().to_dict() == dict.fromkeys(targets, CALLS_EACH)
    return turns


def test_first_audible_is_the_same_in_every_format(turns: pd.DataFrame) -> None:
    by_format = turns.groupby("target")["first_audible_ms"].median()
    assert by_format.max() - by_format.min() < FRAME_MS, by_format
    assert (by_format - TRUE_FIRST_AUDIBLE_MS).abs().max() < FRAME_MS, by_format


def test_every_format_brings_the_same_words_and_the_same_audio(turns: pd.DataFrame) -> None:
    assert (turns["wer"] == 0).all(), "the server knows the recording in every format"
    assert turns["reply_audio_ms"].between(359, 361).all()
