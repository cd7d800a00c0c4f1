"""HTTP as far as a voice server needs it: requests with at most a small body in, JSON answers out.

Trap: one request per connection. Every answer says `Connection: close`, so what follows a request is thrown away,
unless it asks for an upgrade.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from websockets.datastructures import Headers
from websockets.http11 import Response

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0")


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request that has arrived whole; `headers` are read without regard to case."""

    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    def query(self, key: str) -> str | None:
        """The first value of a key of the query string."""
        return parse_qs(urlsplit(self.target).query).get(key, [None])[0]


class RequestError(Exception):
    """What arrived cannot be served; `status` and the message are the answer."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def parse_request(data: bytes) -> HttpRequest | None:
    """The request that `data` begins with, None while it is not complete; raises `RequestError`."""
    line, newline, _ = data.partition(b"\r\n")
    words = line.split(b" ")
    if (newline and (len(words) != 3 or words[2] not in _VERSIONS)) or not data[:1].isalpha():
        raise RequestError(HTTPStatus.BAD_REQUEST, "This is no HTTP request.")
    head, end, rest = data.partition(b"\r\n\r\n")
    if len(head) > MAX_HEAD_BYTES:
        raise RequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The header of the request is too long.")
    if not end:
        return None
    try:
        headers = http.client.parse_headers(io.BytesIO(head[len(line) + 2 :] + b"\r\n\r\n"))
        length = int(headers.get("Content-Length", "0"))
        if length < 0:
            raise ValueError(length)
    except (http.client.HTTPException, ValueError):
        raise RequestError(HTTPStatus.BAD_REQUEST, "The header of the request cannot be read.") from None
    if "Transfer-Encoding" in headers:
        raise RequestError(HTTPStatus.LENGTH_REQUIRED, "Send the body with a Content-Length.")
    if length > MAX_BODY_BYTES:
        raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body may have {MAX_BODY_BYTES} bytes.")
    if len(rest) < length:
        return None
    return HttpRequest(words[0].decode("latin-1"), words[1].decode("latin-1"), headers, rest[:length])


def json_answer(
    status: HTTPStatus, body: object, *, head_only: bool = False, extra: Mapping[str, str] | None = None
) -> bytes:
    """An answer with a JSON body, as bytes for the socket; `extra` are headers of its own."""
    data = orjson.dumps(body)
    headers = Headers(
        [("Content-Type", "application/json"), ("Content-Length", str(len(data))), ("Connection", "close")]
    )
    for name, value in (extra or {}).items():
        headers[name] = value
    return Response(status.value, status.phrase, headers, b"" if head_only else data).serialize()


def error_body(message: str, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    """The body of a refusal, as API clients expect it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
