"""A comparison as one page that needs nothing else, in the looks of a report.

In: a `Comparison`. Out: HTML. Trap: addresses and texts of scenarios come from outside; the template escapes them all.
"""

from __future__ import annotations

from bench.config.redactor import printable
from bench.report.compare.charts import ecdf, forests
from bench.report.compare.findings import Comparison
from bench.report.compare.phrases import counts_sentence, sentences
from bench.report.compare.sections import sections
from bench.report.html import environment


def render_html(found: Comparison) -> str:
    """The whole page; the same text each time the same comparison is given."""
    base = found.runs[0].letter
    page = (
        environment()
        .get_template("compare.html.j2")
        .render(
            c=found,
            base=base,
            heads=[counts_sentence(pair, base) for pair in found.pairs],
            said=[sentences(pair, found) for pair in found.pairs],
            sections=sections(found),
            forests=forests(found),
            ecdf=ecdf(found),
            tone="bad" if any(pair.counted("worse") for pair in found.pairs) else "good",
        )
    )
    return printable(page)
