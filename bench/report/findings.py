"""What a report says, as data: the content of `summary.json`, and all that a renderer may use.

In: nothing. Out: the types that `summarise` fills and the renderers read.
Trap: `None` is "not measured", shown as "-"; an unanswered turn is +infinity in `with_unanswered`, written
"Infinity" in JSON. Keys are a contract: add freely, never rename.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from bench.measure.metrics import Group, headline_latencies
from bench.report.findings_bill import Bill
from bench.report.findings_captions import Captions
from bench.report.findings_ceiling import CeilingReport
from bench.report.findings_charts import Charts
from bench.report.findings_cost import CostReport
from bench.report.findings_groups import Groups, HeatMap
from bench.report.findings_headroom import Headroom
from bench.report.findings_health import CalibrationInfo, Health, LoadReport
from bench.report.findings_long_calls import LongCalls
from bench.report.findings_parts import Interval, Part, Rate
from bench.report.findings_phases import PhasesReport
from bench.report.findings_previous import Previous
from bench.report.findings_recordings import RecordedCall, RecordingsReport
from bench.report.findings_targets import TargetsReport
from bench.report.findings_tasks import Tasks
from bench.report.findings_thresholds import ThresholdResult
from bench.report.findings_words import ReplyWordsReport, Words
from bench.store.manifest import Manifest

SUMMARY_VERSION = 2
"""2 adds the typed health certificate, the calibration, and the load as a sentence; nothing of 1 is gone."""


class Percentile(Part):
    """One percentile over answered turns, and the same with unanswered ones as +infinity (None: not applicable)."""

    percent: float
    value: float | None = None
    interval: Interval | None = None
    with_unanswered: float | None = None
    with_unanswered_interval: Interval | None = None

    @property
    def label(self) -> str:
        return f"p{self.percent:g}"


class MetricRow(Part):
    """A metric's distribution. `percentiles` run from the median to the worse tail; `worst` is the worst value."""

    name: str
    title: str
    unit: str
    definition: str
    decimals: int
    worse: Literal["higher", "lower", "none"]
    group: Group
    per: Literal["turn", "call"]
    n: int
    unanswered: int
    """Rows that have no value because nobody answered; 0 where the metric does not ask for an answer."""
    percentiles: list[Percentile]
    worst: float | None = None
    mean: float | None = None
    method: str | None = None


class LatencyCut(Part):
    """The headline latency of one part of the run, such as one accent."""

    name: str
    n: int
    unanswered: int
    p50: float | None = None
    p95: float | None = None
    p50_interval: Interval | None = None
    p95_interval: Interval | None = None


class LatencyCuts(Part):
    """The headline latency by target, accent, voice, language and condition: cuts with more than one value."""

    metric: str
    title: str
    cuts: dict[str, list[LatencyCut]]
    not_shown: dict[str, int] = Field(default_factory=dict)
    """By cut: how many faster rows were left out of a long table."""


class ErrorRow(Part):
    """One kind of failure and how often it came; `message` is one example in the server's words."""

    level: Literal["turn", "call"]
    status: str
    error_kind: str | None
    error_code: str | None
    stage: str | None
    count: int
    message: str | None = None
    http_status: int | None = None
    """Of a call whose connection was refused by an HTTP answer."""
    close_code: int | None = None
    """Of a connection that was closed by the other side."""
    target: str | None = None
    """Whose it is, in a run with several targets."""


class VerdictInfo(Part):
    """The run's verdict. `reasons` are what decided it, with observed values; `warnings` did not decide it."""

    name: str
    exit_code: int
    reasons: list[str]
    warnings: list[str]


class TurnCounts(Part):
    """How many turns there are and which of them the statistics stand on (`measured`)."""

    total: int
    warmup: int
    client_late: int
    measured: int
    answered: int
    by_status: dict[str, int]
    planned: int | None = None
    """Turns that the calls after warm-up were to make; None where no call has a row."""
    begun: int = 0
    """Those that were spoken and ended, late ones and those that the harness failed too."""
    answered_of_begun: int = 0
    cut_off: int = 0
    """Turns that the end of the run kept from being made or ended; they count neither way."""
    harness: int = 0
    """Turns that failed by a limit or a mistake of the harness itself: left out like late ones."""


