"""The witness knows when it was none."""

from __future__ import annotations

import time

import gevent
import pytest

from bench.transport.patience import Patience, TimedOutError
from bench.transport.witness import frozen_since, gaps_since
from tests.support.freeze import freeze


def test_a_process_that_stood_still_knows_when_and_how_long() -> None:
    began_ns = time.monotonic_ns()
    gaps_since(began_ns)
    gevent.sleep(0.05)
    before_ns = time.monotonic_ns()
    freeze(0.25)
    # Asked at once, whether or not the witness has woken up.
    found = max(gaps_since(began_ns), key=lambda gap: gap.length_ns)
    assert found.kind == "frozen"
    assert found.start_ns <= before_ns
    assert found.end_ns >= before_ns + 250_000_000
    assert frozen_since(began_ns) >= 0.25
    time.sleep(0.05)
    closed = max(gaps_since(began_ns, closed=True), key=lambda gap: gap.length_ns)
    assert (closed.start_ns, closed.kind) == (found.start_ns, "frozen")


def test_a_time_out_does_not_count_the_time_in_which_we_stood_still() -> None:
    frozen = gevent.event.Event()
    with Patience(0.15) as patience:
        gevent.spawn_later(0.02, freeze, 0.3)
        gevent.spawn_later(0.4, frozen.set)
        assert frozen.wait(5), "0.4 s passed, of which it ran less than 0.15"
    with pytest.raises(TimedOutError) as caught, Patience(0.02) as patience:
        gevent.sleep(5)
    assert caught.value is patience.expired


def test_a_time_out_can_raise_what_its_user_wants() -> None:
    wanted = TimeoutError("no answer")
    with pytest.raises(TimeoutError, match="no answer"), Patience(0.02, wanted):
        gevent.sleep(5)
    with Patience(0.02):
        pass
    gevent.sleep(0.05)
