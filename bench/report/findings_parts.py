"""The smallest pieces of a report's data, which the others are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Data of a report; infinities are written as text."""

    model_config = ConfigDict(ser_json_inf_nan="strings")


class Figure(Part):
    """A value with its 95 % limits; None where it was not measured, or rests on too few calls for limits."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


class Interval(Part):
    """95 % limits."""

    low: float
    high: float


class Rate(Part):
    """`events` of `n`, with a Wilson interval."""

    name: str
    title: str
    events: int
    n: int
    rate: float | None = None
    interval: Interval | None = None
