"""What holds for every test: machines are shared and noisy, so no example of a property is timed.

Tests that play audio in real time mostly wait, all others mostly compute. Files of both kinds take turns from the
beginning to the end, the longest ones first, so that the processor always has something to do, and seldom too much.

Tests start the package some hundred times. Each of these processes would compile it anew where the environment forbids
to keep the compiled modules (PYTHONDONTWRITEBYTECODE, as in many containers), so the tests keep them all the same.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Under nohup a hang-up is ignored, and by each process that is started too; tests hang up on purpose.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

PLAYING = frozenset({"integration", "session"})
"""Folders whose tests mostly wait for audio that plays in real time."""
LONGEST = [
    "integration/test_dialects", "integration/test_barge_in", "integration/test_backchannel", "integration/test_live",
    "integration/test_run_ends", "integration/test_export", "integration/test_budget", "integration/test_truth",
    "integration/test_stopped_runs", "integration/test_search", "integration/test_workers", "integration/test_arrivals",
    "integration/test_lost_workers", "integration/test_turn_taking", "integration/test_shipped_scenarios",
    "integration/test_every_step", "integration/test_targets", "integration/test_overload", "integration/test_captions",
    "session/test_misbehaving_servers", "session/test_call",
    "audio/test_evidence", "report/test_health", "conditions/test_conditions", "audio/test_fixtures_cli",
    "tests/test_terminal", "tests/test_cli", "tests/test_package", "report/test_thresholds", "calibrate/test_truth",
    "server/test_process", "simulated/test_server", "server/test_turns",
]  # fmt: skip
"""Files that take longer than most, each kind's longest first: at the end one of them would run alone."""


gc.disable()
"""While tests are collected, which makes some million objects that all stay."""


def pytest_collection_finish() -> None:
    """What was collected lives to the end, so the collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in the order of `in_turns`; within a file nothing moves."""
    turns = {path: turn for turn, path in enumerate(in_turns(list(dict.fromkeys(item.path for item in items))))}
    items.sort(key=lambda item: turns[item.path])


def in_turns(paths: list[Path]) -> list[Path]:
    """Those that play audio spread evenly over the others, each kind with its longest ones first."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    by_length = sorted(paths, key=lambda path: ranks.get(f"{path.parent.name}/{path.stem}", len(ranks)))
    when: dict[Path, float] = {}
    for plays in (True, False):
        kind = [path for path in by_length if (not PLAYING.isdisjoint(path.parts)) is plays]
        when |= {path: place / len(kind) for place, path in enumerate(kind)}
    return sorted(by_length, key=lambda path: when[path])
