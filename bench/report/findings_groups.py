"""Parts of a run side by side, as data."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from bench.report.findings_parts import Interval, Rate


class GroupRow(BaseModel):
    """The turns with one value of a column; `words` is how many of them have a transcription."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    name: str
    calls: int
    turns: int
    answered: int
    unanswered: int
    p50: float | None = None
    p50_interval: Interval | None = None
    p95: float | None = None
    p95_interval: Interval | None = None
    errors: Rate
    words: int = 0
    wer: float | None = None
    wer_interval: Interval | None = None
    task_success: Rate | None = None
    goodput: Rate | None = None


class Groups(BaseModel):
    """A run by one column of its turns; `metric` is the latency of `p50` and `p95`."""

    column: str
    title: str
    metric: str
    metric_title: str
    rows: list[GroupRow] = Field(default_factory=list)
