"""`bench run --web`: the page shows a real run over HTTP, and can do nothing to it."""

from __future__ import annotations

import json
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.errors import ExitCode
from tests.support.processes import bench, voice_server

LOAD = ["--set", "load.callers=4", "--set", "load.sessions=12"]
ENDLESS = ["--set", "load.callers=2", "--set", "load.sessions=null", "--set", "load.duration=90s"]


def start(*words: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench", "run", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def address(run: subprocess.Popen[str]) -> str:
    """The page's address, as the run tells it on its first line."""
    assert run.stdout is not None
    assert select.select([run.stdout], [], [], 40)[0], "the run says nothing"
    line = run.stdout.readline()
    assert line.startswith("web page: http://127.0.0.1:"), line + run.stdout.read()
    return line.removeprefix("web page: ").strip()


def ask(url: str, method: str = "GET") -> tuple[int, str]:
    """Status and body, also of a refusal."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def stats_when(url: str, true_of: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What the page shows, once `true_of` it."""
    deadline = time.monotonic() + 40
    shown: dict[str, Any] = {}
    while time.monotonic() < deadline:
        shown = json.loads(ask(f"{url}/stats/requests")[1])
        if true_of(shown):
            return shown
        time.sleep(0.3)
    raise AssertionError(f"not seen in 40 s; at last: {shown}")


def entry(shown: dict[str, Any], name: str) -> dict[str, Any]:
    return next((row for row in shown["stats"] if row["name"] == name), {})


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_page_shows_the_run_and_cannot_change_it(scenario: Path, tmp_path: Path, workers: str) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        run = start(scenario, "--url", url, "--out", out, *LOAD, "--workers", workers, "--web", "--web-port", "0")
        page = address(run)
        shown = stats_when(page, lambda seen: entry(seen, "first audible").get("num_requests", 0) >= 2)
        status, html = ask(f"{page}/")
        progress = json.loads(ask(f"{page}/bench/progress")[1])
        refused = [ask(f"{page}{path}", "POST") for path in ("/stop", "/swarm", "/stats/reset", "/user")]
        refused += [ask(f"{page}{path}") for path in ("/stats/report", "/stats/reset", "/stats/requests/csv")]
        later = stats_when(page, lambda seen: entry(seen, "ready").get("num_requests", 0) >= 1)
        output, _ = run.communicate(timeout=90)
    assert (run.returncode, shown["state"], shown["errors"]) == (0, "running", []), output
    assert shown["user_count"] > 0
    # The server answers at 700 ms and is silent for 120 ms; Locust keeps two digits.
    assert 790 <= entry(shown, "first audible")["median_response_time"] <= 900
    assert 650 <= entry(shown, "TTFT")["median_response_time"] <= 800
    assert entry(shown, "Aggregated")["num_requests"] == entry(shown, "first audible")["num_requests"]
    assert entry(later, "first audible")["num_requests"] >= entry(shown, "first audible")["num_requests"]
    assert status == 200
    assert "window.templateArgs" in html
    assert url in html
    assert "bench-now" in html
    assert progress["now"].startswith("truth: ")
    assert progress["report"] == str(out / "report.html")
    assert [code for code, _ in refused] == [403] * 7
    assert "Ctrl-C" in refused[0][1]
    if workers == "2":
        assert [worker["state"] for worker in shown["workers"]] == ["running", "running"]
        assert shown["workers"][0]["id"].startswith("w0 (pid ")
        assert shown["worker_count"] == 2
    assert output.count("web page: ") == 0, "the address is told once"
    assert len(pd.read_parquet(out / "turns.parquet")) == 24
    assert len(pd.read_parquet(out / "sessions.parquet")) == 12


def test_failed_turns_and_refused_calls_are_shown_as_failures(scenario: Path, tmp_path: Path) -> None:
    def failures(behaviour: str, name: str) -> tuple[dict[str, Any], str]:
        with voice_server(behaviour=behaviour) as url:
            run = start(scenario, "--url", url, "--out", tmp_path / name, *ENDLESS, "--web", "--web-port", "0")
            shown = stats_when(address(run), lambda seen: bool(seen["errors"]))
            run.send_signal(signal.SIGINT)
            run.send_signal(signal.SIGINT)
            return shown, run.communicate(timeout=60)[0]

    shown, _ = failures("close", "turns")
    assert (shown["errors"][0]["method"], shown["errors"][0]["name"]) == ("turn", "first audible")
    assert shown["errors"][0]["error"].startswith("failed ")
    shown, _ = failures("error_then_close", "calls")
    assert (shown["errors"][0]["method"], shown["errors"][0]["name"]) == ("call", "ready")
    assert shown["fail_ratio"] == 1.0


def test_an_open_connection_does_not_keep_the_run(scenario: Path, tmp_path: Path) -> None:
    with voice_server() as url:
        run = start(scenario, "--url", url, "--out", tmp_path / "run", *ENDLESS, "--web", "--web-port", "0")
        page = address(run)
        stats_when(page, lambda seen: seen["state"] == "running")
        with socket.create_connection(("127.0.0.1", int(page.rpartition(":")[2]))) as idle:
            idle.sendall(b"GET / HTTP/1.1\r\n")
            run.send_signal(signal.SIGINT)
            output, _ = run.communicate(timeout=60)
    assert run.returncode == ExitCode.INTERRUPTED, output
    assert (tmp_path / "run" / "report.html").exists()
    with pytest.raises(urllib.error.URLError):
        ask(page)


def test_the_page_waits_for_a_run_that_waits_for_workers(scenario: Path, tmp_path: Path) -> None:
    words = ["--master", "--bind", "127.0.0.1:0", "--web", "--web-port", "0"]
    run = start(scenario, "--url", "ws://127.0.0.1:9/", "--out", tmp_path / "run", *words)
    status, html = ask(address(run))
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=30)
    assert (status, "has not begun" in html) == (200, True)
    assert run.returncode == ExitCode.INTERRUPTED, output
    assert not (tmp_path / "run").exists()


def test_an_address_that_cannot_be_had_is_a_sentence(scenario: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        busy = bench("run", scenario, "--out", tmp_path / "run", "--web", "--web-port", port)
    elsewhere = bench("run", scenario, "--out", tmp_path / "run", "--web", "--web-host", "192.0.2.1")
    alone = bench("run", scenario, "--out", tmp_path / "run", "--web-port", "0")
    for done, words in ((busy, f"port {port}: "), (elsewhere, "192.0.2.1"), (alone, "go with --web")):
        assert done.returncode == ExitCode.USAGE
        assert words in done.stderr
        assert "hint: " in done.stderr
        assert "Traceback" not in done.stderr
    assert "--web-port" in busy.stderr.partition("hint: ")[2]
    assert not (tmp_path / "run").exists(), "nothing is left of a run that never began"
