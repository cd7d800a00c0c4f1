"""The ceiling that a search found, its limits, what it was met by, and what to ask for.

In: a `View` of a run that was a search. Out: a `CeilingReport`; None for any other run.
Trap: what decided a level was decided while the run went on, with the rows that had come by then; it stands in
`run.json` and is not decided again here. Latencies are computed from the rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.report.chartdata import headline
from bench.report.findings_ceiling import CeilingReport, LevelRow
from bench.report.findings_parts import Figure
from bench.report.parts import figure_of_rate, middle_and_tail
from bench.report.shares import share
from bench.report.view import Mask, View, equals
from bench.scenario.ceiling_search import Bracket, Played, bracket
from bench.scenario.search_levels import level_text
from bench.store.search_record import LIMITS, LevelNeed, LevelPlayed, SearchRecord

SPARE = 0.2
"""Part of the planned peak that is asked for on top of it."""


def ceiling(view: View) -> CeilingReport | None:
    """What the search of this run found."""
    record = view.run.manifest.search
    if record is None:
        return None
    known = bracket(_played(record))
    rated = record.of == "rate"
    limiting = _limiting(record, known)
    kind = limiting.reason if limiting is not None else None
    metric = headline(view)
    report = CeilingReport(
        of=record.of,
        unit="calls per minute" if rated else "calls at a time",
        ceiling=known.low,
        ceiling_text=level_text(known.low, rated=rated),
        low=known.sure_low,
        high=known.sure_high,
        at_least=known.high is None or kind == "generator",
        finished=record.finished,
        limit=kind,
        limit_text=LIMITS[kind] if kind is not None else None,
        limit_sentence=limiting.sentence if limiting is not None else None,
        planned_peak=record.planned_peak,
        headroom=known.low / record.planned_peak - 1 if record.planned_peak else None,
        goodput=record.goodput,
        confidence=record.confidence,
        objectives=record.objectives,
        default_objectives=record.default_objectives,
        metric=metric.name if metric else None,
        title=metric.title if metric else "first audible",
        calls=sum(each.calls for each in record.levels),
        rows=[_row(view, record, level) for level in sorted({each.level for each in record.levels})],
    )
    report.headroom_sentence = _headroom(report)
    report.ask = _ask(record, report)
    return report


def carried_phases(record: SearchRecord) -> frozenset[str]:
    """The levels at and below the ceiling, as the column `phase` has them: what the target was found to carry."""
    known = bracket(_played(record))
    return frozenset(each.phase for each in record.levels if each.level <= known.low)


def _played(record: SearchRecord) -> list[Played]:
    return [
        Played(each.level, each.held, each.sure, each.aim == "confirm")
        for each in record.levels
        if each.held is not None
    ]


def _limiting(record: SearchRecord, known: Bracket) -> LevelPlayed | None:
    """The last look at the lowest level that was not carried."""
    looks = [each for each in record.levels if each.level == known.high and each.held is False]
    return looks[-1] if looks else None


def _row(view: View, record: SearchRecord, level: float) -> LevelRow:
    looks = [each for each in record.levels if each.level == level]
    last = next((each for each in reversed(looks) if each.held is not None), looks[-1])
    turns = equals(view.turns, "phase", last.phase)
    p50, p95 = middle_and_tail(view, headline(view), turns)
    return LevelRow(
        level=level,
        name=level_text(level, rated=record.of == "rate"),
        calls=sum(each.calls for each in looks),
        never_ready=int((view.calls_measured & ~view.calls_ready & _settled(view, looks)).sum()),
        turns=last.turns,
        good=last.good,
        goodput=Figure(
            value=last.good / last.turns if last.turns else None, low=last.goodput_low, high=last.goodput_high
        ),
        p50=p50,
        p95=p95,
        error_rate=figure_of_rate(share(view, "error_rate").rate(turns)),
        held=last.held,
        sure=last.sure,
        reason=last.reason,
        sentence=last.sentence or "the search was cut off in this level",
        causes=last.causes,
    )


def _settled(view: View, looks: Sequence[LevelPlayed]) -> Mask:
    """Calls that began within the judged time of a level."""
    began = view.call["started_at"]
    inside = np.zeros(len(began), dtype=np.bool_)
    for look in looks:
        inside |= (began >= look.settled_at) & (began <= (look.ended_at or math.inf))
    return inside & equals(view.sessions, "phase", looks[0].phase)


def _headroom(report: CeilingReport) -> str | None:
    peak = report.planned_peak
    if peak is None:
        return None
    planned = level_text(peak, rated=report.of == "rate")
    most = "at least " if report.at_least else ""
    if report.ceiling >= peak:
        return (
            f"planned peak {planned}: headroom {most}{100 * (report.headroom or 0):.0f} % "
            f"({report.ceiling - peak:,.4g} more)"
        )
    if report.limit == "generator":
        return f"planned peak {planned}: not reached, for this machine could not offer more than {report.ceiling:,.4g}"
    return (
        f"planned peak {planned}: the ceiling is {most}{report.ceiling:,.4g}, {peak - report.ceiling:,.4g} too few "
        f"({100 * report.ceiling / peak:.0f} % of it)"
    )


def _ask(record: SearchRecord, report: CeilingReport) -> str | None:
    """What would carry the planned peak, by the limit that was met."""
    peak, kind = record.planned_peak, report.limit
    if peak is None:
        return None
    spare = f"{100 * SPARE:.0f} % to spare"
    wanted = math.ceil(peak * (1 + SPARE))
    needs = _needs_at(record, peak)
    if kind in {"tokens", "requests"} and kind in needs:
        amount = needs[kind] * (1 + SPARE)
        return f"{LIMITS[kind]} for the planned peak with {spare}: {_round_up(amount):,.0f}"
    if kind == "sessions":
        return f"concurrent sessions for the planned peak with {spare}: {wanted:,}"
    if kind in {"handshake", "rate_limit"}:
        known = "; ".join(
            f"{LIMITS['tokens' if name == 'tokens' else 'requests']} {_round_up(amount * (1 + SPARE)):,.0f}"
            for name, amount in needs.items()
        )
        return f"which limit refused the calls; the planned peak with {spare} needs {known or f'{wanted:,} calls'}"
    if kind == "generator":
        return "nothing yet: add --workers or machines, and search again"
    if kind is None or report.ceiling >= peak:
        return None
    return (
        f"no limit to raise was seen ({LIMITS[kind]} gave way first): more capacity, such as further deployments or "
        "regions over which the calls are spread"
    )


def _needs_at(record: SearchRecord, level: float) -> dict[str, float]:
    """What `level` needs per minute of each limit, by the last level that tells, at the upper end of its interval."""
    found: dict[str, LevelNeed] = {}
    levels: dict[str, float] = {}
    for each in record.levels:
        for need in each.needs:
            found[need.name], levels[need.name] = need, each.level
    return {name: (need.high_per_min or need.per_min) * level / levels[name] for name, need in found.items()}


def _round_up(value: float) -> float:
    """To two digits: limits are not granted to the token."""
    if value <= 0:
        return 0.0
    step = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return float(math.ceil(value / step) * step)
