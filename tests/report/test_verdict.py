"""Every verdict has findings that give it and findings, one step away, that do not."""

from __future__ import annotations

from typing import Any

import pytest

from bench.errors import ExitCode
from bench.report.findings import CallCounts, ErrorRow, Findings, TurnCounts
from bench.report.summary import summarise
from bench.report.verdict import EXIT_CODES, RULES, decide
from bench.store.certificate import Spread
from tests.report import build

TURNS = TurnCounts(total=100, warmup=0, client_late=0, measured=100, answered=100, by_status={"ok": 100})
CALLS = CallCounts(total=20, warmup=0, measured=20, ready=20, by_status={"ok": 20})


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """A run in which everything went well, with a scorer and a price book."""
    return summarise(build.finished(tmp_path_factory.mktemp("run"), *build.rows(calls=12, fails=0)))


def findings(
    usual: Findings,
    *,
    stop_reason: str = "completed",
    losses: tuple[str, ...] = (),
    calls: dict[str, int] | None = None,
    turns: dict[str, int] | None = None,
    errors: tuple[ErrorRow, ...] = (),
    health: dict[str, Any] | None = None,
    notes: tuple[str, ...] = (),
) -> Findings:
    """100 answered turns in 20 calls, with these changes."""
    counts = TURNS.model_copy(update=turns or {})
    changes = {
        "run": usual.run.model_copy(update={"stop_reason": stop_reason, "notes": list(notes)}),
        "losses": list(losses),
        "calls": CALLS.model_copy(update=calls or {}),
        "turns": counts.model_copy(update={"measured": counts.total - counts.warmup - counts.client_late}),
        "errors": list(errors),
        "health": usual.health.model_copy(update=health or {}),
    }
    return usual.model_copy(update=changes)


def failed(level: str, kind: str, stage: str | None = None) -> tuple[ErrorRow, ...]:
    return (ErrorRow(level=level, status="failed", error_kind=kind, error_code=None, stage=stage, count=3),)  # type: ignore[arg-type]


OTHER_DIALECT = failed("call", "protocol", "turn")[0].model_copy(
    update={"error_code": "wrong_dialect", "message": "this server speaks something else"}
)


@pytest.mark.parametrize(
    "changes, name, code, said",
    [
        ({}, "pass", 0, "100 of 100 turns answered"),
        ({"turns": {"answered": 60}}, "pass", 0, "60 of 100"),
        ({"stop_reason": "interrupted"}, "interrupted", 130, "after 100 turns in 20 calls"),
        ({"stop_reason": "budget"}, "budget", 6, "100 of 100 turns answered"),
        ({"stop_reason": "budget", "turns": {"total": 0, "answered": 0}}, "budget", 6, "the budget was used up"),
        ({"stop_reason": "budget", "turns": {"answered": 0}}, "no data", 3, "none of 100 turns was answered"),
        ({"stop_reason": "interrupted", "losses": ("w1 lost",)}, "interrupted", 130, "w1 lost"),
        ({"losses": ("2 rows are missing",)}, "incomplete", 5, "2 rows are missing"),
        ({"losses": ("x",), "turns": {"answered": 0}}, "incomplete", 5, "x"),
        (
            {
                "calls": {"ready": 0},
                "turns": {"total": 0, "answered": 0},
                "errors": failed("call", "tls", "connect"),
            },
            "unreachable",
            8,
            "none of 20 calls became ready; most often: tls at connect",
        ),
        (
            {"calls": {"ready": 1}, "turns": {"answered": 0}, "errors": failed("turn", "timeout")},
            "no data",
            3,
            "none of 100 turns was answered; most often: timeout",
        ),
        (
            {"calls": {"total": 0, "measured": 0, "ready": 0}, "turns": {"total": 0, "answered": 0}},
            "no data",
            3,
            "no call was placed",
        ),
        ({"turns": {"total": 0, "answered": 0}}, "no data", 3, "no turn was spoken in 20 calls"),
        (
            {"turns": {"total": 0, "answered": 0}, "errors": (OTHER_DIALECT,)},
            "no data",
            3,
            "this server speaks something else",
        ),
        ({"turns": {"client_late": 5, "answered": 95}}, "pass", 0, "95 of 95"),
        ({"turns": {"client_late": 6, "answered": 94}}, "invalid", 4, "6 of 100 turns (6.0 %; the bound is 5 %)"),
        ({"turns": {"total": 24, "client_late": 2, "answered": 22}}, "pass", 0, "22 of 22 turns answered"),
        ({"turns": {"total": 24, "client_late": 3, "answered": 21}}, "invalid", 4, "3 of 24 turns"),
        ({"turns": {"total": 1, "client_late": 1, "answered": 0}}, "invalid", 4, "1 of 1 turn"),
        ({"turns": {"client_late": 100, "answered": 0}}, "invalid", 4, "100 of 100"),
        (
            {"calls": {"measured": 0, "ready": 0, "ready_in_warmup": 4}, "turns": {"total": 0, "answered": 0}},
            "no data",
            3,
            "no turn was spoken in 20 calls",
        ),
        (
            {"calls": {"measured": 0, "ready": 0, "ready_in_warmup": 0}, "turns": {"total": 0, "answered": 0}},
            "unreachable",
            8,
            "none of 20 calls became ready",
        ),
    ],
)
def test_decide(usual: Findings, changes: dict[str, Any], name: str, code: int, said: str) -> None:
    verdict = decide(findings(usual, **changes))
    assert (verdict.name, verdict.exit_code) == (name, code)
    assert said in " | ".join(verdict.reasons)


def test_warnings_never_decide(usual: Findings) -> None:
    verdict = decide(findings(usual, notes=("mind the gap",)))
    assert (verdict.name, verdict.warnings) == ("pass", ["mind the gap"])


def test_every_exit_code_belongs_to_one_verdict() -> None:
    of_commands = {"USAGE", "BUG", "REGRESSION"}
    assert sorted(EXIT_CODES.values()) == sorted(code for code in ExitCode if code.name not in of_commands)
    assert {name for name, _ in RULES} | {"pass"} == set(EXIT_CODES)


def test_overload_is_a_reason_of_an_invalid_run_and_a_warning_of_any_other(usual: Findings) -> None:
    health = {"overload": ["worker w0 used 99 % of its core"]}
    fine = decide(findings(usual, health=health, notes=("mind the gap",)))
    assert (fine.name, fine.warnings) == ("pass", ["worker w0 used 99 % of its core", "mind the gap"])
    late = {"client_late": 6, "answered": 94}
    spoiled = decide(findings(usual, health=health, notes=("mind the gap",), turns=late))
    assert spoiled.name == "invalid"
    assert "worker w0 used 99 % of its core" not in spoiled.warnings
    assert spoiled.warnings[-1] == "mind the gap"
    assert spoiled.reasons[1] == "worker w0 used 99 % of its core"


def test_invalid_without_any_other_sign_says_so(usual: Findings) -> None:
    health = {"frame_late": Spread(n=9, max_ms=28.9)}
    verdict = decide(findings(usual, health=health, turns={"client_late": 6, "answered": 94}))
    assert verdict.reasons[1].startswith("the latest frame left 28.9 ms late; nothing was at its limit for long")
