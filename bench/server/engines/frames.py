"""Messages between the server and its worker processes, over their standard input and output.

A message is a small JSON head and a binary body (audio), both with their length in front. The parser takes bytes in
any slices, so either side may read whatever its pipe holds.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import orjson

_LENGTHS = struct.Struct("<II")
MAX_PART_BYTES = 256 * 1024 * 1024


def pack(head: dict[str, Any], body: bytes = b"") -> bytes:
    packed = orjson.dumps(head)
    return _LENGTHS.pack(len(packed), len(body)) + packed + body


class FrameReader:
    """Cuts a byte stream into messages."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """The messages completed by `data`; raises ValueError when the stream is not one of messages."""
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            head_size, body_size = _LENGTHS.unpack_from(self._buffer)
            if head_size > MAX_PART_BYTES or body_size > MAX_PART_BYTES:
                raise ValueError(f"a message of {head_size} + {body_size} bytes: the stream is out of step")
            end = _LENGTHS.size + head_size + body_size
            if len(self._buffer) < end:
                return
            head = orjson.loads(self._buffer[_LENGTHS.size : _LENGTHS.size + head_size])
            body = bytes(self._buffer[_LENGTHS.size + head_size : end])
            del self._buffer[:end]
            yield head, body
