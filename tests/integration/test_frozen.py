"""A harness that was stopped invents no numbers: what it kept agrees with the server, and the report tells of it.

The whole matrix is slow: `pytest -m slow tests/integration/test_frozen.py`.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.frozen import FIRST_AUDIO_MS, ROUTE_MS, Frozen, play, scenario

LATE_MS = 20.0
"""`health.client_late`: what frames may be late in a turn that is kept."""


def check(found: Frozen, *, stop_s: float) -> None:
    """No kept turn says what the server did not do, and nobody is blamed for our own stop."""
    assert found.stops
    assert set(found.turns["status"]) == {"ok"}, found.said
    assert found.turns["error_kind"].isna().all()
    if len(found.kept):
        assert found.worst_ms() < 5
        # Against the delay that the server was told to keep: lateness of our own frames is in what it did.
        assert found.kept["first_audio_ms"].max() < FIRST_AUDIO_MS + LATE_MS + ROUTE_MS
    late = found.turns[found.turns["client_late"].astype(bool)]
    if len(late):
        assert late["gap_ms"].max() >= stop_s * 1000
    gaps = [gap for worker in found.health["workers"].values() for gap in worker["gaps"]]
    assert max(gap["length_ms"] for gap in gaps) == pytest.approx(stop_s * 1000, rel=0.2)
    assert "stood still for" in found.said
    assert found.summary["health"]["trust"] in {"with care", "no"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "stop_s", "pause_s", "workers"), [("manual", 2.6, 0.9, 1), ("server_vad", 1.0, 1.6, 2)]
)
def test_one_stop(tmp_path: Path, mode: str, stop_s: float, pause_s: float, workers: int) -> None:
    """In manual mode the stop is longer than the bound of a reply."""
    body = scenario(mode, callers=4, calls=4, reply="2s")
    found = play(tmp_path, body, [stop_s], pause_s=[pause_s, 60], words=["--workers", str(workers)])
    assert len(found.turns) == 8
    check(found, stop_s=stop_s)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["manual", "server_vad"])
@pytest.mark.parametrize("stop_s", [0.3, 0.6, 1.0, 2.0, 3.2, 6.0])
def test_stops_of_any_length(tmp_path: Path, mode: str, stop_s: float) -> None:
    draw = random.Random(f"{mode}{stop_s}")
    body = scenario(mode, callers=4, calls=12, reply="5s")
    found = play(tmp_path, body, [stop_s], pause_s=[draw.uniform(1.5, 5) for _ in range(50)])
    assert len(found.turns) == 24
    check(found, stop_s=stop_s)
