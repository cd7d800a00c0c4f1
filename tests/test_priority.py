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
print(nice, os.getpriority(os.PRIO_PROCESS, 0))
"""


def after(*steps: str, leads: bool = True) -> tuple[str, int]:
    """Niceness of the session and own niceness after `steps`."""
    said = subprocess.run(
        [sys.executable, "-c", STEPS, *steps], capture_output=True, text=True, check=True, start_new_session=leads
    ).stdout.split()
    return said[0], int(said[1])


def test_a_process_beside_a_run_is_behind_ordinary_ones_and_a_conversation_is_not() -> None:
    nice, own = after("go_last")
    assert nice == "10" or own == 10
    assert after("go_last", "go_as_others") in {("0", 0), (nice, 10)}


def test_the_session_of_a_terminal_is_left_alone() -> None:
    nice, own = after(leads=False)
    assert after("go_last", leads=False) == (nice, own + 10)


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="needs the right to go first")
def test_a_process_that_paces_audio_goes_first() -> None:
    assert after("go_first") in {("-10", -10), ("-", -10)}
