"""Each way a server can fail gives its documented outcome, and the run still ends and reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.errors import ExitCode
from tests.support.processes import bench, voice_server

TURN_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("hang", {"status": "no_reply", "error_kind": "timeout", "error_code": "reply_timeout"}),
    ("stall", {"status": "failed", "error_kind": "timeout", "error_code": "response_timeout"}),
    ("close", {"status": "failed", "error_kind": "closed", "close_code": 1011}),
    ("cut", {"status": "failed", "error_kind": "closed", "close_code": 1006}),
    ("broken_json", {"status": "no_reply", "error_kind": "protocol"}),
    ("rate_limit", {"status": "failed", "error_kind": "rate_limit", "error_code": "rate_limit_exceeded"}),
    ("incomplete", {"status": "incomplete", "error_code": "max_output_tokens"}),
    ("empty_reply", {"status": "no_reply", "error_kind": "server", "error_code": "empty_reply"}),
    ("early", {"status": "early"}),
]


@pytest.mark.parametrize(("behaviour", "expected"), TURN_FAULTS, ids=[name for name, _ in TURN_FAULTS])
def test_a_fault_in_the_first_turn(scenario: Path, tmp_path: Path, behaviour: str, expected: dict[str, Any]) -> None:
    out = tmp_path / "run"
    with voice_server(behaviour=behaviour, only_turn=0) as url:
        done = bench("run", scenario, "--url", url, "--out", out)
    turns = pd.read_parquet(out / "turns.parquet")
    first = turns[turns["turn"] == 0]
    assert len(first) == 2
    for column, value in expected.items():
        assert set(first[column]) == {value}, (column, done.stdout)
    later = turns[turns["turn"] == 1]
    goes_on = behaviour in {"rate_limit", "incomplete", "empty_reply", "early"}
    assert len(later) == (2 if goes_on else 0)
    assert set(later["status"]) <= {"ok"}
    assert done.returncode == (ExitCode.PASS if goes_on else ExitCode.NO_DATA), done.stdout
    assert "Traceback" not in done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["verdict"]["name"] == ("pass" if goes_on else "no data")


SESSION_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("http_401", {"error_kind": "auth", "http_status": 401, "error_code": "invalid_api_key"}),
    ("http_429", {"error_kind": "rate_limit", "http_status": 429, "error_code": "rate_limit_exceeded"}),
    ("http_503", {"error_kind": "server", "http_status": 503}),
    ("error_then_close", {"error_kind": "rate_limit", "stage": "ready", "close_code": 1008}),
    ("refuse_session", {"error_kind": "protocol", "stage": "ready", "error_code": "invalid_value"}),
    ("never_ready", {"error_kind": "timeout", "stage": "ready", "error_code": "ready_timeout"}),
]


@pytest.mark.parametrize(("behaviour", "expected"), SESSION_FAULTS, ids=[name for name, _ in SESSION_FAULTS])
def test_a_call_that_never_begins(scenario: Path, tmp_path: Path, behaviour: str, expected: dict[str, Any]) -> None:
    out = tmp_path / "run"
    with voice_server(behaviour=behaviour) as url:
        done = bench("run", scenario, "--url", url, "--out", out)
    sessions = pd.read_parquet(out / "sessions.parquet")
    assert len(sessions) == 2
    assert set(sessions["status"]) == {"failed"}
    for column, value in expected.items():
        assert set(sessions[column]) == {value}, (column, done.stdout)
    assert sessions["connect_ms"].notna().all() == (not behaviour.startswith("http_"))
    assert sessions["session_ready_ms"].isna().all()
    assert done.returncode == ExitCode.UNREACHABLE, done.stdout


def test_nobody_listens(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = bench("run", scenario, "--url", "ws://127.0.0.1:1/v1/realtime", "--out", out)
    sessions = pd.read_parquet(out / "sessions.parquet")
    assert set(sessions["error_kind"]) == {"connect"}
    assert done.returncode == ExitCode.UNREACHABLE
    assert (out / "report.html").exists()
