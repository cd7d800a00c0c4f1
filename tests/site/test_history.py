"""Which runs stay and which go, and all of them in one file."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import BenchError
from bench.site.history import StoredRun, read_history, remove, to_prune
from bench.store.folder import RunFolder
from bench.store.manifest import read_manifest, write_manifest
from tests.report.build import manifest
from tests.site.nights import night_run

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def stored(days_ago: float, scenario: str = "nightly", *, state: str = "finished", accepted: bool = False) -> StoredRun:
    at = NOW - timedelta(days=days_ago)
    kept = manifest(run_id=f"{scenario}-{days_ago}", scenario_name=scenario, started_at=at, state=state)
    return StoredRun(Path(f"{scenario}-{days_ago}"), kept, accepted=accepted)


def names(runs: list[StoredRun]) -> list[str]:
    return [run.folder.name for run in runs]


def test_age_and_count_together_remove_what_neither_keeps() -> None:
    runs = [stored(40), stored(35), stored(20), stored(36, "weekly")]
    assert names(to_prune(runs, NOW, older_than_days=30)) == ["nightly-40", "nightly-35", "weekly-36"]
    assert names(to_prune(runs, NOW, keep=1)) == ["nightly-40", "nightly-35"]
    assert names(to_prune(runs, NOW, older_than_days=30, keep=2)) == ["nightly-40"]


def test_a_run_under_way_and_an_accepted_one_stay() -> None:
    runs = [stored(40, state="running"), stored(39, accepted=True), stored(38)]
    assert names(to_prune(runs, NOW, older_than_days=1)) == ["nightly-38"]


def test_one_broken_run_keeps_no_other_out_of_the_file(tmp_path: Path) -> None:
    for night in range(4):
        night_run(tmp_path / "reports", night, calls=6)
    good, broken, running, without = sorted((tmp_path / "reports").iterdir())
    (broken / "turns.parquet").write_bytes(b"PAR1 and no more")
    (without / "turns.parquet").unlink()
    folder = RunFolder(running)
    write_manifest(folder, read_manifest(folder).model_copy(update={"state": "running", "verdict": None}))
    out = tmp_path / "turns.parquet"
    done = CliRunner().invoke(
        app, ["history", "export", str(tmp_path / "reports"), "--rows", "turns", "--out", str(out)]
    )
    assert done.exit_code == 0
    assert set(pyarrow.parquet.read_table(out)["run_id"].to_pylist()) == {good.name}
    assert " of 1 run\n" in done.output
    for folder, why in ((broken, "cannot be read"), (running, "not finished"), (without, "has no turns.parquet")):
        assert any(folder.name in line and why in line for line in done.output.splitlines())


def test_a_run_that_cannot_be_removed_keeps_no_other(tmp_path: Path) -> None:
    for night in range(4):
        night_run(tmp_path / "made", night, calls=6)
    reports = tmp_path / "reports"
    reports.mkdir()
    first, *others = sorted((tmp_path / "made").iterdir())
    (reports / first.name).symlink_to(first)
    for each in others:
        each.rename(reports / each.name)
    done = CliRunner().invoke(app, ["history", "prune", str(reports), "--keep", "1", "--yes"])
    assert isinstance(done.exception, BenchError)
    assert first.name in done.exception.message
    assert "2 of 4 runs removed" in done.output
    assert sorted(each.name for each in reports.iterdir()) == [first.name, others[-1].name]


def test_no_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="an age"):
        to_prune([stored(3)], NOW)


@given(ages=st.lists(st.integers(0, 400), unique=True, max_size=30), days=st.integers(0, 400), keep=st.integers(0, 30))
def test_what_is_kept_is_young_or_among_the_newest(ages: list[int], days: int, keep: int) -> None:
    runs = [stored(age) for age in ages]
    gone = {run.folder for run in to_prune(runs, NOW, older_than_days=days, keep=keep)}
    newest = {run.folder for run in sorted(runs, key=lambda run: run.manifest.started_at, reverse=True)[:keep]}
    for run, age in zip(runs, ages, strict=True):
        assert (run.folder in gone) == (age > days and run.folder not in newest)


def test_a_link_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(BenchError, match="a link"):
        remove(replace(stored(3), folder=tmp_path / "link"))
    assert (tmp_path / "real").is_dir()


def test_a_folder_without_runs_says_so(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="holds no run folder"):
        read_history(tmp_path)
    with pytest.raises(BenchError, match="no such folder"):
        read_history(tmp_path / "none")


def test_from_the_command_line(tmp_path: Path) -> None:
    for night in (0, 1, 20):
        night_run(tmp_path, night, calls=12)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    listed = CliRunner().invoke(app, ["history", "list", str(tmp_path)])
    assert "3 runs" in listed.output
    assert "not read: broken" in listed.output
    out = tmp_path / "all.csv"
    done = CliRunner().invoke(app, ["history", "export", str(tmp_path), "--out", str(out)])
    assert done.exit_code == 0
    rows = list(csv.DictReader(out.open(encoding="utf-8")))
    assert [row["target"] for row in rows] == ["aria", "brio", "cello"] * 3
    assert 600 < float(rows[0]["first_audible_ms_p50"]) < 1200
    out = tmp_path / "turns.parquet"
    CliRunner().invoke(app, ["history", "export", str(tmp_path), "--out", str(out), "--rows", "turns"])
    assert pyarrow.parquet.read_table(out).num_rows == 3 * 12 * 2
    words = ["history", "prune", str(tmp_path), "--older-than", "15d", "--keep", "1"]
    listed = CliRunner().invoke(app, words)
    assert "2 of 3 runs would be removed" in listed.output
    assert len(read_history(tmp_path).runs) == 3
    CliRunner().invoke(app, [*words, "--yes"])
    assert [run.folder.name for run in read_history(tmp_path).runs] == ["20261109T020000Z-nightly"]
    refused = CliRunner().invoke(app, ["history", "prune", str(tmp_path)])
    assert isinstance(refused.exception, BenchError)
