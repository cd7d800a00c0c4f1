"""What a user reads of a failure of the system or of a wrong word on the command line."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from bench.audio.fixtures_cli import check_catalogue
from bench.calibrate.levels import CalibrateOptions
from bench.errors import BenchError, why
from bench.load.spec import Workforce
from bench.store.folder import RunFolder
from bench.store.manifest import read_manifest


def test_the_reason_is_the_systems_own_word() -> None:
    assert why(OSError(errno.EADDRINUSE, "Address already in use (while attempting to bind)")) == (
        "Address already in use"
    )
    assert why(socket.gaierror(-2, "Name or service not known")) == "Name or service not known"
    assert why(OSError("a sentence")) == "a sentence"


def test_what_is_no_run_folder_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, said in (("nothing", "no such folder"), ("file", "a file and not a run"), ("empty", "no run.json in it")):
        with pytest.raises(BenchError, match=said):
            read_manifest(RunFolder(tmp_path / name))


def test_a_catalogue_of_nothing_is_not_found_good(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text("fixtures: []\n")
    with pytest.raises(BenchError, match="holds no fixture"):
        check_catalogue(path)


@pytest.mark.parametrize("bind", ["*:0", "*:99999", "5557"])
def test_a_port_that_there_is_not(bind: str) -> None:
    with pytest.raises(BenchError, match="from 1 to 65535"):
        Workforce.at(bind, local=0, remote=1, token="t" * 32)


def test_levels_that_are_no_numbers() -> None:
    with pytest.raises(BenchError, match="--at 'abc': allowed: whole numbers"):
        CalibrateOptions.at("abc", "20ms")
