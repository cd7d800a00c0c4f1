"""Every fault that the simulated server knows, through the whole harness: its documented status, kind and reach.

One run: the k-th caller meets the k-th fault, the last one none. Each expectation must hold for its own call and must
not hold for the healthy one, so that no check can pass on a wrong value.
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
import yaml

from bench.errors import ExitCode
from tests.support.processes import bench, simulated_server

Row = dict[str, Any]
Case = tuple[str, dict[str, Any], Row, Row]

OK = {"status": "ok"}
# name, fault, what the session row says, what the row of turn 0 says
CASES: list[Case] = [
    ("refuse", {"kind": "refuse"}, {"status": "failed", "stage": "upgrade"}, {}),
    ("401", {"kind": "http", "status": 401}, {"error_kind": "auth", "http_status": 401}, {}),
    ("403", {"kind": "http", "status": 403}, {"error_kind": "auth", "http_status": 403}, {}),
    ("429", {"kind": "http", "status": 429}, {"error_kind": "rate_limit", "http_status": 429}, {}),
    ("503", {"kind": "http", "status": 503}, {"error_kind": "server", "http_status": 503}, {}),
    ("101 then error", {"kind": "error_then_close"}, {"stage": "ready", "close_code": 1008}, {}),
    (
        "slow handshake",
        {"kind": "slow_handshake", "delay": "4s"},
        {"error_kind": "timeout", "error_code": "upgrade_timeout"},
        {},
    ),
    ("expiry", {"kind": "expire", "delay": "2500ms"}, {"error_kind": "closed", "error_code": "session_expired"}, {}),
    ("no reply", {"kind": "no_reply"}, {"status": "failed"}, {"status": "no_reply", "error_kind": "timeout"}),
    ("early reply", {"kind": "early_reply"}, {}, {"status": "early"}),
    ("split turn", {"kind": "split_turn"}, {}, {"status": "ok", "split_turn": True, "responses": 2}),
    ("slow first byte", {"kind": "slow_first_byte", "delay": "900ms"}, {}, {"first_audio_ms": "> 1400"}),
    ("stall", {"kind": "stall", "delay": "500ms"}, {}, {"stalls": "> 0", "stall_ms": "> 100"}),
    (
        "stall for ever",
        {"kind": "stall"},
        {"status": "failed"},
        {"status": "failed", "error_kind": "timeout", "error_code": "response_timeout"},
    ),
    ("close 1006", {"kind": "close", "code": 1006}, {"close_code": 1006}, {"status": "failed", "close_code": 1006}),
    ("cut", {"kind": "cut"}, {"close_code": 1006}, {"status": "failed", "error_kind": "closed", "close_code": 1006}),
    ("close 1011", {"kind": "close", "code": 1011}, {"close_code": 1011}, {"status": "failed", "close_code": 1011}),
    ("close 1008", {"kind": "close", "code": 1008}, {"close_code": 1008}, {"status": "failed", "close_code": 1008}),
    ("close 4000", {"kind": "close", "code": 4000}, {"close_code": 4000}, {"status": "failed", "close_code": 4000}),
    ("broken JSON", {"kind": "broken_json"}, {"malformed": "> 0"}, {}),
    ("unknown events", {"kind": "unknown_events"}, {"unrecognised": "> 0"}, {}),
    ("missing usage", {"kind": "missing_usage"}, {}, {"in_text": None, "cost_usd": None, "status": "ok"}),
    (
        "failed",
        {"kind": "done", "status": "failed"},
        {},
        {"status": "failed", "error_kind": "server"},
    ),
    (
        "rate limit in session",
        {"kind": "done", "status": "failed", "error_code": "rate_limit_exceeded"},
        {},
        {"status": "failed", "error_kind": "rate_limit", "error_code": "rate_limit_exceeded"},
    ),
    ("incomplete", {"kind": "done", "status": "incomplete"}, {}, {"status": "incomplete"}),
    ("cancelled", {"kind": "done", "status": "cancelled"}, {}, {"status": "cancelled"}),
    ("error without response.done", {"kind": "error_event"}, {"server_errors": "> 0"}, {"status": "failed"}),
    ("silent reply", {"kind": "silent_reply"}, {}, {"status": "no_reply", "error_code": "empty_reply"}),
    (
        "transcription never",
        {"kind": "transcription", "how": "never"},
        {},
        {"hypothesis": None, "transcription_error": "timeout", "status": "ok"},
    ),
    ("transcription failed", {"kind": "transcription", "how": "failed"}, {}, {"hypothesis": None, "wer": None}),
    ("late words", {"kind": "transcription", "how": "late", "delay": "900ms"}, {}, {"transcription_ms": "> 1200"}),
]  # fmt: skip
HARMLESS: list[tuple[str, dict[str, Any]]] = [
    ("duplicate events", {"kind": "duplicate_events"}),
    ("transcription out of order", {"kind": "transcription", "how": "out_of_order"}),
    ("transcription after done", {"kind": "transcription", "how": "after_done"}),
]


def holds(row: Row, expected: Row) -> bool:
    """Whether `row` says all that is expected of it."""
    for name, wanted in expected.items():
        found = row[name]
        missing = found is None or found is pd.NA or found != found
        if wanted is None:
            if not missing:
                return False
        elif isinstance(wanted, str) and wanted.startswith("> "):
            if missing or not found > float(wanted[2:]):
                return False
        elif missing or found != wanted:
            return False
    return True


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Row], dict[tuple[str, int], Row], int]:
    """Session rows and turn rows by the name of the fault, and the exit code."""
    root = tmp_path_factory.mktemp("faults")
    named = [(name, fault) for name, fault, _, _ in CASES] + HARMLESS
    turn_faults = {"refuse", "http", "error_then_close", "slow_handshake", "expire"}
    faults = [
        {**fault, "sessions": [place], **({} if fault["kind"] in turn_faults else {"at_turn": 0})}
        for place, (_, fault) in enumerate(named)
    ]
    (root / "profile.yaml").write_text(yaml.safe_dump({"seed": 3, "reply_length": "1500ms", "faults": faults}))
    count = len(named) + 1
    body = {
        "name": "faults",
        "target": {"url": "ws://127.0.0.1:9/", "model": "simulated"},
        "conversation": [{"say": "balance-rms"}, {"pause": "300ms"}, {"say": "yes-slt"}],
        "load": {"callers": count, "ramp": f"{count * 0.2:.1f}s", "sessions": count},
        "timeouts": {"connect": "2s", "ready": "2s", "reply": "3s", "transcription": "6s"},
        "health": {"client_late": "10s"},
    }
    (root / "scenario.yaml").write_text(yaml.safe_dump(body))
    with simulated_server(root / "profile.yaml") as url:
        done = bench("run", root / "scenario.yaml", "--url", url, "--out", root / "run")
    names = [name for name, _ in named] + ["healthy"]
    sessions = pd.read_parquet(root / "run" / "sessions.parquet").to_dict("records")
    turns = pd.read_parquet(root / "run" / "turns.parquet").to_dict("records")
    assert json.loads((root / "run" / "run.json").read_text())["state"] == "finished", done.stderr
    assert "Traceback" not in done.stderr
    return (
        {names[row["session_index"]]: row for row in sessions},
        {(names[row["session_index"]], row["turn"]): row for row in turns},
        done.returncode,
    )


Run = tuple[dict[str, Row], dict[tuple[str, int], Row], int]


@pytest.mark.parametrize(("name", "fault", "session", "turn"), CASES, ids=[case[0] for case in CASES])
def test_a_fault_is_told_as_what_it_is(run: Run, name: str, fault: Row, session: Row, turn: Row) -> None:
    sessions, turns, _ = run
    assert holds(sessions[name], session), {key: sessions[name][key] for key in ("status", "error_kind", *session)}
    if turn:
        row = turns[name, 0]
        assert holds(row, turn), {key: row[key] for key in ("status", "error_kind", "error_code", *turn)}
    healthy_session, healthy_turn = sessions["healthy"], turns["healthy", 0]
    assert not (holds(healthy_session, session) and holds(healthy_turn, turn)), "the check must be able to fail"


@pytest.mark.parametrize("name", [name for name, _ in HARMLESS] + ["healthy", "unknown events"])
def test_what_does_no_harm_changes_nothing(run: Run, name: str) -> None:
    sessions, turns, _ = run
    assert sessions[name]["status"] == "ok"
    for turn in (0, 1):
        row = turns[name, turn]
        assert holds(row, {"status": "ok", "wer": 0.0, "error_kind": None})
        assert row["reply_audio_ms"] == pytest.approx(turns["healthy", turn]["reply_audio_ms"], abs=1)


def test_no_call_is_lost_and_the_run_fails_by_its_bounds(run: Run) -> None:
    sessions, turns, code = run
    assert len(sessions) == len(CASES) + len(HARMLESS) + 1
    assert code == ExitCode.THRESHOLD_FAILED
    for (name, turn), row in turns.items():
        assert row["status"] in {"ok", "early", "no_reply", "cancelled", "incomplete", "failed"}, (name, turn)


def test_later_turns_of_a_healthy_socket_are_answered(run: Run) -> None:
    _, turns, _ = run
    for name in (
        "failed",
        "incomplete",
        "cancelled",
        "silent reply",
        "early reply",
        "slow first byte",
        "missing usage",
    ):
        assert turns[name, 1]["status"] == "ok", name
