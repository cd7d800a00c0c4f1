"""Where frames and TLS records end in a byte stream, found without I/O: bytes in, whole frames out.

A kernel stamp belongs to a read, so a read must not take the end of more than one message: `wanted` says how many
bytes may be taken next. Trap: it is advice for exactness, not a contract; `feed` takes any chunking.
"""

from __future__ import annotations

from typing import NamedTuple

_LENGTH_16 = 126
_MASKED = 0x80
_RESERVED = 0x70
_KNOWN_OPCODES = frozenset({0x0, 0x1, 0x2, 0x8, 0x9, 0xA})
MAX_READ = 256 * 1024
"""Most bytes asked for in one read: the interpreter allocates that much before it knows what came."""


class RawFrame(NamedTuple):
    """One frame as it came: `header` bytes, then `payload`. A broken header is passed on alone, for its judge."""

    header: bytes
    payload: bytes


class FrameSplitter:
    """Cut a server's byte stream into WebSocket frames.

    The first read of a frame is 4 bytes: header and length of any frame up to 64 KiB, so that most messages take two
    reads. A frame without payload is only 2 bytes long, hence the single exception to "one end per read": two empty
    frames in a row. A header that no server may send (masked, reserved bits, unknown opcode) is handed on at once,
    since the length that follows it means nothing; after that everything is passed through unsplit.
    """

    __slots__ = ("_header", "_limit", "_missing", "_parts", "_passing", "_start", "too_big")

    def __init__(self, limit: int) -> None:
        """`limit`: the most bytes that the payload of one frame may have."""
        self._limit = limit
        self.too_big: int | None = None
        """The announced size of a frame beyond the limit; then nothing more is taken."""
        self._start = b""
        self._header = b""
        self._parts: list[bytes] = []
        self._missing = 0
        self._passing = False

    def wanted(self) -> int:
        """How many bytes may be read next without passing the end of the frame under way; at least 1."""
        if self._missing:
            return self._missing if self._missing < MAX_READ else MAX_READ
        start = self._start
        if len(start) < 2 or self._passing:
            return 4 - len(start)
        return _header_size(start[1]) - len(start)

    def feed(self, data: bytes) -> list[RawFrame]:
        """Take bytes in any chunking; return the frames they complete, in order."""
        frames: list[RawFrame] = []
        if self.too_big is not None:
            return []
        if self._passing:
            return [RawFrame(data, b"")]
        while data:
            data = self._take_payload(data, frames) if self._missing else self._take_header(data, frames)
        return frames

    def _take_payload(self, data: bytes, frames: list[RawFrame]) -> bytes:
        missing = self._missing
        if len(data) < missing:
            self._parts.append(data)
            self._missing = missing - len(data)
            return b""
        rest = b""
        if len(data) > missing:
            data, rest = data[:missing], data[missing:]
        self._missing = 0
        if self._parts:
            self._parts.append(data)
            data = b"".join(self._parts)
            self._parts = []
        frames.append(RawFrame(self._header, data))
        return rest

    def _take_header(self, data: bytes, frames: list[RawFrame]) -> bytes:
        start = self._start + data if self._start else data
        if len(start) < 2:
            self._start = start
            return b""
        first, second = start[0], start[1]
        if second & _MASKED or first & _RESERVED or (first & 0x0F) not in _KNOWN_OPCODES:
            self._passing = True
            self._start = b""
            frames.append(RawFrame(start, b""))
            return b""
        size = _header_size(second)
        if len(start) < size:
            self._start = start
            return b""
        self._start = b""
        length = second if second < _LENGTH_16 else int.from_bytes(start[2:size], "big")
        if length > self._limit:
            self.too_big, self._passing = length, True
            return b""
        if length:
            self._header = start[:size]
            self._missing = length
        else:
            frames.append(RawFrame(start[:size], b""))
        return start[size:]


def _header_size(second: int) -> int:
    """Bytes of an unmasked frame's header, from its second byte."""
    if second < _LENGTH_16:
        return 2
    return 4 if second == _LENGTH_16 else 10


class RecordBoundary:
    """Follow TLS records (RFC 8446 section 5.1: type, version, 16-bit length, then that many bytes).

    `feed` must be given at most `wanted()` bytes; `True` means that the record is now whole.
    """

    __slots__ = ("_header", "_missing")

    _HEADER = 5

    def __init__(self) -> None:
        self._header = b""
        self._missing = 0

    def wanted(self) -> int:
        """Bytes that belong to the record under way and are still to come; at least 1."""
        return self._missing or self._HEADER - len(self._header)

    def feed(self, data: bytes) -> bool:
        """Take bytes of this record. Raises `ValueError` when given more than it wants."""
        if len(data) > self.wanted():
            raise ValueError(f"{len(data)} bytes fed where {self.wanted()} were wanted")
        if self._missing:
            self._missing -= len(data)
            return self._missing == 0
        self._header += data
        if len(self._header) < self._HEADER:
            return False
        self._missing = int.from_bytes(self._header[3:5], "big")
        self._header = b""
        return self._missing == 0
