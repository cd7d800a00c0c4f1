"""What dialects with short-lived keys do alike: the address of the service that gives one, and what it answered.

In: the address of calls; the body of an answer. Out: the address over HTTP; the object that a dialect reads its key
from. Trap: a body holds a key, so no error repeats any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard
from urllib.parse import urlsplit, urlunsplit

import orjson

HTTP = {"ws": "http", "wss": "https"}
"""The scheme of requests at the host of calls."""


def over_http(url: str, path: str, query: str = "") -> str:
    """`path` at the host of the WebSocket address `url`."""
    parts = urlsplit(url)
    return urlunsplit((HTTP.get(parts.scheme, parts.scheme), parts.netloc, path, query, ""))


def answer_of(body: bytes) -> Mapping[str, Any]:
    """The object in a body, empty for any other JSON; raises `ValueError` for what is no JSON."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("the answer is not JSON") from None
    return answer if isinstance(answer, Mapping) else {}


def is_token(value: object) -> TypeGuard[str]:
    """Whether `value` can stand in a header or an address."""
    return isinstance(value, str) and value != "" and value.isprintable() and value.isascii()
