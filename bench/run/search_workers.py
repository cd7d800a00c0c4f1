"""A search for the ceiling as one run: the workers play level after level until the ceiling is known.

In: a run whose load is a search. Out: the interface of workers, so that stopping, budget and report are those of any
run; and a `SearchRecord` that grows with each level.
Trap: whoever conducts sees one run: calls, rows and money of all levels together. A level is ended by hanging up, so
that its last turns have no row; they count neither way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import gevent

from bench.load.back_off import WAITED
from bench.load.health_probe import ProbeReadings, certificate_of, over_stretches
from bench.load.progress import LiveCalls, Progress, Tally
from bench.load.spec import Callee, RecordingCost, RunSpec, Stretch, WorkersFacts
from bench.load.watchers import Watcher
from bench.measure.records import SessionRecord, TurnRecord
from bench.report.stats import clustered_wilson
from bench.run.call_needs import CallNeeds
from bench.run.level_counts import Counts
from bench.run.level_judge import Asked, LevelJudge, Ruling
from bench.scenario.ceiling_search import Played, SearchBounds, Step, next_step
from bench.scenario.model import LoadConfig
from bench.scenario.search_levels import JOINING, judged_ms, level_load, level_name, level_text, settling_ms
from bench.scenario.thresholds import default_objectives
from bench.store.certificate import Arrivals
from bench.store.manifest import WorkerCounts
from bench.store.search_record import LevelNeed, LevelPlayed, SearchRecord
from bench.workers.interface import Workers

RATE_UNIT = 0.1
"""The finest step of a search of rates, calls per minute."""
QUOTA_WINDOW_S = 60.0
"""Vendors count requests and tokens by the minute."""
RATE_LIMITS = frozenset({"tokens", "requests", "rate_limit", "handshake"})
"""Limits that pass with time."""
SHORT_WAIT_S = 2.0
"""A wait that nobody needs to be told of."""
MOST_CAUSES = 8
LEARNING = 1.5
"""The first level may take so many times the length of a call, so that whole calls are seen."""


def record_of(spec: RunSpec) -> SearchRecord:
    """What the search of `spec` is asked for, before its first level."""
    load, scenario = spec.scenario.load, spec.scenario
    search = load.search
    assert search is not None
    objectives = scenario.objectives or default_objectives()
    return SearchRecord(
        of=search.of,
        first=min(search.start, search.highest(load.planned_peak)),
        most=search.highest(load.planned_peak),
        precision=search.precision,
        goodput=search.goodput,
        confidence=search.confidence,
        objectives=[objective.text for objective in objectives],
        default_objectives=not scenario.objectives,
        planned_peak=load.planned_peak,
    )


class Crew(Protocol):
    """Where the workers of the levels come from."""

    def first(self, spec: RunSpec, listener: Watcher) -> Workers:
        """Workers that are ready for the first level."""

    def again(self, workers: Workers, spec: RunSpec, listener: Watcher) -> Workers:
        """The same ones, or others, ready for a further level."""

    def dismiss(self, workers: Workers) -> None:
        """There is no further level."""


@dataclass(slots=True)
class _Totals:
    """What all levels before this one left."""

    calls: LiveCalls = field(default_factory=LiveCalls)
    anchors: dict[str, object] = field(default_factory=dict)
    counts: dict[str, list[WorkerCounts]] = field(default_factory=dict)
    readings: dict[str, list[ProbeReadings]] = field(default_factory=dict)
    arrivals: list[Arrivals | None] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    recordings: RecordingCost = field(default_factory=RecordingCost)


class SearchWorkers(Watcher):
    """`bench.workers.interface.Workers` of a search."""

    def __init__(
        self,
        spec: RunSpec,
        listener: Watcher,
        *,
        crew: Crew,
        call_s: float = 0.0,
    ) -> None:
        """`call_s`: how long a call is expected to last, which decides how long a level settles."""
        self.record = record_of(spec)
        self.keep: Callable[[], object] = lambda: None
        """Called when the record has changed."""
        self._spec = spec
        self._listener = listener
        self._crew = crew
        load = spec.scenario.load
        assert load.search is not None
        self._search, self._load = load.search, load
        rated = self._search.rated
        self._settle_ms = settling_ms(self._search, call_s)
        self._call_s = call_s
        self._needs = CallNeeds()
        self._bounds = SearchBounds(
            first=min(self._search.start, self.record.most),
            most=self.record.most,
            precision=self._search.precision,
            unit=RATE_UNIT if rated else 1.0,
            whole=not rated,
        )
        self._played: list[Played] = []
        self._seen: dict[float, Counts] = {}
        self._totals = _Totals()
        self._tally = Tally()
        self._last_index = -1
        self._start_ns = self._level_ns = 0
        self._stopping = self._done = False
        self._rest_until_ns: int | None = None
        self._waited_s = 0.0
        step = next_step(self._bounds, ())
        assert step is not None
        self._take(step)
        self._workers = crew.first(self._level_spec(), self)

    # rows of the level

    def turn(self, row: TurnRecord) -> None:
        self._tally.add_turn(row)
        self._last_index = max(self._last_index, row.session_index)
        self._needs.turn(row)
        if self._judge is not None:
            self._judge.turn(row, self._level_s())
        self._listener.turn(row)

    def session(self, row: SessionRecord) -> None:
        self._tally.add_session(row)
        self._last_index = max(self._last_index, row.session_index)
        self._needs.session(row)
        if self._judge is not None:
            self._judge.session(row, self._level_s())
        self._listener.session(row)

    def _level_s(self) -> float:
        return (time.monotonic_ns() - self._level_ns) / 1e9

    # levels

    def _take(self, step: Step) -> None:
        """Make `step` the level that is played next."""
        search, confirm = self._search, step.aim == "confirm"
        self._step = step
        self._asked = Asked(
            level=step.level,
            goodput=search.goodput,
            confidence=search.confidence,
            settle_s=self._settle_ms / 1000,
            most_s=judged_ms(self._load, confirm=confirm) / 1000,
            objectives=self._spec.scenario.objectives or default_objectives(),
            max_client_late=self._spec.scenario.health.max_client_late,
            rated=search.rated,
            quick=step.aim == "double" and step.level < self._bounds.most,
            join_s=JOINING * self._settle_ms / 1000,
            learn_s=0.0 if self._played else LEARNING * self._call_s,
        )
        self._judge: LevelJudge | None = None

    def _level_spec(self) -> RunSpec:
        """The run of one level: the same scenario with the load of the level."""
        load, level = self._load, self._step.level
        played = level_load(load, level, self._settle_ms)
        budget = self._spec.scenario.budget
        left = None
        if budget is not None and budget.max_sessions is not None:
            left = max(0, budget.max_sessions - self._totals.calls.started)
        return replace(
            self._spec,
            scenario=self._spec.scenario.model_copy(update={"load": played}),
            interleaved=tuple(_with_load(each, played) for each in self._spec.interleaved),
            stretch=Stretch(level_name(load, level), self._last_index + 1, self._settle_ms, left),
        )

    def start(self) -> None:
        """Begin the first level."""
        self._start_ns = time.monotonic_ns()
        self._begin()

    def _begin(self) -> None:
        before = self._seen.get(self._step.level) if self._step.aim == "confirm" else None
        self._judge = LevelJudge(self._asked, self._needs, before)
        now_s = time.time()
        self.record.levels.append(
            LevelPlayed(
                phase=level_name(self._load, self._step.level),
                level=self._step.level,
                aim=self._step.aim,
                started_at=now_s,
                settled_at=now_s + self._settle_ms / 1000,
                waited_s=round(self._waited_s, 3),
            )
        )
        self.keep()
        why = {"double": "", "halve": "", "confirm": ", once more and longer, to be sure"}[self._step.aim]
        self._listener.note(f"level: {level_text(self._step.level, rated=self._search.rated)}{why}")
        self._workers.start()
        self._level_ns = time.monotonic_ns()

    def wait(self, seconds: float) -> None:
        """Let the calls go on; end the level when it is decided, and begin the next."""
        if self._done:
            return
        if self._rest_until_ns is not None:
            left_s = (self._rest_until_ns - time.monotonic_ns()) / 1e9
            gevent.sleep(max(0.0, min(seconds, left_s)))
            if left_s <= seconds and not self._stopping:
                self._rest_until_ns = None
                self._workers = self._crew.again(self._workers, self._level_spec(), self)
                self._begin()
            return
        self._workers.wait(seconds)
        ruling = self._judge.ruling(self._level_s()) if self._judge is not None else None
        if self._workers.finished:
            # The last calls are over; their last rows may not be written yet.
            self._workers.drain()
            self._end(None)
        elif ruling is not None and not self._stopping:
            # What the calls say that are hung up now is no word on the level.
            judged, self._judge = self._judge, None
            self._workers.hang_up()
            self._workers.drain()
            self._judge = judged
            self._end(ruling)

    def _end(self, ruling: Ruling | None) -> None:
        """The workers have handed over the rows of the level; without a ruling it was cut off."""
        judge, played = self._judge, self.record.levels[-1]
        self._judge = None
        facts = self._gather()
        played.ended_at, played.calls = time.time(), self._workers.progress().calls.started
        peaks = [each.certificate.cpu_share_peak or 0.0 for each in facts.readings.values()]
        played.cpu_share_peak = max(peaks, default=None)
        late = facts.health.frame_late_ms
        played.frame_late_p99_ms = late.p99_ms if late is not None else None
        if ruling is None or self._stopping or facts.losses:
            self._finish()
            return
        assert judge is not None
        self._enter(played, ruling, judge.counts)
        step = self._step
        self._seen[step.level] = judge.counts
        self._played.append(Played(step.level, ruling.held, ruling.sure, step.aim == "confirm"))
        following = next_step(self._bounds, self._played)
        if following is None:
            self.record.finished = True
            self._finish()
            return
        self._take(following)
        self._waited_s = self._rest_s(ruling)
        if self._waited_s > SHORT_WAIT_S:
            self._listener.note(f"  waiting {self._waited_s:.0f} s for the rate limit to pass")
        self._rest_until_ns = time.monotonic_ns() + round(self._waited_s * 1e9)
        self.keep()

    def _enter(self, played: LevelPlayed, ruling: Ruling, counts: Counts) -> None:
        """Write down how the level went, and tell whoever watches."""
        played.held, played.sure = ruling.held, ruling.sure
        played.reason, played.sentence = ruling.reason, ruling.sentence
        played.good, played.turns = counts.good, counts.turns
        played.goodput_low, played.goodput_high = clustered_wilson(counts.by_call.values()).limits or (None, None)
        played.causes = {cause.text: turns for cause, turns in counts.causes.most_common(MOST_CAUSES)}
        played.needs = [
            LevelNeed(
                name=need.name,
                per_min=need.per_min.value or 0.0,
                low_per_min=need.per_min.limits[0] if need.per_min.limits else None,
                high_per_min=need.per_min.limits[1] if need.per_min.limits else None,
                limit_per_min=need.limit,
            )
            for need in self._needs.needs(self._step.level, rated=self._search.rated)
        ]
        word = "carried" if ruling.held else "not carried"
        self._listener.note(f"  {'' if ruling.sure else 'probably '}{word}: {ruling.sentence}")

    def _rest_s(self, ruling: Ruling) -> float:
        """How long to leave the target alone before the next level: until its quotas are full again.

        A level that begins with a quota half empty is refused what it would be granted in the long run.
        """
        wait_s = self._needs.refill_s()
        if wait_s is None:
            wait_s = QUOTA_WINDOW_S if ruling.reason in RATE_LIMITS else 0.0
        return min(wait_s, self._search.cool_down_ms / 1000)

    def _finish(self) -> None:
        self._done = True
        self._crew.dismiss(self._workers)
        self._note(self._workers.facts().notes)
        self.keep()

    def _note(self, notes: Sequence[str]) -> None:
        """Keep what workers say for the reader, but for how long callers waited: at a level too high they must."""
        news = [note for note in notes if not note.startswith(WAITED)]
        self._totals.notes = list(dict.fromkeys([*self._totals.notes, *news]))

    def _gather(self) -> WorkersFacts:
        """Add what the workers say of the level to what those before it left."""
        facts, totals = self._workers.facts(), self._totals
        calls = self._workers.progress().calls
        totals.calls = LiveCalls.total([totals.calls, calls.ended()])
        totals.anchors = {**facts.anchors, **totals.anchors}
        for name, counts in facts.counts.items():
            totals.counts.setdefault(name, []).append(counts)
        for name, readings in facts.readings.items():
            totals.readings.setdefault(name, []).append(readings)
        totals.arrivals.append(facts.health.arrivals)
        totals.losses = list(dict.fromkeys([*totals.losses, *facts.losses]))
        self._note(facts.notes)
        totals.recordings = RecordingCost(
            totals.recordings.written + facts.recordings.written, totals.recordings.seconds + facts.recordings.seconds
        )
        return facts

    # the interface of workers

    @property
    def finished(self) -> bool:
        """Whether the last level has ended."""
        return self._done

    def progress(self) -> Progress:  # type: ignore[override]
        now = self._workers.progress()
        calls = self._totals.calls
        if not self._between:
            calls = LiveCalls.total([calls, now.calls])
        name = level_name(self._load, self._step.level)
        return replace(
            now,
            phase="waiting" if self._between else name,
            elapsed_s=(time.monotonic_ns() - self._start_ns) / 1e9 if self._start_ns else 0.0,
            done=None,
            admission_over=False,
            calls=calls,
            tally=self._tally,
        )

    @property
    def _between(self) -> bool:
        return self._done or self._rest_until_ns is not None

    def admit_no_more(self) -> None:
        """No further level; the calls of this one may end."""
        self._stopping = True
        if self._rest_until_ns is not None:
            self._finish()
        elif not self._done:
            self._workers.admit_no_more()

    def hang_up(self) -> None:
        self._stopping = True
        if self._rest_until_ns is not None:
            self._finish()
        elif not self._done:
            self._workers.hang_up()

    def drain(self) -> None:
        if self._done:
            return
        self._workers.drain()
        if self.record.levels and self.record.levels[-1].ended_at is None:
            self._end(None)
        else:
            self._finish()

    def facts(self) -> WorkersFacts:
        if not self.record.levels or not self._totals.counts:
            return self._workers.facts()
        totals = self._totals
        readings = {name: over_stretches(parts) for name, parts in totals.readings.items()}
        return WorkersFacts(
            anchors=dict(totals.anchors),  # type: ignore[arg-type]
            counts={name: _added(parts) for name, parts in totals.counts.items()},
            losses=totals.losses,
            health=certificate_of(readings, totals.arrivals),
            notes=totals.notes,
            recordings=totals.recordings,
            readings=readings,
        )


def _with_load(callee: Callee, load: LoadConfig) -> Callee:
    return replace(callee, scenario=callee.scenario.model_copy(update={"load": load}))


def _added(parts: Sequence[WorkerCounts]) -> WorkerCounts:
    """The counts of one worker over all levels; unknown where one is."""
    sums: dict[str, int | None] = {}
    for name in ("turns_sent", "turns_received", "sessions_sent", "sessions_received"):
        values = [getattr(part, name) for part in parts]
        sums[name] = None if any(value is None for value in values) else sum(values)
    return WorkerCounts(**sums)
