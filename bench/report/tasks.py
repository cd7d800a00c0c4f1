"""Task success: what share of the turns with expectations met them all, by what may decide that, and what was missed.

In: a `View`. Out: `Tasks`. Word error rates stand beside it: an agent that did not understand can do nothing.
Trap: a turn that was not answered has met nothing; one that the harness spoiled is left out.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from bench.report.findings_tasks import Missed, TaskRow, Tasks
from bench.report.parts import figure_of, figure_of_rate
from bench.report.shares import share
from bench.report.view import Mask, View, codes_of, load_bins
from bench.report.wer_tables import pooled_rate

CUTS = ("scenario", "target", "accent", "condition", "fixture")
ALWAYS_CUT = ("scenario", "accent")
KINDS = frozenset(
    {
        *("contains", "one_of", "matches", "number", "language", "tool", "latency", "ends_within"),
        *("not answered", "the reply has no text"),
    }
)
"""How the reasons of `bench.measure.expectations` begin."""
MOST_ROWS, MOST_MISSED = 40, 10


def tasks(view: View) -> Tasks:
    """Nothing in a run without expectations."""
    rows = share(view, "task_success").rows
    if not rows.any():
        return Tasks()
    found = Tasks(overall=_row(view, "all", rows))
    for cut in CUTS:
        if cut not in view.turns:
            continue
        codes, names = codes_of(view.turns[cut])
        parts = {name: rows & (codes == code) for code, name in enumerate(names)}
        parts = {name: part for name, part in parts.items() if part.any()}
        if len(parts) > 1 or (parts and cut in ALWAYS_CUT):
            made = [_row(view, name, part) for name, part in parts.items()]
            found.cuts[cut] = sorted(made, key=lambda each: (each.success.value or 0.0, each.name))[:MOST_ROWS]
    loads = _by_load(view, rows)
    if len(loads) > 1:
        found.cuts["open calls"] = loads
    found.missed = _missed(view, rows)
    return found


def _row(view: View, name: str, part: Mask) -> TaskRow:
    rate = share(view, "task_success").rate(part)
    words, scored, _ = pooled_rate(view, "wer", part)
    return TaskRow(
        name=name, turns=rate.n, met=rate.events, success=figure_of_rate(rate), words=scored, wer=figure_of(words)
    )


def _by_load(view: View, rows: Mask) -> list[TaskRow]:
    """A row per range of calls that were open when the turn began, the fewest first."""
    open_calls = view.turn["open_sessions"]
    known = rows & ~np.isnan(open_calls)
    if not known.any():
        return []
    low, high, width = load_bins(open_calls[known])
    codes = np.floor((np.where(known, open_calls, low) - low) / width)
    found = []
    for code in np.unique(codes[known]):
        first = low + int(code) * width
        last = min(high, first + width - 1)
        found.append(_row(view, f"{first}" if first == last else f"{first} to {last}", known & (codes == code)))
    return found


def _missed(view: View, rows: Mask) -> list[Missed]:
    """The expectations that were missed, the most frequent first."""
    counted: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for text in view.turns["expect_failed"][rows].dropna():
        for reason in str(text).split("; "):
            kind = reason.partition(":")[0].partition(" (")[0]
            if kind not in KINDS:
                continue  # a piece of a reply that holds a semicolon
            counted[kind] += 1
            examples.setdefault(kind, reason)
    most = counted.most_common(MOST_MISSED)
    return [Missed(expectation=kind, turns=count, example=examples[kind]) for kind, count in most]
