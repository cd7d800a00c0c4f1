"""`bench run --live`: the page shows a real run with the numbers of its report, and can stop it."""

from __future__ import annotations

import json
import signal
import socket
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.errors import ExitCode
from tests.support.live import ENDLESS, ask, at, live_run, shown_when, states
from tests.support.processes import bench, voice_server
from tests.support.runs import free_port

LOAD = ["--set", "load.callers=3", "--set", "load.sessions=3", "--threshold", "first_audible_ms: p50 < 5s"]


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_the_last_numbers_of_the_page_are_those_of_the_report(scenario: Path, tmp_path: Path, workers: str) -> None:
    out = tmp_path / "run"
    with (
        voice_server() as url,
        live_run(scenario, "--url", url, "--out", out, *LOAD, "--workers", workers) as (run, page),
    ):
        with ThreadPoolExecutor() as pool:
            seen = pool.submit(states, page)
            html = ask(page)
            unknown = [ask(at(page, path))[0] for path in ("/run.json", "/../run.json", "/stats/requests")]
            refused = [ask(at(page, path).partition("?")[0])[0] for path in ("/", "/state", "/events")]
            foreign = [
                ask(page, Host="rebound.example"),
                ask(at(page, "/stop"), "POST", Origin="http://elsewhere.example"),
                ask(at(page, "/stop").partition("?")[0], "POST"),
            ]
            shown = seen.result()
        output, _ = run.communicate(timeout=60)
    assert run.returncode == 0, output
    assert html[0] == 200
    assert "http" not in html[1].replace("http://www.w3.org/2000/svg", ""), "the page needs no other address"
    assert unknown == [404] * 3
    assert refused == [403] * 3
    assert [status for status, _ in foreign] == [403] * 3
    assert output.count("live page: ") == 0, "the address is told once"

    report = json.loads((out / "summary.json").read_text())
    running = [state for state in shown if state["state"] == "running"]
    last = shown[-1]
    assert max(state["moment"]["open"] for state in running) > 0
    assert all(len(state["moment"]["workers"]) == int(workers) for state in running)
    assert (last["state"], last["verdict"]["name"]) == ("ended", "pass")
    assert last["moment"]["open"] == 0
    assert last["about"]["title"] == "truth"
    assert (last["run"]["turns"]["ended"], last["run"]["calls"]["ended"]) == (6, 3)
    assert last["run"]["turns"]["per_min"] == report["load"]["turns_per_min"]
    metrics = {metric["name"]: metric for metric in report["metrics"]}
    for row in last["run"]["latency"]:
        percentiles = [each["value"] for each in metrics[row["name"]]["percentiles"]]
        assert row["n"] == metrics[row["name"]]["n"]
        assert row["p50"] == pytest.approx(percentiles[0], abs=0.06)
        assert row["p95"] == (None if percentiles[2] is None else pytest.approx(percentiles[2], abs=0.06))
    assert {each["state"] for each in last["run"]["thresholds"]} == {"kept"}


def test_a_reader_stops_the_run_as_ctrl_c_does(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with (
        voice_server(behaviour="close") as url,
        live_run(scenario, "--url", url, "--out", out, *ENDLESS) as (run, page),
    ):
        port = int(page.partition("127.0.0.1:")[2].partition("/")[0])
        shown = shown_when(page, lambda seen: seen["run"] and seen["run"]["errors"])
        with socket.create_connection(("127.0.0.1", port)) as idle, ThreadPoolExecutor() as pool:
            idle.sendall(b"GET / HTTP/1.1\r\n")
            seen = pool.submit(states, page)
            stopped = [ask(at(page, "/stop"), "POST")[0] for _ in range(3)]
            after = seen.result()
        output, _ = run.communicate(timeout=60)
    assert shown["run"]["errors"][0]["kind"] == "closed"
    assert stopped == [202, 202, 409]
    assert run.returncode == ExitCode.INTERRUPTED, output
    assert max(state["stopping"] for state in after) == 2
    assert (after[-1]["state"], after[-1]["verdict"]["exit_code"]) == ("ended", 130)
    assert (out / "report.html").exists()
    with pytest.raises(urllib.error.URLError):
        ask(page)


@pytest.mark.slow
def test_the_page_waits_for_a_run_that_waits_for_workers(scenario: Path, tmp_path: Path) -> None:
    words = ["--master", "--bind", f"127.0.0.1:{free_port()}", "--url", "ws://127.0.0.1:9/"]
    with live_run(scenario, "--out", tmp_path / "run", *words) as (run, page):
        shown = shown_when(page, lambda seen: any("waiting" in note for note in seen["notes"]))
        refused = ask(at(page, "/stop"), "POST")
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=30)
    assert (shown["state"], shown["run"], shown["moment"]) == ("waiting", None, None)
    assert any("waiting for 1 workers" in note for note in shown["notes"])
    assert refused[0] == 409
    assert run.returncode == ExitCode.INTERRUPTED, output
    assert not (tmp_path / "run").exists()


def test_an_address_that_cannot_be_had_is_a_sentence(scenario: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        busy = bench("run", scenario, "--out", tmp_path / "run", "--web", "--web-port", port)
    alone = bench("run", scenario, "--out", tmp_path / "run", "--live-port", "0")
    for done, words in ((busy, f"port {port}: "), (alone, "go with --live")):
        assert done.returncode == ExitCode.USAGE
        assert words in done.stderr
        assert "hint: " in done.stderr
        assert "Traceback" not in done.stderr
    assert "--live-port" in busy.stderr.partition("hint: ")[2]
    assert not (tmp_path / "run").exists(), "nothing is left of a run that never began"
