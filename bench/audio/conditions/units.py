"""Units of conditions as people write them: decibels, hertz, shares, factors.

In: text with a unit. Out: floats in dB, Hz, or of 1. Trap: a bare number is refused, as in all of a scenario.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from bench.config.block import refusal

_NUMBER = r"[+-]?\d{1,9}(?:\.\d{1,9})?"


def _reader(pattern: str, allowed: str, factor: Callable[[str], float]) -> Callable[[object], float]:
    compiled = re.compile(rf"({_NUMBER})\s*({pattern})", re.ASCII | re.IGNORECASE)

    def read(value: object) -> float:
        if isinstance(value, str) and (found := compiled.fullmatch(value.strip())):
            return float(found[1]) * factor(found[2].lower())
        raise refusal(f"found {value!r}; allowed: {allowed}")

    return read


def within(low: float, high: float, unit: str) -> Callable[[float], float]:
    """A check that a value lies between two bounds, both allowed."""

    def checked(value: float) -> float:
        if not low <= value <= high:
            raise refusal(f"found {value:g} {unit}; allowed: {low:g} to {high:g} {unit}")
        return value

    return checked


def _quantity(pattern: str, allowed: str, factor: Callable[[str], float], show: Callable[[float], str]) -> Any:
    return (
        BeforeValidator(_reader(pattern, allowed, factor)),
        PlainSerializer(show, return_type=str, when_used="json"),
        WithJsonSchema({"type": "string", "pattern": rf"^{_NUMBER}\s*({pattern})$"}),
    )


def show_db(value: float) -> str:
    """`-6dB`."""
    return f"{value:g}dB"


def show_share(value: float) -> str:
    """`5%`."""
    return f"{value * 100:.9g}%"


Decibels = Annotated[float, *_quantity("dB", "a number with its unit, such as 10dB or -6dB", lambda _: 1.0, show_db)]
"""Decibels; written as `10dB`."""
Hertz = Annotated[
    float,
    *_quantity(
        "k?Hz",
        "a frequency with its unit, such as 300Hz or 3.4kHz",
        lambda unit: 1000.0 if unit.startswith("k") else 1.0,
        lambda value: f"{value:g}Hz",
    ),
]
"""Hertz; written as `300Hz` or `3.4kHz`."""
Share = Annotated[
    float,
    *_quantity("%", "a share in percent, such as 5%", lambda _: 0.01, show_share),
    AfterValidator(within(0.0, 1.0, "of 1")),
]
"""A share of 1; written as `5%`."""
