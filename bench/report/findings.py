"""What a report says, as data: the content of `summary.json`, and all that a renderer may use.

In: nothing. Out: the types that `summarise` fills and the renderers read.
Trap: `None` is "not measured", shown as "-"; an unanswered turn is +infinity in `with_unanswered`, written
"Infinity" in JSON. Keys are a contract: add freely, never rename.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from bench.measure.metrics import Group, headline_latencies
from bench.report.findings_bill import Bill
from bench.report.findings_captions import Captions
from bench.report.findings_ceiling import CeilingReport
from bench.report.findings_groups import Groups, HeatMap
from bench.report.findings_headroom import Headroom
from bench.report.findings_long_calls import LongCalls
from bench.report.findings_parts import Interval, Part, Rate
from bench.report.findings_phases import PhasesReport
from bench.report.findings_previous import Previous
from bench.report.findings_targets import TargetsReport
from bench.report.findings_tasks import Tasks
from bench.report.findings_thresholds import ThresholdResult
from bench.store.calibration import Level
from bench.store.certificate import Arrivals, Spread, WorkerFigures
from bench.store.manifest import BudgetUsed, EstimatedCost, Manifest, RecordingEnd

SUMMARY_VERSION = 2
"""2 adds the typed health certificate, the calibration, and the load as a sentence; nothing of 1 is gone."""

Trust = Literal["yes", "with care", "no", "unknown"]


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


class WordRow(Part):
    """A pooled word error rate: (substitutions + deletions + insertions) / reference words."""

    name: str
    turns: int
    reference_words: int
    substitutions: int
    deletions: int
    insertions: int
    wer: float | None = None
    interval: Interval | None = None
    wer_raw: float | None = None
    wer_whisper: float | None = None
    """The same on the texts as they are, pooled by the words of each reference."""
    cer: float | None = None
    """Pooled character error rate, for languages that put no spaces between words."""


class AlignedWords(Part):
    op: Literal["equal", "substitute", "delete", "insert"]
    reference: str
    hypothesis: str


class Confusion(Part):
    """A word that was taken for another: `heard` is empty for a word that was lost, `said` for one that was added."""

    said: str
    heard: str
    times: int
    turns: int


class BadlyHeard(Part):
    """A turn with many word errors and how its two texts line up; `turns` were heard in exactly this way."""

    session_id: str
    turn: int
    turns: int
    fixture: str
    voice: str
    accent: str
    errors: int
    wer: float | None
    alignment: list[AlignedWords]


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


class Words(Part):
    """Recognition of the caller's words. `expected` turns could have been transcribed, `scored` were."""

    expected: int
    scored: int
    failed: int
    """Turns whose transcription the server reported as failed."""
    empty: int = 0
    """Turns whose transcription came without a word; all their words count as lost. Those without any are missing."""
    normalisers: list[str] = Field(default_factory=list)
    incomparable: str | None = None
    """Why no rate is given though turns have one: their texts were normalised by different rules."""
    overall: WordRow | None = None
    method: str | None = None
    cuts: dict[str, list[WordRow]] = Field(default_factory=dict)
    """By target, accent, voice, fixture, language, condition and calls open: cuts with more than one value, and accent
    and voice."""
    not_shown: dict[str, int] = Field(default_factory=dict)
    """By cut: how many better rows were left out of a long table."""
    worst: list[BadlyHeard] = Field(default_factory=list)
    confusions: list[Confusion] = Field(default_factory=list)


class Meter(Part):
    name: str
    title: str
    usd: float | None
    tokens: int | None = None


class UnknownMeter(Part):
    """A meter that was used and could not be summed, why, and in how many turns, or calls outside their turns."""

    meter: str
    reason: str
    turns: int = 0
    calls: int = 0


