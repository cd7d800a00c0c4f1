"""The `search:` of a load: how far the number of calls is raised to find the most that the target carries.

In: bounds, precision, how sure to be. Out: one frozen block. A level is a number of callers (whole) or a rate of calls
(per minute), never mixed.
Trap: a level is judged by the share of good turns, so that objectives decide what "carries" means; without any in the
scenario the program's own are used, and named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from bench.config.block import Block, Complaint, DurationMs, LongerMs
from bench.config.units import format_rate
from bench.scenario.load_level import Level
from bench.scenario.share import Share

DEFAULT_MOST = 256
"""Callers, or calls per minute, beyond which nobody asked to look."""


class SearchConfig(Block):
    """Levels of load, doubled and then halved, until the highest one that the target carries is known."""

    of: Literal["callers", "rate"] = Field(
        default="callers", description="What is raised: calls at a time, or calls that arrive per minute."
    )
    first: Level | None = Field(
        default=None,
        alias="from",
        description="The first level. Default: 4 callers, or 10/min.",
        examples=[4, "10/min"],
    )
    most: Level | None = Field(
        default=None,
        description="The highest level that is tried. Default: twice load.planned_peak; without it 256.",
        examples=[256, "300/min"],
    )
    precision: Share = Field(
        default=0.05,
        description="The search ends when the ceiling is known to this share of itself (never finer than one caller).",
        examples=["5%"],
    )
    goodput: Share = Field(
        default=0.95,
        description="Share of turns that keep every objective, at and above which a level is carried.",
        examples=["95%"],
    )
    confidence: Share = Field(
        default=0.95, description="How sure a level must be to be decided before its time is over.", examples=["95%"]
    )
    settle_ms: DurationMs | None = Field(
        default=None,
        alias="settle",
        description="Start of each level, in which callers join and turns are not counted. Default: as long as a call, "
        "between 5 s and 20 s.",
        examples=["5s"],
    )
    level_ms: LongerMs = Field(
        default=20_000,
        alias="level",
        description="Most time that a level is judged for; the last ones may take four times as long.",
        examples=["20s"],
    )
    cool_down_ms: DurationMs = Field(
        default=120_000,
        alias="cool_down",
        description="Most time that is waited after a rate limit, whatever the server says.",
        examples=["2m"],
    )

    @property
    def rated(self) -> bool:
        """Whether levels are rates of calls."""
        return self.of == "rate"

    @property
    def start(self) -> int | float:
        """The first level."""
        return self.first if self.first is not None else (10.0 if self.rated else 4)

    def highest(self, planned_peak: int | float | None) -> int | float:
        """The highest level that may be tried."""
        if self.most is not None:
            return self.most
        most = max(2 * planned_peak if planned_peak is not None else DEFAULT_MOST, self.start)
        return float(most) if self.rated else int(most)

    def complaints(self) -> Iterator[Complaint]:
        """Levels of the wrong kind, and bounds in the wrong order."""
        for key, level in (("from", self.first), ("most", self.most)):
            sentence = wrong_kind(level, rated=self.rated)
            if sentence is not None:
                yield Complaint((key,), sentence)
        if self.most is not None and self.most < self.start:
            yield Complaint(("most",), f"found {self.most:g}; allowed: not less than from ({self.start:g})")


def wrong_kind(level: Any, *, rated: bool) -> str | None:
    """Why `level` is no level of such a search; None when it is, or is absent."""
    if level is None or isinstance(level, float) == rated:
        return None
    if rated:
        return f"found {level}; with of: rate allowed: calls per minute, such as {level}/min"
    return f"found {format_rate(level)}; with of: callers allowed: a whole number of callers, such as {level:g}"
