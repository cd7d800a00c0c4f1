"""Who gets the processor first, seen from outside in a process that leads a session of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

STEPS = """
import os, pathlib, sys
from bench import priority
for name in sys.argv[1:]:
    getattr(priority, name)()
group = pathlib.Path("/proc/self/autogroup")
words = group.read_text().split() if group.exists() else []
nice = words[-1] if words else "-"
print(os.sched_getscheduler(0), nice, os.getpriority(os.PRIO_PROCESS, 0))
"""


def after(*steps: str, leads: bool = True) -> tuple[int, str, int]:
    """Policy, niceness of the session and own niceness after `steps`."""
    said = subprocess.run(
        [sys.executable, "-c", STEPS, *steps], capture_output=True, text=True, check=True, start_new_session=leads
    ).stdout.split()
    return int(said[0]), said[1], int(said[2])


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="this system has no idle policy")
def test_a_process_beside_a_run_waits_for_all_others_and_a_conversation_does_not() -> None:
    grouped = after()[1] != "-"
    assert after("go_last")[:2] == (os.SCHED_IDLE, "19" if grouped else "-")
    assert after("go_last", "go_as_others")[:2] == (os.SCHED_OTHER, "0" if grouped else "-")


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="this system has no idle policy")
def test_the_session_of_a_terminal_is_left_alone() -> None:
    before = after(leads=False)
    assert after("go_last", leads=False)[1] == before[1]


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="needs the right to go first")
def test_a_process_that_paces_audio_goes_first() -> None:
    assert after("go_first")[1:] in {("-10", -10), ("-", -10)}
