"""A share in a scenario: `95%`, or a number between 0 and 1.

In: a text or a number. Out: a float. Trap: `95` is no share; it would be taken for 95 of 1.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from bench.config.block import refusal


def _number(value: object) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        try:
            return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            return None
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _share(value: object) -> float:
    number = _number(value)
    if number is None or not 0 < number < 1:
        raise refusal(f"found {value!r}; allowed: a share between 0 and 100 %, such as 95%")
    return number


def _share_or_all(value: object) -> float:
    number = _number(value)
    if number is None or not 0 < number <= 1:
        raise refusal(f"found {value!r}; allowed: a share above 0 and up to 100 %, such as 5%")
    return number


_WRITTEN = PlainSerializer(lambda share: f"{round(100 * share, 6):g}%", when_used="json")
_PERCENT = {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}

Share = Annotated[
    float,
    PlainValidator(_share),
    _WRITTEN,
    WithJsonSchema({"anyOf": [_PERCENT, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}]}),
]
"""A share above 0 and below 1; written as `95%`."""
ShareOrAll = Annotated[
    float,
    PlainValidator(_share_or_all),
    _WRITTEN,
    WithJsonSchema({"anyOf": [_PERCENT, {"type": "number", "exclusiveMinimum": 0, "maximum": 1}]}),
]
"""The same with 1, which is all."""
