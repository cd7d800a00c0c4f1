"""Silence on the line and the agent's pace, against servers that differ in nothing but these."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.support.processes import ROOT, bench, simulated_server

NEAR_MS = 15
"""Bound on the least of a few: servers and callers share a machine with other tests, which only makes them later."""
BASE: dict[str, Any] = {
    "seed": 9,
    "endpointing": "200ms",
    "first_token": "280ms",
    "first_audio": "300ms",
    "leading_silence": "100ms",
    "reply": "One two three four five six seven eight nine ten.",
    "reply_length": "2s",
}
LOOKUP = {
    "calls": [{"name": "lookup"}],
    "after": "300ms",
    "preamble": "One moment, please.",
    "preamble_length": "400ms",
    "first_audio": "200ms",
}
PROFILES: dict[str, dict[str, Any]] = {
    "plain": BASE,
    "hasty": {**BASE, "reply_length": "1s", "leading_silence": "900ms"},
    "looks-up": {**BASE, "tools": LOOKUP},
}
TOOL_MS = 900


@pytest.fixture(scope="module")
def turns(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The turns of one run that calls each server in turn, by server."""
    folder = tmp_path_factory.mktemp("dead-air")
    with ExitStack() as running:
        urls = {}
        for name, profile in PROFILES.items():
            (folder / f"{name}.yaml").write_text(yaml.safe_dump(profile))
            urls[name] = running.enter_context(simulated_server(folder / f"{name}.yaml"))
        tool = {"name": "lookup", "parameters": {"type": "object"}, "answer": {"value": "ok", "delay": f"{TOOL_MS}ms"}}
        scenario = {
            "name": "dead-air",
            "targets": {name: {"url": url, "model": "simulated"} for name, url in urls.items()},
            "fixtures": str(ROOT / "fixtures" / "audio" / "catalogue.yaml"),
            "session": {"tools": [tool]},
            "conversation": [{"say": "yes-rms"}],
            "load": {"interleave": True, "callers": 9, "sessions": 9, "ramp": "500ms"},
            "listener": {"jitter_buffer": "0ms"},
            "health": {"client_late": "10s"},
        }
        (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
        done = bench("run", folder / "scenario.yaml", "--out", folder / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    return pd.read_parquet(folder / "run" / "turns.parquet").groupby("target")


def test_a_server_that_waits_leaves_its_wait_as_dead_air(turns: Any) -> None:
    silent_ms = turns["dead_air_ms"].min()
    assert silent_ms["plain"] == pytest.approx(300 + 100, abs=NEAR_MS)
    assert silent_ms["hasty"] == pytest.approx(300 + 900, abs=NEAR_MS)


def test_the_wait_for_a_tool_is_dead_air_behind_the_preamble(turns: Any) -> None:
    table = turns.get_group("looks-up")
    # After the call: our tool, and the server's 200 ms and 100 ms of silence, in which the preamble is still heard.
    answered_ms = table["tool_ms"] + table["tool_answer_ms"] + 200 + 100
    preamble_ms = 400
    assert (table["dead_air_ms"] - (answered_ms - preamble_ms)).abs().min() < 2 * NEAR_MS
    assert (table["longest_dead_air_ms"] > TOOL_MS - preamble_ms - NEAR_MS).all()
    assert (table["dead_air_ms"] > table["longest_dead_air_ms"]).all(), "there was a wait before the preamble too"


def test_an_agent_that_speaks_twice_as_fast_has_twice_the_rate(turns: Any) -> None:
    pace = turns["reply_words_per_min"].median()
    assert pace["plain"] == pytest.approx(10 / (2 / 60), rel=0.005)
    assert pace["hasty"] == pytest.approx(10 / (1 / 60), rel=0.005)
