"""The certificate of a run is that of its workers together, and survives the way to the master."""

from __future__ import annotations

import time

import gevent
import msgpack
import pytest

from bench.facts.gaps import Gap
from bench.load.health_probe import GapRecord, HealthProbe, ProbeReadings, certificate_of
from bench.session.call import Delays
from bench.store.certificate import Arrivals
from tests.support.freeze import freeze


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


def test_a_stall_at_the_very_end_is_in_the_certificate() -> None:
    probe = HealthProbe(Delays(), frame_ms=20)
    probe.start()
    gevent.sleep(0.06)
    freeze(0.3)
    probe.stop()
    found = probe.readings().certificate
    assert found.loop_lag_ms is not None
    assert (found.loop_lag_ms.max_ms or 0) > 200
    assert found.gap_count is not None
    assert found.gap_count >= 1
    assert (found.gap_longest_ms or 0) >= 300
    assert (found.gap_total_ms or 0) >= 300
    assert found.gaps[0].kind == "frozen"
    assert found.gaps[0].length_ms == found.gap_longest_ms
    assert abs((found.gaps[0].at or 0) - time.time()) < 5


def test_a_loop_that_is_held_up_alone_is_told_apart_and_counted_once() -> None:
    ms = 1_000_000
    record = GapRecord(0)
    stopped = Gap(100 * ms, 900 * ms, 800 * ms, "frozen")
    # The loop wakes first: its own gap is known before the witness's.
    record.add([], [Gap(140 * ms, 901 * ms, 761 * ms, "loop")])
    record.add([stopped], [Gap(1500 * ms, 1700 * ms, 200 * ms, "loop")])
    record.add([stopped], [])
    record.add([stopped], [])
    assert (record.count, record.total_ns) == (2, 1000 * ms)
    assert [(gap.kind, gap.length_ms) for gap in record.stored()] == [("frozen", 800), ("loop", 200)]


def test_all_gaps_are_counted_and_the_longest_kept() -> None:
    ms = 1_000_000
    record = GapRecord(0)
    for each in range(1, 101):
        record.add([Gap(each * 1000 * ms, (each * 1000 + each) * ms, each * ms, "frozen")], [])
    assert (record.count, record.total_ns, record.longest_ms) == (100, 5050 * ms, 100)
    assert [gap.length_ms for gap in record.stored()] == [*range(100, 90, -1)]
