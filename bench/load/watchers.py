"""Who is told of a run while it goes on: the screen, the page, an exporter. Each is one class in one file.

In: rows as turns and calls end, and a `Progress` a few times a second. Out: whatever a watcher makes of them.
Trap: a watcher is called in the loop that paces audio, so it must not block; one that raises is dropped with a note
and hurts neither calls nor rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from bench.load.progress import Progress
from bench.measure.records import SessionRecord, TurnRecord


class RowListener(Protocol):
    """Gets the row of each turn and call that ends."""

    def turn(self, row: TurnRecord) -> None: ...

    def session(self, row: SessionRecord) -> None: ...


class Watcher:
    """A watcher that does nothing; override what you want to know."""

    def turn(self, row: TurnRecord) -> None:
        """A turn ended. With workers in other processes its row comes up to half a second later."""

    def session(self, row: SessionRecord) -> None:
        """A call ended, after its last turn."""

    def progress(self, progress: Progress) -> None:
        """The run as it is now; called about five times a second, and once more at its end."""

    def note(self, line: str) -> None:
        """A sentence for the reader."""

    def close(self) -> None:
        """The last call has ended. Reports are written after this."""


class Watchers(Watcher):
    """Several watchers as one, each of which may fail without harm."""

    def __init__(self, watchers: Sequence[Watcher] = ()) -> None:
        self._watchers = list(watchers)

    def add(self, watcher: Watcher) -> None:
        self._watchers.append(watcher)

    def turn(self, row: TurnRecord) -> None:
        self._tell(lambda watcher: watcher.turn(row))

    def session(self, row: SessionRecord) -> None:
        self._tell(lambda watcher: watcher.session(row))

    def progress(self, progress: Progress) -> None:
        self._tell(lambda watcher: watcher.progress(progress))

    def note(self, line: str) -> None:
        self._tell(lambda watcher: watcher.note(line))

    def close(self) -> None:
        """Close every watcher; again is harmless."""
        self._tell(lambda watcher: watcher.close())
        self._watchers.clear()

    def _tell(self, tell: Callable[[Watcher], None]) -> None:
        for watcher in list(self._watchers):
            try:
                tell(watcher)
            except Exception as error:
                if watcher in self._watchers:
                    self._watchers.remove(watcher)
                self.note(f"{type(watcher).__name__} failed and is not used any more: {type(error).__name__}: {error}")
