"""The health of the workers and the calibration, as sections of a report.

In: the health and calibration of a `Summary`. Out: `Section`s; the terminal has shorter tables than the page.
Trap: "-" is a reading that nobody took. A row in which no worker has any is left out, so an old run has a short table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.measure.metrics import METRICS
from bench.report.document import Cell, Column, Row, Section, Table, lines
from bench.report.findings import Summary
from bench.report.findings_health import CalibrationInfo, Health, Trust, WorkerHealth
from bench.report.health import (
    CPU_BOUND,
    FRAME_LATE_BOUND_MS,
    GAP_BOUND_MS,
    HOST_FULL_BOUND,
    LOOP_LAG_BOUND_MS,
    STEAL_BOUND,
    THROTTLED_BOUND,
)
from bench.report.phrases import MISSING, amount, capital, number, percent
from bench.store.calibration import Level
from bench.store.certificate import Spread

ANSWERS: dict[Trust, str] = {"yes": "Yes.", "with care": "With care.", "no": "No.", "unknown": "Not known."}
NO_CALIBRATION = "none for this host: run bench calibrate"
CALIBRATION_HEADING = "CALIBRATION (how wrong the harness itself is)"
MOST_WORKERS = 8
_MIB = 1 << 20


def trust_section(summary: Summary, lateness: tuple[Table, ...]) -> Section:
    """Whether the harness kept up; `lateness` are its own percentiles by turn."""
    health = summary.health
    points = [*health.conclusion, f"Turns left out because this harness was late itself: {_left_out(health)}."]
    offered = _arrivals(health)
    if offered:
        points.append(f"Arrivals: {offered}.")
    heading = f"HARNESS (can the numbers be trusted? {ANSWERS[health.trust]})"
    rows = readings(health)
    table = Table(
        "Health certificate, by worker",
        tuple(map(Column, columns(health))),
        rows,
        "Reading",
        notes=("A reading beyond its bound is marked “!”.",),
    )
    return Section(
        "trust",
        "Can these numbers be trusted?",
        (*((table,) if rows else ()), lines("", _harness_lines(summary), heading=heading), *lateness),
        (
            "A load generator that is slow itself reports its own delay as the server's. So each worker (a process "
            "that places calls) watched itself while it ran.",
        ),
        ANSWERS[health.trust],
        tuple(points),
    )


def columns(health: Health) -> tuple[str, ...]:
    """The columns of the readings: each worker, and the whole run before them where there is more than one."""
    names = tuple(worker.name for worker in health.workers)
    return ("all", *names) if len(names) > 1 else names


@dataclass(frozen=True, slots=True)
class _Rows:
    """Makes the rows of one report's workers."""

    health: Health

    def reading(self, title: str, meaning: str, cell: Callable[[WorkerHealth], Cell], whole: Cell | None = None) -> Row:
        """A figure of each worker; `whole` is that of all together, where there is one."""
        cells = tuple(cell(worker) for worker in self.health.workers)
        return Row(title, ((whole or Cell("")), *cells) if len(cells) > 1 else cells, meaning)

    def delays(self, title: str, meaning: str, key: str, bound: float | None) -> Row:
        """A spread of delays, judged by `bound`."""
        said = meaning if bound is None else f"{meaning}; bound {bound:g} ms"
        whole = _lateness(getattr(self.health, key), bound)
        return self.reading(title, said, lambda of: _lateness(getattr(of, key), bound), whole)


def readings(health: Health) -> tuple[Row, ...]:
    """What the workers read, with its meaning; rows that no worker has a value for are left out."""
    rows = _Rows(health)
    found = (*_own_delays(rows), *_machine(rows), *_process(rows))
    return tuple(row for row in found if any(cell.value not in {MISSING, ""} for cell in row.cells))


def _own_delays(rows: _Rows) -> tuple[Row, ...]:
    return (
        rows.delays(
            "Frames sent late, p99 in ms",
            "how long after its due time an audio frame left; a late frame makes the server look slow",
            "frame_late",
            FRAME_LATE_BOUND_MS,
        ),
        rows.reading(
            "Deadlines missed",
            "frames that left later than a whole frame's length",
            lambda worker: Cell(percent(worker.missed_deadlines_share, 2)),
            Cell(percent(rows.health.missed_deadlines_share, 2)),
        ),
        rows.delays(
            "Messages read late, p99 in ms",
            "from a message's arrival to our reading of it; with kernel arrival times no latency contains it",
            "recv_lag",
            None,
        ),
        rows.delays(
            "Event loop late, p99 in ms",
            "how late a worker woke up when it had asked to, probed every 50 ms",
            "loop_lag",
            LOOP_LAG_BOUND_MS,
        ),
    )


