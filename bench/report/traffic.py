"""What was going on over the run: calls open, turns a minute and errors by kind, on one time axis.

In: a `View`. Out: a `TrafficChart` of at most `MOST_SLICES` equal slices.
Trap: calls that never became ready have no turn, and are the errors that matter most; calls and turns are counted, each
once, warm-up included.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from bench.report.findings_charts import ErrorSeries, TrafficChart
from bench.report.stats import Floats
from bench.report.view import Mask, View

MOST_SLICES = 40
WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400)
MOST_KINDS = 5
OTHER = "other"


def traffic(view: View) -> TrafficChart | None:
    """None for a run without a call, or with one slice alone."""
    begun, ended = (view.call[name] - view.origin_s for name in ("started_at", "ended_at"))
    turns = view.turn["started_at"] - view.origin_s
    known = np.concatenate([each[~np.isnan(each)] for each in (begun, ended, turns)])
    if not len(begun) or not len(known):
        return None
    end = max(float(known.max()), 0.0)
    width = next((each for each in WIDTHS_S if end / each <= MOST_SLICES), WIDTHS_S[-1])
    slices = int(end // width) + 1
    if slices < 2:
        return None
    counted = _per_slice(turns, width, slices)
    return TrafficChart(
        slice_s=width,
        slices=slices,
        end_s=round(end, 2),
        open_calls=most_open(begun, ended, width, slices),
        turns_per_min=[round(60 * each / width, 2) for each in counted],
        errors=_errors(view, width, slices),
    )


def most_open(begun: Floats, ended: Floats, width: float, slices: int) -> list[int]:
    """The most calls that were open at once within each slice, from the beginning of each until just before its end.

    A call without an end is open until the last slice. Times are seconds of the run's own axis.
    """
    opened = np.sort(begun[~np.isnan(begun)])
    closed = np.sort(ended[~np.isnan(begun) & ~np.isnan(ended)])
    # Just after each beginning there are more than ever before it: the most of a slice is there, or at its start.
    after = np.arange(1, len(opened) + 1) - np.searchsorted(closed, opened, side="right")
    edges = np.arange(slices) * float(width)
    found = np.searchsorted(opened, edges, side="right") - np.searchsorted(closed, edges, side="right")
    codes = np.clip((opened // width).astype(np.intp), 0, slices - 1)
    np.maximum.at(found, codes, after)
    return [int(each) for each in found]


def _per_slice(at: Floats, width: float, slices: int) -> list[int]:
    codes = np.clip((at[~np.isnan(at)] // width).astype(np.intp), 0, slices - 1)
    return [int(each) for each in np.bincount(codes, minlength=slices)]


def _errors(view: View, width: float, slices: int) -> list[ErrorSeries]:
    """The most frequent kinds, each with its counts; the rest together as one."""
    calls, turns = view.sessions, view.turns
    failed_calls = calls["error_kind"].notna().to_numpy(dtype=np.bool_)
    failed_turns = ~view.answered & (view.measured | view.warmup) & turns["error_kind"].notna().to_numpy(dtype=np.bool_)
    until = np.where(np.isnan(view.call["ended_at"]), view.call["started_at"], view.call["ended_at"])
    parts = (
        ("calls", _kinds(calls, failed_calls), until[failed_calls] - view.origin_s),
        ("turns", _kinds(turns, failed_turns), view.turn["started_at"][failed_turns] - view.origin_s),
    )
    often = Counter(f"{kind} ({what})" for what, kinds, _ in parts for kind in kinds)
    shown = [name for name, _ in often.most_common(MOST_KINDS)]
    found = {name: np.zeros(slices, dtype=np.intp) for name in [*shown, *([OTHER] if len(often) > len(shown) else [])]}
    for what, kinds, at in parts:
        names = np.array([f"{kind} ({what})" for kind in kinds], dtype=object)
        for name in dict.fromkeys(names):
            target = name if name in found else OTHER
            found[target] += np.array(_per_slice(at[names == name], width, slices))
    return [ErrorSeries(name=name, counts=counted.tolist()) for name, counted in found.items()]


def _kinds(frame: pd.DataFrame, failed: Mask) -> list[str]:
    return [
        str(kind if pd.isna(code) or kind == code else f"{kind}/{code}")
        for kind, code in zip(frame["error_kind"][failed], frame["error_code"][failed], strict=True)
    ]
