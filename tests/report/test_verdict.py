"""Every verdict has facts that give it and facts, one step away, that do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.errors import ExitCode
from bench.report.verdict import EXIT_CODES, Facts, decide

GOOD = Facts(
    stop_reason="completed",
    losses=(),
    calls=20,
    calls_ready=20,
    late_bound=0.05,
    commonest_call_error=None,
    turns=100,
    answered=100,
    late_turns=0,
)


@pytest.mark.parametrize(
    "changes, name, code, said",
    [
        ({}, "pass", 0, "100 of 100 turns answered"),
        ({"answered": 60}, "pass", 0, "60 of 100"),
        ({"stop_reason": "interrupted"}, "interrupted", 130, "after 100 turns"),
        ({"stop_reason": "interrupted", "losses": ("w1 lost",)}, "interrupted", 130, "w1 lost"),
        ({"losses": ("2 rows are missing",)}, "incomplete", 5, "2 rows are missing"),
        ({"losses": ("x",), "answered": 0}, "incomplete", 5, "x"),
        (
            {"calls_ready": 0, "turns": 0, "answered": 0, "commonest_call_error": "tls at connect"},
            "unreachable",
            8,
            "none of 20 calls became ready; most often: tls at connect",
        ),
        ({"calls_ready": 1, "answered": 0, "commonest_turn_error": "timeout"}, "no data", 3, "most often: timeout"),
        ({"calls": 0, "calls_ready": 0, "turns": 0, "answered": 0}, "no data", 3, "no call was placed"),
        ({"turns": 0, "answered": 0}, "no data", 3, "no turn was spoken in 20 calls"),
        ({"late_turns": 5, "answered": 95}, "pass", 0, "95 of 95"),
        ({"late_turns": 6, "answered": 94}, "invalid", 4, "6 of 100 turns (6.0 %; the bound is 5 %)"),
        ({"turns": 24, "late_turns": 2, "answered": 22}, "pass", 0, "22 of 22 turns answered"),
        ({"turns": 24, "late_turns": 3, "answered": 21}, "invalid", 4, "3 of 24 turns"),
        ({"turns": 1, "late_turns": 1, "answered": 0}, "invalid", 4, "1 of 1 turn"),
        ({"late_turns": 100, "answered": 0}, "invalid", 4, "100 of 100"),
        ({"stop_reason": "budget"}, "budget", 6, "budget stopped the run after 100 turns"),
    ],
)
def test_decide(changes: dict[str, Any], name: str, code: int, said: str) -> None:
    verdict = decide(replace(GOOD, **changes))
    assert (verdict.name, verdict.exit_code) == (name, code)
    assert said in " | ".join(verdict.reasons)


def test_warnings_never_decide() -> None:
    verdict = decide(replace(GOOD, warnings=("WER was not measured",)))
    assert (verdict.name, verdict.warnings) == ("pass", ("WER was not measured",))


def test_every_exit_code_belongs_to_one_verdict() -> None:
    of_commands = {"USAGE", "BUG"}
    assert sorted(EXIT_CODES.values()) == sorted(code for code in ExitCode if code.name not in of_commands)


def test_overload_is_a_reason_of_an_invalid_run_and_a_warning_of_any_other() -> None:
    busy = replace(GOOD, overload=("worker w0 used 99 % of its core",), warnings=("mind the gap",))
    fine, spoiled = decide(busy), decide(replace(busy, late_turns=6, answered=94))
    assert (fine.name, fine.warnings) == ("pass", ("worker w0 used 99 % of its core", "mind the gap"))
    assert (spoiled.name, spoiled.warnings) == ("invalid", ("mind the gap",))
    assert spoiled.reasons[1] == "worker w0 used 99 % of its core"


def test_invalid_without_any_other_sign_says_so() -> None:
    verdict = decide(replace(GOOD, late_turns=6, answered=94, latest_frame_ms=28.9))
    assert verdict.reasons[1].startswith("the latest frame left 28.9 ms late; nothing was at its limit for long")