def _machine(rows: _Rows) -> tuple[Row, ...]:
    return (
        rows.reading(
            "CPU at its busiest",
            f"share of one core; a worker can use one and no more: above {percent(CPU_BOUND, 0)} it is at its limit",
            lambda worker: Cell(
                percent(worker.cpu_share_peak, 0),
                "" if worker.cpu_share is None else f"mean {percent(worker.cpu_share, 0)}",
                (worker.cpu_share_peak or 0) > CPU_BOUND,
            ),
        ),
        rows.reading(
            "CPU taken by other machines",
            "steal: what the hypervisor gave to others while we wanted to run",
            lambda worker: Cell(percent(worker.steal_share), bad=(worker.steal_share or 0) > STEAL_BOUND),
        ),
        rows.reading(
            "CPUs of the machine in use",
            f"by all processes; when none is free in more than {percent(HOST_FULL_BOUND, 0)} of the seconds, a server "
            "beside us is slowed down too",
            lambda worker: Cell(
                percent(worker.host_cpu_share, 0),
                _host_said(worker),
                (worker.host_cpu_full_share or 0) > HOST_FULL_BOUND or (worker.throttled_share or 0) > THROTTLED_BOUND,
            ),
        ),
        rows.reading(
            "Stood still at the longest, ms",
            f"the process or its loop did not run; turns that this touches are left out; bound {GAP_BOUND_MS:g} ms",
            lambda worker: Cell(
                number(worker.gap_longest_ms, 0)
                if worker.gap_count
                else ("none" if worker.gap_count == 0 else MISSING),
                _gaps_said(worker),
                (worker.gap_longest_ms or 0) > GAP_BOUND_MS,
            ),
        ),
    )


def _process(rows: _Rows) -> tuple[Row, ...]:
    return (
        rows.reading(
            "Longest pause to collect garbage, ms",
            "nothing is sent or read during one",
            lambda worker: _with(number(worker.gc_pause_longest_ms, 1), amount(worker.gc_pauses or 0, "pause")),
        ),
        rows.reading(
            "Open files, most",
            "each call needs one",
            lambda worker: _with(number(worker.open_files_most), f"limit {number(worker.open_files_limit)}"),
        ),
        rows.reading(
            "Memory, most, in MiB", "of the whole worker process", lambda worker: Cell(_mib(worker.rss_most_bytes))
        ),
        rows.reading(
            "Calls open at once, most",
            "compare with the calibrated level",
            lambda worker: Cell(number(worker.calls_at_once)),
        ),
        rows.reading(
            "Arrival times",
            "stamped by the kernel, or by the process itself, which then adds its own delay",
            lambda worker: Cell(
                {True: "kernel", False: "process", None: MISSING}[worker.kernel_stamps],
                bad=worker.kernel_stamps is False,
            ),
        ),
    )


def calibration_section(known: CalibrationInfo | None) -> Section:
    """How wrong the harness is on this machine, as its calibration found."""
    title = "Calibration of this machine"
    if known is None:
        return Section(
            "calibration", title, (lines(title, [("Calibration", NO_CALIBRATION)], heading=CALIBRATION_HEADING),)
        )
    seen = {name for level in known.levels for name in level.errors}
    names = [*(name for name in METRICS if name in seen), *sorted(seen - set(METRICS))]
    heads = [capital(_title_of(name)) for name in names]
    heads += ["frames sent late", "messages read late", "worker CPU", "server CPU", "MiB per call", "passed"]
    table = Table(
        "Error in ms",
        tuple(map(Column, heads)),
        tuple(
            Row(f"{level.calls:,}", _cells(level, names), "nearest to this run" if level is known.quoted else "")
            for level in known.levels
        ),
        "Calls at once",
        notes=("p99 with p50; CPU is that of the busiest process, as a share of one core.",),
    )
    said = (
        "The difference between what the harness measured and what a server of known behaviour truly did, by number of "
        f"calls at once. Made {known.created_at:%Y-%m-%d} on {known.hostname or 'this host'} over {known.transport} "
        f"with frames of {known.frame_ms} ms and {amount(known.workers, 'worker')}. Highest level: {_highest(known)}."
    )
    points = [f"Note: {difference}." for difference in known.differences]
    points += [f"{amount(level.calls, 'call')}: {'; '.join(level.reasons)}" for level in known.levels if level.reasons]
    short = lines("", _calibration_lines(known, names), heading=CALIBRATION_HEADING)
    return Section("calibration", title, (table, short), (said,), points=tuple(points))


