"""Watchers side by side: one that fails hurts neither rows nor the others."""

from __future__ import annotations

from bench.load.watchers import Watcher, Watchers
from bench.measure.records import TurnRecord
from tests.report import build


def test_a_failing_watcher_hurts_neither_rows_nor_the_others() -> None:
    class Full(Watcher):
        def turn(self, row: TurnRecord) -> None:
            raise OSError("no space left on device")

    class Notes(Watcher):
        def __init__(self) -> None:
            self.rows = 0
            self.lines: list[str] = []

        def turn(self, row: TurnRecord) -> None:
            self.rows += 1

        def note(self, line: str) -> None:
            self.lines.append(line)

    others = Notes()
    watchers = Watchers([Full(), others])
    for row in build.rows(calls=2, fails=0, warm=0)[0]:
        watchers.turn(row)
    assert others.rows == 10
    assert others.lines == ["Full failed and is not used any more: OSError: no space left on device"]


def test_closing_twice_closes_once() -> None:
    class Once(Watcher):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    watcher = Once()
    watchers = Watchers([watcher])
    watchers.close()
    watchers.close()
    assert watcher.closed == 1
