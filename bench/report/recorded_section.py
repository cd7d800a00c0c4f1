"""The calls that were kept as sound: where they lie, and how their turns went.

In: a `View`, or the `recorded` of a summary. Out: `RecordedCall`s, or a section.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.report.chartdata import headline, slow_turns
from bench.report.document import Column, Section, Table, row
from bench.report.findings import Summary
from bench.report.findings_recordings import RecordedCall
from bench.report.phrases import number
from bench.report.recorded_calls import recorded_calls
from bench.report.view import View, equals

MOST_SHOWN = 20
MOST_PRINTED = 8
SAID = (
    "Stereo: the caller is on the left, the agent as it was heard on the right, on one clock that begins when the "
    "session was ready. Calls with the slowest replies, or without one, come first."
)


def recorded(view: View) -> dict[str, Any]:
    """The first recordings with the milestones of their turns, and how many there are."""
    files = recorded_calls(view.run)
    metric = headline(view)
    found = []
    for each in files[:MOST_SHOWN]:
        own = equals(view.turns, "session_id", each.session_id)
        timed = own & view.answered & ~np.isnan(view.turn[metric.name]) if metric is not None else own & False
        waits = view.turn["first_audible_ms"][own & view.answered]
        found.append(
            RecordedCall(
                file=f"{each.path.parent.name}/{each.path.name}",
                session_id=each.session_id,
                turns=int(own.sum()),
                answered=int((own & view.answered).sum()),
                slowest_ms=float(np.nanmax(waits)) if (~np.isnan(waits)).any() else None,
                marks=slow_turns(view, metric, np.flatnonzero(timed).tolist()) if metric is not None else [],
            )
        )
    return {"recorded": found, "recorded_calls": len(files)}


def recorded_section(summary: Summary) -> Section:
    """Nothing in a run without recordings."""
    if not summary.recorded:
        return Section("recorded", "Recorded calls")
    rows = tuple(
        row(each.file, number(each.slowest_ms), f"{each.answered:,} of {each.turns:,}", each.session_id)
        for each in summary.recorded
    )
    slowest, answered = Column("slowest first audible", "ms"), Column("turns answered", text=True)
    columns = (slowest, answered, Column("call", text=True, brief=False))
    more = summary.recorded_calls - len(rows)
    made = summary.run.calls_recorded
    cost = f"Writing took {1000 * summary.run.recording_s / made:,.0f} ms for each, beside the calls." if made else ""
    notes = (f"{more:,} more lie in the folder calls/.",) if more > 0 else ()
    said = (cost,) if cost else ()
    table = Table("Recordings", columns, rows, "File", "RECORDED CALLS", said, footnotes=notes, most=MOST_PRINTED)
    return Section("recorded", "Recorded calls", (table,), (SAID,))
