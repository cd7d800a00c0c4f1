"""A comparison as plain text for a terminal, and as Markdown.

In: a `Comparison`. Out: text: what changed first, then tables in aligned columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from bench.report.compare.findings import Comparison, Pair
from bench.report.compare.phrases import (
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
from bench.report.markdown import escape, section_text
from bench.report.phrases import MISSING, plain

MOST_CONDITIONS = 12
LINE_WIDTH = 120
WIDEST = 34


def render_text(found: Comparison, written: Sequence[Path] = ()) -> str:
    """The whole comparison; `written` are files that were made of it."""
    blocks = [
        *(_said(pair, found) for pair in found.pairs),
        *(["\n".join(f"warning: {plain(each)}" for each in found.warnings)] if found.warnings else []),
        _runs(found),
        *(_pair(pair, found) for pair in found.pairs),
        *([_conditions(found)] if found.conditions else []),
        "\n".join(fill(said, LINE_WIDTH) for said in cautions(found)),
        *(["\n".join(["FILES", *(f"  {path}" for path in written)])] if written else []),
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


def grid(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """`rows` as lines of aligned columns; the columns of `right` end together."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for cells in rows:
        placed = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append("  ".join(placed).rstrip())
    return lines


def _said(pair: Pair, found: Comparison) -> str:
    said = [counts_sentence(pair, found.runs[0].letter), *(f"  {each}" for each in sentences(pair, found))]
    return "\n".join(said)


def _runs(found: Comparison) -> str:
    rows = [("RUNS", "began (UTC)", "verdict", "trust", "calls", "turns", "target and folder")]
    for card in found.runs:
        rows.append(
            (
                f"  {card.letter}",
                f"{card.started_at:%Y-%m-%d %H:%M}",
                card.verdict,
                card.trust,
                f"{card.calls:,}",
                f"{card.answered:,}/{card.turns:,}",
                f"{plain(card.target)}, {card.folder}",
            )
        )
    return "\n".join(grid(rows, right=(4, 5)))


def _pair(pair: Pair, found: Comparison) -> str:
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
    return "\n".join(grid(rows, right=(1, 2, 3, 4, 5, 7)))


def _conditions(found: Comparison) -> str:
    rows = [("NOT THE SAME", *(card.letter for card in found.runs), "")]
    shown = found.conditions[:MOST_CONDITIONS]
    for each in shown:
        values = (plain(value)[:WIDEST] for value in each.values)
        rows.append((f"  {each.title[:WIDEST]}", *values, meaning(each)))
    more = len(found.conditions) - len(shown)
    return "\n".join([*grid(rows), *([f"  and {more} more (--out DIR writes them all)"] if more else [])])
