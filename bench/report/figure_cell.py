"""A figure with its limits as a cell of a table."""

from __future__ import annotations

from collections.abc import Callable

from bench.report.document import Cell
from bench.report.findings_parts import Figure

NEVER = "A turn that nobody answered counts as never (∞)."
"""For tables of waits in which some turn had no answer."""


def figure_cell(figure: Figure, show: Callable[[float | None], str]) -> Cell:
    """The value as `show` writes it, and its limits in the same way beneath."""
    limits = ""
    if figure.low is not None and figure.high is not None:
        limits = f"{show(figure.low).removesuffix(' %')}..{show(figure.high)}"
    return Cell(show(figure.value), limits)
