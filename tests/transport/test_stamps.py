"""Arrival stamps against a clock that both ends share: the server puts its monotonic time into each message."""

from __future__ import annotations

import itertools
import socket
import statistics
import struct
import sys
import time

import gevent
import pytest

from bench.transport import stamps
from bench.transport.channel import Message
from tests.transport.conftest import Opener, fresh_connection

linux = pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps are a Linux feature")


def errors_ms(messages: list[Message], attribute: str) -> list[float]:
    return [(getattr(message, attribute) - int(message.data[:20])) / 1e6 for message in messages]


def collect(ws: object, count: int) -> list[Message]:
    messages = []
    for _ in range(count):
        message = ws.receive(5)  # type: ignore[attr-defined]
        assert isinstance(message, Message)
        messages.append(message)
    return messages


@linux
@pytest.mark.parametrize("tls", [False, True])
def test_each_message_queued_while_we_slept_has_its_own_stamp(dial_in: Opener, tls: bool) -> None:
    connection = fresh_connection()
    ws = dial_in("/clock?n=10&gap_ms=5", tls=tls, connection=connection)
    assert connection.kernel_stamps
    ws.send("go")
    time.sleep(0.1)  # the whole process sleeps, the loop with it
    messages = collect(ws, 10)
    gaps = [
        abs((after.at_ns - before.at_ns) - (int(after.data[:20]) - int(before.data[:20]))) / 1e6
        for before, after in itertools.pairwise(messages)
    ]
    # Medians, since this machine may be busy with other things. Were the stamps of merged segments taken as they are,
    # every gap would be off by its whole 5 ms, and the first message by the 100 ms that we slept.
    assert statistics.median(gaps) < 3
    assert statistics.median(errors_ms(messages, "at_ns")) < 5
    assert statistics.median(errors_ms(messages, "read_ns")) > 40
    assert all(message.at_ns <= message.read_ns for message in messages)


@linux
@pytest.mark.parametrize("tls", [False, True])
def test_stamps_hold_while_another_greenlet_burns_cpu(dial_in: Opener, tls: bool) -> None:
    ws = dial_in("/clock?n=60&gap_ms=7&bytes=4000", tls=tls)
    burning = True

    def burn() -> None:
        while burning:
            until = time.perf_counter() + 0.03
            while time.perf_counter() < until:
                sum(range(200))
            gevent.sleep(0.001)

    burner = gevent.spawn(burn)
    ws.send("go")
    messages = collect(ws, 60)
    burning = False
    burner.join()
    arrival, read = errors_ms(messages, "at_ns"), errors_ms(messages, "read_ns")
    assert statistics.median(read) > 5
    assert statistics.median(arrival) < 2
    assert all(message.at_ns <= message.read_ns for message in messages)


def test_a_stamp_from_before_the_read_gives_its_age() -> None:
    assert stamps.arrival_ns(1_000, now_ns=50_000, wall_ns=4_000) == 47_000


@pytest.mark.parametrize(
    ("age_ns", "expected"),
    [(-10_000, 10**12), (-(10**9), None), (10**12, None), (0, 10**12)],
    ids=["slewed", "wall clock set back", "wall clock set forward", "now"],
)
def test_a_stamp_is_never_later_than_now_and_never_absurd(age_ns: int, expected: int | None) -> None:
    assert stamps.arrival_ns(10**18 - age_ns, now_ns=10**12, wall_ns=10**18) == expected


def test_only_the_right_ancillary_message_is_a_stamp() -> None:
    right = (socket.SOL_SOCKET, stamps.SO_TIMESTAMPNS, struct.pack("@ll", 12, 34))
    other = (socket.SOL_SOCKET, 1, b"\x00" * 16)
    assert stamps.stamp_of([other, right]) == 12_000_000_034
    assert stamps.stamp_of([other]) is None
    assert stamps.stamp_of([(socket.SOL_SOCKET, stamps.SO_TIMESTAMPNS, b"\x00")]) is None
