"""Server-sent events, as chat services stream them: bytes in, the data of each event out. Pure.

After the WHATWG HTML standard, section 9.2.6; names, ids and pauses are left out, since the API uses none.
Trap: lines end in LF, CRLF or CR, and a piece may end between the two halves of a CRLF or in the middle of a letter.
"""

from __future__ import annotations

import re

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r)")
_MARK = b"\xef\xbb\xbf"
MOST_BYTES = 4 * 1024 * 1024
"""Of one event."""


class EventStream:
    """One stream."""

    def __init__(self) -> None:
        self._held = bytearray()
        """The line that is not complete."""
        self._data: list[bytes] = []
        self._size = 0
        self._begun = False
        self._after_cr = False

    def feed(self, piece: bytes) -> list[str]:
        """The events that are complete with `piece`. Raises `ValueError` for one that never ends."""
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        self._held += piece
        found, at = [], 0
        for line in _LINE.finditer(self._held):
            at = line.end()
            if (event := self._line(line[1])) is not None:
                found.append(event)
        self._after_cr = at > 0 and at == len(self._held) and self._held.endswith(b"\r")
        del self._held[:at]
        if len(self._held) + self._size > MOST_BYTES:
            raise ValueError(f"an event of more than {MOST_BYTES} bytes")
        return found

    def rest(self) -> list[str]:
        """What the end of the stream completes: services leave out the empty line behind the last event."""
        last = self._line(bytes(self._held)) if self._held else None
        self._held.clear()
        return [event for event in (last, self._line(b"")) if event is not None]

    def _line(self, line: bytes) -> str | None:
        """The event that an empty line ends."""
        if not self._begun:
            self._begun, line = True, line.removeprefix(_MARK)
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
                self._size += len(value)
            return None
        data, self._data, self._size = self._data, [], 0
        return b"\n".join(data).decode("utf-8", "replace") if data else None
