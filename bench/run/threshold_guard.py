"""Ends a run as soon as a threshold with `abort_on_fail` is not kept.

In: rows as they end. Out: a `Stop` with the observed value. Each threshold keeps its own samples, sorted, so that
asking costs next to nothing however many there are.
Trap: a sample is what `bench.report.thresholds` would count of the same row; a test holds both against each other.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from bench.facts.renewal import EXPIRED
from bench.load.progress import Progress
from bench.load.spec import RunSpec
from bench.measure.outcome import ANSWERED, ERRORS, was_given_up
from bench.measure.records import SessionRecord, TurnRecord
from bench.report.shares import CONTINUITY_MS, OF_CALLS
from bench.report.stats import percentile
from bench.report.thresholds import least_samples
from bench.report.view import OWN
from bench.run.conduct import Stop
from bench.run.watchdog import Watchdog
from bench.scenario.threshold_grammar import Objective, Threshold, show_value
from bench.scenario.thresholds import ThresholdBlock, broken_objective

STOPPED_BY_THRESHOLD = "threshold"
"""`stop_reason` of a run that `abort_on_fail` ended."""
EVERY_S = 1.0
"""How often the bounds are looked at."""

Row = TurnRecord | SessionRecord
Pair = tuple[float, float]
"""A part and its whole; for a folded metric the value and 1."""


@dataclass(slots=True)
class Samples:
    """What the rows of the last `window_s` (or of all time) say."""

    window_s: float | None = None
    kept: deque[tuple[float, Pair]] = field(default_factory=deque)
    ordered: list[float] = field(default_factory=list)
    part: float = 0.0
    whole: float = 0.0

    def add(self, at_s: float, sample: Pair) -> None:
        """One more row, at a monotonic second."""
        if self.window_s is not None:
            self.kept.append((at_s, sample))
        insort(self.ordered, sample[0])
        if math.isfinite(sample[0]):
            self.part += sample[0]
        self.whole += sample[1]

    def forget(self, now_s: float) -> None:
        """Drop what is older than the window."""
        while self.window_s is not None and self.kept and self.kept[0][0] < now_s - self.window_s:
            _, sample = self.kept.popleft()
            del self.ordered[bisect_left(self.ordered, sample[0])]
            if math.isfinite(sample[0]):
                self.part -= sample[0]
            self.whole -= sample[1]

    def observed(self, threshold: Threshold) -> float | None:
        """The value that the threshold asks for; None without a sample."""
        ordered = self.ordered
        if not ordered or self.whole <= 0:
            return None
        if threshold.fold == "percentile":
            return percentile(np.asarray(ordered), threshold.percent or 50.0)
        if threshold.fold in {"min", "max"}:
            return ordered[0] if threshold.fold == "min" else ordered[-1]
        if math.isinf(ordered[-1]):
            return math.inf
        return self.part if threshold.fold == "sum" else self.part / self.whole


def sample_of(threshold: Threshold, row: Row, objectives: tuple[Objective, ...]) -> Pair | None:
    """What `row` adds to the rows that the threshold chooses; None when it is not among them."""
    if isinstance(row, SessionRecord) != threshold.of_calls:
        return None
    if any(str(getattr(row, tag, None)) != value for tag, value in threshold.tags):
        return None
    if threshold.fold == "sum" and threshold.metric.unit in {"USD", "tokens", "s"}:
        value = getattr(row, threshold.metric.name)
        return None if value is None else (value, 1.0)
    if row.warmup:
        return None
    if isinstance(row, SessionRecord):
        return None if row.error_kind == OWN else _of_call(threshold, row)
    value = getattr(row, threshold.metric.name, None)
    if threshold.metric.group == "harness":
        # The harness's own delay is shown for the very turns that it spoiled.
        return None if value is None else (value, 1.0)
    if threshold.metric.aggregate == "pooled":
        return _words(threshold, row)
    if row.client_late or row.error_kind == OWN:
        return None
    if threshold.metric.name == "goodput":
        return float(broken_objective(row, objectives) is None), 1.0
    if threshold.metric.name in _SHARES:
        happened = _SHARES[threshold.metric.name](row)
        return None if happened is None else (float(happened), 1.0)
    if row.status not in ANSWERED and threshold.metric.of_answered:
        return (math.inf, 1.0) if threshold.metric.waits else None
    return None if value is None else (value, 1.0)


def _of_call(threshold: Threshold, row: SessionRecord) -> Pair | None:
    name = threshold.metric.name
    if was_given_up(row):
        return None
    if name == "session_error_rate":
        return float(row.status == "failed"), 1.0
    if name == "expired_rate":
        return None if row.session_ready_ms is None else (float(row.error_code == EXPIRED), 1.0)
    if name == "no_greeting_rate":
        heard = row.greeting_ms is not None
        return (float(not heard), 1.0) if row.greeting_expected and row.status != "stopped" else None
    if name in OF_CALLS:
        ready = row.session_ready_ms is not None
        return None if row.status == "stopped" and not ready else (float(not ready), 1.0)
    if name == "cost_per_minute_usd":
        known = row.cost_usd is not None and row.duration_ms is not None
        return (row.cost_usd or 0.0, (row.duration_ms or 0.0) / 60_000) if known else None
    if row.gap_ms is not None:
        return None
    value = getattr(row, name)
    if value is None:
        expected = threshold.metric.expected is None or getattr(row, threshold.metric.expected)
        return (math.inf, 1.0) if threshold.metric.waits and expected and row.status != "stopped" else None
    return value, 1.0


def _words(threshold: Threshold, row: TurnRecord) -> Pair | None:
    counts = (row.substitutions, row.deletions, row.insertions, row.hits)
    if None in counts:
        return None
    substitutions, deletions, insertions, hits = (float(count or 0) for count in counts)
    if threshold.metric.name == "wer":
        return substitutions + deletions + insertions, hits + substitutions + deletions
    if threshold.metric.name == "cer":
        known = row.char_errors is not None and row.reference_chars is not None
        return (float(row.char_errors or 0), float(row.reference_chars or 0)) if known else None
    rate, words = getattr(row, threshold.metric.name), len((row.reference or "").split())
    return None if rate is None or not words else (rate * words, float(words))


def _stalled(row: TurnRecord) -> bool | None:
    return None if row.stalls is None or row.status not in ANSWERED else row.stalls > 0


def _stall_free(row: TurnRecord) -> bool | None:
    stalled = _stalled(row)
    return None if stalled is None else not stalled


def _within(bound_ms: int) -> Callable[[TurnRecord], bool | None]:
    def judged(row: TurnRecord) -> bool | None:
        known = row.underrun_ms is not None and row.status in ANSWERED
        return (row.underrun_ms or 0.0) <= bound_ms if known else None

    return judged


def _is(statuses: Iterable[str]) -> Callable[[TurnRecord], bool | None]:
    wanted = frozenset(statuses)
    return lambda row: row.status in wanted


_SHARES: dict[str, Callable[[TurnRecord], bool | None]] = {
    "error_rate": _is(ERRORS),
    "no_reply_rate": _is(["no_reply"]),
    "early_rate": _is(["early"]),
    "ok_rate": _is(["ok"]),
    "stall_rate": _stalled,
    "stall_free": _stall_free,
    "task_success": lambda row: row.expect_pass,
    "split_turn": lambda row: row.split_turn,
    "tool_error_rate": lambda row: None if not row.tool_calls else row.tool_error is not None,
    "barge_in_rate": lambda row: row.barge_in,
    "false_barge_in": lambda row: row.false_barge_in,
    "talk_over_rate": lambda row: row.talk_over_ms is not None,
    **{f"c{bound}": _within(bound) for bound in CONTINUITY_MS},
}


class ThresholdGuard(Watchdog):
    """Watches the thresholds that may end the run."""

    def __init__(
        self,
        blocks: Iterable[ThresholdBlock],
        objectives: tuple[Objective, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = [
            (block, block.parsed, Samples(block.window_ms / 1000 if block.window_ms else None)) for block in blocks
        ]
        self._objectives = objectives
        self._clock = clock
        self._next_s = 0.0

    def turn(self, row: TurnRecord) -> None:
        self._add(row)

    def session(self, row: SessionRecord) -> None:
        self._add(row)

    def _add(self, row: Row) -> None:
        now_s = self._clock()
        for _, threshold, samples in self._watched:
            sample = sample_of(threshold, row, self._objectives)
            if sample is not None:
                samples.add(now_s, sample)

    def __call__(self, progress: Progress) -> Stop | None:
        if progress.elapsed_s < self._next_s:
            return None
        self._next_s = progress.elapsed_s + EVERY_S
        now_s = self._clock()
        for block, threshold, samples in self._watched:
            samples.forget(now_s)
            n = len(samples.ordered)
            if progress.elapsed_s * 1000 < block.delay_ms or n < (block.min_samples or least_samples(threshold)):
                continue
            value = samples.observed(threshold)
            if value is not None and not threshold.kept(value):
                return Stop(STOPPED_BY_THRESHOLD, _sentence(block, threshold, value, n))
        return None


def _sentence(block: ThresholdBlock, threshold: Threshold, value: float, n: int) -> str:
    shown = "never" if math.isinf(value) else show_value(value, threshold.metric)
    observed = shown if threshold.fold == "whole" else f"{threshold.observed_name} = {shown}"
    rows = f"{n:,} {'calls' if threshold.of_calls else 'turns'}"
    when = f" of the last {block.window_ms / 1000:g} s" if block.window_ms else ""
    return f"stopped early by abort_on_fail: observed {observed} in {rows}{when}; the threshold is {block.threshold}"


def threshold_guard(spec: RunSpec) -> Watchdog | None:
    """A guard for the thresholds of the scenario that say `abort_on_fail`; None without one."""
    blocks = [block for block in spec.scenario.thresholds if block.abort_on_fail]
    return ThresholdGuard(blocks, spec.scenario.objectives_in_force) if blocks else None
