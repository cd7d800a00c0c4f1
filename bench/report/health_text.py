"""The health certificate and the calibration in words and cells, the same for the terminal, markdown and the page.

In: `Health` and `CalibrationInfo`. Out: readings with their meaning, calibration rows, and lines for a terminal.
Trap: "-" is a reading that nobody took. A row in which no worker has any is left out, so an old run has a short table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.measure.metrics import METRICS
from bench.report.health import CPU_BOUND, FRAME_LATE_BOUND_MS, LOOP_LAG_BOUND_MS, STEAL_BOUND
from bench.report.model import CalibrationInfo, Health, Summary, Trust, WorkerHealth
from bench.report.phrases import MISSING, amount, number, percent
from bench.store.calibration import Level
from bench.store.certificate import Spread

ANSWERS: dict[Trust, str] = {"yes": "Yes.", "with care": "With care.", "no": "No.", "unknown": "Not known."}
GLANCES: dict[Trust, str] = {
    "yes": "As far as the harness goes, yes: it kept up.",
    "with care": "With care: see the warnings.",
    "no": "No: the machine that placed the calls was overloaded.",
    "unknown": "Not known: the run holds no health certificate.",
}
NO_CALIBRATION = "none for this host: run bench calibrate"
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Cell:
    """A value, smaller figures that stand under it, and whether it is beyond its bound."""

    value: str
    under: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One row of the certificate: what was read, what it means, and a cell for each column of `columns`."""

    title: str
    meaning: str
    cells: tuple[Cell, ...]


def columns(health: Health) -> tuple[str, ...]:
    """The certificate's columns: each worker, and the whole run before them where there is more than one."""
    names = tuple(worker.name for worker in health.workers)
    return ("all", *names) if len(names) > 1 else names


def readings(health: Health) -> list[Reading]:
    """The certificate as rows; those that no worker has a value for are left out."""
    rows = [
        _delays(
            health,
            "Frames sent late, p99 in ms",
            "how long after its due time an audio frame left; a late frame makes the server look slow",
            "frame_late",
            FRAME_LATE_BOUND_MS,
        ),
        _row(
            health,
            "Deadlines missed",
            "frames that left later than a whole frame's length",
            lambda worker: Cell(percent(worker.missed_deadlines_share, 2)),
            Cell(percent(health.missed_deadlines_share, 2)),
        ),
        _delays(
            health,
            "Messages read late, p99 in ms",
            "from a message's arrival to our reading of it; with kernel arrival times no latency contains it",
            "recv_lag",
            None,
        ),
        _delays(
            health,
            "Event loop late, p99 in ms",
            "how late a worker woke up when it had asked to, probed every 50 ms",
            "loop_lag",
            LOOP_LAG_BOUND_MS,
        ),
        _row(
            health,
            "CPU at its busiest",
            f"share of one core; a worker can use one and no more: above {percent(CPU_BOUND, 0)} it is at its limit",
            _cpu,
        ),
        _row(
            health,
            "CPU taken by other machines",
            "steal: what the hypervisor gave to others while we wanted to run",
            lambda worker: Cell(percent(worker.steal_share), bad=(worker.steal_share or 0) > STEAL_BOUND),
        ),
        _row(health, "Longest pause to collect garbage, ms", "nothing is sent or read during one", _gc),
        _row(health, "Open files, most", "each call needs one", _files),
        _row(health, "Memory, most, in MiB", "of the whole worker process", _memory),
        _row(
            health,
            "Calls open at once, most",
            "compare with the calibrated level",
            lambda worker: Cell(number(worker.calls_at_once)),
        ),
        _row(
            health,
            "Arrival times",
            "stamped by the kernel, or by the process itself, which then adds its own delay",
            lambda worker: Cell(stamps_of(worker.kernel_stamps), bad=worker.kernel_stamps is False),
        ),
    ]
    return [row for row in rows if any(cell.value not in {MISSING, ""} for cell in row.cells)]


def stamps_of(kernel: bool | None) -> str:
    """Where arrival times come from, in a word."""
    return {True: "kernel", False: "process", None: MISSING}[kernel]


