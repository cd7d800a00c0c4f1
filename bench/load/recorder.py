"""Where ended turns go: measured, appended to the spool, counted, and passed on to a listener.

In: timelines from calls; out: rows on disk as they end, and a running tally. Trap: a row is written the moment its
turn ends, so that a killed run keeps it; a turn that was cut off by the end of the run has no row.
"""

from __future__ import annotations

from gevent.threadpool import ThreadPool

from bench.facts.timeline import Timeline, TurnFacts
from bench.load.progress import Tally
from bench.load.watchers import RowListener
from bench.measure.outcome import turn_ended
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import Books
from bench.session.call import Delays
from bench.store.spool import SpoolWriter


class Recorder:
    """The observer of every call of one worker."""

    def __init__(self, spool: SpoolWriter, anchor: WallAnchor, books: Books, listener: RowListener) -> None:
        self.open_sessions = 0
        self.talking_sessions = 0
        self.kernel_stamps: bool | None = None
        self.delays = Delays()
        self.tally = Tally()
        self._spool = spool
        self._anchor = anchor
        self._books = books
        self._listener = listener
        self._rows: dict[str, list[TurnRecord]] = {}
        self._writer = ThreadPool(1)

    def flush(self) -> None:
        """Wait until every timeline is written; no call may end after this."""
        self._writer.join()
        self._writer.kill()

    def turn_ended(self, timeline: Timeline, turn: TurnFacts) -> None:
        """Measure and keep one turn."""
        if not turn_ended(turn):
            return
        row = measure_turn(timeline, turn, wall_anchor=self._anchor, book=self._books)
        self._spool.turn(row)
        self._rows.setdefault(timeline.labels.session_id, []).append(row)
        self.tally.add_turn(row)
        self._listener.turn(row)

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
        self._listener.session(row)
        return row
