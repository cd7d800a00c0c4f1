"""Whether a level of load is carried, from its rows as they come: yes, no, or not yet.

In: rows with the second at which each came, and the question what they say by now. Out: a `Ruling`, as soon as the
share of good turns is surely above or below what was asked, or when the time of the level is over.
Looking several times makes chance decide more often, so each of `LOOKS` looks has its part of the doubt (Bonferroni);
and turns of one call count as less than independent ones.
Trap: turns that end early are the good ones. A caller of whom nothing was heard for longer than a good turn takes
counts as a bad turn before a level may pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Literal

from bench.measure.records import SessionRecord, TurnRecord
from bench.report.phrases import amount, percent
from bench.report.stats import clustered_wilson
from bench.report.view import OWN
from bench.scenario.threshold_grammar import Objective
from bench.scenario.thresholds import broken_objective

LOOKS = 5
"""How often a level is looked at, at equal distances."""
SHUT_OUT = 3
"""Calls in a row that a caller of a pool was refused, after which nobody believes that the next one gets through."""
QUICK = 10
"""Turns, all of them good, after which a level that is doubled from is left; more where there are more callers."""
LEAST_LATE = 3
"""Turns that we sent late ourselves before they say something of the generator."""
LATE_PARTS = 2
"""Parts of a level, of `LOOKS`, in which turns must have been late: one pause of the machine is no sign of overload."""
PATIENCE = 1.5
"""How much longer than the longest wait so far nothing may be heard of a caller."""

Reason = Literal["goodput", "refused", "generator", "silence"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The end of a level. `sure`: by the interval, and not only by how it looked when its time was over."""

    held: bool
    sure: bool
    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a level must keep, and for how long it may be looked at."""

    level: float
    goodput: float
    confidence: float
    settle_s: float
    most_s: float
    objectives: tuple[Objective, ...]
    turns_per_call: int
    max_client_late: float
    rated: bool = False
    quick: bool = False
    """It is only doubled from: a short look is enough."""
    join_s: float = 0.0
    """Over how long the callers of a pool join."""


@dataclass(slots=True)
class Counts:
    """What was seen at a level, also over two looks at it."""

    by_call: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Good turns and turns of each call."""
    late: int = 0
    """Turns that we spoiled ourselves: sent late, or failed by a limit of this machine."""

    @property
    def good(self) -> int:
        return sum(good for good, _ in self.by_call.values())

    @property
    def turns(self) -> int:
        return sum(turns for _, turns in self.by_call.values())

    def add(self, call: str, good: int, turns: int = 1) -> None:
        before = self.by_call.get(call, (0, 0))
        self.by_call[call] = (before[0] + good, before[1] + turns)


@dataclass(slots=True)
class _Caller:
    """A caller of a pool, or a call that arrived."""

    due_s: float
    heard_s: float | None = None
    refused: int = 0
    over: bool = False


