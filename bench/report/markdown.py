"""The report as Markdown, for a pull request or a wiki: the same sections as the page.

In: a `Summary`. Out: text.
Trap: cells may hold text from outside; a pipe, an angle bracket or a line break in one would break the table or
inject markup, so every cell is escaped.
"""

from __future__ import annotations

from bench.report.document import Cell, Section, Table
from bench.report.findings import Summary
from bench.report.phrases import MISSING, headline, plain, verdict_line, verdict_meaning
from bench.report.sections import sections
from bench.store.manifest import Manifest

_SPECIAL = str.maketrans({char: f"\\{char}" for char in "\\|*_`[]#"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})


def render_markdown(summary: Summary) -> str:
    """The whole report, beginning with the verdict."""
    return "\n\n".join([_verdict(summary), *map(section_text, sections(summary))]) + "\n"


def escape(value: str) -> str:
    """`value` as literal text in a table cell."""
    return plain(value).translate(_SPECIAL)


def _verdict(summary: Summary) -> str:
    verdict, run = summary.verdict, summary.run
    return "\n".join(
        [
            f"# {escape(run.scenario_name)}: {verdict_line(verdict)}",
            "",
            verdict_meaning(summary),
            "",
            *(f"- {escape(reason)}" for reason in verdict.reasons),
            *([f"- {headline(summary)}"] if summary.turns.answered else []),
            *(f"- Warning: {escape(warning)}" for warning in verdict.warnings),
            "",
            f"Run {escape(run.run_id)}, {run.started_at:%Y-%m-%d %H:%M:%S} UTC, "
            f"{_targets(run)}{' (embedded reference server)' if run.target.embedded else ''}, "
            f"version {escape(run.bench_version)}, seed {run.seed if run.seed is not None else MISSING}.",
        ]
    )


def _targets(run: Manifest) -> str:
    named = [(f"{escape(each.name or MISSING)}: ", each) for each in run.targets] if run.interleaved else []
    shown = [
        f"{name}{escape(each.model or MISSING)} at {escape(each.url or MISSING)}"
        for name, each in named or [("", run.target)]
    ]
    return f"target{'s' if named else ''} {', '.join(shown)}"


def section_text(section: Section) -> str:
    """A section with its sentences and tables."""
    said = [f"## {section.title}", *map(escape, section.said)]
    if section.answer:
        said.append(f"**{section.answer}**")
    if section.points:
        said.append("\n".join(f"- {escape(point)}" for point in section.points))
    for table in section.tables:
        if table.title:
            said += [f"### {escape(table.title)}"] if table.title != section.title else []
            said += [
                _grid(table),
                *([" ".join(map(escape, notes))] if (notes := table.notes + table.footnotes) else []),
            ]
    return "\n\n".join(said)


def _grid(table: Table) -> str:
    meaning = ["what it means"] if any(row.meaning for row in table.rows) else []
    heads = [table.head, *(column.title for column in table.columns), *meaning]
    rules = ["---", *("---" if column.text else "---:" for column in table.columns), *("---" for _ in meaning)]
    rows = [[escape(row.title), *map(_cell, row.cells), *(escape(row.meaning) for _ in meaning)] for row in table.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in ([*map(escape, heads)], rules, *rows))


def _cell(cell: Cell) -> str:
    return ("! " if cell.bad else "") + escape(cell.value) + (f" ({escape(cell.under)})" if cell.under else "")
