"""Runs that are cut short or spread over processes: nothing is lost, and what is lost is named."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import ExitCode
from tests.support.processes import bench, voice_server


def start(*words: str | Path, **variables: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench", *map(str, words)]
    env = {**os.environ, **variables}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def wait_for(path: Path, at_least: int, timeout_s: float = 40) -> None:
    """Until the files below `path` hold `at_least` turn rows."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        rows = sum(len(file.read_bytes().splitlines()) for file in path.glob("spool/*-turns.jsonl"))
        if rows >= at_least:
            return
        time.sleep(0.1)
    raise AssertionError(f"fewer than {at_least} rows in {timeout_s} s")


def rows_on_disk(path: Path) -> set[tuple[Any, ...]]:
    """Identity of every whole turn row in the spool."""
    found = set()
    for file in path.glob("spool/*-turns.jsonl"):
        for line in file.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                row = json.loads(line)
                found.add((row["session_id"], row["turn"]))
    return found


LOAD = ["--set", "load.callers=8", "--set", "load.sessions=24"]


def test_two_workers_make_the_same_calls_as_one_and_lose_none(scenario: Path, tmp_path: Path) -> None:
    choice = ["--set", "conversation.0.say=[burst-0, burst-1]"]
    with voice_server() as url:
        alone = bench("run", scenario, "--url", url, "--out", tmp_path / "one", *LOAD, *choice)
        together = bench("run", scenario, "--url", url, "--out", tmp_path / "two", *LOAD, *choice, "--workers", "2")
    assert (alone.returncode, together.returncode) == (0, 0), together.stdout + together.stderr
    one, two = (pd.read_parquet(tmp_path / name / "turns.parquet") for name in ("one", "two"))
    keys = ["session_index", "caller", "turn", "fixture"]
    assert sorted(map(tuple, one[keys].to_numpy())) == sorted(map(tuple, two[keys].to_numpy()))
    assert len(two) == 48
    assert set(two["worker"]) == {"w0", "w1"}
    manifest = json.loads((tmp_path / "two" / "run.json").read_text())
    for counts in manifest["counts"]["workers"].values():
        assert counts["turns_sent"] == counts["turns_received"] > 0
        assert counts["sessions_sent"] == counts["sessions_received"] > 0
    assert set(manifest["health"]["workers"]) == {"w0", "w1"}


def test_a_killed_worker_is_named_and_its_rows_stay(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        run = start("run", scenario, "--url", url, "--out", out, *LOAD, "--workers", "2")
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


def test_a_stranger_at_the_port_of_the_master_changes_nothing(scenario: Path, tmp_path: Path) -> None:
    out, port, token = tmp_path / "run", free_port(), "t" * 32
    load = ("--set", "load.callers=2", "--set", "load.sessions=2")
    with voice_server() as url:
        where = ("--master", "--bind", f"127.0.0.1:{port}", "--token", "env:TOKEN")
        run = start("run", scenario, "--url", url, "--out", out, *load, *where, TOKEN=token)
        assert run.stdout is not None
        assert any("waiting for 1 workers" in line for line in run.stdout)
        with socket.create_connection(("127.0.0.1", int(port))) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 20)
            join = ("worker", "--master-host", "127.0.0.1", "--master-port", port, "--spool", tmp_path / "spool")
            false_worker = start(*join, BENCH_WORKER_TOKEN="f" * 32)
            said, _ = false_worker.communicate(timeout=30)
            worker = start(*join, "--token", "env:TOKEN", TOKEN=token)
            output, _ = run.communicate(timeout=60)
    assert false_worker.returncode == ExitCode.USAGE
    assert "does not accept this worker" in said
    assert (run.returncode, worker.wait(20)) == (0, 0), output
    assert "connections to the master's port were refused" in output
    assert len(pd.read_parquet(out / "turns.parquet")) == 4


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


def test_ctrl_c_finishes_open_calls_and_writes_the_report(scenario: Path, tmp_path: Path) -> None:
    for workers in ("0", "2"):
        out = tmp_path / f"run{workers}"
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
    load = ["--set", "load.callers=30", "--set", "load.sessions=null", "--set", "load.duration=6s"]
    with voice_server() as url:
        done = bench(
            "run", scenario, "--url", url, "--out", out, *load, "--set", "load.graceful_stop=1s", "--workers", "2"
        )
    assert done.returncode == 0, done.stdout + done.stderr
    manifest = json.loads((out / "run.json").read_text())
    turns, sessions = pd.read_parquet(out / "turns.parquet"), pd.read_parquet(out / "sessions.parquet")
    sent = sum(counts["turns_sent"] for counts in manifest["counts"]["workers"].values())
    assert sent == len(turns) == sessions["turns_ended"].sum() > 30
    assert (sessions["status"] == "stopped").any(), "some calls were cut off by the end of the grace"


def start_master(scenario: Path, url: str, out: Path, port: int) -> subprocess.Popen[str]:
    """A run that waits for two workers of other machines."""
    where = ("--expect-workers", "2", "--bind", f"127.0.0.1:{port}")
    return start("run", scenario, "--url", url, "--out", out, *LOAD, "--master", *where)


def test_a_worker_of_another_machine_sends_rows_and_events(scenario: Path, tmp_path: Path) -> None:
    out, spool = tmp_path / "run", tmp_path / "elsewhere"
    port = free_port()
    with voice_server() as url:
        run = start_master(scenario, url, out, port)
        workers = [
            start("worker", "--master-host", "127.0.0.1", "--master-port", port, "--spool", spool / name)
            for name in ("a", "b")
        ]
        output, _ = run.communicate(timeout=90)
        codes = [worker.wait(20) for worker in workers]
    assert run.returncode == 0, output
    assert codes == [0, 0]
    assert len(pd.read_parquet(out / "turns.parquet")) == 48
    assert len(list((out / "events").glob("*.jsonl.gz"))) == 2
    assert len(list(spool.glob("*/*/spool/*-turns.jsonl"))) == 2
    again = bench("report", out, "--recompute")
    assert again.returncode == 0, again.stderr
    assert len(pd.read_parquet(out / "turns.parquet")) == 48


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


def test_mistakes_with_workers_are_sentences(scenario: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        busy = bench(
            "run", scenario, "--url", "ws://127.0.0.1:9/", "--out", tmp_path / "a", "--master", "--bind",
            f"127.0.0.1:{port}",
        )  # fmt: skip
    assert busy.returncode == ExitCode.USAGE
    assert "cannot listen" in busy.stderr
    assert not (tmp_path / "a").exists(), "nothing is left of a run that never began"
    quickstart = Path(__file__).parents[2] / "scenarios" / "quickstart.yaml"
    here = ("--bind", f"127.0.0.1:{free_port()}")
    no_target = bench("run", quickstart, "--master", "--out", tmp_path / "b", *here)
    assert no_target.returncode == ExitCode.USAGE
    assert "embedded server" in no_target.stderr
    no_token = bench("run", scenario, "--url", "ws://127.0.0.1:9/", "--out", tmp_path / "c", "--master")
    assert no_token.returncode == ExitCode.USAGE
    assert "--bind *:5557: other machines can reach this address, and there is no token" in no_token.stderr
    for done in (busy, no_target, no_token):
        assert "Traceback" not in done.stderr


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
