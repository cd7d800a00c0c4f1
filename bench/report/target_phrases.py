"""Differences between targets as text, and the sentence that stands for a run with several.

In: rows of a `TargetsReport`. Out: short texts. Trap: the difference of two shares is in percentage points (pp); a per
cent of a per cent would be something else.
"""

from __future__ import annotations

import math

from bench.measure.metrics import METRICS
from bench.report.findings_targets import TargetDifference, TargetRow
from bench.report.phrases import number, signed, signed_limits


def shown(one: TargetDifference, value: float | None) -> str:
    """A difference with its sign: `+45 ms`, `-1.2 pp`, `+$0.003`."""
    return signed(value, one.unit, METRICS[one.metric].decimals)


def limits(one: TargetDifference) -> str:
    """`+27..+66 ms`; nothing where there are none."""
    return signed_limits(one.low, one.high, one.unit, METRICS[one.metric].decimals)


def targets_sentence(title: str, rows: list[TargetRow]) -> str:
    """Who is the fastest in the latency called `title`, by how much, and of whom that cannot be told."""
    best = rows[0]
    if best.rank is None:
        answered = any(row.answered for row in rows)
        return "No target has the answered turns that a median needs." if answered else "No target answered."
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
