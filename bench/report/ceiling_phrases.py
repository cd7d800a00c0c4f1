"""The ceiling of a search in sentences, for the verdict and for its section.

In: a `CeilingReport`. Out: text.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.report.findings_ceiling import CeilingReport
from bench.report.phrases import MISSING, percent


def ceiling_reasons(found: CeilingReport) -> Iterator[str]:
    """The ceiling, the limit that was met, and what it means for the planned peak."""
    yield f"ceiling: {ceiling_sentence(found)}"
    if found.limit is not None:
        yield f"limit met: {limit_sentence(found)}"
    if found.headroom_sentence is not None:
        yield found.headroom_sentence
    if found.ask is not None:
        yield f"ask for {found.ask}" if found.limit != "generator" else found.ask


def ceiling_sentence(found: CeilingReport) -> str:
    """`37 calls at a time (95 %: 37..37)`, or as much of it as is known."""
    if not found.ceiling:
        first = found.rows[0].name if found.rows else "-"
        return f"no level was carried, not even {first}" if found.rows else "no level was played to its end"
    said = f"{'at least ' if found.at_least else ''}{found.ceiling_text}"
    if not found.finished:
        return f"{said} so far: the search was cut off"
    if found.at_least:
        return said
    return f"{said} ({_interval(found)})"


def _interval(found: CeilingReport) -> str:
    """The ceiling lies at or above the highest level that is sure to be carried, and below one that is sure not to."""
    if found.low and found.high is not None:
        unit = 1 if found.of == "callers" else 0
        return f"{percent(found.confidence, 0)} sure: {found.low:,.4g}..{found.high - unit:,.4g}"
    if found.high is not None:
        return f"{percent(found.confidence, 0)} sure: below {found.high:,.4g}"
    return "probably: the levels beside it are not sure"


def limit_sentence(found: CeilingReport) -> str:
    if found.limit is None:
        return "none up to the highest level" if found.finished else MISSING
    return f"{found.limit_text}: {found.limit_sentence}"