def left_out(health: Health) -> str:
    """How many turns our own lateness spoiled, of how many, and when that makes a run invalid."""
    after = f" beyond {health.client_late_after}" if health.client_late_after else ""
    bound = f"above {percent(health.client_late_bound, 0)} the run is invalid"
    if not health.client_late_of:
        return f"none{after}; {bound}"
    share = f"{health.client_late_turns:,} of {health.client_late_of:,} ({percent(health.client_late_share)})"
    return f"{share}{after}; {bound}"


def arrivals(health: Health) -> str | None:
    """Offered against achieved, for open arrivals."""
    found = health.arrivals
    if found is None:
        return None
    said = []
    if found.offered is not None and found.achieved is not None:
        share = found.achieved / found.offered if found.offered else None
        said.append(f"{found.achieved:,} of {found.offered:,} planned calls begun ({percent(share)})")
    said.append(f"{number(found.dropped)} dropped")
    return ", ".join(said)


def harness_lines(summary: Summary) -> list[tuple[str, str]]:
    """The certificate for a terminal: one line per reading, one per worker where they differ."""
    health = summary.health
    lines = [
        (title, _spread(delays) + f"  ({delays.n:,} {of})")
        for title, delays, of in (
            ("Frames sent late, ms", health.frame_late, "frames"),
            ("Messages read late, ms", health.recv_lag, "messages"),
            ("Event loop late, ms", health.loop_lag, "probes"),
        )
        if delays is not None
    ]
    if health.frame_late is None:
        lines += _from_rows(summary)
    if health.missed_deadlines_share is not None:
        missed = f"{percent(health.missed_deadlines_share, 2)} (left later than a whole frame's length)"
        lines.append(("Deadlines missed", missed))
    lines.append(("Turns sent late (left out)", left_out(health)))
    for worker in health.workers[:8]:
        said = _worker_line(worker)
        if said:
            lines.append((f"Worker {worker.name}", said))
    if len(health.workers) > 8:
        lines.append(("More workers", f"{len(health.workers) - 8}, in report.html"))
    stamps = set(health.kernel_stamps.values())
    if stamps - {None}:
        mixed = "from the kernel in some workers, from the process in others (less exact)"
        one = "from the kernel" if stamps == {True} else "from the process (less exact)"
        lines.append(("Arrival times", mixed if {True, False} <= stamps else one))
    offered = arrivals(health)
    return [*lines, ("Calls offered", offered)] if offered else lines


def calibration_lines(known: CalibrationInfo | None) -> list[tuple[str, str]]:
    """The calibration for a terminal."""
    if known is None:
        return [("Calibration", NO_CALIBRATION)]
    made = f"this host, {known.created_at:%Y-%m-%d}, {known.transport}, {known.frame_ms} ms frames"
    made += f", {amount(known.workers, 'worker')}" if known.workers != 1 else ""
    bounds = f"within {known.error_bound_ms:g} ms error and {known.late_bound_ms:g} ms lateness"
    highest = MISSING if known.highest_level is None else amount(known.highest_level, "call")
    lines: list[tuple[str, str]] = []
    if known.quoted is not None:
        for name, spread in _errors(known.quoted)[:4]:
            at = f" at {amount(known.quoted.calls, 'call')} ({made})" if not lines else ""
            lines.append((f"Error p99 of {name}", f"{number(spread.p99_ms, 2)} ms{at}"))
    lines.append(("Highest level", f"{highest} {bounds}"))
    return lines + [("Mind", difference) for difference in known.differences]


def calibration_heads(known: CalibrationInfo) -> list[str]:
    """The metrics of the calibration table, in the order of the report's own."""
    seen = {name for level in known.levels for name in level.errors}
    return [*(name for name in METRICS if name in seen), *sorted(name for name in seen if name not in METRICS)]


def title_of(name: str) -> str:
    """A metric's title; a name that this version does not know, readable."""
    return METRICS[name].title if name in METRICS else name.removesuffix("_ms").replace("_", " ")


def calibration_cells(level: Level, heads: Sequence[str]) -> list[Cell]:
    """The errors of one level, then lateness, CPU of both ends and the result."""
    cells = [_error(level.errors.get(name)) for name in heads]
    cells += [_error(level.frame_late, 1), _error(level.recv_lag, 1), _most(level.client_cpu), _most(level.server_cpu)]
    memory = None if level.rss_per_call_bytes is None else level.rss_per_call_bytes / _MIB
    return [*cells, Cell(number(memory, 2)), Cell("yes" if level.ok else "no", bad=not level.ok)]


