"""Limits and peaks in words, for the section and for the warnings of a report.

In: a `Headroom`. Out: texts.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.findings_headroom import Headroom, LimitRow
from bench.report.phrases import number, percent

UNITS = {
    "minute": "a minute",
    "hour": "an hour",
    "day": "a day",
    "at once": "at once",
    "unknown": "over an unknown time",
}


def limit_text(limit: LimitRow) -> str:
    """`40,000 tokens a minute`."""
    return f"{number(limit.limit)} {limit.name} {UNITS[limit.per]}"


def peak_text(found: Headroom) -> str:
    """`300 calls at once`."""
    return f"{number(found.peak)} calls {'a minute' if found.peak_is_rate else 'at once'}"


def target_text(found: Headroom) -> str:
    """`name: ` of one of several targets, else nothing."""
    return f"{found.target}: " if found.target else ""


def planned_sentence(found: Headroom) -> str:
    """What the planned peak would use of the limit that is used up first; empty where that is not known."""
    first = found.binding
    if first is None or first.peak_share is None or not found.peak_planned:
        return ""
    peak = f"{target_text(found)}the planned peak of {peak_text(found)}"
    return f"{peak} would use {percent(first.peak_share, 0)} of the limit of {limit_text(first)}"


def headroom_warnings(headroom: Sequence[Headroom]) -> list[str]:
    """Peaks for which a limit is too low."""
    short = [each for each in headroom if each.binding is not None and (each.binding.peak_share or 0) > 1]
    return [sentence for each in short if (sentence := planned_sentence(each))]