class CostReport(Part):
    """Money. Totals are of everything that was sent, warm-up too; the unit prices are of measured rows."""

    total_usd: float | None
    at_least: bool = False
    """Some meter is unknown: the total is a lower bound."""
    unknown: list[UnknownMeter] = Field(default_factory=list)
    failed_turns: int = 0
    failed_usd: float | None = None
    """Known cost of the turns that nobody answered; part of the total."""
    other_responses: int = 0
    other_usd: float | None = None
    """Known cost of the responses that belong to no turn; part of the total and of what a call costs."""
    warmup_usd: float | None
    priced_turns: int
    unpriced_turns: int
    unpriced_answered: int
    """Turns with an answer and no known price: while there are any, the total is a lower bound."""
    notes: dict[str, int]
    """Why turns could not be priced in full, with how many of them."""
    meters: list[Meter]
    usage: dict[str, float]
    """Sum of each usage column that was reported at all."""
    per_turn_usd: float | None
    per_session_usd: float | None
    per_conversation_minute_usd: float | None
    per_conversation_minute_interval: Interval | None = None
    per_1000_sessions_usd: float | None
    conversation_minutes: float
    books: list[str]
    example_prices: bool
    estimate: EstimatedCost | None = None
    """What the plan was expected to cost before the run."""
    budget: BudgetUsed | None = None
    """The limits of the run and what was used of them; None without a budget."""


class LoadReport(Part):
    """Offered as the scenario says, achieved as the rows show."""

    sentence: str = "-"
    """What was offered, in words."""
    offered: dict[str, str]
    callers_seen: int
    calls: int
    peak_open_calls: int | None
    peak_talking: int | None
    elapsed_s: float | None
    calls_per_min: float | None
    turns_per_min: float | None
    caller_audio_min: float | None
    reply_audio_min: float | None


class WorkerHealth(WorkerFigures):
    """The health certificate of one worker process."""

    name: str
    calls_at_once: int | None = None
    kernel_stamps: bool | None = None
    """Whether the kernel stamped arrivals; None when nobody said."""
    frame_late: Spread | None = None
    loop_lag: Spread | None = None
    recv_lag: Spread | None = None


class Health(Part):
    """The harness's own delays: what part of every number above is its doing, and whether that is too much."""

    client_late_turns: int
    client_late_share: float | None
    client_late_bound: float
    client_late_of: int = 0
    """Turns after warm-up, of which `client_late_turns` were sent late."""
    client_late_after: str | None = None
    """The lateness from which a turn is left out, as the scenario says it; None in an older run."""
    kernel_stamps: dict[str, bool | None]
    frame_late: Spread | None = None
    loop_lag: Spread | None = None
    recv_lag: Spread | None = None
    missed_deadlines_share: float | None = None
    workers: list[WorkerHealth] = Field(default_factory=list)
    arrivals: Arrivals | None = None
    overload: list[str] = Field(default_factory=list)
    """Signs that the machine, not the target, was at its limit."""
    cautions: list[str] = Field(default_factory=list)
    """What else a reader must know before trusting the numbers."""
    trust: Trust = "unknown"
    conclusion: list[str] = Field(default_factory=list)
    """Plain sentences: can the numbers be trusted, and why."""
    facts: dict[str, Any]


class CalibrationInfo(Part):
    """The newest calibration of the host that placed the calls, beside what this run asked of it."""

    created_at: datetime
    bench_version: str
    hostname: str | None
    transport: str
    frame_ms: int
    workers: int
    error_bound_ms: float
    late_bound_ms: float
    highest_level: int | None
    quoted_level: int | None
    """The level nearest to this run's load: its errors are the ones that are quoted."""
    run_calls_per_worker: int | None
    exceeded: bool
    """Whether a worker of this run held more calls than a worker of the highest passed level."""
    differences: list[str] = Field(default_factory=list)
    """How this run differed from the calibration."""
    levels: list[Level]

    @property
    def quoted(self) -> Level | None:
        return next((level for level in self.levels if level.calls == self.quoted_level), None)


class Reached(Part):
    """A milestone of a turn, and when it was reached."""

    name: str
    title: str
    at_ms: float


