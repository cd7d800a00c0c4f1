"""The verdict of a run: one word, its exit code, and the observed values that decided it.

In: facts counted from a stored run. Out: a `Verdict`.
Trap: the order matters. A run that lost rows is incomplete whatever they would have said, and a run in which nobody
answered has no data; neither may pass because no rule was broken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from bench.errors import ExitCode
from bench.report.phrases import amount

Name = Literal["pass", "fail", "no data", "invalid", "incomplete", "budget", "regression", "unreachable", "interrupted"]

EXIT_CODES: dict[Name, ExitCode] = {
    "pass": ExitCode.PASS,
    "fail": ExitCode.THRESHOLD_FAILED,
    "no data": ExitCode.NO_DATA,
    "invalid": ExitCode.INVALID_GENERATOR,
    "incomplete": ExitCode.INCOMPLETE,
    "budget": ExitCode.BUDGET,
    "regression": ExitCode.REGRESSION,
    "unreachable": ExitCode.UNREACHABLE,
    "interrupted": ExitCode.INTERRUPTED,
}
CLIENT_LATE_BOUND = 0.05
"""The share of turns spoiled by our own lateness above which the generator, not the target, was measured."""
LEAST_LATE_TURNS = 3
"""One late frame in a run of a few turns is a hiccup of the machine, not an overload; unless all turns are late."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict rests on. Turns exclude warm-up; `late_turns` are part of `turns`, `answered` excludes them."""

    stop_reason: str | None
    losses: tuple[str, ...]
    calls: int
    calls_ready: int
    late_bound: float
    """Share of late turns beyond which the run is invalid; the scenario may set it."""
    commonest_call_error: str | None
    turns: int
    answered: int
    late_turns: int
    commonest_turn_error: str | None = None
    overload: tuple[str, ...] = ()
    """What the health certificate says was at its limit: reasons of an invalid run, warnings of any other."""
    latest_frame_ms: float | None = None
    """The worst lateness of any audio frame of the run."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reasons` decided it; `warnings` are for the reader and decided nothing."""

    name: Name
    exit_code: int
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = field(default=())


def decide(facts: Facts) -> Verdict:
    """The first rule that applies, in the order of `_RULES`; none applies: pass."""
    for name, rule in _RULES:
        reasons = rule(facts)
        if reasons:
            warnings = facts.warnings if name == "invalid" else (*facts.overload, *facts.warnings)
            return Verdict(name, EXIT_CODES[name], tuple(reasons), warnings)
    # Here at least one turn was answered, or "no data" would have applied.
    measured = facts.turns - facts.late_turns
    answered = f"{facts.answered:,} of {amount(measured, 'turn')} answered"
    return Verdict("pass", EXIT_CODES["pass"], (answered,), (*facts.overload, *facts.warnings))


def _interrupted(facts: Facts) -> list[str]:
    if facts.stop_reason != "interrupted":
        return []
    return [
        f"the run was interrupted after {amount(facts.turns, 'turn')} in {amount(facts.calls, 'call')}",
        *facts.losses,
    ]


def _incomplete(facts: Facts) -> list[str]:
    return list(facts.losses)


def _budget(facts: Facts) -> list[str]:
    return [f"the budget stopped the run after {amount(facts.turns, 'turn')}"] if facts.stop_reason == "budget" else []


def _unreachable(facts: Facts) -> list[str]:
    if facts.calls == 0 or facts.calls_ready > 0:
        return []
    error = facts.commonest_call_error
    return [f"none of {amount(facts.calls, 'call')} became ready" + (f"; most often: {error}" if error else "")]


def _no_data(facts: Facts) -> list[str]:
    if facts.answered > 0:
        return []
    if facts.calls == 0:
        return ["no call was placed after warm-up"]
    if facts.turns == 0:
        return [f"no turn was spoken in {amount(facts.calls, 'call')} after warm-up"]
    error = facts.commonest_turn_error
    return [
        f"none of {amount(facts.turns, 'turn')} was answered"
        + (f" ({facts.late_turns} left out: frames sent late)" if facts.late_turns else "")
        + (f"; most often: {error}" if error else "")
    ]


def _invalid(facts: Facts) -> list[str]:
    share = facts.late_turns / facts.turns if facts.turns else 0.0
    if share <= facts.late_bound or facts.late_turns < min(LEAST_LATE_TURNS, facts.turns):
        return []
    return [
        f"the generator was overloaded: it sent audio late in {facts.late_turns:,} of {amount(facts.turns, 'turn')}"
        f" ({100 * share:.1f} %; the bound is {100 * facts.late_bound:.0f} %)",
        *(facts.overload or _unexplained(facts)),
    ]


def _unexplained(facts: Facts) -> list[str]:
    """Late turns on a machine that was not at its limit: what a reader may look for."""
    latest = "" if facts.latest_frame_ms is None else f"the latest frame left {facts.latest_frame_ms:,.1f} ms late; "
    return [f"{latest}nothing was at its limit for long: another program may have held this machine for a moment"]


_RULES: tuple[tuple[Name, Callable[[Facts], list[str]]], ...] = (
    ("interrupted", _interrupted),
    ("incomplete", _incomplete),
    ("unreachable", _unreachable),
    ("budget", _budget),
    ("invalid", _invalid),
    ("no data", _no_data),
)
