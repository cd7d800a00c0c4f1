"""The outcome of the gate as one page that needs nothing else."""

from __future__ import annotations

from bench.config.redactor import printable
from bench.report.gate.charts import controls
from bench.report.gate.findings import GateReport
from bench.report.gate.phrases import power_sentence
from bench.report.gate.sections import sections
from bench.report.gate.text import all_warnings
from bench.report.html import environment

LOOKS = {"pass": ("good", "✓"), "regression": ("bad", "✗")}
DOUBTFUL = ("doubtful", "!")


def render_html(report: GateReport) -> str:
    """The whole page; the same text each time the same outcome is given."""
    tone, symbol = LOOKS.get(report.verdict, DOUBTFUL)
    page = (
        environment()
        .get_template("gate.html.j2")
        .render(
            g=report,
            tone=tone,
            symbol=symbol,
            power=power_sentence(report) if report.family else "",
            warnings=all_warnings(report),
            charts=controls(report),
            sections=sections(report),
        )
    )
    return printable(page)
