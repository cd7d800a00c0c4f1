"""The certificate of a run is that of its workers together, and survives the way to the master."""

from __future__ import annotations

import gevent
import msgpack
import pytest

from bench.load.health_probe import HealthProbe, ProbeReadings, certificate_of
from bench.session.call import Delays
from bench.store.certificate import Arrivals


def readings(late_us: list[int]) -> ProbeReadings:
    delays = Delays()
    probe = HealthProbe(delays, frame_ms=20)
    probe.start()
    delays.frame_late_us += late_us
    gevent.sleep(0)
    probe.stop()
    return probe.readings()


def test_workers_are_merged_by_their_counts() -> None:
    quick, slow = readings([1_000] * 300), readings([50_000] * 100)
    found = certificate_of({"w0": quick, "w1": slow}, [None, None])
    assert found.frame_late_ms is not None
    assert (found.frame_late_ms.n, found.frame_late_ms.max_ms) == (400, 50.0)
    assert found.frame_late_ms.p50_ms == pytest.approx(1.0, rel=0.02)
    assert found.workers["w1"].missed_deadlines_share == 1
    assert found.workers["w0"].missed_deadlines_share == 0
    assert found.arrivals is None


def test_readings_survive_a_message() -> None:
    sent = readings([3_000] * 50)
    back = ProbeReadings.from_wire(msgpack.unpackb(msgpack.packb(sent.to_wire()), strict_map_key=False))
    assert back.certificate == sent.certificate
    assert certificate_of({"w0": back}, []) == certificate_of({"w0": sent}, [])


def test_arrivals_add_up_and_no_workers_say_nothing() -> None:
    parts = [Arrivals(offered=5, achieved=4, dropped=1), None, Arrivals(achieved=2, dropped=3)]
    found = certificate_of({}, parts)
    assert found.arrivals == Arrivals(offered=5, achieved=6, dropped=4)
    assert (found.frame_late_ms, found.workers, found.dropped_arrivals) == (None, {}, 4)
