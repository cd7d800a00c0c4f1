"""The `budget:` of a scenario: what a run may use before it is ended.

In: money, minutes of calls, calls. Out: one frozen block. Whatever limit is met first ends the run (exit code 6).
Trap: each limit counts everything that is paid for, warm-up too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from bench.config.block import Block, Complaint, Count, refusal


def _dollars(value: object) -> object:
    """A number, or one with a dollar sign as thresholds have it."""
    allowed = "allowed: US dollars above 0, such as 5 or 0.25"
    if isinstance(value, str):
        try:
            value = float(value.strip().removeprefix("$"))
        except ValueError:
            raise refusal(f"found '{value}'; {allowed}") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise refusal(f"found {value!r}; {allowed}")
    return float(value)


def _minutes(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise refusal(f"found {value!r}; allowed: a number of minutes above 0, without a unit, such as 30 or 2.5")
    return float(value)


Dollars = Annotated[
    float,
    BeforeValidator(_dollars),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"^\$?\d"}]}),
]
Minutes = Annotated[float, BeforeValidator(_minutes), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]


class Budget(Block):
    """Limits of a run; the first that is met ends it."""

    max_usd: Dollars | None = Field(
        default=None, description="US dollars; open calls are hung up before they would be passed.", examples=[5]
    )
    max_minutes: Minutes | None = Field(
        default=None,
        description="Minutes of calls, each from dialling to its end, added up; open calls are hung up at the limit.",
        examples=[30],
    )
    max_sessions: Count | None = Field(
        default=None, description="Calls that may begin; those that are open then may finish.", examples=[100]
    )

    def complaints(self) -> Iterator[Complaint]:
        """A budget that limits nothing."""
        if not self.limits:
            yield Complaint((), "limits nothing; allowed: max_usd, max_minutes, max_sessions, one or more of them")

    @property
    def limits(self) -> bool:
        """Whether it limits anything."""
        return any(limit is not None for limit in (self.max_usd, self.max_minutes, self.max_sessions))
