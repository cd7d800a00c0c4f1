"""What a call uses of a quota, learned from whole calls: tokens and requests per minute of it.

In: rows of turns and calls as they end. Out: what a number of callers, or a rate of calls, needs per minute, beside the
limits that the server told of.
Only calls that ended well from their beginning to their end are counted: tokens grow over the turns of a conversation,
so that the first minute of a call says too little.
Trap: a short level empties no quota of a minute, because a quota begins full. So a level that needs more than the
quota has per minute is over the limit although nothing was refused yet.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.measure.records import SessionRecord, TurnRecord
from bench.report.consumption import times
from bench.report.stats import Z95, Estimate

MOST_CALLS = 2_000
"""Calls that are remembered, the last ones."""
ENOUGH_CALLS = 5
"""Calls from which limits of an estimate are told."""
NAMES = {"tokens": "tokens per minute", "requests": "requests per minute"}


@dataclass(frozen=True, slots=True)
class CallUse:
    """One whole call."""

    minutes: float
    tokens: float | None
    requests: float


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit as the server reported it last."""

    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What a level needs of one limit."""

    name: str
    per_min: Estimate
    limit: float

    @property
    def share(self) -> float:
        """Of the limit; 1 is all of it."""
        return (self.per_min.value or 0.0) / self.limit

    @property
    def surely_over(self) -> bool:
        return self.per_min.limits is not None and self.per_min.limits[0] > self.limit

    @property
    def sentence(self) -> str:
        return (
            f"needs about {self.per_min.value or 0:,.0f} {NAMES.get(self.name, self.name)}, "
            f"and the server grants {self.limit:,.0f}"
        )


@dataclass(slots=True)
class CallNeeds:
    """Learns from the rows of a run."""

    calls: deque[CallUse] = field(default_factory=lambda: deque(maxlen=MOST_CALLS))
    quotas: dict[str, Quota] = field(default_factory=dict)
    _open: dict[str, tuple[float | None, float]] = field(default_factory=dict)

    def turn(self, row: TurnRecord) -> None:
        """A turn ended: its tokens belong to its call."""
        tokens, requests = self._open.get(row.session_id, (0.0, 0.0))
        used = _sum(row.in_total, row.out_total)
        both = None if tokens is None or used is None else tokens + used
        self._open[row.session_id] = (both, requests + row.responses)

    def session(self, row: SessionRecord) -> None:
        """A call ended; whole calls are counted, and what the server said of its limits is kept."""
        tokens, requests = self._open.pop(row.session_id, (0.0, 0.0))
        for name in NAMES:
            said = Quota(
                getattr(row, f"rate_limit_{name}_limit"),
                getattr(row, f"rate_limit_{name}_remaining"),
                getattr(row, f"rate_limit_{name}_reset_s"),
            )
            if said.limit:
                self.quotas[name] = said
        whole = row.status == "ok" and row.turns_ok == row.turns_planned
        if not whole or not row.duration_ms:
            return
        if row.other_responses:
            other = _sum(row.other_in_total, row.other_out_total)
            tokens = None if tokens is None or other is None else tokens + other
        self.calls.append(CallUse(row.duration_ms / 60_000, tokens, requests + row.other_responses))

    def needs(self, level: float, *, rated: bool) -> list[Need]:
        """What `level` callers, or calls per minute, need of each limit that is known; the tightest first."""
        found = []
        for name, quota in self.quotas.items():
            each = per_call(self.calls, name) if rated else per_call_minute(self.calls, name)
            if quota.limit and each.value is not None:
                found.append(Need(name, times(each, level), quota.limit))
        return sorted(found, key=lambda need: -need.share)

    def refill_s(self) -> float | None:
        """How long the emptiest quota needs until it is full again, by what the server said; None without a word."""
        known = [quota.reset_s for quota in self.quotas.values() if quota.reset_s is not None]
        return max(known, default=None)


def _sum(*parts: int | None) -> float | None:
    """Tokens in and out; None where one is not known."""
    return None if any(part is None for part in parts) else float(sum(part or 0 for part in parts))


def _used(calls: Sequence[CallUse], name: str) -> list[tuple[float, float]]:
    """What each call used, and its minutes; calls without a count are left out."""
    used = [(each.tokens if name == "tokens" else each.requests, each.minutes) for each in calls]
    return [(amount, minutes) for amount, minutes in used if amount is not None]


def per_call_minute(calls: Sequence[CallUse], name: str) -> Estimate:
    """Use per minute of calls: a ratio of sums, with 95 % limits by linearisation (Cochran 1977, 6.3)."""
    used = _used(calls, name)
    minutes = sum(each for _, each in used)
    if not minutes:
        return Estimate(None)
    ratio = sum(amount for amount, _ in used) / minutes
    n = len(used)
    if n < ENOUGH_CALLS:
        return Estimate(ratio)
    squares = sum((amount - ratio * each) ** 2 for amount, each in used)
    spread = Z95 * math.sqrt(n / (n - 1) * squares) / minutes
    return Estimate(ratio, (max(0.0, ratio - spread), ratio + spread))


def per_call(calls: Sequence[CallUse], name: str) -> Estimate:
    """Use per call, with 95 % limits of the mean."""
    used = [amount for amount, _ in _used(calls, name)]
    if not used:
        return Estimate(None)
    n, mean = len(used), sum(used) / len(used)
    if n < ENOUGH_CALLS:
        return Estimate(mean)
    spread = Z95 * math.sqrt(sum((amount - mean) ** 2 for amount in used) / (n - 1) / n)
    return Estimate(mean, (max(0.0, mean - spread), mean + spread))