class SlowTurn(Part):
    """One of the slowest answered turns, with its milestones in the order in which they came."""

    session_id: str
    turn: int
    fixture: str
    open_sessions: int | None
    first_audible_ms: float
    marks: list[Reached]


class Curve(Part):
    """A distribution: `share` of turns answered within `ms`; it ends below 1 when some were never answered."""

    name: str
    title: str
    n: int
    ms: list[float]
    share: list[float]


class PhaseBand(Part):
    """When a phase was, on the axis of the chart."""

    name: str
    from_s: float
    until_s: float


class TimeChart(Part):
    """Latency over the run. Dots are a sample when `shown < n`; medians are over every turn of their slice."""

    metric: str
    title: str
    n: int
    shown: int
    at_s: list[float]
    ms: list[float]
    median_at_s: list[float]
    median_ms: list[float]
    failed_at_s: list[float]
    failed_n: int
    warmup_until_s: float | None
    """None also where phases are drawn."""
    end_s: float
    phases: list[PhaseBand] = Field(default_factory=list)


class LoadBin(Part):
    low: int
    high: int
    n: int
    p50: float | None
    p95: float | None
    p50_interval: Interval | None = None
    p95_interval: Interval | None = None


class LoadChart(Part):
    """Latency by how many calls were open at the turn's start."""

    metric: str
    title: str
    bins: list[LoadBin]


class ErrorSeries(Part):
    """How often a kind of error came in each slice of the run."""

    name: str
    counts: list[int]


class TrafficChart(Part):
    """Calls open at once (the most of each slice), turns begun a minute, and errors by kind, over equal slices."""

    slice_s: float
    slices: int
    end_s: float
    open_calls: list[int]
    turns_per_min: list[float]
    errors: list[ErrorSeries]


class Charts(Part):
    metric_title: str | None = None
    """The latency that stands for the run in every chart."""
    over_time: TimeChart | None
    distribution: list[Curve]
    by_target: list[Curve] = Field(default_factory=list)
    """The same of the headline latency, a curve for each of several targets."""
    by_load: LoadChart | None
    traffic: TrafficChart | None = None
    slowest: list[SlowTurn]


class RecordedCall(Part):
    """A call that was kept as sound, with the milestones of its turns."""

    file: str
    """Within the run folder, such as `calls/call-000012.wav`."""
    session_id: str
    turns: int
    answered: int
    slowest_ms: float | None
    """The slowest first audible; None without an answered turn."""
    marks: list[SlowTurn] = Field(default_factory=list)


class MisheardReply(Part):
    """A reply in which the recogniser heard other words than its transcript has."""

    session_id: str
    turn: int
    written: str
    heard: str
    errors: int


class ReplyWordsReport(Part):
    """What a recogniser heard of the replies, and how well it hears at all."""

    recogniser: str
    listened: int
    skipped: dict[str, int] = Field(default_factory=dict)
    wer: float | None
    interval: Interval | None = None
    reference_words: int
    substitutions: int
    deletions: int
    insertions: int
    floor: float | None = None
    """Its rate on the embedded voice, whose words are known."""
    floor_words: int | None = None
    other: float | None = None
    """The rate of the same replies against the transcripts of other replies."""
    seconds: float = 0.0
    worst: list[MisheardReply] = Field(default_factory=list)


class EarlyEnd(Part):
    """Turns of one recording in which the server called the speech over before its annotated end."""

    fixture: str
    turns: int
    of: int
    median_ms: float


class RecordingsReport(Part):
    """What speaks against the zero of the latencies. `doubts` are by fixture id, as they stood before the run."""

    doubts: dict[str, list[str]] = Field(default_factory=dict)
    early: list[EarlyEnd] = Field(default_factory=list)
    ends: dict[str, RecordingEnd] = Field(default_factory=dict)
    """Where speech ends in each recording, and how sharp that is."""


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