class CallCounts(Part):
    """Calls, warm-up apart. `ready` were configured and acknowledged by the server."""

    total: int
    warmup: int
    measured: int
    ready: int
    ready_in_warmup: int = 0
    harness: int = 0
    """Calls that failed by a limit or a mistake of the harness itself; not among `measured`."""
    by_status: dict[str, int]


class ObjectiveResult(Part):
    """A bound that the run had to keep, and how it did. `ok` is None where there was nothing to judge."""

    metric: str
    title: str
    observed: float | None
    count: str
    """`8 of 28`."""
    bound: float
    default: bool
    """The scenario said nothing: the bound is the program's own."""
    ok: bool | None


class ProtocolFindings(Part):
    """What the server said that was not understood, and what it set otherwise than it was asked to."""

    not_understood: dict[str, int] = Field(default_factory=dict)
    """Kinds of events and how often they came, the most frequent first."""
    reason: str | None = None
    """What their names give away."""
    differences: dict[str, int] = Field(default_factory=dict)
    """Sentences, and in how many calls each holds."""


class CrossTalkTurn(Part):
    """A turn that holds words of another call that was open at the same time."""

    session_id: str
    turn: int
    other: str
    part: str
    """`transcript` or `reply`."""


class Findings(Part):
    """All of a report but the verdict, which is decided from it."""

    summary_version: int = SUMMARY_VERSION
    run: Manifest
    started_at: datetime
    elapsed_s: float | None
    losses: list[str] = Field(default_factory=list)
    """What is missing from the rows; any line here makes the run incomplete."""
    turns: TurnCounts
    calls: CallCounts
    rates: list[Rate]
    errors: list[ErrorRow]
    objectives: list[ObjectiveResult] = Field(default_factory=list)
    """The bounds on errors that hold by default; `thresholds` has them too."""
    thresholds: list[ThresholdResult] = Field(default_factory=list)
    broken_objectives: dict[str, int] = Field(default_factory=dict)
    """Why turns were not good (`goodput`): the first objective that each did not keep, most frequent first."""
    protocol: ProtocolFindings = Field(default_factory=ProtocolFindings)
    metrics: list[MetricRow]
    continuity: list[Rate]
    cross_talk: list[CrossTalkTurn] = Field(default_factory=list)
    """Turns that hold words of another call, the first few."""
    cross_talk_turns: int = 0
    taking: list[Rate] = Field(default_factory=list)
    """Shares of turn taking; empty where nobody spoke into a reply."""
    latency_cuts: LatencyCuts | None = None
    previous: Previous | None = None
    """What changed since the run of the same scenario and target before this one, where it lies beside it."""
    groups: list[Groups] = Field(default_factory=list)
    heat_maps: list[HeatMap] = Field(default_factory=list)
    """Conditions by accents, where the run has several of both."""
    tasks: Tasks = Field(default_factory=Tasks)
    captions: Captions = Field(default_factory=Captions)
    long_calls: LongCalls = Field(default_factory=LongCalls)
    targets: TargetsReport | None = None
    """Targets side by side; None in a run with one."""
    ceiling: CeilingReport | None = None
    """What a search for the most load found; None in any other run."""
    phases: PhasesReport | None = None
    """Phases side by side; None in a run without named phases."""
    words: Words
    cost: CostReport
    bill: Bill = Field(default_factory=Bill)
    headroom: list[Headroom] = Field(default_factory=list)
    """Rate limits, what calls use of them, and what a peak needs; one for each target."""
    load: LoadReport
    health: Health
    recordings: RecordingsReport = Field(default_factory=RecordingsReport)
    recorded: list[RecordedCall] = Field(default_factory=list)
    """Calls that can be listened to, those with the slowest replies first; the first few."""
    recorded_calls: int = 0
    reply_words: ReplyWordsReport | None = None
    """None where nobody listened to the replies."""
    calibration: CalibrationInfo | None = None
    charts: Charts
    definitions: dict[str, str]
    files: list[str]

    def metric(self, name: str) -> MetricRow | None:
        """The row of metric `name`, if the run has any value (or unanswered turn) of it."""
        return next((row for row in self.metrics if row.name == name), None)

    @property
    def headline(self) -> MetricRow | None:
        """The latency that stands for the run; None when no reply was measured."""
        rows = (self.metric(metric.name) for metric in headline_latencies())
        return next((row for row in rows if row is not None and row.n), None)


class Summary(Findings):
    """All of a report."""

    verdict: VerdictInfo
