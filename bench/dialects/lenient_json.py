"""JSON as servers write it: read strictly where it is sound, and as far as its meaning is safe where it is not.

In: one message. Out: the decoded value, or `ValueError` when it is not JSON at all. `NaN` and `Infinity`, which are no
JSON, become null; half a surrogate pair, which is no text, becomes U+FFFD; a byte-order mark is skipped.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

MOST_DEPTH = 100


def loads(data: str | bytes) -> Any:
    """Decode `data`. Raises `ValueError`, never anything else."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        text = data if isinstance(data, str) else data.decode("utf-8", "replace")
        try:
            return _sound(json.loads(text.removeprefix("\ufeff"), parse_constant=lambda _: None), 0)
        except (ValueError, RecursionError):
            raise ValueError(str(error)) from error


def _sound(value: Any, depth: int) -> Any:
    """`value` with every text as Unicode, every number finite and no deeper than a protocol's messages are."""
    if depth > MOST_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_sound(key, depth): _sound(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_sound(item, depth + 1) for item in value]
    return value
