"""Differences between targets as text, and the sentence that stands for a run with several.

In: rows of a `TargetsReport`. Out: short texts. Trap: the difference of two shares is in percentage points (pp); a per
cent of a per cent would be something else.
"""

from __future__ import annotations

import math

from bench.measure.metrics import METRICS
from bench.report.findings_targets import TargetDifference, TargetRow
from bench.report.phrases import MISSING, number, usd


def shown(one: TargetDifference, value: float | None) -> str:
    """A difference with its sign: `+45 ms`, `-1.2 pp`, `+$0.003`."""
    if value is None:
        return MISSING
    sign = "+" if value > 0 else "-" if value < 0 else ""
    size = abs(value)
    if one.unit == "share":
        return f"{sign}{number(100 * size, 1)} pp"
    if one.unit == "USD":
        return f"{sign}{usd(size)}"
    # Near 0 the sign alone would say nothing of a limit.
    places = max(1, METRICS[one.metric].decimals) if size < 10 else METRICS[one.metric].decimals
    return f"{sign}{number(size, places)} {one.unit}"


def limits(one: TargetDifference) -> str:
    """`+27..+66 ms`; nothing where there are none."""
    if one.low is None or one.high is None:
        return ""
    low, high = shown(one, one.low), shown(one, one.high)
    return f"{low.removesuffix(f' {one.unit}').removesuffix(' pp')}..{high}"


def targets_sentence(title: str, rows: list[TargetRow]) -> str:
    """Who is the fastest in the latency called `title`, by how much, and of whom that cannot be told."""
    best = rows[0]
    if best.rank is None:
        return "No target answered."
    said = [f"{best.name}: {title} p50 {number(best.p50.value)} ms."]
    for each in rows[1:]:
        one = each.median_difference
        if one is None:
            said.append(f"{each.name}: not measured.")
            continue
        within = f" (95 %: {limits(one)})" if limits(one) else ""
        if one.value == math.inf:
            said.append(f"{each.name}: half of its turns or more were not answered.")
        elif one.judged == "cannot tell":
            least = "too few calls for an interval"
            if one.detectable is not None:
                least = f"a difference of {shown(one, one.detectable).lstrip('+')} would have been seen"
            said.append(f"{each.name}: cannot tell, {shown(one, one.value)}{within}; {least}.")
        else:
            said.append(f"{each.name}: slower by {shown(one, one.value).lstrip('+')}{within}.")
    return " ".join(said)
