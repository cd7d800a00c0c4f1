"""Progress of a run from its counts, in a table without a clock."""

from __future__ import annotations

from typing import Any

import pytest

from bench.load.progress import LiveCalls, Tally, progress_of
from bench.scenario.model import LoadConfig

PHASES = {
    "phases": [{"name": "warm-up", "callers": 1, "duration": "5s"}, {"name": "hold", "callers": 3, "duration": "15s"}]
}
COUNTS = LiveCalls(open=3, talking=1, started=8, dropped=2)


@pytest.mark.parametrize(
    ("load", "sessions", "elapsed_s", "phase", "done"),
    [
        ({"callers": 4, "sessions": 20, "ramp": "10s"}, 2, 5.0, "ramp", 0.2),
        ({"callers": 4, "sessions": 20}, 2, 5.0, "steady", 0.2),
        ({"callers": 4, "sessions": 20, "warmup": 3}, 2, 5.0, "warm-up", 4 / 23),
        ({"callers": 4, "duration": "20s", "warmup": "20s"}, 9, 30.0, "steady", 0.75),
        ({"callers": 4, "duration": "20s", "warmup": "20s"}, 9, 10.0, "warm-up", 0.25),
        ({"callers": 4, "duration": "20s"}, 9, 50.0, "steady", 1.0),
        (PHASES, 0, 0.0, "warm-up", 0.0),
        (PHASES, 9, 5.0, "hold", 0.25),
        (PHASES, 9, 20.0, "finishing", 1.0),
    ],
)
def test_phase_and_share(load: dict[str, Any], sessions: int, elapsed_s: float, phase: str, done: float) -> None:
    asked = LoadConfig.model_validate(load)
    found = progress_of(asked, Tally(sessions=sessions), COUNTS, elapsed_s=elapsed_s, finishing=False)
    assert (found.phase, found.done) == (phase, pytest.approx(done))
    assert progress_of(asked, Tally(), COUNTS, elapsed_s=elapsed_s, finishing=True).phase == "finishing"


def test_counts_of_workers_add_up() -> None:
    assert LiveCalls.total([COUNTS, COUNTS.ended()]) == LiveCalls(open=3, talking=1, started=16, dropped=4)
    assert LiveCalls.total([]) == LiveCalls()
