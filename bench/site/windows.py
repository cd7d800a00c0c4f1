"""Every run of a target judged by the sound runs before it, with the statistics of the gate.

In: the digests of all runs. Out: `Series`, one for each scenario and target, in the order in which runs were made; each
`Night` of it with its rows against the window.
Trap: a run that was a regression itself, or in which the target was away, is shown and never judged by: it would widen
what is usual.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bench.measure.metrics import METRICS
from bench.measure.wer import comparable
from bench.report.compare.conditions import NORMALISER
from bench.report.compare.matters import POINTS, Matters
from bench.report.gate import nights
from bench.report.gate.findings import GateRow, not_back
from bench.report.gate.gate import Settings, together
from bench.report.gate.nights import LEAST_NIGHTS, Judged
from bench.site.digest import AVAILABILITY, Fact, RunDigest, Seen, TargetDigest

WINDOW = 7
OUTAGE = 0.5
"""The share of good calls below which the target counts as away."""
MOST_BAD = 0.05
"""Of calls and of turns: the bound that `bench run` holds by default."""
SHARES = (AVAILABILITY, "wer", "stall_rate", "task_success", "goodput")
SETTINGS = Settings(measures=(), matters=Matters())

State = Literal["as usual", "regression", "not recovered", "better", "outage", "first runs", "not usable"]
WORSE: tuple[State, ...] = ("regression", "not recovered", "outage")
"""Of a run that is no measure for later ones, and calls for attention."""
Key = tuple[str, str, str]


@dataclass(slots=True)
class Night:
    """A run of a target, and what the runs before it say of it."""

    run: RunDigest
    target: TargetDigest
    state: State = "first runs"
    rows: list[GateRow] = field(default_factory=list)
    window: list[RunDigest] = field(default_factory=list)
    skipped: str = ""
    """Why the newest earlier run that was left out is not in the window."""
    gaps: bool = False
    """Whether a run that was left out lies between those of the window, or after them."""
    not_judged: str = ""
    """Why it says nothing of the target."""
    worse: dict[str, RunDigest] = field(default_factory=dict)
    """Measures that became worse and are not back, each with the run in which it became so: this or an earlier one."""

    @property
    def usable(self) -> bool:
        """Whether its figures describe the target."""
        return not self.not_judged

    @property
    def sound(self) -> bool:
        """Whether later runs are judged by it."""
        return self.usable and self.state not in WORSE and _kept_bounds(self)

    def row(self, measure: str) -> GateRow | None:
        return next((each for each in self.rows if each.measure == measure), None)


@dataclass(slots=True)
class Series:
    """All runs of one scenario with one target, oldest first."""

    scenario: str
    key: Key
    nights: list[Night] = field(default_factory=list)

    @property
    def newest(self) -> Night:
        return self.nights[-1]

    @property
    def last_usable(self) -> Night | None:
        return next((night for night in reversed(self.nights) if night.usable), None)


def series_of(runs: Iterable[RunDigest]) -> list[Series]:
    """Every series with its nights judged; those of the most runs first."""
    found: dict[tuple[str, Key], Series] = {}
    for run in sorted(runs, key=lambda each: (each.started_at, each.run_id)):
        for target in run.targets:
            name = (run.scenario, target.key)
            series = found.setdefault(name, Series(run.scenario, target.key))
            series.nights.append(judged(run, target, series.nights))
    return sorted(found.values(), key=lambda each: (-len(each.nights), each.scenario, each.key))


def judged(run: RunDigest, target: TargetDigest, earlier: Sequence[Night]) -> Night:
    """The run of a target against the newest sound ones of `earlier` that were made under the same conditions."""
    night = Night(run, target)
    if run.verdict in {"invalid", "incomplete", "not finished", "interrupted"} or not target.calls:
        night.state = "not usable"
        night.not_judged = (
            "no call of it is stored"
            if run.verdict in {"pass", "failed", "budget", "no data"}
            else f"the run is {run.verdict}"
        )
        return night
    share = target.good_calls / target.calls
    window, night.skipped, night.gaps = _window(run, earlier)
    night.window = [each.run for each in window]
    pairs = [_row(measure, seen, window, run) for measure, seen in _family(target).items()]
    rows = [row for row, _ in pairs]
    if len(window) >= LEAST_NIGHTS:
        rows = together(rows, [found for _, found in pairs], SETTINGS, powered=False)
    night.rows = rows
    verdicts = {row.verdict for row in rows}
    _carry(night, _before(run, earlier))
    if share < OUTAGE:
        night.state = "outage"
    elif "regression" in verdicts:
        night.state = "regression"
    elif night.worse:
        night.state = "not recovered"
    elif len(window) < LEAST_NIGHTS:
        night.state = "first runs"
    else:
        night.state = "better" if "better" in verdicts else "as usual"
    return night


def _before(run: RunDigest, earlier: Sequence[Night]) -> Night | None:
    """The newest earlier run of the same kind in which the target answered."""
    return next(
        (
            night
            for night in reversed(earlier)
            if night.usable and night.state != "outage" and _other_kind(run, night) is None
        ),
        None,
    )


def _carry(night: Night, before: Night | None) -> None:
    """What became worse stays worse until it is back among the nights of the window.

    One lucky night of a target that stays slow is neither an alarm nor usual: were later nights judged by it, the next
    slow one would be usual too.
    """
    carried = {} if before is None or before.run.accepted else before.worse
    for row in night.rows:
        if not_back(row, row.measure in carried):
            night.worse[row.measure] = carried.get(row.measure, night.run)


def _family(target: TargetDigest) -> dict[str, Seen]:
    """What is judged: few measures, since each more makes the others blunter."""
    latency = [f"{target.headline}: p50", f"{target.headline}: p95"] if target.headline else []
    names = [*latency, *SHARES, "cost_per_minute_usd"]
    return {name: seen for name in names if (seen := target.seen(name)) is not None}


def _window(run: RunDigest, earlier: Sequence[Night]) -> tuple[list[Night], str, bool]:
    """The newest sound runs of the same kind, oldest first, why the newest that was left out is not among them, and
    whether any that was left out is newer than one of them."""
    window: list[Night] = []
    skipped, gaps = "", False
    for night in reversed(earlier):
        if night.run.accepted and night.usable:
            window.append(night)
            gaps = bool(skipped)
            break
        why = _why_not(run, night)
        if why is None:
            window.append(night)
            gaps = bool(skipped)
        elif not skipped:
            skipped = f"{night.run.run_id}: {why}"
        if len(window) == WINDOW:
            break
    return window[::-1], skipped, gaps


def _why_not(run: RunDigest, night: Night) -> str | None:
    """Why `night` is no measure for `run`; None where it is."""
    if not night.sound:
        if night.state == "not recovered":
            return "it had not recovered from a regression"
        if night.state in WORSE:
            return f"it was {'an' if night.state == 'outage' else 'a'} {night.state} itself"
        if night.not_judged or night.run.verdict in {"pass", "failed"}:
            return night.not_judged or "it did not keep the bounds on errors"
        return "it was ended by its budget" if night.run.verdict == "budget" else f"its verdict is {night.run.verdict}"
    return _other_kind(run, night)


def _other_kind(run: RunDigest, night: Night) -> str | None:
    """What keeps every figure of the two runs from being compared."""
    for title, fact in differing(night.run, run):
        if fact.level == "warn" and not fact.metrics:
            return f"not the same {title}"
    return None


_DIFFERING: dict[tuple[str, str], list[tuple[str, Fact]]] = {}
"""By the kinds of two runs: there are few kinds and many pairs."""


def differing(a: RunDigest, b: RunDigest) -> list[tuple[str, Fact]]:
    """What two runs do not say the same of, with what it means; notes are left out."""
    if a.kind == b.kind and a.kind:
        return []
    if not a.kind or not b.kind:
        return _differing(a, b)
    pair = (a.kind, b.kind)
    if pair not in _DIFFERING:
        _DIFFERING[pair] = _differing(a, b)
    return _DIFFERING[pair]


def _differing(a: RunDigest, b: RunDigest) -> list[tuple[str, Fact]]:
    found = []
    for title in dict.fromkeys((*a.facts, *b.facts)):
        one, other = a.facts.get(title), b.facts.get(title)
        fact = one or other
        if fact is None or fact.level == "note" or (one is not None and other is not None and one.value == other.value):
            continue
        if fact.key == "version" and (one is None or other is None):
            continue  # a run of an older version does not say by which definitions it was measured
        if title == NORMALISER and comparable(_rules(one) | _rules(other)):
            continue
        found.append((title, fact))
    return found


def _rules(fact: Fact | None) -> set[str]:
    return set((fact.value or "").split(", ")) - {""} if fact is not None else set()


def _row(measure: str, seen: Seen, window: Sequence[Night], run: RunDigest) -> tuple[GateRow, Judged | None]:
    values: list[Seen | None] = []
    why = ""
    for night in window:
        touching = next((title for title, fact in differing(night.run, run) if seen.metric in fact.metrics), None)
        why = why or (f"not the same {touching}" if touching else "")
        values.append(None if touching else night.target.seen(measure))
    known = [each for each in values if each is not None]
    least = _least(seen, known)
    found = None
    if known and least is not None:
        scale: nights.Scale = "share" if seen.unit == "share" else "plain"
        found = nights.judge([night_from(each) for each in known], night_from(seen), seen.worse, least, scale)
    if found is None and not why:
        why = f"{len(known)} earlier runs have it, and {LEAST_NIGHTS} are needed"
    row = GateRow(
        measure=measure,
        metric=seen.metric,
        title=seen.title,
        fold=seen.fold,
        unit=seen.unit,
        decimals=seen.decimals,
        worse=seen.worse,
        nights=[None if each is None else each.value for each in values],
        value=seen.value,
        n=seen.n,
        matters=least,
        why="" if found is not None else why,
    )
    return row, found


def _least(seen: Seen, known: Sequence[Seen]) -> float | None:
    """The smallest change that matters, from the mean of the window."""
    if seen.metric == AVAILABILITY:
        return POINTS
    finite = [each.value for each in known if each.value is not None and math.isfinite(each.value)]
    return SETTINGS.matters.of(METRICS[seen.metric], sum(finite) / len(finite)) if finite else None


def night_from(seen: Seen) -> nights.Night:
    """A figure as the statistics of nights take it."""
    return nights.Night(seen.value or 0.0, seen.error, seen.events, seen.rows)


def _kept_bounds(night: Night) -> bool:
    """Whether the run passed; of a run that failed a bound, whether this target kept the usual ones on errors."""
    if night.run.verdict != "failed":
        return night.run.verdict == "pass"
    if len(night.run.targets) < 2:
        return False
    target = night.target
    return (
        target.calls - target.good_calls <= MOST_BAD * target.calls
        and target.turns - target.answered <= MOST_BAD * target.turns
    )
