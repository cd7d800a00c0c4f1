"""A bot whose messages are made and read by pipecat, as it is installed, called as Twilio would call it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("pipecat.serializers.twilio", reason="needs the extra 'clients'")

from bench.store.reader import read_run
from tests.support.processes import ROOT, bench

PAUSE_MS = 400


def test_a_pipecat_bot_is_called(tmp_path: Path) -> None:
    scenario = {
        "name": "pipecat",
        "target": {"dialect": "twilio-media-streams", "url": "ws://127.0.0.1:9/ws"},
        "session": {"frame": "20ms"},
        "fixtures": str(ROOT / "fixtures" / "audio" / "catalogue.yaml"),
        "conversation": [{"say": "yes-rms"}, {"say": "yes-slt"}],
        "load": {"callers": 2, "sessions": 2, "ramp": "500ms"},
        "health": {"client_late": "10s"},
    }
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    command = [sys.executable, str(Path(__file__).with_name("pipecat_bot.py")), str(PAUSE_MS)]
    bot = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert bot.stdin is not None
    assert bot.stdout is not None
    try:
        port = int(bot.stdout.readline())
        done = bench("run", tmp_path / "scenario.yaml", "--url", f"ws://127.0.0.1:{port}/ws", "--out", tmp_path / "run")
    finally:
        bot.stdin.close()
        bot.wait(10)
    assert done.returncode == 0, done.stdout + done.stderr
    turns = read_run(tmp_path / "run").turns
    assert list(turns["status"]) == ["ok"] * 4
    # The bot hears 300 ms of what it takes for silence, waits, and sends at once.
    assert turns["first_audible_ms"].between(PAUSE_MS + 50, PAUSE_MS + 600).all(), turns["first_audible_ms"]
