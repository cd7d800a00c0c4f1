"""The health of a run as it lies in `run.json`: of this version, of older ones, and with broken numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bench.store.certificate import Arrivals, HealthCertificate, Spread


def test_it_is_read_back_as_it_was_written() -> None:
    found = HealthCertificate.model_validate(
        {
            "frame_late_ms": {"n": 9, "p50_ms": 0.1, "p99_ms": 2},
            "workers": {"w0": {"cpu_share": 0.3, "gc_pauses": 4, "loop_lag_ms": {"n": 3}}},
            "arrivals": {"offered": 7, "achieved": 5, "dropped": 2},
            "a_newer_key": "kept",
        }
    )
    assert found.frame_late_ms == Spread(n=9, p50_ms=0.1, p99_ms=2.0)
    text = found.model_dump_json()
    assert HealthCertificate.model_validate_json(text) == found
    assert json.loads(text)["a_newer_key"] == "kept"


def test_dropped_arrivals_are_held_once_and_written_twice() -> None:
    written = json.loads(HealthCertificate(arrivals=Arrivals(offered=3, achieved=1, dropped=2)).model_dump_json())
    assert (written["arrivals"]["dropped"], written["dropped_arrivals"]) == (2, 2)
    old = HealthCertificate.model_validate({"dropped_arrivals": 3})
    assert old.arrivals == Arrivals(dropped=3)
    assert HealthCertificate.model_validate({}).dropped_arrivals is None


@pytest.mark.parametrize("broken", [None, "many", True, float("nan"), [], {}])
def test_a_broken_number_is_one_that_nobody_said(broken: Any) -> None:
    found = HealthCertificate.model_validate(
        {
            "loop_lag_ms": {"n": broken},
            "frame_late_ms": {"n": 4, "p99_ms": broken},
            "recv_lag_ms": broken,
            "workers": {"w0": {"cpu_share": broken, "rss_most_bytes": broken}, "w1": broken},
            "arrivals": {"offered": broken, "dropped": 1},
        }
    )
    assert (found.loop_lag_ms, found.recv_lag_ms) == (None, None)
    assert found.frame_late_ms == Spread(n=4)
    assert found.workers["w0"].cpu_share is None
    assert found.workers["w1"].gc_pauses is None
    assert found.arrivals == Arrivals(dropped=1)
    assert HealthCertificate.model_validate({"workers": broken}).workers == {}