class LevelJudge:
    """Judges one look at one level. Seconds count from its first call."""

    def __init__(self, asked: Asked, before: Counts | None = None) -> None:
        """`before` is what an earlier look at the same level saw; it counts as well."""
        self.counts = before or Counts()
        self._asked = asked
        self._looks = LOOKS * (2 if before is not None else 1)
        self._looked = 0
        self._longest_s = 0.0
        self._late_parts: set[int] = set()
        self._callers: dict[int, _Caller] = {}

    # rows

    def turn(self, row: TurnRecord, at_s: float) -> None:
        """A turn ended."""
        caller = self._caller(row.caller, at_s)
        caller.refused = 0
        if row.status == "ok":
            self._longest_s = max(self._longest_s, at_s - (caller.due_s if caller.heard_s is None else caller.heard_s))
        caller.heard_s = at_s
        if row.warmup:
            return
        if row.client_late or row.error_kind == OWN:
            self._late(at_s)
        else:
            self.counts.add(row.session_id, broken_objective(row, self._asked.objectives) is None)

    def session(self, row: SessionRecord, at_s: float) -> None:
        """A call ended. One that failed before it began, or among arrivals too early, is bad turns without a row."""
        caller = self._caller(row.caller, at_s)
        caller.over = self._asked.rated
        if row.status != "failed":
            caller.refused = 0
            return
        settled = at_s >= self._asked.settle_s
        if row.error_kind == OWN:
            if settled:
                self._late(at_s)
            return
        never = row.session_ready_ms is None
        if never:
            caller.refused += 1
            caller.heard_s = at_s
        lost = max(row.turns_planned - row.turns_ended, 0) if self._asked.rated else int(never)
        if lost and settled:
            self.counts.add(row.session_id, 0, lost)

    def _late(self, at_s: float) -> None:
        self.counts.late += 1
        self._late_parts.add(math.floor(LOOKS * (at_s - self._asked.settle_s) / self._asked.most_s))

    def _caller(self, number: int, at_s: float) -> _Caller:
        if number not in self._callers:
            self._callers[number] = _Caller(self._due_s(number))
        return self._callers[number]

    def _due_s(self, number: int) -> float:
        if self._asked.rated:
            return number * 60 / self._asked.level
        return number * self._asked.join_s / self._asked.level

    # what they say

    def ruling(self, now_s: float) -> Ruling | None:
        """The end of the level, once it is decided or its time is over."""
        asked, counts = self._asked, self.counts
        judged_s = now_s - asked.settle_s
        if judged_s <= 0:
            return None
        ours, over = self._ours(), judged_s >= asked.most_s
        if ours is not None and (ours.sure or over):
            return ours
        shut_out = [caller for caller in self._callers.values() if caller.refused >= SHUT_OUT and not asked.rated]
        if shut_out:
            return Ruling(False, True, "refused", self._said(f"{amount(len(shut_out), 'caller')} got no call at all"))
        look = min(LOOKS, math.floor(LOOKS * judged_s / asked.most_s))
        if look > self._looked:
            self._looked = look
            found = self._look(now_s)
            if found is not None:
                return found
        waiting = self._waiting(now_s)
        if (
            asked.quick
            and not waiting
            and counts.turns == counts.good >= max(QUICK, asked.level if not asked.rated else 0)
        ):
            return Ruling(True, False, "goodput", self._said("enough to go on"))
        return self._at_the_end(waiting) if over else None

    def _ours(self) -> Ruling | None:
        late, turns, parts = self.counts.late, self.counts.turns, len(self._late_parts)
        if late < LEAST_LATE or parts < LATE_PARTS or late / (late + turns) <= self._asked.max_client_late:
            return None
        said = f"{late:,} of {amount(late + turns, 'turn')} were spoiled by this machine, which was late itself"
        return Ruling(False, parts > LATE_PARTS, "generator", said)

    def _look(self, now_s: float) -> Ruling | None:
        doubt = (1 - self._asked.confidence) / self._looks
        z = NormalDist().inv_cdf(1 - doubt / 2)
        calls = list(self.counts.by_call.values())
        limits = clustered_wilson(calls, z).limits
        if limits is None:
            return None
        if limits[1] < self._asked.goodput:
            return Ruling(False, True, "goodput", self._said())
        # Whoever is waited for might be about to fail: none of them may be what a level passes by.
        with_silent = clustered_wilson([*calls, *[(0, 1)] * len(self._waiting(now_s))], z).limits
        if with_silent is not None and with_silent[0] >= self._asked.goodput:
            return Ruling(True, True, "goodput", self._said())
        return None

    def _at_the_end(self, waiting: Sequence[_Caller]) -> Ruling:
        counts = self.counts
        if not counts.turns:
            return Ruling(False, False, "silence", "no turn ended in the time of the level")
        if any(caller.refused for caller in waiting):
            refused = sum(caller.refused > 0 for caller in waiting)
            return Ruling(False, False, "refused", self._said(f"{amount(refused, 'caller')} without a call at the end"))
        share = counts.good / (counts.turns + len(waiting))
        silent = f"{amount(len(waiting), 'caller')} waited in vain" if waiting else "too few to be sure"
        return Ruling(share >= self._asked.goodput, False, "goodput", self._said(silent))

    def _waiting(self, now_s: float) -> list[_Caller]:
        """Callers who were refused last, or of whom nothing was heard for too long."""
        expected = self._expected(now_s)
        patience_s = PATIENCE * self._longest_s
        return [
            caller
            for caller in expected
            if caller.refused
            or (patience_s and now_s - (caller.due_s if caller.heard_s is None else caller.heard_s) > patience_s)
        ]

    def _expected(self, now_s: float) -> list[_Caller]:
        """Everybody who should be on the line by now."""
        known = len(self._callers)
        most = math.floor(now_s * self._asked.level / 60) + 1 if self._asked.rated else int(self._asked.level)
        if known < most:
            for number in range(most):
                self._caller(number, now_s)
        return [caller for caller in self._callers.values() if not caller.over and caller.due_s <= now_s]

    def _said(self, more: str = "") -> str:
        good, turns = self.counts.good, self.counts.turns
        said = f"{good:,} of {amount(turns, 'turn')} were good" + (f" ({percent(good / turns)})" if turns else "")
        return f"{said}; {more}" if more else said
