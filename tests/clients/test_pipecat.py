"""A bot whose messages are made and read by pipecat, as it is installed, called as Twilio would call it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

pytest.importorskip("pipecat.serializers.twilio", reason="needs the extra 'clients'")

from bench.store.reader import read_run
from tests.support.processes import ROOT, bench

PAUSE_MS = 400


def turns_with(folder: Path, conversation: list[dict[str, Any]], tone_ms: int) -> pd.DataFrame:
    """The turns of calls to a bot that answers after `PAUSE_MS` with a tone of this length."""
    scenario = {
        "name": "pipecat",
        "target": {"dialect": "twilio-media-streams", "url": "ws://127.0.0.1:9/ws"},
        "session": {"frame": "20ms"},
        "fixtures": str(ROOT / "fixtures" / "audio" / "catalogue.yaml"),
        "conversation": conversation,
        "load": {"callers": 2, "sessions": 2, "ramp": "500ms"},
        "health": {"client_late": "10s"},
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    command = [sys.executable, str(Path(__file__).with_name("pipecat_bot.py")), str(PAUSE_MS), str(tone_ms)]
    bot = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert bot.stdin is not None
    assert bot.stdout is not None
    try:
        port = int(bot.stdout.readline())
        done = bench("run", folder / "scenario.yaml", "--url", f"ws://127.0.0.1:{port}/ws", "--out", folder / "run")
    finally:
        bot.stdin.close()
        bot.wait(10)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_run(folder / "run").turns


@pytest.mark.slow
def test_a_pipecat_bot_is_called(tmp_path: Path) -> None:
    turns = turns_with(tmp_path, [{"say": "yes-rms"}, {"say": "yes-slt"}], 600)
    assert list(turns["status"]) == ["ok"] * 4
    # The bot hears 300 ms of what it takes for silence, waits, and sends at once.
    assert turns["first_audible_ms"].between(PAUSE_MS + 50, PAUSE_MS + 600).all(), turns["first_audible_ms"]


def test_a_pipecat_bot_is_interrupted(tmp_path: Path) -> None:
    cut_in = {"interrupt": {"after": "500ms", "say": "no-wrong-kal16"}}
    turns = turns_with(tmp_path, [{"say": "yes-rms"}, cut_in], 3_000)
    assert sorted(turns["status"]) == ["interrupted"] * 2 + ["ok"] * 2
    cut = turns[turns["barge_in"].fillna(False)]
    assert len(cut) == 2
    # It clears what was to be played as soon as it hears a loud piece of 20 ms.
    assert cut["barge_in_stop_ms"].between(0, 400).all(), cut["barge_in_stop_ms"]
    assert cut["barge_in_at_ms"].between(400, 800).all(), cut["barge_in_at_ms"]
