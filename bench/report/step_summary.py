"""The report for a CI job: a short Markdown summary, and annotations as GitHub shows them beside a workflow.

In: a `Summary`. Out: text. `step-summary.md` lies in every run folder; where GITHUB_STEP_SUMMARY is set it is appended
to that file, and where GITHUB_ACTIONS is true the annotations are printed.
Trap: a line break or a percent sign inside an annotation must be escaped, or the rest of it is lost.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bench.report.findings import Summary
from bench.report.phrases import headline, number, percent, plain, usd, verdict_line

MARKS = {True: "✅", False: "❌", None: "⚠️"}


def render_step_summary(summary: Summary) -> str:
    """Verdict, thresholds with their observed values first, and the key figures."""
    verdict = summary.verdict
    passed = verdict.name == "pass"
    lines = [
        f"### {'✅' if passed else '❌'} {cell_text(summary.run.scenario_name)}: {cell_text(verdict_line(verdict))}",
        "",
    ]
    lines += [f"- {cell_text(reason)}" for reason in verdict.reasons]
    if summary.turns.answered:
        lines += ["", cell_text(headline(summary))]
    lines += ["", "| | threshold | observed | must be | rows |", "|---|---|---|---|---|"]
    for each in summary.thresholds:
        default = " (default)" if each.default else ""
        cells = (f"`{each.rows_named}`{default}", each.observed_text, each.bound_text, f"{each.n:,} {each.per}s")
        lines.append(f"| {MARKS[each.ok]} | {' | '.join(map(cell_text, cells))} |")
    lines += ["", "| | |", "|---|---|", *(f"| {name} | {cell_text(value)} |" for name, value in _figures(summary))]
    lines += ["", *(f"> {cell_text(warning)}" for warning in verdict.warnings)]
    return "\n".join(lines).rstrip() + "\n"


def _figures(summary: Summary) -> list[tuple[str, str]]:
    turns, words, cost, row = summary.turns, summary.words, summary.cost, summary.headline
    tail = {each.percent: each for each in row.percentiles} if row else {}
    shown = [number(tail[percent].value) if percent in tail else "-" for percent in (50.0, 95.0)]
    return [
        ("Turns answered", f"{turns.answered:,} of {turns.measured:,}"),
        (f"{row.title if row else 'first audible'} p50 / p95, ms", " / ".join(shown)),
        ("WER", percent(words.overall.wer if words.overall else None)),
        ("Cost", usd(cost.total_usd)),
        ("Can the numbers be trusted", summary.health.trust),
    ]


def cell_text(text: str) -> str:
    """Text from outside as it may stand in a table."""
    return plain(text).replace("|", "\\|").replace("<", "&lt;")


def annotations_of(summary: Summary) -> list[str]:
    """One `::error` for each reason of a run that did not pass, one `::warning` for each warning."""
    verdict, title = summary.verdict, f"{summary.run.scenario_name}: {summary.verdict.name}"
    errors = [] if verdict.name == "pass" else verdict.reasons
    return [annotation("error", title, reason) for reason in errors] + [
        annotation("warning", summary.run.scenario_name, warning) for warning in verdict.warnings
    ]


def annotation(level: str, title: str, said: str) -> str:
    """A line that GitHub shows beside the workflow."""
    text = plain(said).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    name = plain(title).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{text}"


def tell_ci(summary: Summary, env: Mapping[str, str] = os.environ) -> list[str]:
    """Append the summary where the CI asks for it; the annotations to print, none outside of GitHub Actions."""
    return hand_to_ci(render_step_summary(summary), annotations_of(summary), env)


def hand_to_ci(text: str, annotations: list[str], env: Mapping[str, str]) -> list[str]:
    """Append `text` to the step summary, if there is one; the annotations to print, none outside of GitHub Actions."""
    path = env.get("GITHUB_STEP_SUMMARY")
    said = []
    if path:
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError as error:
            said.append(annotation("warning", "step summary", f"{path} cannot be written: {error.strerror}"))
    return [*said, *annotations] if env.get("GITHUB_ACTIONS") == "true" else said
