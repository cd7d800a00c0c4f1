"""Task success of a run, as data of `summary.json`."""

from __future__ import annotations

from pydantic import Field

from bench.report.findings_parts import Figure, Part


class TaskRow(Part):
    """The turns with expectations that have one value of a column; `wer` is of the same turns."""

    name: str
    turns: int
    met: int
    success: Figure = Field(default_factory=Figure)
    words: int = 0
    """Turns among them that have a transcription."""
    wer: Figure = Field(default_factory=Figure)


class Missed(Part):
    """One expectation that was not met: which, how often, and what was found instead in one such turn."""

    expectation: str
    turns: int
    example: str


class Tasks(Part):
    """Turns whose expectations were all met; `cuts` by scenario, accent, condition, target and calls open at once."""

    overall: TaskRow | None = None
    cuts: dict[str, list[TaskRow]] = Field(default_factory=dict)
    missed: list[Missed] = Field(default_factory=list)
