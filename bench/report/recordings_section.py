"""Where speech ends in each recording of a run, and how sharp that is, as a section of the report.

In: the recordings of a `Summary`. Out: a `Section` with a table, the least sharp first. Trap: a range is no warning.
Every voice dies away, and latencies count from one moment of it.
"""

from __future__ import annotations

from bench.audio.catalogue import BY_HAND, UNKNOWN
from bench.audio.end_range import range_of
from bench.report.document import Column, Row, Section, Table, row
from bench.report.findings import Summary
from bench.report.phrases import MISSING, amount, number
from bench.store.manifest import RecordingEnd

MOST_ROWS, BRIEF_ROWS = 200, 4
SAID = (
    "The end of speech is zero of every latency. The range says between which times it may be by the sound itself: "
    "from where it was last loud to where it is gone. It is a note and no warning. Where it reaches further than 30 ms "
    "from the end, the end is not sharp, and the latencies of its turns are as uncertain."
)


def recordings_section(summary: Summary) -> Section:
    """Nothing in a run of an older version, which did not keep it."""
    ends = summary.recordings.ends
    ordered = sorted(ends, key=lambda name: (-_width_ms(ends[name]), name))
    columns = (
        Column("speech ends", "ms"),
        Column("by the sound itself", text=True),
        Column("latencies may be", text=True),
        Column("annotated", text=True, brief=False),
        Column("doubts", text=True),
    )
    rows = tuple(_row(name, ends[name], len(summary.recordings.doubts.get(name, ()))) for name in ordered[:MOST_ROWS])
    more = len(ordered) - len(rows)
    table = Table(
        "Where speech ends in the recordings, ms, the least sharp first",
        columns,
        rows,
        "Recording",
        f"RECORDINGS (where speech ends, the least sharp of {len(ordered):,})",
        notes=(f"{more:,} more are sharper and not shown.",) if more > 0 else (),
        most=BRIEF_ROWS,
        folded=len(rows) > 2 * BRIEF_ROWS,
    )
    return Section("recordings", "Recordings: where speech ends", (table,) if rows else (), (SAID,))


def _width_ms(end: RecordingEnd) -> float:
    ends = range_of(end.earliest_ms, end.latest_ms)
    return max(ends.beside(end.end_ms)) if ends else 0.0


def _row(name: str, end: RecordingEnd, doubts: int) -> Row:
    ends = range_of(end.earliest_ms, end.latest_ms)
    return row(
        name,
        number(end.end_ms),
        (end.annotated if end.annotated == BY_HAND else MISSING)
        if ends is None
        else f"{number(ends.earliest_ms)} to {number(ends.latest_ms)} ms",
        MISSING if ends is None else "sharp to 30 ms" if ends.is_sharp(end.end_ms) else ends.off_by(end.end_ms),
        MISSING if end.annotated == UNKNOWN else end.annotated,
        amount(doubts, "doubt") if doubts else "no doubts",
    )
