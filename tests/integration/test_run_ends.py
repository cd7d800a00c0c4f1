"""Runs whose target dies, whose own server dies, whose terminal closes, or that may open few files."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.errors import ExitCode
from tests.support.processes import ROOT, bench, voice_server
from tests.support.runs import start, wait_for

QUICKSTART = ROOT / "scenarios" / "quickstart.yaml"


def summary_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return found


def test_a_target_that_dies_fails_the_run_and_is_not_hammered(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    load = ["--set", "load.callers=8", "--set", "load.sessions=null", "--set", "load.duration=12s"]
    with voice_server(port=0) as url:  # with an option it is one of its own, which dies at the end of the block
        run = start("run", scenario, "--url", url, "--out", out, *load, "--set", "load.graceful_stop=1s")
        wait_for(out, 8)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == ExitCode.THRESHOLD_FAILED, output
    verdict = summary_of(out)["verdict"]
    assert verdict["name"] == "failed"
    assert "the default threshold is <= 5 %" in verdict["reasons"][0]
    assert verdict["reasons"][0] in output
    assert any("before they called again after a call that failed" in line for line in verdict["warnings"])
    calls = pd.read_parquet(out / "sessions.parquet")
    refused = calls[calls["error_code"] == "refused"]
    # Each of 8 callers: at most 1 + 1 + 1 + 1 attempts in the first 7 seconds, and one more in the next 5.
    assert 8 <= len(refused) <= 8 * 7


def test_an_embedded_server_that_dies_stops_the_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = start("run", QUICKSTART, "--out", out, "--set", "load.sessions=60", "--set", "load.ramp=0s")
    wait_for(out, 2)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    servers = [pid for pid in children if b"bench.server" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(servers[0]), signal.SIGKILL)
    output, _ = run.communicate(timeout=30)
    assert run.returncode == ExitCode.INCOMPLETE, output
    assert "the embedded server ended (killed by signal 9): hanging up" in output
    assert "the embedded server ended in mid-run" in summary_of(out)["verdict"]["reasons"][0]
    assert len(pd.read_parquet(out / "turns.parquet")) >= 2


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_a_closed_terminal_is_a_request_to_stop(scenario: Path, tmp_path: Path, workers: str) -> None:
    out = tmp_path / "run"
    load = ["--set", "load.callers=4", "--set", "load.sessions=null", "--set", "load.duration=60s"]
    with voice_server() as url:
        command = [sys.executable, "-m", "bench", "run", scenario, "--url", url, "--out", out, *load]
        leader, follower = pty.openpty()
        run = subprocess.Popen(
            [*map(str, command), "--workers", workers], stdin=follower, stdout=follower, stderr=follower,
            start_new_session=True, preexec_fn=own_the_terminal,  # noqa: PLW1509
        )  # fmt: skip
        os.close(follower)
        wait_for(out, 4)
        os.close(leader)
        assert run.wait(40) == ExitCode.INTERRUPTED
    assert summary_of(out)["verdict"]["name"] == "interrupted"
    assert (pd.read_parquet(out / "sessions.parquet")["turns_ended"] == 2).all(), "open calls were let finish"


def own_the_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.slow
def test_few_open_files_are_said_before_the_run(scenario: Path, tmp_path: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))

    for load in ("load.callers=60", "load={arrival: constant, rate: 600/min, duration: 5s}"):
        where = ("--url", "ws://127.0.0.1:9/", "--out", tmp_path / "run")
        done = bench("run", scenario, *where, "--set", load, preexec_fn=few)
        assert done.returncode == ExitCode.USAGE, done.stderr
        assert "open files in a process; the limit is 80" in done.stderr


@pytest.mark.slow
def test_too_few_open_files_for_open_arrivals_make_the_run_invalid(scenario: Path, tmp_path: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (140, 140))

    out = tmp_path / "run"
    load = "load={arrival: constant, rate: 6000/min, duration: 3s, graceful_stop: 2s}"
    with voice_server() as url:
        done = bench("run", scenario, "--url", url, "--out", out, "--set", load, preexec_fn=few)
    assert done.returncode == ExitCode.INVALID_GENERATOR, done.stdout + done.stderr
    assert "too_many_open_files: raise the limit on open files (ulimit -n)" in done.stdout


def test_a_plan_that_cannot_be_held_is_refused(scenario: Path) -> None:
    began_s = time.monotonic()
    done = bench("validate", scenario, "--set", "load={arrival: constant, rate: 100000/s, duration: 10m}")
    assert done.returncode == ExitCode.USAGE
    assert "plans about 60,000,000 calls; the most is 1,000,000" in done.stderr
    assert time.monotonic() - began_s < 20
