"""The little HTTP that a WebSocket client needs besides the upgrade itself: heads and the bodies of refusals.

`ClientProtocol` judges a 101; anything else is read here, because a refusal is worth reading even when its body is
cut short, chunked or without length. Every byte is a stranger's: whatever comes is a `Head` or a `NotHttpError`.
Trap: after a 101 not one byte beyond the head may be taken.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from bench.transport.wire import Wire

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024
MOST_INTERIM = 8
_BODY_PATIENCE_S = 2.0
_SPARE_NS = 50_000_000
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(r"HTTP/1\.[0-9]+[ \t]+([1-9][0-9]{2})(?![^ \t])", re.ASCII)
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)


class NotHttpError(Exception):
    """What came is not an HTTP response head; `code` is `not_http`, or `closed` when nothing more came.

    `status` is what its status line said, where there is a whole one.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers (names in lower case, repeated ones joined by commas) of a response; `raw` as it came."""

    status: int
    headers: dict[str, str]
    raw: bytes


def read_head(wire: Wire) -> Head:
    """Read the head of the final answer and nothing beyond it. Raises `NotHttpError`, or `OSError` of the wire."""
    for _ in range(MOST_INTERIM):
        head = _read_one(wire)
        # Early hints and the like (RFC 9110 section 15.2) come before the answer.
        if not 100 <= head.status < 200 or head.status == 101:
            return head
    raise NotHttpError("not_http", f"more than {MOST_INTERIM} interim answers and no final one", head.status)


def _read_one(wire: Wire) -> Head:
    raw = wire.read_head(_END_OF_HEAD, opening=b"HTTP/1.", limit=MAX_HEAD_BYTES)
    if not raw.startswith(b"HTTP/1."[: len(raw)]):
        raise NotHttpError("not_http", f"the answer is not HTTP/1.1; it begins with {raw[:16]!r}")
    first, *lines = raw.decode("latin-1").replace("\r\n", "\n").split("\n")
    found = _STATUS_LINE.match(first) if lines else None
    status = int(found[1]) if found else None
    if not _END_OF_HEAD.search(raw):
        if len(raw) > MAX_HEAD_BYTES:
            raise NotHttpError("not_http", f"the headers of the answer are longer than {MAX_HEAD_BYTES} bytes", status)
        raise NotHttpError("closed", f"the connection ended after {len(raw)} bytes of the answer", status)
    if status is None:
        raise NotHttpError("not_http", f"the answer's status line is {first[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return Head(status, headers, raw)


def read_body(wire: Wire, head: Head, until_ns: int) -> bytes:
    """As much of a refusal's body as comes within 2 s and 64 KiB: enough to say why; never an error of its own.

    It is not waited for until `until_ns` (monotonic), when connecting is given up and the status would be lost.
    """
    deadline_ns = min(time.monotonic_ns() + int(_BODY_PATIENCE_S * 1e9), until_ns - _SPARE_NS)
    length = head.headers.get("content-length", "")
    limit = min(int(length), MAX_BODY_BYTES) if _LENGTH.fullmatch(length) else MAX_BODY_BYTES
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
    return dechunked(body) if chunked else body


def dechunked(body: bytes) -> bytes:
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
