"""Calibrations are optional to a run, wherever they are kept and whoever may read it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.store.calibration import newest_calibration, writable_home
from bench.store.environment import host_facts


@pytest.fixture
def broken_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A home that cannot hold a folder: a file, a folder behind a file, or a folder that may not be entered."""
    home = tmp_path / "home"
    if request.param == "locked":
        (home / "calibration").mkdir(parents=True)
        home.chmod(0)
    else:
        home.write_text("a file")
    monkeypatch.setenv("BENCH_HOME", str(home / "deeper" if request.param == "behind" else home))
    yield home
    home.chmod(0o700)


@pytest.mark.parametrize("broken_home", ["file", "behind", "locked"], indirect=True)
def test_a_home_that_cannot_be_read_holds_no_calibration(broken_home: Path) -> None:
    assert newest_calibration(host_facts()) is None


@pytest.mark.parametrize("broken_home", ["file", "behind", "locked"], indirect=True)
def test_a_calibration_that_cannot_be_kept_is_refused_with_a_way_out(broken_home: Path) -> None:
    if os.access(broken_home / "calibration", os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(BenchError, match="cannot be kept") as caught:
        writable_home()
    assert "BENCH_HOME" in (caught.value.hint or "")
