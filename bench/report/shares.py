"""Shares: which rows each rate counts, and in which of them it happened.

In: a `View` and the name of a rate. Out: a `Share`, which any part of the rows may be counted from.
Trap: the denominator belongs to the definition. `error_rate` is of turns that ended, `stall_rate` of replies that were
heard, `connect_error_rate` of calls that the end of the run did not cut off before they could be ready.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.facts.renewal import EXPIRED
from bench.measure.metrics import METRICS
from bench.measure.outcome import ERRORS
from bench.report.findings_parts import Rate
from bench.report.goodput import good_turns
from bench.report.latency import interval
from bench.report.stats import wilson
from bench.report.view import Mask, View, equals, truth
from bench.scenario.threshold_grammar import Objective

CONTINUITY_MS = (50, 100, 200)
OF_CALLS = ("connect_error_rate", "session_error_rate", "no_greeting_rate")

_ONLY_WHERE_KNOWN = frozenset({"no_greeting_rate", "split_turn", "tool_error_rate"})
"""Shares that say nothing of a conversation without such a step, or of push to talk."""


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
    rates = [
        share(view, name).rate()
        for name in (*OF_CALLS, "error_rate", "no_reply_rate", "early_rate", "split_turn", "tool_error_rate")
    ]
    return [rate for rate in rates if rate.n or rate.name not in _ONLY_WHERE_KNOWN]


def turn_taking(view: View) -> list[Rate]:
    """Who spoke when they should not have, where that can be told: nothing in a run without any of it."""
    found = [share(view, name).rate() for name in ("barge_in_rate", "false_barge_in", "talk_over_rate")]
    acted = any(rate.n for rate in found if rate.name != "talk_over_rate") or any(rate.events for rate in found)
    return [rate for rate in found if rate.n] if acted else []


def continuity(view: View) -> list[Rate]:
    """Replies that stalled, and C50, C100, C200: replies that ran dry for at most so many milliseconds."""
    found = [share(view, name).rate() for name in ("stall_rate", *(f"c{bound}" for bound in CONTINUITY_MS))]
    return [rate for rate in found if rate.n]


def _calls(view: View) -> tuple[Mask, Mask]:
    # What the harness itself failed is in neither the measured calls nor the measured turns.
    cut_off = equals(view.sessions, "status", "stopped") & ~view.calls_ready
    return view.calls_measured & ~cut_off, ~view.calls_ready


def _no_greeting(view: View) -> tuple[Mask, Mask]:
    cut_off = equals(view.sessions, "status", "stopped")
    return view.calls_measured & truth(view.sessions, "greeting_expected") & ~cut_off, np.isnan(
        view.call["greeting_ms"]
    )


def _failed_calls(view: View) -> tuple[Mask, Mask]:
    return view.calls_measured, equals(view.sessions, "status", "failed")


def _expired(view: View) -> tuple[Mask, Mask]:
    return view.calls_measured & view.calls_ready, equals(view.sessions, "error_code", EXPIRED)


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


def _barge_ins(view: View) -> tuple[Mask, Mask]:
    asked = view.turns["barge_in"].notna().to_numpy(dtype=np.bool_)
    return view.measured & asked, truth(view.turns, "barge_in")


def _splits(view: View) -> tuple[Mask, Mask]:
    known = view.turns["split_turn"].notna().to_numpy(dtype=np.bool_)
    return view.measured & known, truth(view.turns, "split_turn")


def _false_barge_ins(view: View) -> tuple[Mask, Mask]:
    asked = view.turns["false_barge_in"].notna().to_numpy(dtype=np.bool_)
    return view.measured & asked, truth(view.turns, "false_barge_in")


def _talk_over(view: View) -> tuple[Mask, Mask]:
    return view.measured, view.turn["talk_over_ms"] > 0


def _tool_errors(view: View) -> tuple[Mask, Mask]:
    called = view.turn["tool_calls"] > 0
    return view.measured & called, view.turns["tool_error"].notna().to_numpy(dtype=np.bool_)


def _tasks(view: View) -> tuple[Mask, Mask]:
    passed = view.turn["expect_pass"]
    return view.measured & ~np.isnan(passed), passed > 0


_SHARES: dict[str, Callable[[View], tuple[Mask, Mask]]] = {
    "connect_error_rate": _calls,
    "session_error_rate": _failed_calls,
    "no_greeting_rate": _no_greeting,
    "expired_rate": _expired,
    "error_rate": _status(*ERRORS),
    "no_reply_rate": _status("no_reply"),
    "early_rate": _status("early"),
    "ok_rate": _status("ok"),
    "stall_rate": _stalls,
    "stall_free": _stall_free,
    "task_success": _tasks,
    "split_turn": _splits,
    "tool_error_rate": _tool_errors,
    "barge_in_rate": _barge_ins,
    "false_barge_in": _false_barge_ins,
    "talk_over_rate": _talk_over,
    **{f"c{bound}": _within(bound) for bound in CONTINUITY_MS},
}
