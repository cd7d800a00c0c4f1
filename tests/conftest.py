"""What holds for every test: machines are shared and noisy, so no example of a property is timed.

Tests that play audio in real time mostly wait, all others mostly compute. Files of both kinds take turns from the
beginning to the end, the longest ones first, so that the processor always has something to do, and seldom too much.

Tests start the package some hundred times. Each of these processes would compile it anew where the environment forbids
to keep the compiled modules (PYTHONDONTWRITEBYTECODE, as in many containers), so the tests keep them all the same.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


LONGEST = ("test_dialects.py",)
"""Files that take longer than 15 s, the longest first: one of them at the end would run alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in the order of `_turns`; within a file nothing moves."""
    turns = {path: turn for turn, path in enumerate(_turns(list(dict.fromkeys(item.path for item in items))))}
    items.sort(key=lambda item: turns[item.path])


def _turns(paths: list[Path]) -> list[Path]:
    """Those that play audio spread evenly over the others, each kind with its longest ones first."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    playing = [path for path in paths if "integration" in path.parts]
    computing = [path for path in paths if "integration" not in path.parts]
    when: dict[Path, float] = {}
    for kind in (playing, computing):
        kind.sort(key=lambda path: ranks.get("/".join(path.parts[-2:]), len(ranks)))
        when |= {path: place / len(kind) for place, path in enumerate(kind)}
    return sorted(paths, key=lambda path: when[path])
