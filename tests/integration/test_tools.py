"""Tool calls: what is measured of them against the truth log, and what each mistake becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.calibrate.truth import check_turns
from bench.store.reader import iter_timelines
from tests.support.taking import Seen, run_of, within
from tests.support.truth_tools import TIMES, check_tools

LOOKUP: dict[str, Any] = {
    "type": "function",
    "name": "lookup_order",
    "parameters": {
        "type": "object",
        "properties": {"order_id": {"type": "string"}},
        "required": ["order_id"],
        "additionalProperties": False,
    },
    "answer": {
        "rules": [{"when": {"order_id": "4719"}, "value": {"status": "on its way"}}],
        "value": {"status": "unknown"},
        "delay": {"gamma": {"mean": "200ms", "shape": 4}},
    },
}
CALLER: dict[str, Any] = {
    "calls": [
        {"name": "lookup_order", "arguments": {"order_id": "4719"}},
        {"name": "lookup_order", "arguments": {"order_id": "12"}},
    ],
    "after": {"gamma": {"mean": "700ms", "shape": 8}},
    "first_audio": {"gamma": {"mean": "300ms", "shape": 8}},
    "preamble": "One moment please.",
    "preamble_length": {"gamma": {"mean": "500ms", "shape": 4}},
}


HANGING = """
import time

def lookup(order_id):
    time.sleep(30 if order_id == "12" else 0.2)
    raise KeyError(order_id)
"""


def called(folder: Path, tools: dict[str, Any], *, faults: tuple[dict[str, Any], ...] = (), **more: Any) -> Seen:
    profile = {"tools": tools, "faults": list(faults), "reply_length": "600ms"}
    return run_of(folder, profile, {"say": "order-status-rms"}, session={"tools": [LOOKUP]}, **more)


def true_to_the_log(seen: Seen) -> None:
    checked = check_tools(seen.run, iter_timelines(seen.folder), seen.truth)
    assert (checked["calls"] == checked["calls_true"]).all()
    assert (checked["responses"] == checked["responses_true"]).all()
    for name in TIMES:
        assert checked[name].std() > 20
        within(checked[f"{name}_error"])
    turns = check_turns(seen.run, iter_timelines(seen.folder), seen.truth)
    assert list(turns["status"]) == list(turns["true_status"])
    for name in ("first_audible_ms", "response_done_ms"):
        within(turns[f"{name}_error"])
    for name in ("in_text", "in_audio", "out_text", "out_audio"):
        assert (turns[f"{name}_error"] == 0).all(), name


def test_two_rounds_of_two_calls_with_a_preamble_are_measured_to_the_truth(tmp_path: Path) -> None:
    seen = called(tmp_path, {**CALLER, "rounds": 2})
    turns = seen.run.turns
    assert seen.code == 0, seen.out
    assert set(turns["status"]) == {"ok"}
    assert set(turns["tool_calls"]) == {4}
    assert set(turns["tool_rounds"]) == {2}
    assert set(turns["preamble"]) == {True}
    assert turns["tool_error"].isna().all()
    true_to_the_log(seen)


def test_each_mistake_is_an_outcome_of_its_own(tmp_path: Path) -> None:
    slow = {"sessions": [0, 1, 2]}
    faults = ({"kind": "unknown_tool", **slow}, {"kind": "bad_arguments", "sessions": [3, 4], "how": "json"})
    bad = {"kind": "bad_arguments", "sessions": [5, 6], "how": "schema"}
    seen = called(tmp_path, {**CALLER, "calls": CALLER["calls"][:1]}, faults=(*faults, bad), calls=8)
    turns = seen.run.turns
    assert seen.code == 1, seen.out
    assert (turns["tool_error"] == "unknown_tool").sum() == 3
    assert (turns["tool_error"] == "bad_arguments").sum() == 4
    assert turns["tool_error"].isna().sum() == 1
    wrong = turns[turns["tool_error"].notna()]
    assert set(wrong["status"]) == {"failed"}
    assert set(wrong["error_kind"]) == {"tool"}
    assert list(wrong["error_code"]) == list(wrong["tool_error"])
    assert wrong["first_audible_ms"].notna().all(), "the agent was told, and went on"
    assert "no_such_tool" in str(wrong["error_message"].to_list())


@pytest.mark.slow
def test_a_tool_that_hangs_fails_or_never_ends_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "my_own_tools.py").write_text(HANGING)
    answer = {"call": "my_own_tools:lookup", "timeout": "700ms"}
    tool = {**LOOKUP, "answer": answer}
    profile = {"tools": CALLER, "reply_length": "600ms"}
    seen = run_of(tmp_path, profile, {"say": "order-status-rms"}, session={"tools": [tool]}, calls=6)
    turns = seen.run.turns
    assert set(turns["error_code"]) == {"tool_timeout"}, "of the last call; the first one failed"
    assert set(turns["tool_error"]) == {"tool_failed"}
    assert turns["tool_answer_ms"].between(690, 900).all()
    assert turns["send_late_ms"].median() < 25


@pytest.mark.slow
@pytest.mark.parametrize("said_before", [True, False])
def test_tools_of_the_model_behind_a_live_session(tmp_path: Path, said_before: bool) -> None:
    tools = {key: value for key, value in CALLER.items() if said_before or not key.startswith("preamble")}
    profile = {"tools": tools, "reply_length": "600ms", "delivery_speed": 1}
    session = {"tools": [LOOKUP], "extra": {"delegation": {"responses": {"model": "behind"}}}}
    seen = run_of(tmp_path, profile, {"say": "order-status-rms"}, calls=6, dialect="openai-live", session=session)
    assert seen.code == 0, seen.out
    assert set(seen.run.turns["preamble"]) == {said_before}
    checked = check_tools(seen.run, iter_timelines(seen.folder), seen.truth)
    assert (checked["calls"] == checked["calls_true"]).all()
    assert (checked["responses"] == checked["responses_true"]).all()
    for name in TIMES:
        within(checked[f"{name}_error"])
    turns = check_turns(seen.run, iter_timelines(seen.folder), seen.truth)
    assert list(turns["status"]) == list(turns["true_status"]) == ["ok"] * 6
    within(turns["first_audible_ms_error"])


@pytest.mark.slow
def test_fifty_callers_at_once(tmp_path: Path) -> None:
    seen = called(tmp_path, CALLER, calls=50)
    assert seen.code == 0, seen.out
    assert list(seen.run.turns["status"]) == ["ok"] * 50
    true_to_the_log(seen)
