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
from dataclasses import dataclass
from statistics import NormalDist

from bench.measure.records import SessionRecord, TurnRecord
from bench.report.phrases import amount, percent
from bench.report.stats import clustered_wilson
from bench.report.view import OWN
from bench.run.call_needs import ENOUGH_CALLS, CallNeeds, Need
from bench.run.level_counts import Cause, Counts, cause_of_call, cause_of_turn
from bench.scenario.threshold_grammar import Objective
from bench.store.search_record import LimitKind

LOOKS = 5
"""How often a level is looked at, at equal distances."""
LEAST_TURNS = 10
"""Turns without which no level is decided before its time is over."""
SHUT_OUT = 3
"""Calls in a row that a caller of a pool was refused, after which nobody believes that the next one gets through."""
REFUSED_EXTRA_S = 15.0
"""A level goes on for at most so long beyond its time while a caller who was refused is about to call again."""
QUICK = 10
"""Turns, all of them good, after which a level that is doubled from is left; more where there are more callers."""
LEAST_LATE = 3
"""Turns that we sent late ourselves before they say something of the generator."""
LATE_SPAN, SURE_SPAN = 0.25, 0.5
"""Part of a level between its first and its last late turn: one pause of the machine is no sign of overload."""
PATIENCE = 1.5
"""How much longer than the longest wait so far nothing may be heard of a caller."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The end of a level. `sure`: by the interval, and not only by how it looked when its time was over."""

    held: bool
    sure: bool
    reason: LimitKind | None
    """What decided against it."""
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
    max_client_late: float
    rated: bool = False
    quick: bool = False
    """It is only doubled from: a short look is enough."""
    join_s: float = 0.0
    """Over how long the callers of a pool join."""
    learn_s: float = 0.0
    """Until then a level is not left before `ENOUGH_CALLS` whole calls were seen: what a call uses is learned here."""


@dataclass(slots=True)
class _Caller:
    """A caller of a pool, or a call that arrived."""

    due_s: float
    heard_s: float | None = None
    refused: int = 0
    """Calls in a row that never became ready."""
    why: Cause | None = None
    over: bool = False

    def silent_s(self, now_s: float) -> float:
        return now_s - (self.due_s if self.heard_s is None else self.heard_s)


