"""A run is written, killed at every awkward moment, finished, and read back as what it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from bench.errors import BenchError
from bench.measure.records import SessionRecord, TurnRecord
from bench.store.columns import schema_of
from bench.store.environment import git_state, host_facts, library_versions
from bench.store.finish import finish_run
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest, WorkerAnchor, read_manifest, write_manifest
from bench.store.reader import read_run
from bench.store.spool import SpoolWriter

Turn = Callable[..., TurnRecord]
Session = Callable[..., SessionRecord]
Counted = Callable[..., Manifest]


def spooled(folder: RunFolder, manifest: Manifest, turns: list[TurnRecord], sessions: list[SessionRecord]) -> None:
    write_manifest(folder, manifest)
    with SpoolWriter(folder, "w0") as spool:
        for row in turns:
            spool.turn(row)
        for call in sessions:
            spool.session(call)


@pytest.fixture
def two_turns(folder: RunFolder, manifest: Manifest, turn: Turn, session: Session) -> None:
    """One call of two turns, written and not yet finished."""
    spooled(folder, manifest, [turn(0), turn(1)], [session()])


def test_finished_run_round_trips(
    folder: RunFolder, manifest: Manifest, turn: Turn, session: Session, counted: Counted
) -> None:
    rows = [turn(0, ttft_ms=512.25, reply_text='wie "geht", es\nIhnen?', stalls=0), turn(1, status="no_reply")]
    spooled(folder, counted(manifest, 2, 1), rows, [session(turns_ended=2)])
    run = finish_run(folder, manifest)
    assert not run.incomplete, run.reasons
    assert run.turns["ttft_ms"].tolist()[0] == 512.25
    assert run.turns["stalls"].tolist() == [0, pd.NA]
    assert run.turns["reply_text"][0] == 'wie "geht", es\nIhnen?'
    assert run.turns["status"].tolist() == ["ok", "no_reply"]
    assert run.sessions["turns_ended"].tolist() == [2]
    assert not folder.spool.exists()
    csv = pd.read_csv(folder.turns_csv)
    assert csv["ttft_ms"].tolist()[0] == 512.25
    assert list(csv.columns) == schema_of(TurnRecord).names
    stored = read_manifest(folder)
    assert stored.state == "finished"
    assert stored.ended_at is not None


def test_every_column_keeps_its_type_when_all_null(
    folder: RunFolder, manifest: Manifest, turn: Turn, session: Session
) -> None:
    spooled(folder, manifest, [turn()], [session()])
    for run in (read_run(folder.root), finish_run(folder, manifest)):
        types = run.turns.dtypes.astype(str)
        assert types["barge_in_stop_ms"] == "float64"
        assert types["stalls"] == "Int64"
        assert types["client_late"] == "boolean"
        assert types["hypothesis"] == "string"
        assert set(types) == {"float64", "Int64", "boolean", "string"}
        assert set(run.sessions.dtypes.astype(str)) == {"float64", "Int64", "boolean", "string"}


def test_run_with_no_rows_at_all(folder: RunFolder, manifest: Manifest, counted: Counted) -> None:
    spooled(folder, counted(manifest, 0, 0), [], [])
    run = finish_run(folder, manifest)
    assert (len(run.turns), len(run.sessions), run.incomplete) == (0, 0, False)
    assert run.turns["first_audible_ms"].dtype == "float64"


def test_killed_before_any_row(folder: RunFolder, manifest: Manifest) -> None:
    write_manifest(folder, manifest)
    run = read_run(folder.root)
    assert run.incomplete
    assert len(run.turns) == 0
    assert "killed" in run.reasons[0]


def test_torn_last_line_costs_only_itself(folder: RunFolder, manifest: Manifest, turn: Turn, session: Session) -> None:
    spooled(folder, manifest, [turn(0), turn(1), turn(2)], [session()])
    path = folder.spool_turns("w0")
    path.write_bytes(path.read_bytes()[:-40])
    run = read_run(folder.root)
    assert run.turns["turn"].tolist() == [0, 1]
    assert any("cut off" in reason for reason in run.reasons)


@pytest.mark.parametrize("garbage", [b"\0\0\0\n", b'{"turn": "seven"}\n', b"[1]\n", b'{"turn": 9\n', b"7\n", b"\xff\n"])
@pytest.mark.usefixtures("two_turns")
def test_damaged_row_in_the_middle_costs_only_itself(
    folder: RunFolder, manifest: Manifest, counted: Counted, garbage: bytes
) -> None:
    counted(manifest, 2, 1)
    path = folder.spool_turns("w0")
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + garbage + second)
    run = finish_run(folder, manifest)
    assert run.turns["turn"].tolist() == [0, 1]
    assert run.incomplete
    assert any("1 damaged turn row" in reason for reason in run.reasons)
    assert folder.spool.exists(), "damaged rows stay as evidence"
    assert read_run(folder.root).reasons == run.reasons


def test_text_that_is_no_unicode_is_still_written(
    folder: RunFolder, manifest: Manifest, turn: Turn, session: Session
) -> None:
    spooled(folder, manifest, [turn(reply_text="half \ud83d pair"), turn(1, wer=float("nan"))], [session()])
    run = read_run(folder.root)
    assert run.turns["reply_text"][0] == "half \ufffd pair"
    assert pd.isna(run.turns["wer"][1])


@pytest.mark.usefixtures("two_turns")
@pytest.mark.parametrize(
    "counts, said",
    [
        ((3, 1), "wrote 3 turn rows and 2 are here"),
        ((2, 2), "wrote 2 session rows and 1"),
        ((None, 1), "never confirmed"),
    ],
)
def test_counts_that_disagree_make_the_run_incomplete(
    folder: RunFolder, manifest: Manifest, counted: Counted, counts: tuple[int | None, int], said: str
) -> None:
    run = finish_run(folder, counted(manifest, *counts))
    assert run.incomplete
    assert any(said in reason for reason in run.reasons), run.reasons


def test_worker_that_vanished_is_named(
    folder: RunFolder, manifest: Manifest, turn: Turn, session: Session, counted: Counted
) -> None:
    manifest.workers["w7"] = WorkerAnchor(monotonic_ns=1, unix_s=1.0, pid=7)
    spooled(folder, counted(manifest, 1, 1), [turn()], [session()])
    run = finish_run(folder, manifest)
    assert run.reasons == ["worker w7 never confirmed its rows"]


def test_rows_stored_twice_and_orphans_are_said(
    folder: RunFolder, manifest: Manifest, turn: Turn, session: Session
) -> None:
    spooled(folder, manifest, [turn(0), turn(0), turn(0, session="lost")], [session()])
    run = finish_run(folder, manifest)
    assert "1 turn rows are here twice" in run.reasons
    assert "1 turns belong to calls that have no session row" in run.reasons


def test_older_run_gets_missing_columns_as_null_and_newer_ones_are_kept(
    folder: RunFolder, manifest: Manifest, turn: Turn, session: Session, counted: Counted
) -> None:
    spooled(folder, counted(manifest, 1, 1), [turn(ttft_ms=1.5)], [session()])
    finish_run(folder, manifest)
    table = pyarrow.parquet.read_table(folder.turns_parquet).drop_columns(["cer", "stalls"])
    table = table.append_column("from_the_future", pa.array(["x"]))
    pyarrow.parquet.write_table(table, folder.turns_parquet)
    run = read_run(folder.root)
    assert pd.isna(run.turns["cer"][0])
    assert str(run.turns["stalls"].dtype) == "Int64"
    assert run.turns["from_the_future"][0] == "x"
    assert run.turns["ttft_ms"][0] == 1.5
    assert not run.incomplete


def test_missing_and_damaged_tables(
    folder: RunFolder, manifest: Manifest, turn: Turn, session: Session, counted: Counted
) -> None:
    spooled(folder, counted(manifest, 1, 1), [turn()], [session()])
    finish_run(folder, manifest)
    folder.sessions_parquet.unlink()
    assert "sessions.parquet is missing" in read_run(folder.root).reasons
    folder.turns_parquet.write_bytes(b"PAR1 no")
    with pytest.raises(BenchError, match=r"turns\.parquet: cannot be read"):
        read_run(folder.root)


def test_not_a_run_folder(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no such folder"):
        read_run(tmp_path / "nowhere")
    (tmp_path / "r2").mkdir()
    (tmp_path / "r2" / "run.json").write_text("{}")
    with pytest.raises(BenchError) as parent:
        read_run(tmp_path)
    assert "r2" in (parent.value.hint or "")
    with pytest.raises(BenchError, match="run_id"):
        read_run(tmp_path / "r2")
    (tmp_path / "r2" / "run.json").write_text("nonsense")
    with pytest.raises(BenchError, match="not a run manifest"):
        read_run(tmp_path / "r2")


def test_newer_schema_is_refused_and_unknown_keys_survive(folder: RunFolder, manifest: Manifest) -> None:
    write_manifest(folder, manifest)
    data = json.loads(folder.manifest.read_text())
    folder.manifest.write_text(json.dumps({**data, "later": {"key": 1}}))
    again = read_manifest(folder)
    write_manifest(folder, again)
    assert json.loads(folder.manifest.read_text())["later"] == {"key": 1}
    folder.manifest.write_text(json.dumps({**data, "schema_version": 99}))
    with pytest.raises(BenchError, match="newer version"):
        read_manifest(folder)


def test_manifest_round_trip_and_totals(folder: RunFolder, manifest: Manifest, counted: Counted) -> None:
    counted(manifest, 3, 1)
    counted(manifest, 4, None, worker="w1")
    manifest.host = host_facts()
    manifest.libraries = library_versions()
    write_manifest(folder, manifest)
    again = read_manifest(folder)
    assert again == manifest
    assert again.counts.total("turns_sent") == 7
    assert again.counts.total("sessions_sent") is None
    assert (again.host.memory_bytes or 0) > 1 << 20
    assert "numpy" in again.libraries
    assert again.started_at == datetime(2026, 9, 21, tzinfo=UTC)


def test_git_state(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q"], ["add", "f"], ["commit", "-q", "-m", "x"]):
        (tmp_path / "f").write_text("a")
        subprocess.run([*git, *arguments], cwd=tmp_path, check=True)
    state = git_state(tmp_path)
    assert state is not None
    assert (len(state.commit), state.dirty) == (40, False)
    (tmp_path / "f").write_text("b")
    changed = git_state(tmp_path)
    assert changed is not None
    assert changed.dirty


def test_kill_9_keeps_every_whole_row(folder: RunFolder, manifest: Manifest) -> None:
    """A real process writes rows as fast as it can and is killed; whatever it had said it wrote is there."""
    write_manifest(folder, manifest)
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from conftest import IDENTITY
        from bench.measure.records import SessionRecord
        from bench.store.folder import RunFolder
        from bench.store.spool import SpoolWriter

        spool = SpoolWriter(RunFolder(Path(sys.argv[1])), "w0")
        for number in range(10_000_000):
            spool.session(SessionRecord(**IDENTITY, session_id=str(number), started_at=0.0, ended_at=None, status="ok"))
            print(number, flush=True)
        """
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(folder.root)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    assert writer.stdout is not None
    said = [writer.stdout.readline()]
    time.sleep(0.05)
    writer.send_signal(signal.SIGKILL)
    said += writer.stdout.readlines()
    writer.wait()
    run = read_run(folder.root)
    written = int([line for line in said if line.endswith("\n")][-1])
    assert run.incomplete
    assert run.sessions["session_id"].tolist()[: written + 1] == [str(number) for number in range(written + 1)]
