"""The witness knows when it was none."""

from __future__ import annotations

import time

import gevent
import pytest

from bench.facts.gaps import Gap
from bench.transport.patience import Patience, TimedOutError
from bench.transport.witness import frozen_since, gaps_since
from tests.support.freeze import freeze

FROZEN_NS = 250_000_000


def test_a_process_that_stood_still_knows_when_and_how_long() -> None:
    began_ns = time.monotonic_ns()
    gaps_since(began_ns)
    gevent.sleep(0.05)  # the loop looks at the clocks meanwhile, so the gap begins after that
    before_ns = time.monotonic_ns()
    freeze(FROZEN_NS / 1e9)
    # Asked at once, whether or not the witness has woken up.
    found = _the_freeze(gaps_since(began_ns), before_ns)
    assert found is not None
    assert began_ns <= found.start_ns <= found.end_ns - FROZEN_NS
    assert frozen_since(began_ns) >= 0.25
    closed = None
    while closed is None and time.monotonic_ns() < before_ns + 10_000_000_000:
        time.sleep(0.005)
        closed = _the_freeze(gaps_since(began_ns, closed=True), before_ns)
    assert closed is not None, "the witness woke up"
    assert found.start_ns <= closed.start_ns <= closed.end_ns - FROZEN_NS


def _the_freeze(gaps: list[Gap], before_ns: int) -> Gap | None:
    """The gap that is long enough, and ends late enough, for a freeze that began after `before_ns`."""
    for gap in gaps:
        if gap.kind == "frozen" and gap.length_ns >= FROZEN_NS and gap.end_ns >= before_ns + FROZEN_NS:
            return gap
    return None


def test_a_time_out_does_not_count_the_time_in_which_we_stood_still() -> None:
    frozen = gevent.event.Event()
    with Patience(0.5) as patience:
        gevent.spawn_later(0.02, freeze, 0.6)
        gevent.spawn_later(0.65, frozen.set)
        assert frozen.wait(5), "0.65 s passed, of which it ran less than 0.5"
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
