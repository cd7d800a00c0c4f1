"""What holds for every test: machines are shared and noisy, so no example of a property is timed.

Tests that play audio in real time come first. They mostly wait, so that the others fill the time; at the end they would
run alone.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in `tests/integration` first, else in the order in which they were found."""
    items.sort(key=lambda item: "integration" not in item.path.parts)
