"""A server that left Nagle's algorithm on is measured as what it does, not as what our acknowledgements make of it.

For a quiet machine: on a full one the server itself is late.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from bench.scenario.model import shipped_catalogue
from bench.transport.wire import QUICKACK
from tests.support.processes import bench, simulated_server

ENDPOINTING_MS = 300
CASES = [(frame_ms, delay_ms) for frame_ms in (20, 40, 100) for delay_ms in (50, 150, 400)]


@pytest.mark.skipif(QUICKACK is None, reason="only Linux acknowledges at once")
@pytest.mark.slow
@pytest.mark.parametrize("frame_ms, delay_ms", CASES)
def test_first_audio_is_right_though_the_server_gathers_messages(tmp_path: Path, frame_ms: int, delay_ms: int) -> None:
    first_audio_ms = ENDPOINTING_MS + delay_ms
    profile, scenario, out = tmp_path / "profile.yaml", tmp_path / "scenario.yaml", tmp_path / "run"
    delays = {"endpointing": f"{ENDPOINTING_MS}ms", "first_token": f"{first_audio_ms}ms"}
    profile.write_text(
        yaml.safe_dump({"name": "gathers", **delays, "first_audio": f"{first_audio_ms}ms", "leading_silence": "0ms"})
    )
    body = {
        "name": "nagle",
        "fixtures": str(shipped_catalogue()),
        "session": {"frame": f"{frame_ms}ms", "turn_detection": "server_vad"},
        "conversation": [{"say": "balance-rms"}],
        "load": {"callers": 3, "sessions": 6},
        "health": {"client_late": "10s"},
    }
    scenario.write_text(yaml.safe_dump(body))
    with simulated_server(profile, nagle=True) as url:
        done = bench("run", scenario, "--url", url, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    turns = pd.read_parquet(out / "turns.parquet")
    error_ms = turns["first_audio_ms"] - first_audio_ms
    assert len(turns) == 6
    assert -1 < error_ms.median() < 5, error_ms.tolist()
