"""Strengths and weaknesses of a target, stated only where measurements of its last nights support them.

In: the board of a scenario, and a series. Out: `Remark`s, each with its rule and its numbers.
Trap: being first is no strength. It must be told apart from every other target, by a difference that matters, with as
many tests as there are taken into account.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.measure.metrics import METRICS
from bench.report.compare.matters import Matters
from bench.report.gate.nights import LEAST_NIGHTS
from bench.report.phrases import MISSING, amount, capital, number, percent, usd
from bench.site.board import LEVEL, TITLES, Board, chance
from bench.site.digest import AVAILABILITY
from bench.site.recent import Recent, last_nights, unanswered
from bench.site.windows import Night, Series

Kind = Literal["strength", "weakness"]
TESTED = ("p50", "p95", AVAILABILITY, "wer", "cost")
WORDS = {
    "p50": ("Answers sooner than the others", "Answers later than the others"),
    "p95": (
        "Its slow replies come sooner than those of the others",
        "Its slow replies come later than elsewhere",
    ),
    AVAILABILITY: ("Fails less often than the others", "Fails more often than the others"),
    "wer": ("Understands callers better than the others", "Understands callers worse than the others"),
    "cost": ("Costs less than the others", "Costs more than the others"),
}
LEAST_ACCENTS = 2
LEAST_WORDS = 100
"""Fewer words of an accent say nothing of it."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A strength or weakness: what is said, the rule that it follows, and the numbers behind it."""

    kind: Kind
    said: str
    rule: str
    numbers: tuple[tuple[str, str], ...]
    """Name and value, the target itself first."""


def remarks(series: Series, board: Board | None) -> list[Remark]:
    """What the last nights of `series` say, strengths first."""
    found = [*(_against_others(series, board) if board is not None else []), *_accents(series)]
    return sorted(found, key=lambda each: each.kind)


def _against_others(series: Series, board: Board) -> list[Remark]:
    own = next((row for row in board.rows if row.key == series.key), None)
    others = [row for row in board.rows if row.key != series.key]
    if own is None or not others:
        return []
    found = []
    level = LEVEL / (len(TESTED) * len(board.rows) * (len(board.rows) - 1) / 2)
    for name in TESTED:
        mine = own.figures[name]
        theirs = [(row, row.figures[name]) for row in others if row.figures[name].value is not None]
        if mine.value is None or len(theirs) < len(others):
            continue
        signs = {_side(mine, figure, name, level) for _, figure in theirs}
        if len(signs) == 1 and 0 not in signs:
            good = signs == {1}
            found.append(
                Remark(
                    "strength" if good else "weakness",
                    f"{WORDS[name][0 if good else 1]}: {TITLES[name]} {value_of(name, mine)} against "
                    f"{_range([figure for _, figure in theirs], name)}",
                    f"{capital(TITLES[name])} over the last {mine.nights} runs of {series.scenario}: "
                    f"{'better' if good else 'worse'} than each other target of the scenario by a difference that "
                    f"matters ({matters_text(name)}), and less likely by chance than {100 * level:.2g} % in each "
                    f"comparison (5 % over all comparisons of this scenario, Bonferroni).",
                    (
                        (own.key[0], _with_interval(name, mine)),
                        *((r.key[0], _with_interval(name, f)) for r, f in theirs),
                    ),
                )
            )
    return found


def _side(mine: Recent, other: Recent, name: str, level: float) -> int:
    """1 where mine is surely and noticeably better, -1 where it is worse, 0 where neither is sure."""
    if mine.value is None or other.value is None or mine.value == other.value:
        return 0
    p = _share_chance(mine, other) if name in {AVAILABILITY, "wer"} else chance(mine, other)
    least = matters(name, other.value)
    if p >= level or least is None or abs(mine.value - other.value) < least:
        return 0
    lower_is_better = name != AVAILABILITY
    return 1 if (mine.value < other.value) == lower_is_better else -1


def _share_chance(a: Recent, b: Recent) -> float:
    """Pooled shares, with errors that hold both chance and what nights differ by."""
    if min(a.nights, b.nights) < LEAST_NIGHTS:
        return 1.0
    error = math.hypot(a.error, b.error)
    return math.erfc(abs((a.value or 0) - (b.value or 0)) / error / math.sqrt(2)) if error else 1.0


