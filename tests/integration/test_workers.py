"""Runs that are spread over processes: the same calls, nothing lost, and strangers kept out."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import ExitCode
from tests.support.processes import bench, voice_server
from tests.support.runs import free_port, start, start_master


def test_two_workers_make_the_same_calls_as_one_and_lose_none(scenario: Path, tmp_path: Path) -> None:
    choice = ["--set", "conversation.0.say=[burst-0, burst-1]", "--set", "load.callers=8", "--set", "load.sessions=12"]
    with voice_server() as url:
        alone = bench("run", scenario, "--url", url, "--out", tmp_path / "one", *choice)
        together = bench("run", scenario, "--url", url, "--out", tmp_path / "two", *choice, "--workers", "2")
    assert (alone.returncode, together.returncode) == (0, 0), together.stdout + together.stderr
    one, two = (pd.read_parquet(tmp_path / name / "turns.parquet") for name in ("one", "two"))
    keys = ["session_index", "caller", "turn", "fixture"]
    assert sorted(map(tuple, one[keys].to_numpy())) == sorted(map(tuple, two[keys].to_numpy()))
    assert len(two) == 24
    assert set(two["worker"]) == {"w0", "w1"}
    manifest = json.loads((tmp_path / "two" / "run.json").read_text())
    for counts in manifest["counts"]["workers"].values():
        assert counts["turns_sent"] == counts["turns_received"] > 0
        assert counts["sessions_sent"] == counts["sessions_received"] > 0
    assert set(manifest["health"]["workers"]) == {"w0", "w1"}


@pytest.mark.slow
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


@pytest.mark.slow
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
