"""Messages that are not as they should be: keys gone, values odd, bytes flipped, text cut or doubled."""

from __future__ import annotations

import json
import random
from typing import Any

ODD: list[Any] = [None, True, -1, 0, 1e308, "", "x" * 5000, [], {}, [[]], {"id": {}}, "\ud800", float("inf"), 2**70]


def mutated(message: dict[str, Any], rng: random.Random) -> str | bytes:
    """One message, spoiled in one of several ways; sometimes left whole."""
    way = rng.randrange(9)
    body: Any = json.loads(json.dumps(message))
    holder = body
    while rng.random() < 0.5:
        inner = [value for value in holder.values() if isinstance(value, dict) and value]
        if not inner:
            break
        holder = rng.choice(inner)
    key = rng.choice(list(holder))
    if way == 0:
        del holder[key]
    elif way in {1, 2}:
        holder[key] = rng.choice(ODD)
    elif way == 3:
        holder[rng.choice(["type", "delta", "audio", "id", "usage"])] = rng.choice(ODD)
    text = json.dumps(body)
    if way == 4:
        return text[: rng.randrange(len(text))]
    if way == 5:
        raw = bytearray(text.encode())
        for _ in range(rng.randint(1, 8)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        return bytes(raw)
    if way == 6:
        return text + text
    if way == 7:
        return rng.choice(["", "null", "[]", "{}", "[" * 3000, '"', "\x00", text.encode("utf-16")])
    return text
