"""Workers that make no calls: what a run's loop sees of real ones, tick by tick, without a socket or a clock."""

from __future__ import annotations

from collections.abc import Callable

from bench.load.progress import LiveCalls, Progress, Tally
from bench.load.spec import WorkersFacts


def progress(
    phase: str = "steady", elapsed_s: float = 1.0, tally: Tally | None = None, *, admission_over: bool = False
) -> Progress:
    calls = LiveCalls(open=2, talking=1, started=3)
    return Progress(phase, elapsed_s, 0.5, admission_over, calls, tally or Tally())


class ScriptedWorkers:
    """Ends by itself after `ticks` waits; notes in `done` what it was told."""

    def __init__(self, ticks: int = 3, *, admits: int | None = None, on_wait: Callable[[], None] | None = None) -> None:
        self.tally = Tally()
        self.done: list[str] = []
        self._ticks = ticks
        self._admits = admits
        self._on_wait = on_wait
        self._waits = 0
        self._finishing = False

    def start(self) -> None:
        self.done.append("start")

    def wait(self, seconds: float) -> None:
        self._waits += 1
        if self._on_wait is not None:
            self._on_wait()

    def progress(self) -> Progress:
        over = self._admits is not None and self._waits >= self._admits
        phase = "finishing" if self._finishing else "steady"
        return progress(phase, float(self._waits), self.tally, admission_over=over)

    def admit_no_more(self) -> None:
        self._finishing = True
        self.done.append("admit no more")

    def hang_up(self) -> None:
        self.done.append("hang up")
        self._ticks = 0

    def drain(self) -> None:
        self.done.append("drain")

    def facts(self) -> WorkersFacts:
        return WorkersFacts()

    @property
    def finished(self) -> bool:
        return self._waits >= self._ticks
