"""The verdict of a run: one word, its exit code, and the observed values that decided it.

In: the findings of a report. Out: `VerdictInfo`. A new kind of verdict is a name with its exit code, and a rule.
Trap: the order matters. A run that lost rows is incomplete whatever they would have said, and a run in which nobody
answered has no data; neither may pass because no rule was broken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from bench.errors import ExitCode
from bench.report.ceiling_phrases import ceiling_reasons
from bench.report.findings import Findings, VerdictInfo
from bench.report.headroom_phrases import headroom_warnings
from bench.report.phrases import amount, failure, no_words
from bench.report.protocol import protocol_warnings
from bench.report.stats import supported
from bench.report.view import OWN

Name = Literal["pass", "failed", "no data", "invalid", "incomplete", "unreachable", "budget", "interrupted"]
Rule = Callable[[Findings], list[str]]
"""The reasons for a verdict; none when it does not apply."""

EXIT_CODES: dict[Name, ExitCode] = {
    "pass": ExitCode.PASS,
    "failed": ExitCode.THRESHOLD_FAILED,
    "no data": ExitCode.NO_DATA,
    "invalid": ExitCode.INVALID_GENERATOR,
    "incomplete": ExitCode.INCOMPLETE,
    "unreachable": ExitCode.UNREACHABLE,
    "budget": ExitCode.BUDGET,
    "interrupted": ExitCode.INTERRUPTED,
}
OWN_FAILURES_BOUND = 0.01
"""The share of calls or turns failed by the harness itself above which a run says nothing of the target."""
CLIENT_LATE_BOUND = 0.05
"""The share of turns spoiled by our own lateness above which the generator, not the target, was measured."""
LEAST_LATE_TURNS = 3
"""One late frame in a run of a few turns is a hiccup of the machine, not an overload; unless all turns are late."""
MOST_COST_NOTES = 3
WRONG_DIALECT = "wrong_dialect"
"""The code of a call whose server was heard to speak another protocol."""


def decide(found: Findings) -> VerdictInfo:
    """The first rule that applies, in the order of `RULES`; none applies: pass."""
    name, reasons = next(((name, reasons) for name, rule in RULES if (reasons := rule(found))), ("pass", []))
    if name == "pass":
        # At least one turn was answered, or "no data" would have applied.
        reasons = [*_ceiling(found), _answered(found)]
    overload = [] if name == "invalid" else found.health.overload
    return VerdictInfo(
        name=name,
        exit_code=int(EXIT_CODES[name]),
        reasons=reasons,
        warnings=[*overload, *found.health.cautions, *_warnings(found), *headroom_warnings(found.headroom)],
    )


def _ceiling_too_low(found: Findings) -> list[str]:
    """A search whose ceiling is below the planned peak, or which found no level that is carried."""
    ceiling = found.ceiling
    if ceiling is None or ceiling.limit == "generator" or ceiling.ceiling_known_above_peak:
        return []
    if ceiling.planned_peak is None:
        return [*_ceiling(found)] if ceiling.finished and not ceiling.ceiling else []
    lowest = next((each.level for each in ceiling.rows if each.held is False), None)
    if lowest is None or (not ceiling.finished and lowest > ceiling.planned_peak):
        return []
    return _ceiling(found)


def _own_ceiling(found: Findings) -> list[str]:
    """A search that this machine ended before the planned peak, or before any limit of the target was met."""
    ceiling = found.ceiling
    if ceiling is None or ceiling.limit != "generator" or ceiling.ceiling_known_above_peak:
        return []
    return [*_ceiling(found), *found.health.overload]


def _ceiling_unknown(found: Findings) -> list[str]:
    """A search that was cut off before it could tell."""
    ceiling = found.ceiling
    if ceiling is None or ceiling.finished or ceiling.ceiling_known_above_peak:
        return []
    return _ceiling(found)


def _ceiling(found: Findings) -> list[str]:
    return list(ceiling_reasons(found.ceiling)) if found.ceiling is not None else []


def _interrupted(found: Findings) -> list[str]:
    if found.run.stop_reason != "interrupted":
        return []
    return [
        f"the run was interrupted after {amount(_spoken(found), 'turn')} in {amount(_calls(found), 'call')}",
        *found.losses,
    ]


def _incomplete(found: Findings) -> list[str]:
    return list(found.losses)


def _own_failures(found: Findings) -> list[str]:
    """Calls and turns that failed by a limit or a mistake of this side: none of them is the target's."""
    if found.ceiling is not None:
        # Levels beyond what this machine can offer are part of a search, which says so.
        return []
    parts = (("call", found.calls.harness, found.calls.total), ("turn", found.turns.harness, found.turns.total))
    said = []
    for what, count, whole in parts:
        if count and count / max(whole, 1) > OWN_FAILURES_BOUND:
            said.append(
                f"the harness itself failed {amount(count, what)} of {whole:,}"
                f" ({100 * count / max(whole, 1):.1f} %; the bound is {100 * OWN_FAILURES_BOUND:.0f} %)"
            )
    return [*said, *_advice(found)] if said else []


