"""What the site keeps of a run: figures of each target, small enough to hold a thousand runs in memory.

In: nothing. Out: the types that `measure_run` fills and every page reads; also one JSON file, so that the next build
reads only new runs.
Trap: `None` is "not measured" and is shown as "-". A median may be infinite: so many turns were never answered.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from bench.pricing.book import PriceBook
from bench.report.findings_parts import Part

DIGEST_VERSION = 8
Level = Literal["refuse", "warn", "note"]

NO_CONDITION = "no condition"
"""What the turns of a run are under that have no condition beside others that do."""
AVAILABILITY = "availability"
AVAILABILITY_DEFINITION = (
    "calls that came up, did not fail and had every measured turn answered / calls after warm-up that ended; calls "
    "that the harness itself spoiled are left out"
)


class Seen(Part):
    """A figure of one run. `error`, `events` and `rows` are what the comparison of nights needs to know of it."""

    metric: str
    title: str
    fold: str = ""
    """`p50`; empty for a metric that is one number of a run."""
    unit: str
    decimals: int = 0
    worse: Literal["higher", "lower"] = "higher"
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    """Rows that it stands on."""
    whole: float = 0.0
    """Of a share: what it is a share of, such as words; 0 where that is not known."""
    error: float = 0.0
    events: float = 0.0
    rows: float = 0.0


class Words(Part):
    """Pooled word error rate of one accent."""

    name: str
    words: int
    wer: float | None = None
    low: float | None = None
    high: float | None = None


class Condition(Part):
    """Figures of the turns under one condition of the line, such as noise at 10 dB, or under none."""

    name: str
    turns: int
    figures: dict[str, Seen] = Field(default_factory=dict)


class Questions(Part):
    """Answers to questions of one kind."""

    name: str
    met: int
    n: int


class Fault(Part):
    """Failures of one kind, with one message of the server's."""

    kind: str
    count: int
    message: str = ""


class TargetDigest(Part):
    """One target in one run."""

    name: str
    model: str | None = None
    where: str = "-"
    """Host of the target, or `this machine`, or `embedded server`."""
    dialect: str | None = None
    transport: str = "-"
    calls: int = 0
    """Calls after warm-up that ended and were not spoiled by the harness."""
    good_calls: int = 0
    turns: int = 0
    answered: int = 0
    headline: str | None = None
    """The latency that stands for it, such as `first_audible_ms`."""
    figures: dict[str, Seen] = Field(default_factory=dict)
    """By measure: `first_audible_ms: p50`, `wer`, `availability`."""
    accents: list[Words] = Field(default_factory=list)
    conditions: list[Condition] = Field(default_factory=list)
    questions: list[Questions] = Field(default_factory=list)
    faults: list[Fault] = Field(default_factory=list)
    priced_as: str | None = None
    """The model whose prices count for it."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same target in another run."""
        return self.name, self.model or "", self.where

    def seen(self, measure: str) -> Seen | None:
        """The figure of that measure, if the run has a value of it."""
        found = self.figures.get(measure)
        return found if found is not None and found.value is not None else None


class Fact(Part):
    """Something that must be the same in two runs for some metrics (none named: all) to be compared."""

    key: str
    level: Level
    value: str | None = None
    metrics: list[str] = Field(default_factory=list)


class RunDigest(Part):
    """One run."""

    run_id: str
    folder: str
    """Its name in the folder of runs."""
    scenario: str
    description: str = ""
    started_at: datetime
    ended_at: datetime | None = None
    verdict: str
    exit_code: int | None = None
    reasons: list[str] = Field(default_factory=list)
    accepted: bool = False
    """The gate was told that a change in this run was meant: later windows begin with it."""
    load: str = "-"
    frame: str = "-"
    region: str = "-"
    questions: bool = False
    """Whether its scenario asks questions with known answers (`expect_each`)."""
    facts: dict[str, Fact] = Field(default_factory=dict)
    """By title; mere notes are left out."""
    kind: str = ""
    """The same for two runs that say the same in all of `facts`."""
    books: list[PriceBook] = Field(default_factory=list)
    """Price books of its own."""
    files: list[str] = Field(default_factory=list)
    """Files of the run folder that the site links to."""
    targets: list[TargetDigest] = Field(default_factory=list)
    signature: str = ""
    """Of the files that it was made from: when they change, it is made anew."""
