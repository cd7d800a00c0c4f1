"""A comparison in words: values, differences with their limits, and the sentences that stand first.

In: a `Comparison`. Out: short texts. Trap: the difference of two shares is in percentage points (pp), not in per cent.
"""

from __future__ import annotations

import math

from bench.report.compare.findings import Comparison, Pair
from bench.report.findings_differences import MetricDifference, Verdict
from bench.report.phrases import MISSING, capital, number, percent, signed, signed_limits, usd

COUNTED: tuple[Verdict, ...] = ("worse", "better", "different", "same", "cannot tell", "not comparable")
MOST_NAMED = 4
NEVER = "Turns that nobody answered count as never (∞) in percentiles of a wait."


def value_text(row: MetricDifference, value: float | None) -> str:
    """A value of a run in the unit of the metric, which stands in the title where it is a time."""
    if value is None:
        return MISSING
    if row.unit == "share":
        return percent(value)
    if row.unit == "USD":
        return usd(value)
    return number(value, max(1, row.decimals) if abs(value) < 10 and row.unit == "ms" else row.decimals)


def name_of(row: MetricDifference) -> str:
    """`First audible p50, ms`."""
    unit = "" if row.unit in {"share", "USD", "count"} or row.unit in row.title else f", {row.unit}"
    return f"{capital(row.title)}{f' {row.fold}' if row.fold else ''}{unit}"


def change(row: MetricDifference) -> str:
    """`+46 ms`; "-" where it is never in both, which says nothing of their difference."""
    return MISSING if _never_in_both(row) else signed(row.value, row.unit, row.decimals)


def limits(row: MetricDifference) -> str:
    """`+27..+66 ms`; nothing where there are none."""
    return "" if _never_in_both(row) else signed_limits(row.low, row.high, row.unit, row.decimals)


def _never_in_both(row: MetricDifference) -> bool:
    return row.a == row.b == math.inf


def bare(row: MetricDifference, text: str) -> str:
    """`text` without the unit, for a table that names it in the title of the row."""
    return text.replace(f" {row.unit}", "") if row.unit in name_of(row) else text


def size(row: MetricDifference, value: float | None) -> str:
    """A difference without a sign, such as the smallest that would have been seen."""
    return signed(value, row.unit, row.decimals).lstrip("+-") if value is not None else MISSING


def relative(row: MetricDifference, value: float | None) -> str:
    """`+6.5 %`; "-" for shares, whose differences are points already."""
    share = row.relative(value)
    if share is None or math.isinf(share):
        return MISSING
    shown = number(100 * abs(share), 1)
    return f"{'' if shown == '0.0' else '+' if share > 0 else '-'}{shown} %"


def relative_limits(row: MetricDifference) -> str:
    if row.low is None or row.high is None or row.relative(row.low) is None:
        return ""
    low, high = relative(row, row.low), relative(row, row.high)
    return "" if MISSING in {low, high} else f"{low.removesuffix(' %')}..{high}"


def counts_sentence(pair: Pair, base: str) -> str:
    """`B against A: 2 worse, 5 same, 14 cannot tell`."""
    said = [f"{len(rows)} {verdict}" for verdict in COUNTED if (rows := pair.counted(verdict))]
    return f"{pair.letter} against {base}: {', '.join(said) or 'no measure that both have'}"


def row_sentence(row: MetricDifference, letter: str, base: str) -> str:
    """What one measure says: `first audible p50: B 748, A 702 ms: worse by 46 ms (+6.5 %; 95 %: +27..+66 ms)`."""
    fold = f" {row.fold}" if row.fold else ""
    unit = f" {row.unit}" if row.unit in {"ms", "s", "tokens/s", "words/min", "x"} else ""
    said = f"{row.title}{fold}: {letter} {value_text(row, row.b)}, {base} {value_text(row, row.a)}{unit}"
    if row.refused:
        return f"{said}: not compared, {row.refused}"
    if row.value is None:
        return f"{said}: too few rows to compare"
    if _never_in_both(row):
        return f"{said}: {row.verdict}; in both so many turns were not answered that it is never (∞)"
    if row.value is not None and math.isinf(row.value):
        late = letter if row.value > 0 else base
        return f"{said}: {row.verdict}; in {late} so many turns were not answered that it is never (∞)"
    inner = [each for each in (relative(row, row.value), f"95 %: {limits(row)}" if limits(row) else "") if each]
    within = f" ({'; '.join(each for each in inner if each != MISSING)})" if inner else ""
    if row.verdict in {"worse", "better", "different"}:
        return f"{said}: {row.verdict} by {size(row, row.value)}{within}"
    if row.verdict == "same":
        return f"{said}: the same within {size(row, row.matters)}{within}"
    seen = "too few calls for an interval"
    if row.detectable is not None:
        seen = f"a difference of {size(row, row.detectable)} would have been seen"
    return f"{said}: cannot tell{within}; {seen}"


def sentences(pair: Pair, found: Comparison) -> list[str]:
    """The headline, and what else is worse or better; the tables have the rest."""
    base = found.runs[0].letter
    first = [row for row in pair.rows if row.metric == found.headline][:2] or pair.rows[:1]
    changed = [row for verdict in ("worse", "better") for row in pair.counted(verdict) if row not in first]
    # A mean is told by its percentiles unless it was asked for alone.
    folds = {row.metric for row in changed if row.fold != "mean"} | {row.metric for row in first}
    told = [row for row in changed if row.fold != "mean" or row.metric not in folds]
    said = [row_sentence(row, pair.letter, base) for row in [*first, *told[:MOST_NAMED]]]
    more = len(told) - MOST_NAMED
    return [*said, f"and {more} more that changed, below"] if more > 0 else said


def how(found: Comparison) -> list[str]:
    """How the intervals and verdicts came about, for whoever asks."""
    level = f"{100 * found.level:g} %"
    paired = [pair.letter for pair in found.pairs if pair.paired]
    said = [
        f"Intervals are {level}, from {found.resamples:,} resamples of whole calls (seed {found.seed}); of shares, by "
        "Newcombe's method with as many rows as the calls are worth.",
        "Worse or better: the interval does not hold 0. Same: it lies inside of what does not matter. Otherwise it "
        "cannot be told.",
        "Would be seen: the true difference that 80 of 100 such pairs of runs would have shown, half the interval x "
        "(z of the level + z of the power) / z of the level = half the interval x 1.43.",
        NEVER,
        *cautions(found),
    ]
    if paired:
        first = found.runs[0].letter
        said.insert(
            1, f"{' and '.join(paired)}: calls of one number say the same as in {first}; both are resampled together."
        )
    return said


def cautions(found: Comparison) -> list[str]:
    """What the intervals do not say."""
    rows, one_in = sum(not row.refused for pair in found.pairs for row in pair.rows), round(1 / (1 - found.level))
    return [
        f"Each of the {rows} intervals holds by itself: of equal runs about one in {one_in} is called worse or better "
        "by chance.",
        "They know nothing of what else changed between the runs, such as the hour or the load of a shared endpoint. "
        "Targets that take turns in one run (load.interleave) have that in common, and bench gate measures it over "
        "many runs.",
    ]