def _lateness(delays: Spread | None, bound: float | None) -> Cell:
    if delays is None:
        return Cell(MISSING)
    under = f"p50 {number(delays.p50_ms, 1)} · p95 {number(delays.p95_ms, 1)} · max {number(delays.max_ms, 1)}"
    return Cell(number(delays.p99_ms, 1), under, bound is not None and (delays.p99_ms or 0) > bound)


def _host_said(worker: WorkerHealth) -> str:
    known = (
        ("full in", worker.host_cpu_full_share, "of the seconds"),
        ("someone waited in", worker.cpu_pressure_share, "of the time"),
        ("throttled in", worker.throttled_share or None, "of the time"),
    )
    return " · ".join(f"{what} {percent(share, 0)} {of}" for what, share, of in known if share is not None)


def _gaps_said(worker: WorkerHealth) -> str:
    if not worker.gap_count:
        return ""
    return f"{amount(worker.gap_count, 'gap')}, {number(worker.gap_total_ms, 0)} ms in all"


def _with(value: str, under: str) -> Cell:
    return Cell(value, "" if value == MISSING else under)


def _mib(size: int | None) -> str:
    return number(None if size is None else size / _MIB)


def _left_out(health: Health) -> str:
    """How many turns our own lateness spoiled, of how many, and when that makes a run invalid."""
    after = f" beyond {health.client_late_after}" if health.client_late_after else ""
    bound = f"above {percent(health.client_late_bound, 0)} the run is invalid"
    if not health.client_late_of:
        return f"none{after}; {bound}"
    share = f"{health.client_late_turns:,} of {health.client_late_of:,} ({percent(health.client_late_share)})"
    return f"{share}{after}; {bound}"


def _arrivals(health: Health) -> str | None:
    """Offered against achieved, for open arrivals."""
    found = health.arrivals
    if found is None:
        return None
    said = []
    if found.offered is not None and found.achieved is not None:
        share = found.achieved / found.offered if found.offered else None
        said.append(f"{found.achieved:,} of {found.offered:,} planned calls begun ({percent(share)})")
    return ", ".join([*said, f"{number(found.dropped)} dropped"])


def _harness_lines(summary: Summary) -> list[tuple[str, str]]:
    """The health for a terminal: a line per reading, and one per worker for what belongs to its process."""
    health = summary.health
    found = [
        (title, f"{_spread(delays)}  ({delays.n:,} {of})")
        for title, delays, of in (
            ("Frames sent late, ms", health.frame_late, "frames"),
            ("Messages read late, ms", health.recv_lag, "messages"),
            ("Event loop late, ms", health.loop_lag, "probes"),
        )
        if delays is not None
    ]
    if health.frame_late is None:
        found += _from_rows(summary)
    if health.missed_deadlines_share is not None:
        missed = f"{percent(health.missed_deadlines_share, 2)} (left later than a whole frame's length)"
        found.append(("Deadlines missed", missed))
    found.append(("Turns late ourselves (left out)", _left_out(health)))
    found += [
        (f"Worker {worker.name}", said) for worker in health.workers[:MOST_WORKERS] if (said := _worker_line(worker))
    ]
    if len(health.workers) > MOST_WORKERS:
        found.append(("More workers", f"{len(health.workers) - MOST_WORKERS}, in report.html"))
    stamps = set(health.kernel_stamps.values())
    if stamps - {None}:
        mixed = "from the kernel in some workers, from the process in others (less exact)"
        one = "from the kernel" if stamps == {True} else "from the process (less exact)"
        found.append(("Arrival times", mixed if {True, False} <= stamps else one))
    offered = _arrivals(health)
    return [*found, ("Calls offered", offered)] if offered else found


