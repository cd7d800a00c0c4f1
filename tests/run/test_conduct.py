"""The loop of a run with workers that make no calls: why it stops, in which order, and what it does when it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import gevent
import pytest

from bench.load.progress import Progress, Tally
from bench.load.watchers import Watcher, Watchers
from bench.run.conduct import Stop, conduct, nobody_answers
from bench.scenario.model import LoadConfig
from tests.run.workers import ScriptedWorkers, progress


class Noting(Watcher):
    def __init__(self) -> None:
        self.phases: list[str] = []
        self.notes: list[str] = []
        self.closed = 0

    def progress(self, progress: Progress) -> None:
        self.phases.append(progress.phase)

    def note(self, line: str) -> None:
        self.notes.append(line)

    def close(self) -> None:
        self.closed += 1


def test_calls_that_end_by_themselves_complete_a_run() -> None:
    workers, watcher = ScriptedWorkers(3), Noting()
    assert conduct(workers, [], watcher, graceful_stop_s=9) == "completed"
    assert workers.done == ["start", "drain"]
    assert watcher.phases == ["steady"] * 4
    assert watcher.closed == 1


def test_calls_that_are_open_after_the_grace_are_hung_up() -> None:
    workers = ScriptedWorkers(50, admits=2)
    assert conduct(workers, [], Noting(), graceful_stop_s=0) == "completed"
    assert workers.done == ["start", "admit no more", "hang up", "drain"]


@pytest.mark.parametrize("phase", ["steady", "finishing"])
def test_a_guard_ends_a_run_at_once_with_its_reason(phase: str) -> None:
    workers, watcher = ScriptedWorkers(50, admits=2), Noting()

    def guard(progress: Progress) -> Stop | None:
        return Stop("budget", "the budget is spent") if progress.phase == phase else None

    assert conduct(workers, [lambda progress: None, guard], watcher, graceful_stop_s=99) == "budget"
    assert workers.done == ["start", *(["admit no more"] if phase == "finishing" else []), "hang up", "drain"]
    assert watcher.notes == ["the budget is spent"]


def test_the_first_ctrl_c_lets_open_calls_finish_and_the_second_hangs_up() -> None:
    presses = iter([1, 0, 0, 1, 0])

    def press() -> None:
        if next(presses, 0):
            os.kill(os.getpid(), signal.SIGINT)
        gevent.sleep(0.01)

    workers, watcher = ScriptedWorkers(50, on_wait=press), Noting()
    assert conduct(workers, [], watcher, graceful_stop_s=99) == "interrupted"
    assert workers.done == ["start", "admit no more", "hang up", "drain"]
    assert watcher.phases.count("steady") == 2
    assert ["press Ctrl-C again" in note for note in watcher.notes] == [True]


def test_a_guard_that_raises_ends_the_run_with_every_row_on_disk() -> None:
    workers, watcher = ScriptedWorkers(50), Noting()

    def guard(progress: Progress) -> Stop | None:
        raise ZeroDivisionError("made on purpose")

    with pytest.raises(ZeroDivisionError):
        conduct(workers, [guard], watcher, graceful_stop_s=99)
    assert workers.done == ["start", "hang up", "drain"]
    assert watcher.closed == 1


def test_a_watcher_that_raises_is_dropped_with_a_note() -> None:
    class Broken(Watcher):
        def progress(self, progress: Progress) -> None:
            raise ZeroDivisionError("made on purpose")

    workers, healthy = ScriptedWorkers(4), Noting()
    assert conduct(workers, [], Watchers([Broken(), healthy]), graceful_stop_s=9) == "completed"
    assert healthy.notes == ["Broken failed and is not used any more: ZeroDivisionError: made on purpose"]
    assert len(healthy.phases) == 5


@pytest.mark.parametrize(
    ("load", "tally", "stops"),
    [
        ({"callers": 2}, Tally(sessions_failed=9), False),
        ({"callers": 2}, Tally(sessions_failed=10), True),
        ({"callers": 30}, Tally(sessions_failed=29), False),
        ({"callers": 30}, Tally(sessions_failed=30), True),
        ({"callers": 2}, Tally(sessions_failed=99, turns=1), False),
        ({"callers": 2}, Tally(sessions_failed=99, warmup_turns=1), False),
    ],
)
def test_a_target_that_is_not_there_is_given_up(load: dict[str, int], tally: Tally, stops: bool) -> None:
    stop = nobody_answers(LoadConfig.model_validate(load))(progress(tally=tally))
    assert (stop is not None and stop.reason == "unreachable") == stops


WRITING = """
import os, signal, sys, time
from bench.run.conduct import finishing_first
with finishing_first("bench report RUN"):
    print("writing", flush=True)
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        time.sleep(0.01)
    print("written", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("presses", [1, 2])
def test_a_report_is_finished_before_a_stop_and_the_second_gives_up(number: int, presses: int) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    for _ in range(presses):
        writer.send_signal(number)
        time.sleep(0.3)
    out, err = writer.communicate(timeout=20)
    assert "the report is being written first" in err
    assert ("written" in out) == (presses == 1)
    assert ("to get the report later: bench report RUN" in err) == (presses == 2)


def test_a_run_that_its_own_machine_keeps_from_calling_says_so() -> None:
    guard = nobody_answers(LoadConfig())
    here = guard(progress(tally=Tally(sessions=10, sessions_failed=10, sessions_failed_here=9)))
    there = guard(progress(tally=Tally(sessions=10, sessions_failed=10)))
    assert here is not None
    assert there is not None
    assert (here.reason, there.reason) == ("own_limits", "unreachable")