class LevelJudge:
    """Judges one look at one level. Seconds count from its first call."""

    def __init__(self, asked: Asked, needs: CallNeeds | None = None, before: Counts | None = None) -> None:
        """`before` is what an earlier look at the same level saw; it counts as well. `needs` knows what calls use."""
        self.counts = before or Counts()
        self._asked = asked
        self._needs = needs or CallNeeds()
        self._looks = LOOKS * (2 if before is not None else 1)
        self._looked = 0
        self._longest_s = 0.0
        self._late_s: list[float] = []
        self._callers: dict[int, _Caller] = {}

    # rows

    def turn(self, row: TurnRecord, at_s: float) -> None:
        """A turn ended."""
        caller = self._caller(row.caller)
        caller.refused = 0
        if row.status == "ok":
            self._longest_s = max(self._longest_s, caller.silent_s(at_s))
        caller.heard_s = at_s
        if row.warmup:
            return
        if row.client_late or row.error_kind == OWN:
            self._late(at_s)
        else:
            self.counts.add(row.session_id, cause_of_turn(row, self._asked.objectives))

    def session(self, row: SessionRecord, at_s: float) -> None:
        """A call ended. One that failed before it began, or among arrivals too early, is bad turns without a row."""
        caller = self._caller(row.caller)
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
        cause = cause_of_call(row)
        if never:
            caller.refused += 1
            caller.heard_s, caller.why = at_s, cause
        lost = max(row.turns_planned - row.turns_ended, 0) if self._asked.rated else int(never)
        if lost and settled:
            self.counts.add(row.session_id, cause, lost)

    def _late(self, at_s: float) -> None:
        self.counts.late += 1
        self._late_s.append(at_s)

    def _caller(self, number: int) -> _Caller:
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
        asked = self._asked
        judged_s = now_s - asked.settle_s
        if judged_s <= 0:
            return None
        over = judged_s >= asked.most_s
        learning = len(self._needs.calls) < ENOUGH_CALLS and judged_s < max(asked.learn_s, 0.0)
        ours = self._ours()
        if ours is not None and (ours.sure or over):
            return ours
        if (shut_out := self._shut_out()) is not None:
            return shut_out
        look = min(LOOKS, math.floor(LOOKS * judged_s / asked.most_s))
        if look > self._looked:
            self._looked = look
            found = self._look(now_s)
            if found is not None and not (found.held and learning):
                return found
        if not learning and self._good_enough(now_s):
            return Ruling(True, False, None, self._said("enough to go on"))
        if not over or learning or (self._refused() and judged_s < asked.most_s + REFUSED_EXTRA_S):
            return None
        return self._at_the_end(now_s)

    def _good_enough(self, now_s: float) -> bool:
        """Whether a level that is only doubled from may be left: nothing but good turns, of every caller."""
        asked, counts = self._asked, self.counts
        enough = counts.turns == counts.good >= max(QUICK, 0 if asked.rated else asked.level)
        return asked.quick and enough and not self._waiting(now_s) and self._over_a_quota() is None

    def _ours(self) -> Ruling | None:
        late, turns = self.counts.late, self.counts.turns
        span = (self._late_s[-1] - self._late_s[0]) / self._asked.most_s if self._late_s else 0.0
        if late < LEAST_LATE or span < LATE_SPAN or late / (late + turns) <= self._asked.max_client_late:
            return None
        said = f"{late:,} of {amount(late + turns, 'turn')} were spoiled by this machine, which was late itself"
        return Ruling(False, span >= SURE_SPAN, "generator", said)

    def _shut_out(self) -> Ruling | None:
        """Callers of a pool who get no call at all, while others do."""
        out = [caller for caller in self._callers.values() if caller.refused >= SHUT_OUT]
        if not out or self._asked.rated:
            return None
        cause = next(caller.why for caller in out if caller.why is not None)
        waiting = len(self._refused())
        inside = self._asked.level - waiting
        named = cause.kind in {"handshake", "rate_limit", "sessions"} and inside > 0
        said = f"{amount(waiting, 'caller')} of {self._asked.level:,.0f} got no call ({cause.text})"
        return Ruling(False, True, "sessions" if named else cause.kind, said)

    def _refused(self) -> list[_Caller]:
        """Callers whose last call never became ready, and who are about to call again."""
        return [] if self._asked.rated else [caller for caller in self._callers.values() if caller.refused]

    def _look(self, now_s: float) -> Ruling | None:
        if self.counts.turns < LEAST_TURNS:
            return None
        doubt = (1 - self._asked.confidence) / self._looks
        z = NormalDist().inv_cdf(1 - doubt / 2)
        calls = list(self.counts.by_call.values())
        limits = clustered_wilson(calls, z).limits
        if limits is None:
            return None
        if limits[1] < self._asked.goodput:
            return Ruling(False, True, self.why(), self._said())
        over = self._over_a_quota()
        if over is not None:
            return self._quota_ruling(over) if over.surely_over else None
        if self._refused():
            return None
        # Whoever is waited for might be about to fail: none of them may be what a level passes by.
        with_silent = clustered_wilson([*calls, *[(0, 1)] * len(self._waiting(now_s))], z).limits
        if with_silent is not None and with_silent[0] >= self._asked.goodput:
            return Ruling(True, True, None, self._said())
        return None

    def _over_a_quota(self) -> Need | None:
        """The tightest limit that the level needs more of than there is, sure or not."""
        needs = self._needs.needs(self._asked.level, rated=self._asked.rated)
        return needs[0] if needs and needs[0].share > 1 else None

    def _quota_ruling(self, need: Need) -> Ruling:
        kind: LimitKind = "tokens" if need.name == "tokens" else "requests"
        return Ruling(False, need.surely_over, kind, f"it {need.sentence}; {self._said()}")

    def _at_the_end(self, now_s: float) -> Ruling:
        counts, waiting = self.counts, self._waiting(now_s)
        if not counts.turns:
            return Ruling(False, False, "silence", "no turn ended in the time of the level")
        share = counts.good / (counts.turns + len(waiting))
        silent = f"{amount(len(waiting), 'caller')} waited in vain" if waiting else "too few to be sure"
        held = share >= self._asked.goodput
        if held and (over := self._over_a_quota()) is not None:
            return self._quota_ruling(over)
        return Ruling(held, False, None if held else self.why(len(waiting)), self._said(silent))

    def why(self, waiting: int = 0) -> LimitKind:
        """What most of the bad turns are bad by, with so many of which nothing was heard; of rate limits, the one that
        is nearest to its end."""
        by_kind: dict[LimitKind, int] = {}
        for cause, turns in self.counts.causes.items():
            by_kind[cause.kind] = by_kind.get(cause.kind, 0) + turns
        kind = max(by_kind, key=lambda each: by_kind[each], default=None)
        if kind is None or waiting > by_kind[kind]:
            return "silence"
        if kind != "rate_limit":
            return kind
        needs = self._needs.needs(self._asked.level, rated=self._asked.rated)
        if not needs:
            return kind
        return "tokens" if needs[0].name == "tokens" else "requests"

    def _waiting(self, now_s: float) -> list[_Caller]:
        """Callers who were refused last, or of whom nothing was heard for too long."""
        patience_s = PATIENCE * self._longest_s
        return [
            caller
            for caller in self._expected(now_s)
            if caller.refused or (patience_s and caller.silent_s(now_s) > patience_s)
        ]

    def _expected(self, now_s: float) -> Sequence[_Caller]:
        """Everybody who should be on the line by now."""
        most = math.floor(now_s * self._asked.level / 60) + 1 if self._asked.rated else int(self._asked.level)
        if len(self._callers) < most:
            for number in range(most):
                self._caller(number)
        return [caller for caller in self._callers.values() if not caller.over and caller.due_s <= now_s]

    def _said(self, more: str = "") -> str:
        good, turns = self.counts.good, self.counts.turns
        said = f"{good:,} of {amount(turns, 'turn')} were good" + (f" ({percent(good / turns)})" if turns else "")
        return f"{said}; {more}" if more else said
