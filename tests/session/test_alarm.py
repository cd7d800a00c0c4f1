"""Waking at absolute instants: never early, in order, also when a waiter is killed."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import time, gevent
from bench.session.alarm import shared_alarm
alarm = shared_alarm()
now = time.monotonic_ns()
woke = []
def wait(n, due):
    alarm.sleep_until(due)
    woke.append((n, time.monotonic_ns() - due))
late = [gevent.spawn(wait, n, now + (40 - n) * 1_000_000) for n in range(40)]
doomed = gevent.spawn(wait, "doomed", now + 20_500_000)
gevent.sleep(0.005)
doomed.kill()
gevent.joinall(late, timeout=5)
assert all(greenlet.dead for greenlet in late)
assert [n for n, _ in woke] == list(range(39, -1, -1)), woke
assert all(late_ns >= 0 for _, late_ns in woke), woke
before = time.monotonic_ns()
alarm.sleep_until(before - 5)
alarm.sleep_until(time.monotonic_ns() + 1_000_000)
print("ok")
"""


def test_waiters_wake_in_order_and_never_early() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.strip() == "ok", done.stderr
