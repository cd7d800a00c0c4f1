"""The scenario of most tests here, as a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.bursts import two_turns


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """Two turns of synthetic speech."""
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump(two_turns(tmp_path)))
    return path
