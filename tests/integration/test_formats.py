"""Latency does not depend on the format of the audio: one run over all of them against servers of equal delays."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import yaml

from bench.calibrate.sent import log_files, read_truth
from bench.calibrate.truth import check_turns
from bench.store.reader import iter_timelines, read_run
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
CALLS_EACH = 3


@pytest.fixture(scope="module")
def turns(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The turns of one run that calls every pair of formats, and the dialect of another rate, in turn."""
    folder = tmp_path_factory.mktemp("formats")
    profile = folder / "profile.yaml"
    profile.write_text(yaml.safe_dump(PROFILE))
    logs = [folder / "openai.jsonl", folder / "wideband.jsonl"]
    with (
        simulated_server(profile, truth_log=logs[0]) as openai,
        simulated_server(profile, truth_log=logs[1], dialect=WIDEBAND) as wideband,
    ):
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
            "load": {"interleave": True, "callers": len(targets), "sessions": sessions, "ramp": "500ms"},
            "health": {"client_late": "10s"},
            "timeouts": {"reply": "4s", "transcription": "1s"},
        }
        (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
        done = bench("run", folder / "scenario.yaml", "--out", folder / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    run = read_run(folder / "run")
    turns = run.turns
    assert turns.groupby("target").size().to_dict() == dict.fromkeys(targets, CALLS_EACH)
    truth = {name: session for log in logs for name, session in read_truth(log_files(log)).items()}
    checked = check_turns(run, iter_timelines(folder / "run"), truth)
    keys = ["session_id", "turn"]
    return turns.merge(checked[[*keys, "first_audible_ms_true", "first_audible_ms_error"]], on=keys, validate="1:1")


def test_first_audible_is_the_same_in_every_format(turns: pd.DataFrame) -> None:
    # Against what the server wrote, which a busy machine holds up too; of a few calls the one that was least disturbed.
    errors_ms = turns["first_audible_ms_error"].groupby(turns["target"]).agg(lambda each: each.abs().min())
    assert errors_ms.max() < FRAME_MS / 4, errors_ms
    # By equal delays from the end of speech on: none of the formats hears the end of speech at another time.
    true_ms = turns["first_audible_ms_true"].groupby(turns["target"]).min()
    assert (true_ms - TRUE_FIRST_AUDIBLE_MS).abs().max() < FRAME_MS, true_ms


def test_every_format_brings_the_same_words_and_the_same_audio(turns: pd.DataFrame) -> None:
    assert (turns["wer"] == 0).all(), "the server knows the recording in every format"
    assert turns["reply_audio_ms"].between(359, 361).all()
