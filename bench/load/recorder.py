"""Where ended turns go: measured, appended to the spool, counted for the live view, told to Locust.

In: timelines from calls; out: rows on disk as they end, and a running tally. Trap: a row is written the moment its
turn ends, so that a killed run keeps it; and a turn that the end of the run cut off is no turn that ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from gevent.threadpool import ThreadPool

from bench.facts.timeline import Timeline, TurnFacts
from bench.measure.outcome import turn_ended
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import Books
from bench.session.call import Delays
from bench.store.spool import SpoolWriter

MOST_LIVE_SAMPLES = 5_000
"""Latencies kept for the live percentiles; the report uses every row."""


@dataclass(slots=True)
class Tally:
    """What the screen shows while a run goes on; the report is computed from the rows, never from this."""

    turns: int = 0
    ok: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    sessions_failed: int = 0
    first_audible_ms: list[float] = field(default_factory=list)
    ttft_ms: list[float] = field(default_factory=list)
    cost_usd: float = 0.0
    priced_turns: int = 0
    warmup_turns: int = 0

    def add_turn(self, row: TurnRecord) -> None:
        """Count one turn; a warm-up turn costs money but tells nothing of speed."""
        if row.cost_usd is not None:
            self.cost_usd += row.cost_usd
            self.priced_turns += 1
        if row.warmup:
            self.warmup_turns += 1
            return
        self.turns += 1
        self.by_status[row.status] += 1
        if row.status == "ok":
            self.ok += 1
            for samples, value in ((self.first_audible_ms, row.first_audible_ms), (self.ttft_ms, row.ttft_ms)):
                if value is not None:
                    samples.append(value)
                    del samples[:-MOST_LIVE_SAMPLES]
        elif row.error_kind is not None:
            self.errors[row.error_kind] += 1

    def add_session(self, row: SessionRecord) -> None:
        """Count one ended call."""
        self.sessions += 1
        if row.status == "failed":
            self.sessions_failed += 1
            if row.turns_ended == 0 and row.error_kind is not None:
                self.errors[row.error_kind] += 1


class Recorder:
    """The observer of every call of one worker."""

    def __init__(
        self,
        spool: SpoolWriter,
        anchor: WallAnchor,
        books: Books,
        *,
        on_turn: Callable[[TurnRecord], None] | None = None,
        on_session: Callable[[SessionRecord], None] | None = None,
    ) -> None:
        self.open_sessions = 0
        self.talking_sessions = 0
        self.kernel_stamps: bool | None = None
        self.delays = Delays()
        self.tally = Tally()
        self._spool = spool
        self._anchor = anchor
        self._books = books
        self._on_turn = on_turn
        self._on_session = on_session
        self._rows: dict[str, list[TurnRecord]] = {}
        self._writer = ThreadPool(1)

    def flush(self) -> None:
        """Wait until every timeline is written."""
        self._writer.join()

    def turn_ended(self, timeline: Timeline, turn: TurnFacts) -> None:
        """Measure and keep one turn."""
        if not turn_ended(turn):
            return
        row = measure_turn(
            timeline,
            turn,
            wall_anchor=self._anchor,
            book=self._books,
        )
        self._spool.turn(row)
        self._rows.setdefault(timeline.labels.session_id, []).append(row)
        self.tally.add_turn(row)
        if self._on_turn is not None:
            self._on_turn(row)

    def session_ended(self, timeline: Timeline) -> SessionRecord:
        """Measure and keep one call with its raw events."""
        rows = self._rows.pop(timeline.labels.session_id, [])
        row = measure_session(timeline, rows, self._anchor, book=self._books)
        self._spool.session(row)
        # Some milliseconds of work on a finished call: in the loop it would hold up every other call's frames.
        self._writer.spawn(self._spool.timeline, timeline)
        self.tally.add_session(row)
        if timeline.connection.open_ns is not None:
            self.kernel_stamps = row.kernel_stamps and self.kernel_stamps is not False
        if self._on_session is not None:
            self._on_session(row)
        return row
