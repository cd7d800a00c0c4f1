"""The outcome of the gate for a terminal, as Markdown, for a CI job, and as JUnit XML.

In: a `GateReport`. Out: text: the verdict and what decided it first, then what would have been seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from bench.report.compare.text import LINE_WIDTH
from bench.report.gate.findings import GateReport, GateRow
from bench.report.gate.phrases import (
    MARKS,
    change,
    drift_sentences,
    head,
    named,
    power_sentence,
    probability,
    regression_sentence,
    row_why,
    shown,
    size,
    title_of,
)
from bench.report.gate.sections import sections
from bench.report.grid import grid
from bench.report.junit import add_case
from bench.report.markdown import escape, section_text
from bench.report.phrases import MISSING, plain
from bench.report.step_summary import annotation, cell_text
from bench.terminal import folded

MOST_SKIPPED = 8


def render_text(report: GateReport, written: Sequence[Path] = (), width: int | None = None) -> str:
    """The whole outcome, its verdict first and last; `written` are files that were made of it.

    `width`: columns of the terminal. None: tables are as wide as their texts.
    """
    prose = min(LINE_WIDTH, width or LINE_WIDTH)
    verdict = folded(plain(head(report)), prose, then="  ")
    first = "\n".join([verdict, *(folded(plain(each), prose, first="  ", then="    ") for each in report.reasons)])
    warnings = [folded(f"warning: {plain(each)}", prose, then="  ") for each in all_warnings(report)]
    blocks = [
        first,
        *([folded(power_sentence(report), prose)] if report.family else []),
        *(["\n".join(warnings)] if warnings else []),
        *([_measures(report, width)] if report.rows else []),
        _window(report, width),
        # Never cut or broken: a path is there to be copied.
        *(["\n".join(["FILES", *(f"  {path}" for path in written)])] if written else []),
        verdict,
    ]
    return "\n\n".join(blocks) + "\n"


def render_markdown(report: GateReport) -> str:
    """The same as Markdown."""
    said = [
        f"# {escape(head(report))}",
        "\n".join(f"- {escape(reason)}" for reason in report.reasons),
        *([escape(power_sentence(report))] if report.family else []),
        *(["\n".join(f"- Warning: {escape(each)}" for each in warnings)] if (warnings := all_warnings(report)) else []),
    ]
    return "\n\n".join([*said, *map(section_text, sections(report))]) + "\n"


def render_step_summary(report: GateReport) -> str:
    """A short Markdown summary for a CI job."""
    lines = [f"### {MARKS[report.verdict]} gate of {cell_text(head(report))}", ""]
    lines += [f"- {cell_text(reason)}" for reason in report.reasons]
    if report.family:
        lines += ["", cell_text(power_sentence(report)), ""]
        lines += ["| | measure | this run | usual | change | would be found |", "|---|---|---|---|---|---|"]
    for row in report.family:
        mark = MARKS["regression"] if row.verdict == "regression" else MARKS["pass"]
        cells = (
            title_of(row),
            shown(row, row.value),
            shown(row, row.baseline),
            change(row),
            size(row, row.detectable),
        )
        lines.append(f"| {mark} | {' | '.join(map(cell_text, cells))} |")
    lines += ["", *(f"> {cell_text(warning)}" for warning in all_warnings(report))]
    return "\n".join(lines).rstrip() + "\n"


def annotations_of(report: GateReport) -> list[str]:
    """One `::error` for each reason of a run that does not pass, one `::warning` for each warning.

    That there is nothing to judge by, as in the first nights, is said of the window and not of the run: a warning.
    """
    title = f"gate of {report.run.scenario}: {report.verdict}"
    level = "warning" if report.nothing_to_judge_by else "error"
    # Why a run cannot be used is said of the run itself, by the job that made it.
    reasons = report.reasons[:1] if report.verdict == "not usable" else report.reasons
    errors = [annotation(level, title, reason) for reason in reasons] if report.exit_code else []
    return errors + [annotation("warning", f"gate of {report.run.scenario}", each) for each in all_warnings(report)]


def render_junit(report: GateReport) -> str:
    """One suite with a case for the verdict and one for each measure; it fails when the gate does.

    The verdict is skipped where there is nothing to judge by.
    """
    suite = Element("testsuite", name=plain(f"gate of {report.run.scenario}"))
    suite.set("timestamp", report.run.started_at.isoformat())
    counts = {"failure": 0, "error": 0, "skipped": 0}
    said = "\n".join(map(plain, [*report.reasons, power_sentence(report), *all_warnings(report)]))
    case = add_case(suite, "verdict", said)
    if report.nothing_to_judge_by:
        SubElement(case, "skipped", message=plain("; ".join(report.reasons)))
        counts["skipped"] += 1
    elif report.exit_code:
        # What lies with the harness is an error; a verdict about the target is a failure.
        kind = "failure" if report.verdict == "regression" else "error"
        SubElement(case, kind, type=report.verdict, message=plain("; ".join(report.reasons)))
        counts[kind] += 1
    for row in report.rows:
        case = add_case(suite, plain(f"gate: {row.measure}"), plain(_case(row)))
        if not row.judged:
            SubElement(case, "skipped", message=plain(row.why or "not judged"))
            counts["skipped"] += 1
        elif row.verdict == "regression" and report.exit_code:
            SubElement(case, "failure", type="regression", message=plain(regression_sentence(row)))
            counts["failure"] += 1
    suite.set("tests", str(len(suite)))
    for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(name, str(counts[kind]))
    indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def all_warnings(report: GateReport) -> list[str]:
    """Of the run, and of a window that drifts."""
    return [*report.warnings, *drift_sentences(report)]


def _case(row: GateRow) -> str:
    if not row.judged:
        return row_why(row)
    return f"{regression_sentence(row)}; {row.verdict}; a change by {size(row, row.detectable)} would be found"


def _measures(report: GateReport, width: int | None) -> str:
    heads = ("this run", "usual", "spread", "change", "alarm bound", "would be found", "p", "verdict")
    rows: list[tuple[str, ...]] = [("MEASURE", *heads)]
    why: dict[str, list[str]] = {}
    for row in report.rows:
        if row.judged:
            figures: tuple[str, ...] = (
                shown(row, row.value),
                shown(row, row.baseline),
                size(row, row.spread).partition(" (")[0],
                change(row),
                shown(row, row.bound),
                size(row, row.detectable),
                probability(row.p_adjusted),
                row.verdict,
            )
        else:
            figures = (shown(row, row.value), *(MISSING,) * 6, "not judged")
            why.setdefault(plain(row.why), []).append(named(row))
        rows.append((f"  {title_of(row)}", *figures))
    lines = grid(rows, right=tuple(range(1, 8)), width=width, drop=(3, 7, 6, 5), shorten=(0,))
    prose = min(LINE_WIDTH, width or LINE_WIDTH)
    lines += [
        folded(f"not judged: {', '.join(each)}: {said}", prose, first="  ", then="    ") for said, each in why.items()
    ]
    return "\n".join(lines)


def _window(report: GateReport, width: int | None) -> str:
    rows = [("WINDOW", "began (UTC)", "turns", "")]
    rows += [
        ("", f"{each.started_at:%Y-%m-%d %H:%M}", f"{each.answered:,}/{each.turns:,}", each.folder)
        for each in report.window
    ]
    prose = min(LINE_WIDTH, width or LINE_WIDTH)
    shown_runs = [f"WINDOW  no run to judge by ({report.baseline})"]
    if report.window:
        shown_runs = grid(rows, right=(2,), width=width, drop=(1, 2), shorten=(3,))
    shown_skipped = report.skipped[-MOST_SKIPPED:]
    left_out = [
        folded(f"left out: {each.folder}: {plain(each.why)}", prose, first="  ", then="    ") for each in shown_skipped
    ]
    more = len(report.skipped) - len(shown_skipped)
    return "\n".join([*shown_runs, *left_out, *([f"  left out: {more} earlier ones"] if more else [])])
