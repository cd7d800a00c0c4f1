"""The little HTTP that a WebSocket client needs besides the upgrade itself: heads and the bodies of refusals.

`ClientProtocol` judges a 101; anything else is read here, because a refusal is worth reading even when its body is
cut short, chunked or without length. Trap: after a 101 not one byte beyond the head may be taken.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.transport.wire import Wire

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024
_BODY_PATIENCE_S = 2.0


class NotHttpError(Exception):
    """What came is not an HTTP response head; `code` is `not_http`, or `closed` when nothing more came."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers (names in lower case, repeated ones joined by commas) of a response; `raw` as it came."""

    status: int
    headers: dict[str, str]
    raw: bytes


def read_head(wire: Wire) -> Head:
    """Read a response head and nothing beyond it. Raises `NotHttpError`, or `OSError` of the wire."""
    raw = wire.read_head(b"\r\n\r\n", opening=b"HTTP/1.", limit=MAX_HEAD_BYTES)
    if not raw.endswith(b"\r\n\r\n"):
        if not raw.startswith(b"HTTP/1."[: len(raw)]):
            raise NotHttpError("not_http", f"the answer is not HTTP/1.1; it begins with {raw[:16]!r}")
        if len(raw) > MAX_HEAD_BYTES:
            raise NotHttpError("not_http", f"the headers of the answer are longer than {MAX_HEAD_BYTES} bytes")
        raise NotHttpError("closed", f"the connection ended after {len(raw)} bytes of the answer")
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not (words[1].isascii() and words[1].isdigit() and len(words[1]) == 3):
        raise NotHttpError("not_http", f"the answer's status line is {first[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return Head(int(words[1]), headers, raw)


def read_body(wire: Wire, head: Head) -> bytes:
    """As much of a refusal's body as comes within 2 s and 64 KiB: enough to say why; never an error of its own."""
    deadline_ns = time.monotonic_ns() + int(_BODY_PATIENCE_S * 1e9)
    length = head.headers.get("content-length", "")
    limit = min(int(length), MAX_BODY_BYTES) if length.isdecimal() else MAX_BODY_BYTES
    chunked = "chunked" in head.headers.get("transfer-encoding", "").lower()
    body = b""
    while len(body) < limit and not (chunked and body.endswith(b"0\r\n\r\n")):
        try:
            data = wire.read(limit - len(body), deadline_ns)
        except OSError:
            # Reset after the refusal: common (servers close with our request unread) and no news.
            break
        if not data:
            break
        body += data
    return _dechunk(body) if chunked else body


def _dechunk(body: bytes) -> bytes:
    """The content of a chunked body, whole or cut short (RFC 9112 section 7.1)."""
    out = b""
    while body:
        line, _, body = body.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            break
        if size <= 0:
            break
        out += body[:size]
        body = body[size + 2 :]
    return out
