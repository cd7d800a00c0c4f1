"""Workers that are killed, stopped or sent away: they are named, and their rows stay."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import ExitCode
from tests.support.processes import bench, voice_server
from tests.support.runs import LOAD, free_port, rows_on_disk, start, start_master, wait_for


def test_a_killed_worker_is_named_and_its_rows_stay(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    load = ("--set", "load.callers=8", "--set", "load.sessions=16")
    with voice_server() as url:
        run = start("run", scenario, "--url", url, "--out", out, *load, "--workers", "2")
        wait_for(out, 8)
        manifest = json.loads((out / "run.json").read_text())
        pid = manifest["workers"]["w1"]["pid"]
        os.kill(pid, signal.SIGKILL)
        written = rows_on_disk(out)
        output, _ = run.communicate(timeout=90)
    assert run.returncode == ExitCode.INCOMPLETE, output
    assert f"w1 (pid {pid}" in output
    assert "killed by signal 9" in output
    turns = pd.read_parquet(out / "turns.parquet")
    assert written <= set(zip(turns["session_id"], turns["turn"], strict=True))
    assert set(turns["worker"]) == {"w0", "w1"}


@pytest.mark.slow
def test_a_worker_that_is_stopped_for_good_is_given_up(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        run = start("run", scenario, "--url", url, "--out", out, *LOAD, "--workers", "2")
        wait_for(out, 8)
        pid = json.loads((out / "run.json").read_text())["workers"]["w1"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        output, _ = run.communicate(timeout=40)
    assert run.returncode == ExitCode.INCOMPLETE, output
    assert f"w1 (pid {pid}" in output
    assert "no sign of life for 10 s" in output
    assert not Path(f"/proc/{pid}").exists(), "it would go on with its calls one day"


@pytest.mark.slow
def test_workers_of_a_killed_master_hang_up(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        run = start("run", scenario, "--url", url, "--out", out, *LOAD, "--workers", "2")
        wait_for(out, 2)
        pids = [worker["pid"] for worker in json.loads((out / "run.json").read_text())["workers"].values()]
        run.kill()
        run.communicate(timeout=20)
        deadline = time.monotonic() + 20
        while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert bench("report", out).returncode == ExitCode.INCOMPLETE


@pytest.mark.slow
def test_a_worker_asked_to_leave_makes_the_run_incomplete(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    port = free_port()
    with voice_server() as url:
        run = start_master(scenario, url, out, port)
        join = ("worker", "--master-host", "127.0.0.1", "--master-port", port, "--spool", tmp_path / "spool")
        workers = [start(*join) for _ in range(2)]
        wait_for(out, 6)
        surplus = start(*join)
        surplus_says, _ = surplus.communicate(timeout=30)
        workers[1].send_signal(signal.SIGTERM)
        output, _ = run.communicate(timeout=90)
        codes = [worker.wait(20) for worker in workers]
    assert surplus.returncode == ExitCode.USAGE
    assert "2 workers were expected" in surplus_says
    assert run.returncode == ExitCode.INCOMPLETE, output
    assert "asked to leave" in output
    assert codes == [0, 0]
    manifest = json.loads((out / "run.json").read_text())
    for counts in manifest["counts"]["workers"].values():
        assert counts["turns_sent"] == counts["turns_received"]
