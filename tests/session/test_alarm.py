"""Calling at absolute instants: never early, in order, whatever one of the callbacks does."""

from __future__ import annotations

import time

import gevent
import pytest

from bench.session.alarm import Alarm, _CoarseAlarm, shared_alarm

MS = 1_000_000


@pytest.fixture(params=["timerfd", "coarse"])
def alarm(request: pytest.FixtureRequest) -> Alarm:
    return shared_alarm() if request.param == "timerfd" else _CoarseAlarm()


def test_callbacks_come_in_order_and_never_early(alarm: Alarm) -> None:
    now = time.monotonic_ns()
    called: list[tuple[int, int]] = []
    for n in range(40):
        due = now + (40 - n) * MS
        alarm.at(due, lambda n=n, due=due: called.append((n, time.monotonic_ns() - due)))  # type: ignore[misc]
    with gevent.Timeout(5):
        while len(called) < 40:
            gevent.sleep(0.001)
    assert [n for n, _ in called] == list(range(39, -1, -1))
    assert all(late_ns >= 0 for _, late_ns in called)


def test_what_is_due_already_is_not_called_inside_at(alarm: Alarm) -> None:
    called: list[str] = []
    alarm.at(time.monotonic_ns() - 5, lambda: called.append("past"))
    assert called == []
    with gevent.Timeout(5):
        while not called:
            gevent.sleep(0.001)


def test_a_busy_loop_catches_up_with_what_is_due_and_with_no_more(alarm: Alarm) -> None:
    called: list[str] = []
    now = time.monotonic_ns()
    alarm.at(now + 2 * MS, lambda: called.append("due"))
    alarm.at(now + 60_000 * MS, lambda: called.append("far"))
    while time.monotonic_ns() < now + 3 * MS:
        pass
    alarm.catch_up()
    assert called == ["due"]


def test_a_callback_that_fails_keeps_nobody_from_their_time(alarm: Alarm, capsys: pytest.CaptureFixture[str]) -> None:
    called: list[str] = []
    now = time.monotonic_ns()

    def fail() -> None:
        raise LookupError("a callback's own mishap")

    alarm.at(now + MS, fail)
    alarm.at(now + MS, lambda: called.append("next"))
    with gevent.Timeout(5):
        while not called:
            gevent.sleep(0.001)
    assert "a callback's own mishap" in capsys.readouterr().err


def test_a_later_deadline_does_not_put_off_an_earlier_one(alarm: Alarm) -> None:
    called: list[str] = []
    now = time.monotonic_ns()
    alarm.at(now + 50 * MS, lambda: called.append("late"))
    alarm.at(now + 5 * MS, lambda: called.append("soon"))
    with gevent.Timeout(5):
        while len(called) < 2:
            gevent.sleep(0.001)
    assert called == ["soon", "late"]


def test_senders_that_never_catch_up_leave_the_loop_to_others(alarm: Alarm) -> None:
    calls = [0, 0]
    stopped = []

    def behind(place: int) -> None:
        calls[place] += 1
        if not stopped:
            alarm.at(time.monotonic_ns() - 60_000 * MS, lambda: behind(place))

    behind(0)
    behind(1)
    with gevent.Timeout(10):
        gevent.sleep(0.05)
        alarm.catch_up()
        gevent.sleep(0.05)
    stopped.append(True)
    gevent.sleep(0.01)
    assert min(calls) > 10
