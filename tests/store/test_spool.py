"""Rows are kept on a disk that fills, and what cannot be kept is counted; a writer never raises."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bench.measure.records import SessionRecord, TurnRecord
from bench.store.finish import finish_or_keep, reopen
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest, read_manifest, write_manifest
from bench.store.reader import read_run
from bench.store.reserve import release_reserve, take_reserve
from bench.store.spool import SpoolWriter

Turn = Callable[..., TurnRecord]
Session = Callable[..., SessionRecord]
Counted = Callable[..., Manifest]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes meanwhile: a write fails as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_row_that_does_not_fit_leaves_no_half_line_and_comes_once_there_is_room(
    folder: RunFolder, manifest: Manifest, turn: Turn, session: Session, counted: Counted
) -> None:
    write_manifest(folder, counted(manifest, 3, 1))
    spool = SpoolWriter(folder, "w0")
    spool.turn(turn(0))
    size = folder.spool_turns("w0").stat().st_size
    with files_of_at_most(size + 100):
        spool.turn(turn(1))
        spool.turn(turn(2))
        assert spool.failure == "File too large"
        assert folder.spool_turns("w0").stat().st_size == size, "no part of a row is left"
    spool.session(session())
    spool.close()
    assert spool.turns_written == 3
    assert read_run(folder.root).turns["turn"].tolist() == [0, 1, 2]
    assert spool.losses == ["worker w0: the disk took no more rows: File too large"]


def test_rows_that_never_fit_are_a_loss(folder: RunFolder, turn: Turn, session: Session) -> None:
    spool = SpoolWriter(folder, "w0")
    spool.turn(turn(0))
    with files_of_at_most(folder.spool_turns("w0").stat().st_size):
        for number in (1, 2):
            spool.turn(turn(number))
        spool.session(session())
        spool.close()
    assert (spool.turns_written, spool.sessions_written) == (1, 1)
    assert "worker w0: 2 turn row(s) could not be kept: File too large" in spool.losses


def test_the_reserve_is_given_back_for_a_row(folder: RunFolder, turn: Turn) -> None:
    take_reserve(folder)
    assert folder.reserve.stat().st_size > 0
    spool = SpoolWriter(folder, "w0")
    with files_of_at_most(0):
        spool.turn(turn(0))
    assert not folder.reserve.exists()
    assert release_reserve(folder) is False
    spool.close()
    assert spool.turns_written == 1


@pytest.mark.parametrize(
    "value, kept",
    [
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, None),
        (10**308, None),
        (b"bytes", None),
        (object(), None),
        ({1, 2}, None),
    ],
    ids=["int64", "-int64", "int65", "1e308", "bytes", "object", "set"],
)
def test_a_value_that_no_table_holds_becomes_null_and_is_counted(
    folder: RunFolder, manifest: Manifest, turn: Turn, session: Session, value: object, kept: int | None
) -> None:
    write_manifest(folder, manifest)
    with SpoolWriter(folder, "w0") as spool:
        spool.turn(turn(0, in_text=value))
        spool.turn(turn(1))
        spool.session(session())
    run = read_run(folder.root)
    assert run.turns["turn"].tolist() == [0, 1]
    stored = run.turns["in_text"][0]
    assert stored == kept if kept is not None else stored is None or stored is not stored or str(stored) == "<NA>"
    assert bool(spool.losses) == (kept is None)
    assert not any("damaged" in reason for reason in run.reasons)


def test_raw_events_that_do_not_fit_are_counted_and_do_not_wait(folder: RunFolder) -> None:
    spool = SpoolWriter(folder, "w0")
    with files_of_at_most(10):
        spool.timelines(b"x" * 100)
        spool.timeline(None)  # type: ignore[arg-type]
    spool.timelines(b"whole")
    spool.close()
    assert folder.events_of("w0").read_bytes() == b"whole"
    assert any("2 set(s) of raw events" in loss for loss in spool.losses)


def test_tables_that_do_not_fit_can_be_made_later(
    folder: RunFolder, manifest: Manifest, turn: Turn, session: Session, counted: Counted
) -> None:
    write_manifest(folder, counted(manifest, 1, 1))
    with SpoolWriter(folder, "w0") as spool:
        spool.turn(turn())
        spool.session(session())
    manifest.stop_reason = "completed"
    with files_of_at_most(folder.manifest.stat().st_size + 2_000):
        run = finish_or_keep(folder, manifest)
    assert run.reasons[0].startswith("the tables of the run could not be written")
    assert len(run.turns) == 1
    assert read_manifest(folder).state == "running"
    assert not list(folder.root.glob("*.parquet")), "no table that a reader might take for whole"
    assert not list(folder.root.glob(".*.part"))
    again = reopen(folder.root)
    assert (again.incomplete, len(again.turns), again.manifest.state) == (False, 1, "finished")


def test_a_killed_run_is_not_finished_by_reading_it(folder: RunFolder, manifest: Manifest, turn: Turn) -> None:
    write_manifest(folder, manifest)
    with SpoolWriter(folder, "w0") as spool:
        spool.turn(turn())
    run = reopen(folder.root)
    assert run.manifest.state == "running"
    assert "killed" in run.reasons[0]
