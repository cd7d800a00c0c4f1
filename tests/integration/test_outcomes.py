"""A run against a server that fails ends, reports and exits with its code. Every fault: tests/session/test_call.py."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import ExitCode
from tests.support.processes import bench, voice_server


@pytest.mark.parametrize(
    ("behaviour", "status", "code", "verdict"),
    [("rate_limit", "failed", ExitCode.THRESHOLD_FAILED, "failed"), ("hang", "no_reply", ExitCode.NO_DATA, "no data")],
)
def test_turns_that_fail(
    scenario: Path, tmp_path: Path, behaviour: str, status: str, code: ExitCode, verdict: str
) -> None:
    out = tmp_path / "run"
    with voice_server(behaviour=behaviour, only_turn=0) as url:
        done = bench("run", scenario, "--url", url, "--out", out)
    turns = pd.read_parquet(out / "turns.parquet")
    assert list(turns[turns["turn"] == 0]["status"]) == [status] * 2
    assert done.returncode == code, done.stdout
    assert "Traceback" not in done.stderr
    assert json.loads((out / "summary.json").read_text())["verdict"]["name"] == verdict


def test_calls_that_never_begin(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with voice_server(behaviour="http_401") as url:
        done = bench("run", scenario, "--url", url, "--out", out)
    sessions = pd.read_parquet(out / "sessions.parquet")
    assert list(sessions["error_kind"]) == ["auth"] * 2
    assert sessions["connect_ms"].isna().all()
    assert done.returncode == ExitCode.UNREACHABLE, done.stdout


def test_nobody_listens(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = bench("run", scenario, "--url", "ws://127.0.0.1:1/v1/realtime", "--out", out)
    sessions = pd.read_parquet(out / "sessions.parquet")
    assert set(sessions["error_kind"]) == {"connect"}
    assert done.returncode == ExitCode.UNREACHABLE
    assert (out / "report.html").exists()