def matters(name: str, value: float) -> float | None:
    """The smallest difference from `value` that matters."""
    if name in {AVAILABILITY, "wer"}:
        return 0.01
    metric = METRICS["cost_per_minute_usd" if name == "cost" else "first_audible_ms"]
    return Matters().of(metric, value)


def matters_text(name: str) -> str:
    if name in {AVAILABILITY, "wer"}:
        return "1 percentage point"
    return "5 %" if name == "cost" else "5 %, at least 10 ms"


def _accents(series: Series) -> list[Remark]:
    """A weakness where one accent is understood worse than all others together."""
    pooled: dict[str, tuple[float, float]] = {}
    nights = last_nights(series)
    if len(nights) < LEAST_NIGHTS:
        return []
    for night in nights:
        for each in night.target.accents:
            errors, words = pooled.get(each.name, (0.0, 0.0))
            pooled[each.name] = errors + (each.wer or 0.0) * each.words, words + each.words
    known = {name: pair for name, pair in pooled.items() if pair[1] >= LEAST_WORDS}
    if len(known) < LEAST_ACCENTS:
        return []
    level = LEVEL / len(known)
    found = []
    for name, (errors, words) in known.items():
        rest_errors = sum(e for other, (e, _) in known.items() if other != name)
        rest_words = sum(w for other, (_, w) in known.items() if other != name)
        here, there = errors / words, rest_errors / rest_words
        # Word errors of one call come together: the calls are worth fewer words than were said.
        effect = _design_effect(nights)
        both = (errors + rest_errors) / (words + rest_words)
        error = math.sqrt(max(both * (1 - both), 1e-9) * effect * (1 / words + 1 / rest_words))
        p = math.erfc(abs(here - there) / error / math.sqrt(2)) if error else 1.0
        if here - there >= 0.01 and p < level:
            found.append(
                Remark(
                    "weakness",
                    f"Understands {name} callers worse: WER {percent(here)}, {percent(there)} of the others",
                    f"WER of an accent over the last {len(nights)} runs of {series.scenario}: higher than that of all "
                    f"other accents together by at least 1 percentage point, and less likely by chance than "
                    f"{100 * level:.2g} % (words count as fewer by the design effect of calls, {effect:.1f}).",
                    tuple((each, f"{percent(e / w)} of {w:,.0f} words") for each, (e, w) in sorted(known.items())),
                )
            )
    return found


def _design_effect(nights: Sequence[Night]) -> float:
    effects = []
    for night in nights:
        seen = night.target.seen("wer")
        if seen is not None and seen.rows:
            words = sum(each.words for each in night.target.accents)
            effects.append(max(1.0, words / seen.rows))
    return sum(effects) / len(effects) if effects else 1.0


def value_of(name: str, figure: Recent) -> str:
    """A figure with its unit."""
    if figure.value is not None and math.isinf(figure.value):
        return "never"
    if name in {AVAILABILITY, "wer"}:
        return percent(figure.value)
    return usd(figure.value) if name == "cost" else f"{number(figure.value)} ms"


def cell_of(name: str, figure: Recent) -> str:
    """A figure in a table: one that only some runs, or too few, say is never, is not known."""
    if figure.never and (figure.never < figure.nights or figure.nights < LEAST_NIGHTS):
        return MISSING
    return value_of(name, figure)


def limits_of(name: str, figure: Recent) -> str:
    """`731..752`, `96.1..99.9 %`; of one that is infinite, why, and in how many runs; nothing where there are none."""
    if figure.never:
        return f"{unanswered(figure.fold)} in {figure.never} of {amount(figure.nights, 'run')}"
    if figure.low is None or figure.high is None:
        return ""
    if name in {AVAILABILITY, "wer"}:
        return f"{number(100 * figure.low, 1)}..{number(100 * figure.high, 1)} %"
    if name == "cost":
        return f"{usd(figure.low)}..{usd(figure.high)}"
    return f"{number(figure.low)}..{number(figure.high)}"


def _with_interval(name: str, figure: Recent) -> str:
    limits = limits_of(name, figure)
    said = limits if figure.never else f"95 %: {limits}"
    return f"{value_of(name, figure)}{f' ({said})' if limits else ''}, {amount(figure.nights, 'run')}"


def _range(figures: Sequence[Recent], name: str) -> str:
    values = sorted(figures, key=lambda figure: figure.value or 0.0)
    first, last = value_of(name, values[0]), value_of(name, values[-1])
    return first if first == last else f"{first} to {last}"
