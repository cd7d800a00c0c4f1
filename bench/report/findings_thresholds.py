"""How the thresholds of a run came out, as data of `summary.json`."""

from __future__ import annotations

from pydantic import Field

from bench.report.findings_parts import Part


class ThresholdResult(Part):
    """A threshold and what was observed. `ok` is None where there were too few samples to judge: no data."""

    threshold: str
    """As the scenario or `--threshold` says it."""
    metric: str
    title: str
    unit: str
    tags: dict[str, str] = Field(default_factory=dict)
    default: bool = False
    """The scenario says nothing of this metric: the bound is the program's own."""
    observed: float | None = None
    """In the unit of the metric; "Infinity" for a percentile that falls among turns that nobody answered."""
    observed_text: str = "-"
    low: float | None = None
    high: float | None = None
    """95 % limits of `observed`, where there are any."""
    op: str
    bound: float
    bound_text: str
    events: int | None = None
    """In how many of the rows it happened, for a share."""
    n: int = 0
    """Rows that it stands on: turns or calls."""
    per: str = "turn"
    needed: int = 1
    """Fewer rows than this are no data."""
    ok: bool | None = None
    notes: list[str] = Field(default_factory=list)

    @property
    def mark(self) -> str:
        """`pass`, `FAIL` or `no data`."""
        return "no data" if self.ok is None else "pass" if self.ok else "FAIL"

    @property
    def rows_named(self) -> str:
        """The metric, and the rows that the threshold chooses: `wer{accent=scottish}`."""
        tags = ",".join(f"{tag}={value}" for tag, value in self.tags.items())
        return f"{self.metric}{{{tags}}}" if tags else self.metric

    @property
    def sentence(self) -> str:
        """`first_audible_ms{accent=scottish} p95 = 1,240 ms over 28 turns; the threshold is < 800 ms`."""
        what, which = self.rows_named, "the default threshold" if self.default else "the threshold"
        rows = f"{self.n:,} {self.per}{'' if self.n == 1 else 's'}"
        if self.ok is None:
            why = "; ".join(self.notes) or f"{rows}, and it needs {self.needed:,}"
            return f"no data for {what}: {why}; {which} is {self.bound_text}"
        seen = f"({self.events:,} of {rows})" if self.events is not None else f"over {rows}"
        notes = "".join(f"; {note}" for note in self.notes)
        return f"{what} {self.observed_text} {seen}; {which} is {self.bound_text}{notes}"
