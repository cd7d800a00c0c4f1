"""A level of load in one key: calls at a time (a whole number), or calls that begin per minute (a rate), never mixed.

In: `300` or `120/min`. Out: an int or a float, and so told apart.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from bench.config.block import refusal
from bench.config.units import RATE_PATTERN, format_rate, parse_rate


def read_level(value: object) -> int | float:
    """A whole number of calls stays whole; a rate becomes calls per minute."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise refusal(f"found {value!r}; allowed: a number of calls, such as 64, or a rate, such as 60/min")
    if isinstance(value, str):
        try:
            rate = parse_rate(value)
        except ValueError as error:
            raise refusal(f"{error}; or a whole number of calls") from error
        if rate <= 0:
            raise refusal(f"found '{value}'; allowed: a rate above 0")
        return rate
    if not math.isfinite(value) or value != int(value) or value < 1:
        raise refusal(f"found {value!r}; allowed: a whole number of calls, 1 or more, or a rate, such as 60/min")
    return int(value)


Level = Annotated[
    int | float,
    PlainValidator(read_level),
    PlainSerializer(lambda level: format_rate(level) if isinstance(level, float) else level, when_used="json"),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": RATE_PATTERN}]}),
]
"""Calls at a time as an int, or calls per minute as a float."""
