"""Nights that are made once for all tests of the site."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.nights import make_nights


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 nights of three targets, with an outage, a regression and a price change."""
    return make_nights(tmp_path_factory.mktemp("reports"), 32, calls=36)