def _error(spread: Spread | None, places: int = 2) -> Cell:
    if spread is None or not spread.n:
        return Cell(MISSING)
    return Cell(number(spread.p99_ms, places), f"p50 {number(spread.p50_ms, places)}")


def _most(shares: dict[str, float]) -> Cell:
    return Cell(percent(max(shares.values(), default=None), 0))


def _errors(level: Level) -> list[tuple[str, Spread]]:
    order = ("first_audio_ms", "ttft_ms", "endpoint_ms", "first_audible_ms")
    names = [*(name for name in order if name in level.errors), *(name for name in level.errors if name not in order)]
    return [(title_of(name), level.errors[name]) for name in names]


def _spread(delays: Spread) -> str:
    values = ((delays.p50_ms, "p50"), (delays.p95_ms, "p95"), (delays.p99_ms, "p99"), (delays.max_ms, "max"))
    return "  ".join(f"{name} {number(value, 1)}" for value, name in values)


def _from_rows(summary: Summary) -> list[tuple[str, str]]:
    """What an older or a killed run still knows: the worst of each turn."""
    lines = []
    for name, title in (("send_late_ms", "Frames sent late, ms"), ("recv_lag_ms", "Messages read late, ms")):
        row = summary.metric(name)
        if row is not None and row.n:
            shown = [f"{found.label} {number(found.value, 1)}" for found in row.percentiles if found.percent != 90]
            lines.append((title, "  ".join([*shown, f"max {number(row.worst, 1)}"]) + "  (worst of each turn)"))
    return lines


def _worker_line(worker: WorkerHealth) -> str:
    parts = []
    if worker.cpu_share is not None:
        parts.append(f"CPU mean {percent(worker.cpu_share, 0)}, peak {percent(worker.cpu_share_peak, 0)} of a core")
    if worker.steal_share is not None:
        parts.append(f"steal {percent(worker.steal_share)}")
    if worker.gc_pause_longest_ms is not None:
        parts.append(f"longest GC pause {number(worker.gc_pause_longest_ms, 1)} ms")
    if worker.open_files_most is not None:
        parts.append(f"files {worker.open_files_most:,} of {number(worker.open_files_limit)}")
    if worker.rss_most_bytes is not None:
        parts.append(f"{number(worker.rss_most_bytes / _MIB)} MiB")
    return "; ".join(parts)


def _delays(health: Health, title: str, meaning: str, key: str, bound: float | None) -> Reading:
    said = meaning if bound is None else f"{meaning}; bound {bound:g} ms"
    return _row(
        health, title, said, lambda of: _lateness(getattr(of, key), bound), _lateness(getattr(health, key), bound)
    )


def _lateness(delays: Spread | None, bound: float | None) -> Cell:
    if delays is None:
        return Cell(MISSING)
    under = f"p50 {number(delays.p50_ms, 1)} · p95 {number(delays.p95_ms, 1)} · max {number(delays.max_ms, 1)}"
    return Cell(number(delays.p99_ms, 1), under, bound is not None and (delays.p99_ms or 0) > bound)


def _row(
    health: Health, title: str, meaning: str, cell: Callable[[WorkerHealth], Cell], whole: Cell | None = None
) -> Reading:
    """A reading of each worker; `whole` is the run's own where workers add up to one."""
    cells = tuple(cell(worker) for worker in health.workers)
    return Reading(title, meaning, ((whole or Cell("")), *cells) if len(cells) > 1 else cells)


def _cpu(worker: WorkerHealth) -> Cell:
    under = f"mean {percent(worker.cpu_share, 0)}" if worker.cpu_share is not None else ""
    return Cell(percent(worker.cpu_share_peak, 0), under, (worker.cpu_share_peak or 0) > CPU_BOUND)


def _gc(worker: WorkerHealth) -> Cell:
    if worker.gc_pause_longest_ms is None:
        return Cell(MISSING)
    return Cell(number(worker.gc_pause_longest_ms, 1), amount(worker.gc_pauses or 0, "pause"))


def _files(worker: WorkerHealth) -> Cell:
    if worker.open_files_most is None:
        return Cell(MISSING)
    return Cell(number(worker.open_files_most), f"limit {number(worker.open_files_limit)}")


def _memory(worker: WorkerHealth) -> Cell:
    return Cell(number(None if worker.rss_most_bytes is None else worker.rss_most_bytes / _MIB))