def _advice(found: Findings) -> list[str]:
    codes = [row.error_code for row in found.errors if row.error_kind == OWN and row.error_code]
    return [f"{code}: {OWN_REMEDIES[code]}" for code in dict.fromkeys(codes) if code in OWN_REMEDIES]


OWN_REMEDIES = {
    "too_many_open_files": "raise the limit on open files (ulimit -n), bound open calls with load.max_open, or add "
    "--workers",
    "no_local_port": "this machine has no local port left: call from more addresses or machines, or lower the rate",
    "no_buffers": "this machine's network buffers are full: lower the load, or spread it over machines",
    "no_memory": "this machine's memory is full: lower the load, or spread it over machines",
}


def _cross_talk(found: Findings) -> list[str]:
    """Turns that hold words of another call: whatever the thresholds say, no answer of such a target can be trusted."""
    if not found.cross_talk:
        return []
    said = [
        f"{each.session_id} turn {each.turn + 1}: the {each.part} is that of {each.other}" for each in found.cross_talk
    ]
    more = found.cross_talk_turns - len(said)
    return [
        f"{amount(found.cross_talk_turns, 'turn')} with words of another call (cross-talk)",
        *said,
        *([f"and {more:,} more"] if more > 0 else []),
    ]


def _failed(found: Findings) -> list[str]:
    stopped = found.run.stop_sentence if found.run.stop_reason == "threshold" else None
    return [*([stopped] if stopped else []), *(each.sentence for each in found.thresholds if each.ok is False)]


def _budget(found: Findings) -> list[str]:
    """The run stopped at its own limit on money, minutes or calls: complete as far as it went."""
    if found.run.stop_reason != "budget":
        return []
    return [found.run.stop_sentence or "the budget was used up", *_ceiling(found), _answered(found)]


def _unjudged(found: Findings) -> list[str]:
    """Thresholds of the scenario that had too few samples: whether they were kept is not known."""
    return [each.sentence for each in found.thresholds if each.ok is None and not each.default]


def _answered(found: Findings) -> str:
    """How many turns were answered, of those that were planned where that is more."""
    turns = found.turns
    said = f"{turns.answered:,} of {amount(turns.measured, 'turn')} answered"
    planned = (turns.planned or 0) - turns.cut_off
    if planned <= turns.begun:
        return said
    return f"{said}; of {planned:,} planned, {turns.begun:,} were begun"


def _unreachable(found: Findings) -> list[str]:
    if found.targets is not None:
        return _targets_unreachable(found)
    ready = found.calls.ready if found.calls.measured else found.calls.ready_in_warmup
    if not _calls(found) or ready:
        return []
    none_ready = f"none of {amount(_calls(found), 'call')} became ready"
    if (advice := _other_dialect(found)) is not None:
        return [advice, none_ready]
    return [f"{none_ready}{_most_often(found, 'call')}"]


def _other_dialect(found: Findings) -> str | None:
    """What a dialect says of a server that speaks another one: the cause of everything else, so the first line."""
    rows = (row for row in found.errors if row.level == "call" and row.error_code == WRONG_DIALECT)
    return next((row.message for row in rows if row.message), None)


def _targets_unreachable(found: Findings) -> list[str]:
    """Each target of several that no call got through to; the others were measured all the same."""
    rows = found.targets.rows if found.targets is not None else []
    dead = [row for row in rows if row.calls and not row.ready]
    said = [
        f"{row.name}: none of {amount(row.calls, 'call')} became ready{_most_often(found, 'call', row.name)}"
        for row in dead
    ]
    alive = [f"{row.name} {row.answered:,} of {amount(row.turns, 'turn')}" for row in rows if row not in dead]
    return [*said, f"answered: {', '.join(alive)}"] if dead and alive else said


