"""Where ended turns go: measured, appended to the spool, counted, and passed on to a listener.

In: timelines from calls; out: rows on disk as they end, a running tally, and what was lost. Trap: a row is written as
soon as its turn has ended, so that a killed run keeps it; words are compared beside the loop, which other calls need;
and a mistake of ours in measuring must not end the call that is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import gevent
from gevent.hub import get_hub
from gevent.threadpool import ThreadPool

from bench.facts.timeline import Timeline, TurnFacts
from bench.load.progress import Tally
from bench.load.tapes import Tapes, slowness
from bench.load.watchers import RowListener
from bench.measure.outcome import turn_ended
from bench.measure.records import SessionRecord, TurnRecord, WallAnchor
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_but_words, with_word_score
from bench.pricing.book import Books
from bench.session.call import Delays
from bench.session.tape import CallSound
from bench.store.spool import SpoolWriter

T = TypeVar("T")


class Recorder:
    """The observer of every call of one worker."""

    def __init__(
        self,
        spool: SpoolWriter,
        anchor: WallAnchor,
        books: Books,
        listener: RowListener,
        *,
        by_target: Mapping[str, Books] = MappingProxyType({}),
        tapes: Tapes | None = None,
    ) -> None:
        """`by_target`: the prices of each target, where they differ from `books`. `tapes`: where recordings go."""
        self.open_sessions = 0
        self.talking_sessions = 0
        self.kernel_stamps: bool | None = None
        self.delays = Delays()
        self.tally = Tally()
        self._spool = spool
        self._anchor = anchor
        self._books = books
        self._by_target = by_target
        self._listener = listener
        self._tapes = tapes
        self._rows: dict[str, list[TurnRecord]] = {}
        self._writer = ThreadPool(1)
        self._unfinished = 0

    def flush(self) -> None:
        """Wait until every row and timeline is written and told; no call may end after this."""
        self._writer.join()
        while self._unfinished:
            gevent.sleep(0.001)
        self._writer.kill()

    def turn_ended(self, timeline: Timeline, turn: TurnFacts) -> None:
        """Measure and keep one turn."""
        if not turn_ended(turn):
            return
        try:
            row = measure_but_words(timeline, turn, wall_anchor=self._anchor, book=self._books_of(timeline))
        except Exception as error:
            self.lose("turn row(s)", error)
            return
        self._rows.setdefault(timeline.labels.session_id, []).append(row)
        self.tally.add_turn(row)
        self._beside_the_loop(partial(self._keep_turn, row), self._listener.turn)

    def session_ended(self, timeline: Timeline, sound: CallSound | None = None) -> SessionRecord | None:
        """Measure and keep one call with its raw events; None when a mistake of ours kept it from being measured."""
        rows = self._rows.pop(timeline.labels.session_id, [])
        # Some milliseconds of work on a finished call: in the loop it would hold up every other call's frames.
        self._beside_the_loop(partial(self._spool.timeline, timeline), None)
        if sound is not None and self._tapes is not None:
            name = f"call-{timeline.labels.session_index:06d}"
            self._beside_the_loop(partial(self._tapes.keep, name, sound, slowness(rows)), None)
        try:
            row = measure_session(timeline, rows, self._anchor, book=self._books_of(timeline))
        except Exception as error:
            self.lose("session row(s)", error)
            return None
        self.tally.add_session(row)
        if timeline.connection.open_ns is not None:
            self.kernel_stamps = row.kernel_stamps and self.kernel_stamps is not False
        self._beside_the_loop(partial(self._keep_session, row), self._listener.session)
        return row

    def _books_of(self, timeline: Timeline) -> Books:
        return self._by_target.get(timeline.labels.target or "", self._books)

    def lose(self, what: str, error: BaseException) -> None:
        """Count a row that a mistake of our own cost, and show the mistake."""
        get_hub().handle_error(self, type(error), error, error.__traceback__)
        self._spool.lose(what, f"{type(error).__name__}: {error}")

    # in the writer's thread

    def _keep_turn(self, row: TurnRecord) -> TurnRecord:
        try:
            row = with_word_score(row)
        except Exception as error:
            self._spool.lose("word score(s)", f"{type(error).__name__}: {error}")
        self._spool.turn(row)
        return row

    def _keep_session(self, row: SessionRecord) -> SessionRecord:
        self._spool.session(row)
        return row

    # between both

    def _beside_the_loop(self, work: Callable[[], T], told: Callable[[T], object] | None) -> None:
        """Do `work` in the writer's thread, in order, and tell its result in the loop."""
        self._unfinished += 1

        def done(result: Any) -> None:
            self._unfinished -= 1
            if told is not None and result.exception is None:
                told(result.value)

        self._writer.spawn(work).rawlink(done)
