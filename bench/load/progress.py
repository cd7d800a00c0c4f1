"""A run under way in figures: what a screen shows and a guard judges.

In: rows as they end, and counts of calls from the workers. Out: a `Progress`. Trap: these figures are for watching;
every number of a report is computed from the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field, replace

from bench.load.spend import Spend
from bench.measure.outcome import ANSWERED
from bench.measure.records import SessionRecord, TurnRecord
from bench.scenario.load_shapes import admission_s, planned_phases, total_sessions
from bench.scenario.model import LoadConfig
from bench.scenario.phase_config import FINISHING

MOST_LIVE_SAMPLES = 5_000
"""Latencies kept for the live percentiles; the report uses every row."""


@dataclass(slots=True)
class Tally:
    """Rows counted as they end."""

    turns: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    sessions_failed: int = 0
    sessions_failed_here: int = 0
    """Those of them that failed by a limit or a mistake of this side."""
    first_audible_ms: list[float] = field(default_factory=list)
    ttft_ms: list[float] = field(default_factory=list)
    final_text_ms: list[float] = field(default_factory=list)
    word_settled_ms: list[float] = field(default_factory=list)
    """Of sessions that only transcribe, which have none of the others; the median of each turn's words."""
    cost_usd: float = 0.0
    priced_turns: int = 0
    warmup_turns: int = 0

    def add_turn(self, row: TurnRecord) -> None:
        """Count one turn; a warm-up turn costs money but tells nothing of speed."""
        if row.cost_usd is not None:
            self.cost_usd += row.cost_usd
            self.priced_turns += 1
        if row.warmup:
            self.warmup_turns += 1
            return
        self.turns += 1
        self.by_status[row.status] += 1
        if row.status in ANSWERED:
            for samples, value in (
                (self.first_audible_ms, row.first_audible_ms),
                (self.ttft_ms, row.ttft_ms),
                (self.final_text_ms, row.caption_final_ms),
                (self.word_settled_ms, row.word_settled_ms),
            ):
                if value is not None:
                    samples.append(value)
                    del samples[:-MOST_LIVE_SAMPLES]
        else:
            # Once: by its cause, and by what became of it where there is none.
            self.errors[row.error_kind or row.status] += 1

    def add_session(self, row: SessionRecord) -> None:
        """Count one ended call."""
        self.sessions += 1
        if row.status == "failed":
            self.sessions_failed += 1
            self.sessions_failed_here += row.error_kind == "harness"
            if row.turns_ended == 0 and row.error_kind is not None:
                self.errors[row.error_kind] += 1


@dataclass(frozen=True, slots=True)
class LiveCalls:
    """Calls of one worker, or of several together."""

    open: int = 0
    talking: int = 0
    """Callers who are speaking."""
    started: int = 0
    dropped: int = 0
    """Open arrivals that found the cap reached."""
    withheld: int = 0
    """Calls that `budget.max_sessions` did not let begin; of a closed pool one for each caller."""
    call_s: float = 0.0
    """Time of all calls so far, from dialling to the end of each; open ones are counted until now."""

    @classmethod
    def total(cls, parts: Iterable[LiveCalls]) -> LiveCalls:
        return cls(*(sum(column) for column in zip(*map(astuple, parts), strict=True)))

    def ended(self) -> LiveCalls:
        """The same once no call is open any more."""
        return replace(self, open=0, talking=0)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One worker process of several."""

    title: str
    state: str
    """`running`, `finished` or `lost`."""
    calls_open: int
    cpu_percent: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The run at one moment."""

    phase: str
    """The name of the phase where the load has some; else `warm-up`, `ramp` or `steady`. `finishing` once no new call
    begins."""
    elapsed_s: float
    done: float | None
    """Share of the run that is over, 0 to 1; None when it cannot be told."""
    admission_over: bool
    """Whether the time for new calls has passed."""
    calls: LiveCalls
    tally: Tally
    workers: tuple[WorkerState, ...] = ()
    """Worker processes; empty when this process makes the calls."""
    disk_failure: str | None = None
    """Why the disk of a worker does not take its rows; None while it does."""
    spend: Spend | None = None
    """Against a budget; None without one."""


def progress_of(
    load: LoadConfig,
    tally: Tally,
    calls: LiveCalls,
    *,
    elapsed_s: float,
    finishing: bool,
    workers: tuple[WorkerState, ...] = (),
    disk_failure: str | None = None,
) -> Progress:
    """The run under `load` after `elapsed_s`."""
    bound_s, planned = admission_s(load), total_sessions(load)
    if bound_s is not None:
        done: float | None = min(1.0, elapsed_s / bound_s)
    else:
        done = min(1.0, (tally.sessions + calls.dropped) / planned) if planned else None
    named = (each.name for each in planned_phases(load) if elapsed_s * 1000 < each.end_ms)
    if finishing:
        phase = FINISHING
    elif load.phases:
        phase = next(named, FINISHING)
    elif tally.sessions < load.warmup_sessions or elapsed_s * 1000 < load.warmup_ms:
        phase = "warm-up"
    elif elapsed_s * 1000 < load.ramp_ms:
        phase = "ramp"
    else:
        phase = "steady"
    over = bound_s is not None and elapsed_s >= bound_s
    return Progress(phase, elapsed_s, done, over, calls, tally, workers, disk_failure)
