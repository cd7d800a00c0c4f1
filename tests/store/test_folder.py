"""Where a run is written: default names, `--out` as given, and no two runs in one place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.store.folder import RunFolder, create_run_folder, file_part, write_atomic

NOW = datetime(2026, 9, 21, 14, 5, 9, tzinfo=UTC)


def test_default_folder_is_named_by_utc_time_and_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = create_run_folder(None, "Balance calls/../x", NOW.astimezone(timezone(timedelta(hours=5))))
    assert made.root == Path("reports/20260921T140509Z-Balance-calls-..-x")
    assert made.root.is_dir()
    assert made.run_id == made.root.name
    second = create_run_folder(None, "Balance calls/../x", NOW)
    assert second.root.name == made.root.name + "-2"


def test_out_is_used_exactly_as_given(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    assert create_run_folder(out, "s", NOW).root == out
    assert out.is_dir()


def test_out_may_hold_a_log_file(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("started")
    assert create_run_folder(tmp_path, "s", NOW).root == tmp_path


@pytest.mark.parametrize("left", ["run.json", "turns.parquet", "spool", "events", "summary.json"])
def test_out_that_holds_a_run_is_refused_and_untouched(tmp_path: Path, left: str) -> None:
    (tmp_path / left).mkdir() if "." not in left else (tmp_path / left).write_text("{}")
    with pytest.raises(BenchError, match="already holds a run") as caught:
        create_run_folder(tmp_path, "s", NOW)
    assert "bench report" in (caught.value.hint or "")
    assert (tmp_path / left).exists()


def test_out_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("x")
    with pytest.raises(BenchError, match="is a file"):
        create_run_folder(path, "s", NOW)


@pytest.mark.parametrize("name", ["../../etc", "", "...", "a/b", "名前", "w 1"])
def test_file_part_never_leaves_its_folder(name: str) -> None:
    part = file_part(name)
    assert part
    assert "/" not in part
    assert not part.startswith(".")


def test_worker_names_cannot_escape_the_spool(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.spool_turns("../../x").resolve().is_relative_to(folder.spool.resolve())


def test_write_atomic_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_atomic(path, "one")
    write_atomic(path, b"two")
    assert path.read_text() == "two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_a_failed_write_keeps_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "sub"
    path.mkdir()
    with pytest.raises(OSError, match="sub"):
        write_atomic(path, "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["sub"]
