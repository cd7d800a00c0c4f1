"""Calls to a real server that misbehaves in one way to each: the timeline and the rows say what happened."""

from __future__ import annotations

from typing import Any

import pytest

from bench.measure.records import WallAnchor
from bench.measure.sessions import measure_session
from tests.support.bursts import two_turns
from tests.support.play import Played, play_together
from tests.support.processes import voice_server

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
SESSION_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("http_401", {"error_kind": "auth", "http_status": 401, "error_code": "invalid_api_key"}),
    ("http_429", {"error_kind": "rate_limit", "http_status": 429, "error_code": "rate_limit_exceeded"}),
    ("http_503", {"error_kind": "server", "http_status": 503}),
    ("error_then_close", {"error_kind": "rate_limit", "stage": "ready", "close_code": 1008}),
    ("refuse_session", {"error_kind": "protocol", "stage": "ready", "error_code": "invalid_value"}),
    ("never_ready", {"error_kind": "timeout", "stage": "ready", "error_code": "ready_timeout"}),
]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """One call of two turns to each kind of server; those of the first list misbehave in the first turn only."""
    folder = tmp_path_factory.mktemp("calls")
    body = two_turns(folder)
    with voice_server() as url:
        where = {name: f"{url}?behaviour={name}&only_turn=0" for name, _ in TURN_FAULTS}
        where |= {name: f"{url}?behaviour={name}" for name, _ in SESSION_FAULTS}
        targets = {name: {"target": {"url": url, "model": "truth"}} for name, url in where.items()}
        return play_together({name: body | target for name, target in targets.items()}, folder)


@pytest.mark.parametrize(("behaviour", "expected"), TURN_FAULTS, ids=[name for name, _ in TURN_FAULTS])
def test_a_fault_in_the_first_turn(calls: dict[str, Played], behaviour: str, expected: dict[str, Any]) -> None:
    timeline, rows = calls[behaviour]
    first, *later = rows.turns
    for column, value in expected.items():
        assert getattr(first, column) == value, column
    goes_on = behaviour in {"rate_limit", "incomplete", "empty_reply", "early"}
    assert [row.status for row in later] == (["ok"] if goes_on else [])
    assert (timeline.failure is None) == goes_on


@pytest.mark.parametrize(("behaviour", "expected"), SESSION_FAULTS, ids=[name for name, _ in SESSION_FAULTS])
def test_a_call_that_never_begins(calls: dict[str, Played], behaviour: str, expected: dict[str, Any]) -> None:
    timeline, rows = calls[behaviour]
    assert rows.turns == []
    call = measure_session(timeline, rows.turns, WallAnchor(0, 0.0))
    assert call.status == "failed"
    for column, value in expected.items():
        assert getattr(call, column) == value, column
    assert (call.connect_ms is not None) == (not behaviour.startswith("http_"))
    assert call.session_ready_ms is None
