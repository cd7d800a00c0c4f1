"""The calls of a run in this very process."""

from __future__ import annotations

from bench.load.health_probe import certificate_of
from bench.load.worker_run import WorkerRun
from bench.store.manifest import WorkerCounts
from bench.workers.interface import WorkersFacts


class LocalWorker(WorkerRun):
    """One worker as all the workers of a run."""

    def facts(self) -> WorkersFacts:
        report = self.report()
        return WorkersFacts(
            anchors={self.name: self.anchor},
            counts={
                self.name: WorkerCounts(
                    turns_sent=report.turns,
                    turns_received=report.turns,
                    sessions_sent=report.sessions,
                    sessions_received=report.sessions,
                )
            },
            health=certificate_of({self.name: report.readings}, [report.arrivals]),
        )