def _spread(delays: Spread) -> str:
    values = ((delays.p50_ms, "p50"), (delays.p95_ms, "p95"), (delays.p99_ms, "p99"), (delays.max_ms, "max"))
    return "  ".join(f"{name} {number(value, 1)}" for value, name in values)


def _from_rows(summary: Summary) -> list[tuple[str, str]]:
    """What an older or a killed run still knows: the worst of each turn."""
    found = []
    for name, title in (("send_late_ms", "Frames sent late, ms"), ("recv_lag_ms", "Messages read late, ms")):
        row = summary.metric(name)
        if row is not None and row.n:
            shown = [f"{each.label} {number(each.value, 1)}" for each in row.percentiles if each.percent != 90]
            found.append((title, "  ".join([*shown, f"max {number(row.worst, 1)}"]) + "  (worst of each turn)"))
    return found


def _worker_line(worker: WorkerHealth) -> str:
    parts = []
    if worker.cpu_share is not None:
        parts.append(f"CPU mean {percent(worker.cpu_share, 0)}, peak {percent(worker.cpu_share_peak, 0)} of a core")
    if worker.steal_share is not None:
        parts.append(f"steal {percent(worker.steal_share)}")
    if worker.host_cpu_share is not None:
        parts.append(f"machine's CPUs {percent(worker.host_cpu_share, 0)}")
    if worker.gap_count:
        parts.append(f"stood still {number(worker.gap_longest_ms, 0)} ms at the longest ({_gaps_said(worker)})")
    if worker.gc_pause_longest_ms is not None:
        parts.append(f"longest GC pause {number(worker.gc_pause_longest_ms, 1)} ms")
    if worker.open_files_most is not None:
        parts.append(f"files {worker.open_files_most:,} of {number(worker.open_files_limit)}")
    if worker.rss_most_bytes is not None:
        parts.append(f"{_mib(worker.rss_most_bytes)} MiB")
    return "; ".join(parts)


def _calibration_lines(known: CalibrationInfo, names: list[str]) -> list[tuple[str, str]]:
    """The calibration for a terminal: the errors of the level that is nearest to this run."""
    made = f"this host, {known.created_at:%Y-%m-%d}, {known.transport}, {known.frame_ms} ms frames"
    made += f", {amount(known.workers, 'worker')}" if known.workers != 1 else ""
    errors = known.quoted.errors if known.quoted else {}
    found = [
        (f"Error p99 of {_title_of(name)}", f"{number(errors[name].p99_ms, 2)} ms")
        for name in [name for name in names if name in errors][:4]
    ]
    if found and known.quoted is not None:
        found[0] = (found[0][0], f"{found[0][1]} at {amount(known.quoted.calls, 'call')} ({made})")
    return [*found, ("Highest level", _highest(known)), *(("Mind", difference) for difference in known.differences)]


def _highest(known: CalibrationInfo) -> str:
    highest = MISSING if known.highest_level is None else amount(known.highest_level, "call")
    return f"{highest} within {known.error_bound_ms:g} ms error and {known.late_bound_ms:g} ms lateness"


def _title_of(name: str) -> str:
    """A metric's title; a name that this version does not know, readable."""
    return METRICS[name].title if name in METRICS else name.removesuffix("_ms").replace("_", " ")


def _cells(level: Level, names: list[str]) -> tuple[Cell, ...]:
    """The errors of one level, then lateness, CPU of both ends, memory and the result."""
    memory = None if level.rss_per_call_bytes is None else level.rss_per_call_bytes / _MIB
    return (
        *(_error(level.errors.get(name)) for name in names),
        _error(level.frame_late, 1),
        _error(level.recv_lag, 1),
        *(Cell(percent(max(cpu.values(), default=None), 0)) for cpu in (level.client_cpu, level.server_cpu)),
        Cell(number(memory, 2)),
        Cell("yes" if level.ok else "no", bad=not level.ok),
    )


def _error(spread: Spread | None, places: int = 2) -> Cell:
    if spread is None or not spread.n:
        return Cell(MISSING)
    return Cell(number(spread.p99_ms, places), f"p50 {number(spread.p50_ms, places)}")
