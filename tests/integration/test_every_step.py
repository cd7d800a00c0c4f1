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
    {"pause": "100ms"},
    {"say": "hours-friday-slt"},
    {"backchannel": "mm-hm", "after": "200ms"},
    {
        "interrupt": {"after": "1200ms", "say": "balance-slt"},
        "expect": {"tool": "lookup_balance", "one_of": ["3 dollars", "calling"], "latency": "9s"},
    },
]
ACCOUNT = {"type": "object", "properties": {"account": {"type": "string"}}}
BALANCE = {"value": "3 dollars.", "delay": "50ms"}
SESSION = {
    "tools": [{"name": "lookup_balance", "parameters": ACCOUNT, "answer": BALANCE}],
    "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
}
PROFILE = {
    "endpointing": "250ms",
    "first_token": "280ms",
    "first_audio": "300ms",
    "reply_length": "1500ms",
    "greeting": {"length": "500ms"},
    "barge_in": {"shortest": "700ms"},
    "tools": {"calls": [{"name": "lookup_balance"}], "after": "300ms"},
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


@pytest.fixture(scope="module", params=[pytest.param("local", marks=pytest.mark.slow), "simulated"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """An engine, and the folder of a run that played every kind of step to it."""
    name, folder = str(request.param), tmp_path_factory.mktemp("steps")
    body = {
        "name": "steps",
        "fixtures": str(ROOT / "fixtures" / "audio" / "catalogue.yaml"),
        "conversation": CONVERSATION,
        "session": SESSION,
        "health": {"client_late": "10s"},
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(body))
    checked = bench("validate", folder / "scenario.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with engine(name, folder) as where:
        done = bench("run", folder / "scenario.yaml", "--out", folder / "run", *where)
    assert done.returncode == 0 or name == "local", done.stdout + done.stderr
    return name, folder / "run"


def table(run: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(run / f"{name}.parquet")


def test_the_conversation_has_every_kind_of_step() -> None:
    assert {next(kind for kind in KINDS if kind in step) for step in CONVERSATION} == {
        word for word, kind in KINDS.items() if not kind.NEEDS_KEYPAD
    }, "add the new kind"


def test_every_kind_of_step_leaves_its_rows(played: tuple[str, Path]) -> None:
    name, run = played
    turns = table(run, "turns").sort_values("turn").reset_index(drop=True)
    assert list(turns["step"]) == [2, 4]
    assert list(turns["barge_in"].dropna()) in ([True], [False]), "one turn was to cut in"
    assert turns["backchannels"][0] == 1
    assert turns["tool_calls"][1] == 1
    assert turns["expect_pass"].notna().tolist() == [False, True]
    sessions = table(run, "sessions")
    assert sessions["greeting_ms"].notna().all()
    assert list(sessions["status"]) == ["ok"]
    if name == "simulated":
        assert list(turns["status"]) == ["interrupted", "ok"]
        assert not turns["false_barge_in"][0]
        assert turns["barge_in"][1]
    else:
        # It stops for every sound, as a plain voice detector does.
        assert turns["false_barge_in"][0]
        assert turns["status"][1] == "ok"


def test_measured_again_the_rows_are_the_same(played: tuple[str, Path]) -> None:
    _, run = played
    tables = {name: table(run, name) for name in ("turns", "sessions")}
    again = bench("report", run, "--recompute")
    assert "measured again" in again.stdout, again.stdout + again.stderr
    for name, before in tables.items():
        pd.testing.assert_frame_equal(before, table(run, name))
