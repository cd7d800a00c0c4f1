"""Delays as distributions: what a profile may write where a time is drawn for each turn.

In: a YAML value (`400ms`, or a mapping with one kind) and a seeded generator. Out: milliseconds, never below 0.
Trap: `growth` is added to every draw by the number of *open sessions*, so that a load test finds a knee.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from bench.config.block import Block, Complaint, DurationMs, LongerMs

KINDS = ("constant", "lognormal", "gamma", "mixture")


class Lognormal(Block):
    """Skewed to the right, as most waiting times are."""

    median: LongerMs = Field(description="Half of the draws are below it.", examples=["400ms"])
    sigma: float = Field(description="Standard deviation of the logarithm.", ge=0, le=3, examples=[0.3])


class Gamma(Block):
    """Shape 1 is exponential; a large shape is nearly constant."""

    mean: LongerMs = Field(description="Average of the draws.", examples=["400ms"])
    shape: float = Field(description="Larger is narrower.", gt=0, le=10_000, examples=[4])


class Growth(Block):
    """What every open session above a number adds."""

    above: int = Field(description="Open sessions that cost nothing.", ge=0, examples=[100])
    per_session: DurationMs = Field(description="Added for each open session beyond them.", examples=["5ms"])


class Delay(Block):
    """One distribution of delays; exactly one kind."""

    constant: DurationMs | None = Field(default=None, description="Always this.", examples=["400ms"])
    lognormal: Lognormal | None = Field(default=None, description="Median and sigma.")
    gamma: Gamma | None = Field(default=None, description="Mean and shape.")
    mixture: Mixture | None = Field(default=None, description="Mostly one distribution, sometimes a slow tail.")
    growth: Growth | None = Field(default=None, description="More with every open session above a number: a knee.")

    def complaints(self) -> Iterator[Complaint]:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            yield Complaint((given[1],) if given else (), f"found {found}; allowed: one of {', '.join(KINDS)}")

    def draw_ms(self, rng: random.Random, open_sessions: int = 0) -> float:
        """One delay in milliseconds."""
        if self.lognormal is not None:
            drawn = self.lognormal.median * math.exp(rng.gauss(0.0, self.lognormal.sigma))
        elif self.gamma is not None:
            drawn = rng.gammavariate(self.gamma.shape, self.gamma.mean / self.gamma.shape)
        elif self.mixture is not None:
            slow = rng.random() < self.mixture.share
            drawn = (self.mixture.tail if slow else self.mixture.body).draw_ms(rng, open_sessions)
        else:
            drawn = float(self.constant or 0)
        if self.growth is not None:
            drawn += max(0, open_sessions - self.growth.above) * self.growth.per_session
        return drawn


def _shorthand(value: object) -> object:
    """`400ms` is short for `{constant: 400ms}`."""
    return value if isinstance(value, dict | Delay) else {"constant": value}


DelayField = Annotated[
    Delay, BeforeValidator(_shorthand), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})
]
"""A `Delay`, or a plain duration for a constant one."""


class Mixture(Block):
    """A slow tail: with probability `share` from `tail`, else from `body`."""

    share: float = Field(description="Part of the draws that is slow.", ge=0, le=1, examples=[0.05])
    tail: DelayField = Field(description="The slow part.", examples=["3s"])
    body: DelayField = Field(description="The rest.", examples=["400ms"])


Delay.model_rebuild()


def constant(ms: int) -> Any:
    """A default for a profile's key."""
    return Delay(constant=f"{ms}ms")  # type: ignore[arg-type]  # parsed from its text form
