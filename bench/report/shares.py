"""Shares: which rows each rate counts, and in which of them it happened.

In: a `View` and the name of a rate. Out: a `Share`, which any part of the rows may be counted from.
Trap: the denominator belongs to the definition. `error_rate` is of turns that ended, `stall_rate` of replies that were
heard, `connect_error_rate` of calls that the end of the run did not cut off before they could be ready.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.measure.metrics import METRICS
from bench.measure.outcome import ERRORS
from bench.report.findings_parts import Rate
from bench.report.goodput import good_turns
from bench.report.latency import interval
from bench.report.stats import wilson
from bench.report.view import Mask, View, equals
from bench.scenario.threshold_grammar import Objective

CONTINUITY_MS = (50, 100, 200)
OF_CALLS = ("connect_error_rate", "session_error_rate")


@dataclass(frozen=True, slots=True)
class Share:
    """Two masks over the table of turns, or of calls: the rows that count, and those of them in which it happened."""

    name: str
    rows: Mask
    events: Mask

    def rate(self, part: Mask | None = None) -> Rate:
        """The share among `part` of the rows, or among all, with its Wilson interval."""
        rows = self.rows if part is None else self.rows & part
        count, n = int((self.events & rows).sum()), int(rows.sum())
        found = wilson(count, n)
        title = METRICS[self.name].title
        return Rate(name=self.name, title=title, events=count, n=n, rate=found.value, interval=interval(found))


def share(view: View, name: str, objectives: Sequence[Objective] = ()) -> Share:
    """The share called `name`; `objectives` are what `goodput` asks for. KeyError for a name that is no share."""
    if name == "goodput":
        return Share(name, view.measured, good_turns(view, objectives))
    rows, events = _SHARES[name](view)
    return Share(name, rows, events)


def error_rates(view: View) -> list[Rate]:
    """Connecting, turns and whole calls apart: they must not be mixed into one error rate."""
    return [share(view, name).rate() for name in (*OF_CALLS, "error_rate", "no_reply_rate", "early_rate")]


def continuity(view: View) -> list[Rate]:
    """Replies that stalled, and C50, C100, C200: replies that ran dry for at most so many milliseconds."""
    found = [share(view, name).rate() for name in ("stall_rate", *(f"c{bound}" for bound in CONTINUITY_MS))]
    return [rate for rate in found if rate.n]


def _calls(view: View) -> tuple[Mask, Mask]:
    # What the harness itself failed is in neither the measured calls nor the measured turns.
    cut_off = equals(view.sessions, "status", "stopped") & ~view.calls_ready
    return view.calls_measured & ~cut_off, ~view.calls_ready


def _failed_calls(view: View) -> tuple[Mask, Mask]:
    return view.calls_measured, equals(view.sessions, "status", "failed")


def _status(*statuses: str) -> Callable[[View], tuple[Mask, Mask]]:
    def masks(view: View) -> tuple[Mask, Mask]:
        return view.measured, view.turns["status"].isin(statuses).to_numpy(dtype=np.bool_)

    return masks


def _stalls(view: View) -> tuple[Mask, Mask]:
    stalls = view.turn["stalls"]
    return view.answered & ~np.isnan(stalls), stalls > 0


def _stall_free(view: View) -> tuple[Mask, Mask]:
    rows, stalled = _stalls(view)
    return rows, ~stalled


def _within(bound_ms: int) -> Callable[[View], tuple[Mask, Mask]]:
    def masks(view: View) -> tuple[Mask, Mask]:
        underrun = view.turn["underrun_ms"]
        return view.answered & ~np.isnan(underrun), underrun <= bound_ms

    return masks


def _tasks(view: View) -> tuple[Mask, Mask]:
    passed = view.turn["expect_pass"]
    return view.measured & ~np.isnan(passed), passed > 0


_SHARES: dict[str, Callable[[View], tuple[Mask, Mask]]] = {
    "connect_error_rate": _calls,
    "session_error_rate": _failed_calls,
    "error_rate": _status(*ERRORS),
    "no_reply_rate": _status("no_reply"),
    "early_rate": _status("early"),
    "ok_rate": _status("ok"),
    "stall_rate": _stalls,
    "stall_free": _stall_free,
    "task_success": _tasks,
    **{f"c{bound}": _within(bound) for bound in CONTINUITY_MS},
}
