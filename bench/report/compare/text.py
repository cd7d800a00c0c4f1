"""A comparison as plain text for a terminal, and as Markdown.

In: a `Comparison`. Out: text: what changed first, then tables in aligned columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from bench.report.compare.findings import Comparison, Pair
from bench.report.compare.phrases import (
    NEVER,
    bare,
    cautions,
    change,
    counts_sentence,
    limits,
    name_of,
    relative,
    sentences,
    size,
    value_text,
)
from bench.report.compare.sections import meaning, sections
from bench.report.grid import grid
from bench.report.markdown import escape, section_text
from bench.report.phrases import MISSING, plain
from bench.terminal import folded

MOST_CONDITIONS = 12
LINE_WIDTH = 120
WIDEST = 34


def render_text(found: Comparison, written: Sequence[Path] = (), width: int | None = None) -> str:
    """The whole comparison, what changed first and last; `written` are files that were made of it.

    `width`: columns of the terminal. None: tables are as wide as their texts.
    """
    prose = min(LINE_WIDTH, width or LINE_WIDTH)
    values = [value for pair in found.pairs for row in pair.rows for value in (row.a, row.b)]
    never = [NEVER] if any(value is not None and math.isinf(value) for value in values) else []
    warnings = [folded(f"warning: {plain(each)}", prose, then="  ") for each in found.warnings]
    blocks = [
        *(_said(pair, found, prose) for pair in found.pairs),
        *(["\n".join(warnings)] if warnings else []),
        _runs(found, width),
        *(_pair(pair, found, width) for pair in found.pairs),
        *([_conditions(found, width)] if found.conditions else []),
        "\n".join(folded(said, prose) for said in [*never, *cautions(found)]),
        # Never cut or broken: a path is there to be copied.
        *(["\n".join(["FILES", *(f"  {path}" for path in written)])] if written else []),
        "\n".join(folded(counts_sentence(pair, found.runs[0].letter), prose, then="  ") for pair in found.pairs),
    ]
    return "\n\n".join(blocks) + "\n"


def render_markdown(found: Comparison) -> str:
    """The same as Markdown, with everything that the page has but its charts."""
    base = found.runs[0].letter
    said = [f"# {' and '.join(counts_sentence(pair, base) for pair in found.pairs)}"]
    said += ["\n".join(f"- {escape(each)}" for each in sentences(pair, found)) for pair in found.pairs]
    if found.warnings:
        said.append("\n".join(f"- Warning: {escape(each)}" for each in found.warnings))
    return "\n\n".join([*said, *map(section_text, sections(found))]) + "\n"


def _said(pair: Pair, found: Comparison, width: int) -> str:
    said = [folded(counts_sentence(pair, found.runs[0].letter), width, then="  ")]
    said += [folded(each, width, first="  ", then="    ") for each in sentences(pair, found)]
    return "\n".join(said)


def _runs(found: Comparison, width: int | None) -> str:
    rows = [("RUNS", "began (UTC)", "verdict", "trust", "calls", "turns", "target", "folder")]
    for card in found.runs:
        rows.append(
            (
                f"  {card.letter}",
                f"{card.started_at:%Y-%m-%d %H:%M}",
                card.verdict,
                card.trust,
                f"{card.calls:,}",
                f"{card.answered:,}/{card.turns:,}",
                plain(card.target),
                card.folder,
            )
        )
    return "\n".join(grid(rows, right=(4, 5), width=width, drop=(4, 1, 6), shorten=(7,)))


def _pair(pair: Pair, found: Comparison, width: int | None) -> str:
    base = found.runs[0].letter
    head = f"{pair.letter} AGAINST {base}"
    minus = f"{pair.letter} - {base}"
    rows = [(head, base, pair.letter, minus, "95 % interval", f"of {base}", "verdict", "would be seen")]
    for row in pair.rows:
        name = name_of(row)
        rows.append(
            (
                f"  {name if len(name) <= WIDEST else f'{name[: WIDEST - 1]}…'}",
                value_text(row, row.a),
                value_text(row, row.b),
                bare(row, change(row)),
                bare(row, limits(row)) or MISSING,
                relative(row, row.value),
                row.verdict,
                bare(row, size(row, row.detectable)),
            )
        )
    # A value of the base goes with the other and their difference; an interval without its verdict is read wrongly.
    return "\n".join(grid(rows, right=(1, 2, 3, 4, 5, 7), width=width, drop=(5, 7, 1, 2), shorten=(0,)))


def _conditions(found: Comparison, width: int | None) -> str:
    rows = [("NOT THE SAME", *(card.letter for card in found.runs), "")]
    shown = found.conditions[:MOST_CONDITIONS]
    for each in shown:
        values = [plain(value)[:WIDEST] for value in each.values]
        rows.append((f"  {each.title[:WIDEST]}", *values, meaning(each)))
    lines = grid(rows)
    if width is not None and max(map(len, lines)) > width:
        # Sentences: of a table as narrow as this, one column of values would be left.
        lines = ["NOT THE SAME"]
        for title, *shown_values, means in rows[1:]:
            said = ", ".join(f"{card.letter} {value}" for card, value in zip(found.runs, shown_values, strict=True))
            lines.append(folded(f"{title.strip()}: {said}; {means}", width, first="  ", then="    "))
    more = len(found.conditions) - len(shown)
    return "\n".join([*lines, *([f"  and {more} more (--out DIR writes them all)"] if more else [])])
