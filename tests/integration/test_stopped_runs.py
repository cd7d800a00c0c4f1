"""Runs that are cut short: killed, interrupted, out of time. What ended is in the report."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import ExitCode
from tests.support.processes import bench, voice_server
from tests.support.runs import free_port, rows_on_disk, start, wait_for


def test_a_killed_run_still_reports_its_rows(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        run = start("run", scenario, "--url", url, "--out", out, "--set", "load.callers=4", "--set", "load.sessions=40")
        wait_for(out, 6)
        run.kill()
        run.communicate(timeout=20)
        written = rows_on_disk(out)
    done = bench("report", out)
    assert done.returncode == ExitCode.INCOMPLETE
    assert "INCOMPLETE" in done.stdout
    summary = json.loads((out / "summary.json").read_text())
    assert summary["verdict"]["name"] == "incomplete"
    assert "incomplete" in (out / "report.html").read_text().lower()
    assert len(pd.read_csv(out / "turns.csv")) == len(written) >= 6


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_ctrl_c_finishes_open_calls_and_writes_the_report(scenario: Path, tmp_path: Path, workers: str) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        load = ["--set", "load.callers=4", "--set", "load.duration=60s", "--set", "load.sessions=null"]
        run = start("run", scenario, "--url", url, "--out", out, *load, "--workers", workers)
        wait_for(out, 4)
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=60)
    assert run.returncode == ExitCode.INTERRUPTED, output
    sessions = pd.read_parquet(out / "sessions.parquet")
    assert (sessions["turns_ended"] == 2).all(), "open calls were let finish"
    assert "interrupted" in (out / "report.md").read_text().lower()


def test_time_ends_a_run_and_every_ended_turn_is_in(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    # A call takes five seconds: those that begin late in the ramp are open when the grace ends, on any machine.
    load = ["--set", "load={callers: 20, ramp: 3s, duration: 6s}"]
    with voice_server() as url:
        done = bench(
            "run", scenario, "--url", url, "--out", out, *load, "--set", "load.graceful_stop=1s", "--workers", "2"
        )
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((out / "run.json").read_text())
    turns, sessions = pd.read_parquet(out / "turns.parquet"), pd.read_parquet(out / "sessions.parquet")
    sent = sum(counts["turns_sent"] for counts in manifest["counts"]["workers"].values())
    assert sent == len(turns) == sessions["turns_ended"].sum() > 20
    assert (sessions["status"] == "stopped").any(), "some calls were cut off by the end of the grace"


@pytest.mark.slow
def test_ctrl_c_while_waiting_for_workers_leaves_nothing(scenario: Path, tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        out = tmp_path / "run"
        run = start(
            "run", scenario, "--url", "ws://127.0.0.1:9/", "--out", out, "--master", "--bind",
            f"127.0.0.1:{free_port()}",
        )  # fmt: skip
        assert run.stdout is not None
        assert any("waiting for 1 workers" in line for line in run.stdout)
        run.send_signal(number)
        output, _ = run.communicate(timeout=20)
        assert run.returncode == ExitCode.INTERRUPTED, output
        assert not out.exists()
