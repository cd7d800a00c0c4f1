"""The outcome of the gate as data: what `gate.json` holds and every rendering reads."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from bench.report.compare.findings import RunCard
from bench.report.findings_parts import Part

GATE_VERSION = 1
GateVerdict = Literal["pass", "regression", "no data", "not usable"]
RowVerdict = Literal["regression", "better", "same", "cannot tell", "not judged"]


class BaselineRun(Part):
    """A run of the window."""

    folder: str
    run_id: str
    started_at: datetime
    turns: int
    answered: int


class Skipped(Part):
    """A run that is not in the window, and why."""

    folder: str
    run_id: str
    why: str


class GateRow(Part):
    """A measure of the run against the window."""

    measure: str
    metric: str
    title: str
    fold: str
    unit: str
    decimals: int = 0
    worse: Literal["higher", "lower"] = "higher"
    nights: list[float | None] = Field(default_factory=list)
    """The figure of each run of the window, in its order; None where it has none, or must not be compared."""
    value: float | None = None
    n: int = 0
    """Rows of the run that it stands on."""
    baseline: float | None = None
    spread: float | None = None
    """Standard deviation between the runs of the window."""
    within: float | None = None
    """The part of it that the calls of a run alone would give."""
    change: float | None = None
    p: float | None = None
    """The probability of such a change for the worse if nothing changed."""
    p_adjusted: float | None = None
    """By Holm's method, over the family."""
    matters: float | None = None
    bound: float | None = None
    """The figure beyond which it is surely an alarm: by itself at the level of the first step of Holm's method."""
    detectable: float | None = None
    """The smallest change that is found with the stated power."""
    drift: float | None = None
    """Change by night within the window itself, where that is more than chance."""
    verdict: RowVerdict = "not judged"
    why: str = ""

    @property
    def judged(self) -> bool:
        return self.verdict != "not judged"


def not_back(row: GateRow, was_worse: bool) -> bool:
    """Whether a measure is worse than usual, or became so earlier (`was_worse`) and is not back.

    It is back when it is no worse than the worst run of the window: were nothing wrong any more, that would be so in
    k of k + 1 nights.
    """
    if row.verdict == "regression":
        return True
    known = [value for value in row.nights if value is not None]
    if not was_worse or not row.judged or row.value is None or not known:
        return False
    return row.value > max(known) if row.worse == "higher" else row.value < min(known)


class GateReport(Part):
    """A run judged by the window of those before it."""

    gate_version: int = GATE_VERSION
    bench_version: str
    run: RunCard
    baseline: str
    """As it was asked for: `last:7`, or folders."""
    window: list[BaselineRun]
    """In the order in which they were made."""
    skipped: list[Skipped] = Field(default_factory=list)
    rows: list[GateRow] = Field(default_factory=list)
    verdict: GateVerdict
    exit_code: int
    reasons: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    alpha: float
    """Bound of the false alarms of the whole family: the share of runs that raise an alarm though nothing changed."""
    false_alarms: float | None = None
    """The same, simulated for this window; None where nothing was judged."""
    power: float
    not_back: list[str] = Field(default_factory=list)
    """Measures that became worse, in this run or an earlier one, and are not back.

    Later runs are not judged by this one."""
    accepted: bool = False
    """The user said that the change is meant: later windows begin with this run."""

    @property
    def nothing_to_judge_by(self) -> bool:
        """Whether the run is good, and the window too small or without values."""
        return self.verdict == "no data" and self.run.verdict != "no data" and not self.accepted

    @property
    def family(self) -> list[GateRow]:
        return [row for row in self.rows if row.judged]
