"""One call that plays every kind of step: on both engines, and measured again to the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from bench.scenario.steps.step import KINDS
from tests.support.processes import ROOT, bench, simulated_server

CONVERSATION: list[dict[str, Any]] = [
    {"listen": "8s", "ask": True, "id": "greeting"},
    {"say": "opening-hours-slt"},
    {"backchannel": "mm-hm", "after": "500ms"},
    {"interrupt": {"after": "1500ms", "say": "plan-prices-rms"}},
    {"pause": "300ms"},
    {"say": "balance-rms", "expect": {"tool": "lookup_balance", "one_of": ["account", "calling"], "latency": "9s"}},
]
ACCOUNT = {"type": "object", "properties": {"account": {"type": "string"}}}
BALANCE = {"value": "3 dollars.", "delay": "50ms"}
SESSION = {"tools": [{"name": "lookup_balance", "parameters": ACCOUNT, "answer": BALANCE}]}
PROFILE = {
    "reply_length": "3s",
    "barge_in": {"shortest": "700ms"},
    "tools": {"calls": [{"name": "lookup_balance"}]},
}


@contextmanager
def engine(name: str, folder: Path) -> Iterator[list[str]]:
    """What to add to `bench run` so that it calls that engine."""
    if name == "local":
        yield []
        return
    (folder / "profile.yaml").write_text(yaml.safe_dump(PROFILE))
    with simulated_server(folder / "profile.yaml") as url:
        yield ["--url", url]


@pytest.mark.parametrize("name", [pytest.param("local", marks=pytest.mark.slow), "simulated"])
def test_every_kind_of_step(name: str, tmp_path: Path) -> None:
    assert {next(kind for kind in KINDS if kind in step) for step in CONVERSATION} == set(KINDS), "add the new kind"
    scenario = tmp_path / "scenario.yaml"
    catalogue = str(ROOT / "fixtures" / "audio" / "catalogue.yaml")
    body = {"name": "steps", "fixtures": catalogue, "conversation": CONVERSATION, "session": SESSION}
    body |= {"health": {"client_late": "10s"}}
    scenario.write_text(yaml.safe_dump(body))
    assert bench("validate", scenario).returncode == 0
    out = tmp_path / "run"
    with engine(name, tmp_path) as where:
        done = bench("run", scenario, "--out", out, *where)
    tables = [pd.read_parquet(out / file) for file in ("turns.parquet", "sessions.parquet")]
    again = bench("report", out, "--recompute")
    assert again.returncode == done.returncode, again.stdout + again.stderr
    for table, file in zip(tables, ("turns.parquet", "sessions.parquet"), strict=True):
        pd.testing.assert_frame_equal(table, pd.read_parquet(out / file))
    turns, sessions = tables
    turns = turns.sort_values("turn").reset_index(drop=True)
    assert list(turns["step"]) == [1, 3, 5]
    assert list(turns["barge_in"].dropna()) in ([True], [False]), "one turn was to cut in"
    assert turns["tool_calls"][2] == 1
    assert turns["expect_pass"].notna().tolist() == [False, False, True]
    assert sessions["greeting_ms"].notna().all()
    if name == "simulated":
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(turns["status"]) == ["interrupted", "ok", "ok"]
        assert (turns["backchannels"][0], turns["false_barge_in"][0]) == (1, False)
        assert turns["barge_in"][1]
    else:
        # It stops for every sound, as a plain voice detector does.
        assert turns["false_barge_in"][0]
        assert turns["status"][2] == "ok"
