"""The server's side of WebSocket framing (RFC 6455), shaped for many small text messages.

In: bytes as they come off the socket, in any slices. Out: whole messages and control frames; frames to write.
Trap: a client's frames are masked and a server's must not be; text here is not checked to be UTF-8, since its reader
is a JSON parser that refuses anything else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from websockets.frames import apply_mask  # type: ignore[attr-defined]  # the compiled one where there is one

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_CONTINUATION = 0
_LEAST_HEAD = 6
_FIN, _MASKED = 0x80, 0x80
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_LONG, _LONGER = struct.Struct("!H"), struct.Struct("!Q")


class FramingError(Exception):
    """The peer broke the protocol; `code` is what to close with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ClientFrames:
    """Cuts a client's bytes into (opcode, payload)."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._needed = 0  # bytes without which `_pending` cannot be gone on with
        self._fragments: list[bytes] = []
        self._fragments_size = 0
        self._kind: int | None = None

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """What is completed by `data`; raises `FramingError`."""
        if self._pending:
            self._pending += data
            if len(self._pending) < self._needed:
                return
            data = bytes(self._pending)
            self._pending.clear()
        at, size, needed = 0, len(data), _LEAST_HEAD
        while size - at >= needed:
            first, second = data[at], data[at + 1]
            head, length = _head(data, at, size)
            needed = head + length
            if not second & _MASKED:
                raise FramingError(1002, "a client's frames must be masked")
            if length > MAX_MESSAGE_BYTES:
                raise FramingError(1009, f"a message of more than {MAX_MESSAGE_BYTES} bytes")
            if size - at < needed:
                break
            start = at + head
            payload = apply_mask(data[start : start + length], data[start - 4 : start])
            at, needed = start + length, _LEAST_HEAD
            if first == _FIN | TEXT and self._kind is None:
                yield TEXT, payload
            else:
                yield from self._unusual(first, payload)
        if at < size:
            self._pending += data[at:]
            self._needed = needed

    def _unusual(self, first: int, payload: bytes) -> Iterator[tuple[int, bytes]]:
        """Control frames, binary messages and fragments."""
        opcode, final = first & 0x0F, bool(first & _FIN)
        if first & 0x70:
            raise FramingError(1002, "reserved bits are set")
        if opcode in (CLOSE, PING, PONG):
            if not final or len(payload) > 125:
                raise FramingError(1002, "a control frame is long or in pieces")
            yield opcode, payload
            return
        if opcode not in (_CONTINUATION, TEXT, BINARY) or (opcode == _CONTINUATION) is (self._kind is None):
            raise FramingError(1002, f"an unexpected frame of kind {opcode}")
        if self._kind is None:
            self._kind = opcode
        self._fragments.append(payload)
        self._fragments_size += len(payload)
        if self._fragments_size > MAX_MESSAGE_BYTES:
            raise FramingError(1009, f"a message of more than {MAX_MESSAGE_BYTES} bytes")
        if final:
            kind, whole = self._kind, b"".join(self._fragments)
            self._kind, self._fragments, self._fragments_size = None, [], 0
            yield kind, whole


def _head(data: bytes, at: int, size: int) -> tuple[int, int]:
    """Lengths of a frame's head and payload; a head that is not all there yet counts as a frame without payload."""
    length = data[at + 1] & 0x7F
    if length < 126:
        return _LEAST_HEAD, length
    if length == 126:
        return 8, data[at + 2] << 8 | data[at + 3]
    return 14, int(_LONGER.unpack_from(data, at + 2)[0]) if size - at >= 14 else 0


def frame(opcode: int, payload: bytes) -> bytes:
    """One unmasked, final frame."""
    size = len(payload)
    if size < 126:
        return bytes((_FIN | opcode, size)) + payload
    if size < 65536:
        return bytes((_FIN | opcode, 126)) + _LONG.pack(size) + payload
    return bytes((_FIN | opcode, 127)) + _LONGER.pack(size) + payload


def close_frame(code: int, reason: str) -> bytes:
    """A close frame; the reason is cut to what fits."""
    return frame(CLOSE, _LONG.pack(code) + reason.encode()[:123])


def close_code(payload: bytes) -> int | None:
    """The code in a client's close frame; None when it gave none."""
    return int(_LONG.unpack_from(payload)[0]) if len(payload) >= 2 else None
