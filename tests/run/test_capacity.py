"""What is said before a run about the calls that it asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.run.capacity import capacity_remark
from bench.store.calibration import Calibration
from bench.store.environment import Host, host_facts


def calibrated(highest: int | None, *, workers: int = 1, frame_ms: int = 20) -> Calibration:
    host: Host = host_facts()
    return Calibration(
        created_at=datetime(2026, 11, 20, tzinfo=UTC), bench_version="0", host=host, transport="ws", frame_ms=frame_ms,
        workers=workers, error_bound_ms=5, late_bound_ms=10, levels=[], highest_level=highest,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("most_open", "processes", "cores", "known", "said"),
    [
        (5000, 1, 2, calibrated(200), ("5,000 calls", "carries 200", "about 320", "invalid", "--master")),
        (5000, 1, 2, None, ("5,000 calls", "about 400", "bench calibrate", "invalid")),
        (300, 1, 4, calibrated(200), ("300 in a process", "--workers 2")),
        (300, 2, 4, calibrated(200), None),
        (150, 1, 2, calibrated(200), None),
        (200, 1, 1, calibrated(200), None),
        (6, 1, 2, None, None),
        (600, 2, 4, calibrated(400, workers=2), ("carries 200", "--workers 3")),
        (10, 1, 2, calibrated(None), ("passed at no level",)),
        (None, 1, 2, None, None),
    ],
)
def test_a_load_that_the_machine_cannot_place_is_named_before_the_run(
    most_open: int | None, processes: int, cores: int, known: Calibration | None, said: tuple[str, ...] | None
) -> None:
    found = capacity_remark(most_open, frame_ms=20, processes=processes, cores=cores, known=known)
    if said is None:
        assert found is None
    else:
        assert found is not None
        for words in said:
            assert words in found, found


def test_calls_with_longer_frames_send_fewer_messages() -> None:
    known = calibrated(200)
    assert capacity_remark(900, frame_ms=100, processes=1, cores=2, known=known) is None
    said = capacity_remark(2000, frame_ms=100, processes=1, cores=2, known=known)
    assert said is not None
    assert "carries 1,000 (with frames of 20 ms, scaled)" in said


@given(
    st.integers(1, 100_000), st.integers(1, 64), st.integers(1, 64), st.sampled_from([10, 20, 100]),
    st.one_of(st.none(), st.integers(1, 2000)),
)  # fmt: skip
def test_fewer_calls_are_never_a_worse_sign(
    calls: int, processes: int, cores: int, frame_ms: int, highest: int | None
) -> None:
    known = None if highest is None else calibrated(highest)
    many = capacity_remark(calls, frame_ms=frame_ms, processes=processes, cores=cores, known=known)
    fewer = capacity_remark(max(1, calls // 2), frame_ms=frame_ms, processes=processes, cores=cores, known=known)
    assert many is not None or fewer is None
