"""Which level of load to try next, from how the levels before it went: double, then halve, then make sure.

In: the bounds of a search and the levels that were played, in order. Out: the next step, or None when the ceiling is
known. It makes no calls and reads no clock.
Trap: levels are judged on samples, so a later and longer look at a level takes the place of an earlier one; and a level
that went well above one that did not is no evidence: the ceiling lies below the lowest level that failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Aim = Literal["double", "halve", "confirm"]


@dataclass(frozen=True, slots=True)
class SearchBounds:
    """What a search is asked for. `unit` is the finest step: 1 caller, or a share of a call per minute."""

    first: float
    most: float
    precision: float
    unit: float = 1.0
    whole: bool = True
    """Levels are whole numbers."""


@dataclass(frozen=True, slots=True)
class Played:
    """How a level went: whether it was carried, and whether that is sure or only what it looked like."""

    level: float
    held: bool
    sure: bool
    confirmed: bool = False
    """It was a long look, taken to make sure."""


@dataclass(frozen=True, slots=True)
class Step:
    """The level to play, and what for. A level that is doubled from needs only a short look."""

    level: float
    aim: Aim


@dataclass(frozen=True, slots=True)
class Bracket:
    """What is known of the ceiling. `low` 0: no level was carried; `high` None: no level failed."""

    low: float
    high: float | None
    sure_low: float
    """The highest level below `high` that is sure to be carried, 0 without any."""
    sure_high: float | None
    """The lowest level above `low` that is sure not to be carried."""


def latest(played: Sequence[Played]) -> dict[float, Played]:
    """The last look at each level."""
    return {each.level: each for each in played}


def bracket(played: Sequence[Played]) -> Bracket:
    """The highest level that was carried below the lowest one that was not, and how sure either is."""
    looks = latest(played).values()
    failed = [each for each in looks if not each.held]
    high = min((each.level for each in failed), default=None)
    held = [each for each in looks if each.held and (high is None or each.level < high)]
    low = max((each.level for each in held), default=0.0)
    return Bracket(
        low=low,
        high=high,
        sure_low=max((each.level for each in held if each.sure), default=0.0),
        sure_high=min((each.level for each in failed if each.sure), default=None),
    )


def next_step(bounds: SearchBounds, played: Sequence[Played]) -> Step | None:
    """The level to play after `played`; None when nothing is left to find out."""
    known = bracket(played)
    if known.high is None:
        if known.low < bounds.most:
            level = bounds.first if not known.low else min(2 * known.low, bounds.most)
            return Step(_rounded(bounds, level), "double")
    elif not narrow(bounds, known):
        return Step(_between(bounds, known.low, known.high), "halve")
    looks = latest(played)
    for end in (known.low, known.high):
        look = looks.get(end) if end is not None else None
        if look is not None and not look.sure and not look.confirmed:
            return Step(look.level, "confirm")
    return None


def narrow(bounds: SearchBounds, known: Bracket) -> bool:
    """Whether the two ends are as close as was asked, or as they can be."""
    if known.high is None:
        return False
    # Next to 0 a share of the ceiling is nothing: there the failed level is what the share is taken of.
    wanted = bounds.precision * (known.low or known.high)
    return known.high - known.low <= max(bounds.unit, wanted) * (1 + 1e-9)


def _between(bounds: SearchBounds, low: float, high: float) -> float:
    middle = _rounded(bounds, (low + high) / 2)
    return middle if low < middle < high else (low + high) / 2


def _rounded(bounds: SearchBounds, level: float) -> float:
    if bounds.whole:
        return float(int(level))
    return round(level / bounds.unit) * bounds.unit
