"""Conditions and cells of a run side by side, as data of `summary.json`."""

from __future__ import annotations

from pydantic import Field

from bench.report.findings_parts import Figure, Part


class GroupRow(Part):
    """The turns with one value of a column. In `p50` and `p95` a turn without an answer is never.

    `words` is how many turns have a transcription; `task_success` is empty where no turn has expectations, `goodput`
    where there are no objectives.
    """

    name: str
    calls: int
    turns: int
    answered: int
    p50: Figure = Field(default_factory=Figure)
    p95: Figure = Field(default_factory=Figure)
    error_rate: Figure = Field(default_factory=Figure)
    errors: int = 0
    words: int = 0
    wer: Figure = Field(default_factory=Figure)
    task_success: Figure = Field(default_factory=Figure)
    goodput: Figure = Field(default_factory=Figure)


class Groups(Part):
    """A run by one column of its turns; `metric` is the latency of `p50` and `p95`."""

    column: str
    title: str
    metric: str
    metric_title: str
    rows: list[GroupRow] = Field(default_factory=list)


class HeatField(Part):
    """A condition met by an accent."""

    figure: Figure
    turns: int


class HeatMap(Part):
    """One figure for each condition (rows) and accent (columns)."""

    metric: str
    title: str
    unit: str
    rows: list[str]
    columns: list[str]
    fields: list[list[HeatField]]
