"""The live page in numbers: what the report would say of the rows so far, by the report's own functions.

In: the rows of a run so far, as a `Run`, and what its workers say at this moment. Out: one mapping for JSON.
Trap: nothing is counted in a second way here, so that the last numbers of the page are those of the report. Intervals
are left out: they take longer than everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.live.slices import Point, began_s, slices
from bench.measure.metrics import METRICS, headline_latencies
from bench.report.findings_parts import Rate
from bench.report.findings_thresholds import ThresholdResult
from bench.report.latency import rows_of, unasked_groups
from bench.report.money import cost
from bench.report.phrases import at_least, usd
from bench.report.shares import error_rates
from bench.report.stats import percentile, supported
from bench.report.summary import call_counts, judged, load_of, turn_counts
from bench.report.thresholds import bounds_of, judge, objectives_of
from bench.report.view import View, text, view_of
from bench.store.reader import Run

MOST_ERRORS = 12


def snapshot(run: Run, moment: Mapping[str, Any] | None = None, points: Sequence[Point] = ()) -> dict[str, Any]:
    """Everything that the page shows of `run`; `moment` and `points` are those of a run under way."""
    view = view_of(run)
    turns, calls, load = turn_counts(view), call_counts(view), load_of(view)
    elapsed_s = float(moment["elapsed_s"]) if moment else _elapsed_s(view)
    money = cost(view)
    return {
        "moment": dict(moment) if moment else None,
        "elapsed_s": round(elapsed_s, 2),
        "turns": {
            "ended": turns.total,
            "warmup": turns.warmup,
            "client_late": turns.client_late,
            "measured": turns.measured,
            "answered": turns.answered,
            "per_min": load.turns_per_min,
        },
        "calls": {
            "ended": calls.total,
            "warmup": calls.warmup,
            "failed": calls.by_status.get("failed", 0),
            "peak_open": load.peak_open_calls,
        },
        "latency": latencies(view),
        "rates": [_rate(rate) for rate in error_rates(view)],
        "errors": errors(view),
        "cost": {
            "total_usd": money.total_usd,
            "text": at_least(money),
            "per_minute": usd(money.per_conversation_minute_usd),
            "books": money.books,
            "example": money.example_prices,
        },
        "thresholds": [
            _threshold(each) for each in judge(judged(view), bounds_of(run.manifest), objectives_of(run.manifest))
        ],
        "workers": workers(view, moment),
        "slices": slices(view, elapsed_s, points),
    }


def latencies(view: View) -> list[dict[str, Any]]:
    """The headline latencies over the whole run; a percentile that the turns cannot support is null."""
    found = []
    for metric in (*headline_latencies(), METRICS["endpoint_ms"]):
        if metric.group in unasked_groups(view):
            continue
        values = view.turn[metric.name]
        here, missing = rows_of(view, metric, values)
        ordered, n = np.sort(values[here]), int(here.sum())
        if not n and not (metric.always_shown and missing.any()):
            continue
        found.append(
            {
                "name": metric.name,
                "title": metric.title,
                "n": n,
                "unanswered": int(missing.sum()),
                **{
                    f"p{percent}": round(percentile(ordered, percent), 1) if supported(n, percent) else None
                    for percent in (50, 95)
                },
            }
        )
    return found


def errors(view: View) -> list[dict[str, Any]]:
    """Turns without an answer and failed calls, by their cause; most frequent first."""
    failed_turns = view.turns[(view.measured & ~view.answered) | view.own_turns]
    failed_calls = view.sessions[
        (view.calls_measured | view.own_calls) & view.sessions["error_kind"].notna().to_numpy(dtype=np.bool_)
    ]
    found: Counter[tuple[str, str]] = Counter()
    for level, frame in (("turn", failed_turns), ("call", failed_calls)):
        for kind, status in zip(frame["error_kind"], frame["status"], strict=True):
            found[level, text(kind) or text(status) or "-"] += 1
    return [{"level": level, "kind": kind, "count": count} for (level, kind), count in found.most_common(MOST_ERRORS)]


def workers(view: View, moment: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Each worker: how late it was itself, and what its process says where it has one of its own."""
    processes = {each["title"].partition(" ")[0]: each for each in (moment or {}).get("workers", ())}
    names = view.turns["worker"].to_numpy(dtype=object)
    shown = sorted({*processes, *(str(name) for name in names)}, key=lambda name: (len(name), name))
    return [
        {
            "name": name,
            "turns": int((names == name).sum()),
            "spoiled": int(((view.late | view.own_turns) & ~view.warmup & (names == name)).sum()),
            "frame_late_ms": _worst(view.turn["send_late_ms"][names == name]),
            "recv_lag_ms": _worst(view.turn["recv_lag_ms"][names == name]),
            "process": processes.get(name),
        }
        for name in shown
    ]


def _worst(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float | None:
    known = np.sort(values[~np.isnan(values)])
    return None if not len(known) else round(float(percentile(known, 95 if supported(len(known), 95) else 100)), 1)


def _rate(rate: Rate) -> dict[str, Any]:
    return {"name": rate.name, "title": rate.title, "events": rate.events, "n": rate.n, "rate": rate.rate}


def _threshold(each: ThresholdResult) -> dict[str, Any]:
    state = "no data" if each.ok is None else "kept" if each.ok else "not kept"
    return {
        "threshold": each.threshold,
        "default": each.default,
        "observed": each.observed_text,
        "n": each.n,
        "needed": each.needed,
        "per": each.per,
        "state": state,
    }


def _elapsed_s(view: View) -> float:
    """From when the first call was due to the end of the last row."""
    ended = np.concatenate([view.turn["ended_at"], view.call["ended_at"]])
    return 0.0 if np.isnan(ended).all() else max(0.0, float(np.nanmax(ended)) - began_s(view))
