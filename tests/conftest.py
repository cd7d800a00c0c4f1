"""What holds for every test: machines are shared and noisy, so no example of a property is timed.

Tests that play audio in real time come first. They mostly wait, so that the others fill the time; at the end they would
run alone.

Tests start the package some hundred times. Each of these processes would compile it anew where the environment forbids
to keep the compiled modules (PYTHONDONTWRITEBYTECODE, as in many containers), so the tests keep them all the same.
"""

from __future__ import annotations

import os
import sys

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in `tests/integration` first, else in the order in which they were found."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
