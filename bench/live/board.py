"""What the page shows, and who waits for it to change.

In: changes. Out: the state as JSON, encoded once however many readers there are, and server-sent events.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from gevent.event import Event

MOST_NOTES = 10
KEEP_ALIVE_S = 15.0
"""A reader hears something at least so often, so that one that has gone is noticed."""


class Board:
    """One page's state; `close` ends the events of every reader."""

    def __init__(self, **state: Any) -> None:
        self._state: dict[str, Any] = {"notes": [], "run": None, "moment": None, "verdict": None, **state}
        self._json = orjson.dumps(self._state)
        self._number = 0
        self._changed = Event()
        self._over = False

    def __getitem__(self, name: str) -> Any:
        return self._state[name]

    @property
    def json(self) -> bytes:
        return self._json

    def show(self, **changes: Any) -> None:
        """Change the state, and tell every reader."""
        self._state |= changes
        self._json = orjson.dumps(self._state)
        self._number += 1
        self._changed.set()
        self._changed.clear()

    def note(self, *lines: str) -> None:
        """Sentences for the reader, the newest last."""
        notes: Sequence[str] = [*self._state["notes"], *lines]
        self.show(notes=notes[-MOST_NOTES:])

    def close(self) -> None:
        self._over = True
        self._changed.set()

    def events(self) -> Iterator[bytes]:
        """The state now, and again each time it has changed."""
        shown = -1
        while True:
            if shown != self._number:
                shown = self._number
                yield b"data: " + self._json + b"\n\n"
            elif self._over:
                yield b"event: end\ndata: {}\n\n"
                return
            elif not self._changed.wait(KEEP_ALIVE_S):
                yield b": still here\n\n"