def _invalid(found: Findings) -> list[str]:
    if found.ceiling is not None:
        return []
    spoken, late, bound = _spoken(found), found.turns.client_late, found.health.client_late_bound
    share = late / spoken if spoken else 0.0
    if share <= bound or late < min(LEAST_LATE_TURNS, spoken):
        return []
    return [
        f"the generator was overloaded or stood still: it was late itself in {late:,} of {amount(spoken, 'turn')}"
        f" ({100 * share:.1f} %; the bound is {100 * bound:.0f} %)",
        *(found.health.overload or [_unexplained(found)]),
    ]


def _unexplained(found: Findings) -> str:
    """Late turns on a machine that was not at its limit: what a reader may look for."""
    latest = found.health.frame_late.max_ms if found.health.frame_late else None
    said = "" if latest is None else f"the latest frame left {latest:,.1f} ms late; "
    return f"{said}nothing was at its limit for long: another program may have held this machine for a moment"


def _no_data(found: Findings) -> list[str]:
    spoken, by_budget = _spoken(found), found.run.stop_reason == "budget"
    if found.turns.answered or (by_budget and not spoken):
        return []
    if not _calls(found):
        return ["no call was placed after warm-up"]
    if not spoken:
        none_spoken = f"no turn was spoken in {amount(_calls(found), 'call')} after warm-up"
        advice = _other_dialect(found)
        return [none_spoken] if advice is None else [advice, none_spoken]
    late = found.turns.client_late
    left_out = f" ({late} left out: the generator itself was late)" if late else ""
    unanswered = f"none of {amount(spoken, 'turn')} was answered{left_out}"
    if (advice := _other_dialect(found)) is not None:
        return [advice, unanswered]
    return [f"{unanswered}{_most_often(found, 'turn')}"]


RULES: tuple[tuple[Name, Rule], ...] = (
    ("interrupted", _interrupted),
    ("incomplete", _incomplete),
    ("invalid", _own_failures),
    ("unreachable", _unreachable),
    ("invalid", _invalid),
    ("no data", _no_data),
    ("invalid", _own_ceiling),
    ("failed", _cross_talk),
    ("failed", _ceiling_too_low),
    ("failed", _failed),
    ("budget", _budget),
    ("no data", _ceiling_unknown),
    ("no data", _unjudged),
)


def _calls(found: Findings) -> int:
    """Calls after warm-up; all calls of a run that was killed in its warm-up."""
    return found.calls.measured or found.calls.total


def _spoken(found: Findings) -> int:
    return found.turns.total - found.turns.warmup


def _most_often(found: Findings, level: str, target: str | None = None) -> str:
    """The most frequent failure in words: kind, code, stage, and the server's message."""
    rows = (row for row in found.errors if row.level == level)
    row = next((row for row in rows if target in {None, row.target}), None)
    if row is None:
        return ""
    kind = row.error_kind or row.status.replace("_", " ")
    said = kind + (f" ({row.error_code})" if row.error_code else "") + (f" at {row.stage}" if row.stage else "")
    return f"; most often: {said}" + (f": {failure(row)}" if row.message or row.error_kind is None else "")


def _warnings(found: Findings) -> list[str]:
    """What a reader must know of the numbers; it decides nothing."""
    turns, said = found.turns, protocol_warnings(found.protocol)
    if 0 < turns.answered < turns.measured:
        lost = turns.measured - turns.answered
        share = 100 * lost / turns.measured
        said.append(f"{lost:,} of {amount(turns.measured, 'turn')} {_were(lost)} not answered ({share:.1f} %)")
    if turns.client_late:
        late = turns.client_late
        said.append(f"{amount(late, 'turn')} {_were(late)} left out of the statistics: the generator itself was late")
    first = found.headline
    if first is not None and not supported(first.n, 95):
        said.append(f"p95 is blank: it needs 20 answered turns, and there {'is' if first.n == 1 else 'are'} {first.n}")
    if turns.answered:
        said += _coverage(found)
    return said + [note for note in found.run.notes if note not in said]


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _coverage(found: Findings) -> list[str]:
    said, words, cost = [], found.words, found.cost
    if words.scored == 0:
        said.append(f"WER was not measured: {no_words(found.run.scenario, words.expected)}")
    elif words.scored < words.expected:
        said.append(
            f"WER covers {words.scored:,} of {amount(words.expected, 'turn')}: the others have no transcription"
        )
    if cost.unpriced_answered == found.turns.answered:
        said.append("cost is unknown: no answered turn has a known price")
    elif cost.unpriced_answered:
        said.append(f"cost is a lower bound: {amount(cost.unpriced_answered, 'answered turn')} without a known price")
    return said + [f"{note} ({amount(count, 'turn')})" for note, count in list(cost.notes.items())[:MOST_COST_NOTES]]
