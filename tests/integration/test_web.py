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


def shown_when(url: str, true_of: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What the page shows, once `true_of` it."""
    deadline = time.monotonic() + 40
    shown: dict[str, Any] = {}
    while time.monotonic() < deadline:
        shown = json.loads(ask(f"{url}/progress")[1])
        if true_of(shown):
            return shown
        time.sleep(0.3)
    raise AssertionError(f"not seen in 40 s; at last: {shown}")


def figures(shown: dict[str, Any]) -> dict[str, str]:
    return dict(shown.get("figures", []))


def turns_of(shown: dict[str, Any]) -> int:
    return int(figures(shown).get("turns", "0").split()[0])


def latest_events(url: str, asked: int) -> list[dict[str, Any]]:
    """The first `asked` states that the page is sent while it is open."""
    states: list[dict[str, Any]] = []
    with urllib.request.urlopen(f"{url}/events", timeout=20) as stream:
        while len(states) < asked:
            line = stream.readline().decode()
            if line.startswith("data: "):
                states.append(json.loads(line.removeprefix("data: ")))
    return states


@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.slow), "2"])
def test_the_page_shows_the_run_and_cannot_change_it(scenario: Path, tmp_path: Path, workers: str) -> None:
    out = tmp_path / "run"
    with voice_server() as url:
        run = start(scenario, "--url", url, "--out", out, *LOAD, "--workers", workers, "--web", "--web-port", "0")
        page = address(run)
        shown = shown_when(page, lambda seen: turns_of(seen) >= 2)
        status, html = ask(f"{page}/")
        later = latest_events(page, 2)
        refused = [ask(f"{page}{path}", "POST") for path in ("/", "/stop", "/progress", "/events")]
        unknown = [ask(f"{page}{path}")[0] for path in ("/stats/requests", "/run.json", "/../run.json")]
        output, _ = run.communicate(timeout=90)
    assert run.returncode == 0, output
    assert (shown["title"], shown["target"], shown["report"]) == ("truth", url, str(out / "report.html"))
    assert shown["phase"] in ("ramp", "steady")
    assert figures(shown)["errors"] == "none"
    assert int(figures(shown)["calls open"]) > 0
    assert shown["history"][-1][2] > 0
    # The server answers at 700 ms and is silent for 120 ms.
    assert 790 <= int(figures(shown)["first audible p50 / p95"].split()[0]) <= 900
    assert 650 <= int(figures(shown)["TTFT p50 / p95"].split()[0]) <= 800
    assert turns_of(later[1]) >= turns_of(shown)
    assert len(later[1]["history"]) >= len(later[0]["history"]) >= 1
    assert status == 200
    assert "EventSource" in html
    assert "http" not in html.replace("http-equiv", ""), "the page needs no other address"
    assert [code for code, _ in refused] == [403] * 4
    assert "Ctrl-C" in refused[0][1]
    assert unknown == [404] * 3
    assert [worker["state"] for worker in shown["workers"]] == ["running"] * int(workers)
    assert all(worker["title"].startswith(f"w{n} (pid ") for n, worker in enumerate(shown["workers"]))
    assert output.count("web page: ") == 0, "the address is told once"
    assert len(pd.read_parquet(out / "turns.parquet")) == 24
    assert len(pd.read_parquet(out / "sessions.parquet")) == 12


def test_failed_turns_and_refused_calls_are_shown_as_failures(scenario: Path, tmp_path: Path) -> None:
    def failures(behaviour: str, name: str) -> str:
        with voice_server(behaviour=behaviour) as url:
            run = start(scenario, "--url", url, "--out", tmp_path / name, *ENDLESS, "--web", "--web-port", "0")
            shown = shown_when(address(run), lambda seen: figures(seen).get("errors", "none") != "none")
            run.send_signal(signal.SIGINT)
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=60)
            return figures(shown)["errors"]

    turns = failures("close", "turns")
    assert turns.startswith("closed ")
    assert failures("error_then_close", "calls").startswith("rate_limit ")


def test_an_open_connection_does_not_keep_the_run(scenario: Path, tmp_path: Path) -> None:
    with voice_server() as url:
        run = start(scenario, "--url", url, "--out", tmp_path / "run", *ENDLESS, "--web", "--web-port", "0")
        page = address(run)
        shown_when(page, lambda seen: seen["phase"] == "steady")
        port = int(page.rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port)) as idle,
            urllib.request.urlopen(f"{page}/events", timeout=60) as stream,
        ):
            idle.sendall(b"GET / HTTP/1.1\r\n")
            run.send_signal(signal.SIGINT)
            last = [line for line in stream.read().decode().splitlines() if line][-1]
            output, _ = run.communicate(timeout=60)
    assert run.returncode == ExitCode.INTERRUPTED, output
    state = json.loads(last.removeprefix("data: "))
    assert state["phase"] == "ended"
    assert dict(state["figures"])["calls open"] == "0", "the last word is the state after the last call"
    assert (tmp_path / "run" / "report.html").exists()
    with pytest.raises(urllib.error.URLError):
        ask(page)


def test_the_page_waits_for_a_run_that_waits_for_workers(scenario: Path, tmp_path: Path) -> None:
    words = ["--master", "--bind", "127.0.0.1:0", "--web", "--web-port", "0"]
    run = start(scenario, "--url", "ws://127.0.0.1:9/", "--out", tmp_path / "run", *words)
    page = address(run)
    shown = shown_when(page, lambda seen: any("waiting" in note for note in seen["notes"]))
    status, html = ask(page)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=30)
    assert (status, "has not begun" in html) == (200, True)
    assert shown["phase"] == "not begun"
    assert any("waiting for 1 workers" in note for note in shown["notes"])
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
