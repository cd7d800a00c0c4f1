"""The history of runs as a table in the terminal.

In: stored runs. Out: text. Trap: a run without a verdict is `not finished`: it may be under way, or was killed.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.grid import grid
from bench.report.phrases import MISSING, amount, plain
from bench.site.history import StoredRun, size_bytes

WIDEST = 32


def render_history(runs: Sequence[StoredRun], unreadable: dict[str, str], width: int | None = None) -> str:
    """A line for each run, oldest first, and what was not read."""
    rows = [("began (UTC)", "scenario", "verdict", "gate", "size", "targets", "folder")]
    rows += [
        (
            f"{run.manifest.started_at:%Y-%m-%d %H:%M}",
            short(run.manifest.scenario_name),
            run.verdict,
            gate_of(run),
            megabytes(size_bytes(run.folder)),
            short(", ".join(run.targets)),
            run.folder.name,
        )
        for run in runs
    ]
    lines = grid(rows, right=(4,), width=width, drop=(4, 5, 0), shorten=(1, 6)) if runs else []
    lines += [f"not read: {name}: {plain(why)}" for name, why in unreadable.items()]
    return "\n".join([*lines, f"{amount(len(runs), 'run')}"])


def gate_of(run: StoredRun) -> str:
    """`pass`, `regression`, `regression, accepted`, or `-` where the gate was not asked."""
    return MISSING if run.gate is None else f"{run.gate}{', accepted' if run.accepted else ''}"


def short(text: str) -> str:
    """Text that fits its column."""
    said = plain(text)
    return said if len(said) <= WIDEST else f"{said[: WIDEST - 1]}…"


def megabytes(size: int) -> str:
    """`1.2 MB`."""
    return f"{size / 1e6:,.1f} MB"
