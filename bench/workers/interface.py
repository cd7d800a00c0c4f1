"""Who makes the calls of a run: this process alone, or a master with workers. One face for both.

In: a scenario and a target; out: progress while it goes on and `CrewFacts` at the end. The conductor of a run
(`bench.run.conduct`) knows only this face, so that stopping, draining and reporting are one piece of code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from bench.load.health_probe import combined
from bench.load.worker import Progress, WorkerRun
from bench.scenario.model import Load
from bench.store.manifest import WorkerAnchor, WorkerCounts


@dataclass(slots=True)
class CrewFacts:
    """What the manifest keeps of the workers."""

    anchors: dict[str, WorkerAnchor] = field(default_factory=dict)
    counts: dict[str, WorkerCounts] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    health: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerGlance:
    """A look at one worker of several, for the page of `--web`."""

    title: str
    state: str
    """`ready`, `running`, `finished` or `lost`."""
    calls_open: int
    cpu_percent: float
    memory_bytes: int


class Crew(Protocol):
    """The callers of a run, wherever they are."""

    def start(self) -> None: ...

    def wait(self, seconds: float) -> None: ...

    def progress(self) -> Progress: ...

    def workers(self) -> list[WorkerGlance]: ...

    def admit_no_more(self) -> None: ...

    def hang_up(self) -> None: ...

    def drain(self) -> None: ...

    def facts(self) -> CrewFacts: ...

    @property
    def finished(self) -> bool: ...

    @property
    def admission_over(self) -> bool: ...

    @property
    def nobody_answers(self) -> bool: ...


def arrivals_of(load: Load, offered: int, achieved: int, dropped: int) -> dict[str, Any]:
    """Open arrivals as the manifest keeps them: planned so far, begun, dropped at the cap. A closed pool has none."""
    if load.arrival == "closed":
        return {}
    return {"arrivals": {"offered": offered, "achieved": achieved, "dropped": dropped}, "dropped_arrivals": dropped}


def anchor_of(worker: WorkerRun) -> WorkerAnchor:
    """The clocks of one worker as the manifest keeps them."""
    return WorkerAnchor(
        monotonic_ns=worker.anchor.monotonic_ns,
        unix_s=worker.anchor.unix_s,
        pid=worker.pid,
        kernel_stamps=worker.recorder.kernel_stamps,
    )


class SoloCrew(WorkerRun):
    """One worker in this very process."""

    def workers(self) -> list[WorkerGlance]:
        """None besides this process."""
        return []

    def facts(self) -> CrewFacts:
        spool = self.spool
        return CrewFacts(
            anchors={self.name: anchor_of(self)},
            counts={
                self.name: WorkerCounts(
                    turns_sent=spool.turns_written,
                    turns_received=spool.turns_written,
                    sessions_sent=spool.sessions_written,
                    sessions_received=spool.sessions_written,
                )
            },
            health={
                **combined({self.name: self.health.certificate()}),
                **arrivals_of(self.scenario.load, self.playing.offered, self.playing.started, self.playing.dropped),
            },
        )
