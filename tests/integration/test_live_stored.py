"""`bench live RUN`: a run folder in a browser, while its rows are written and afterwards."""

from __future__ import annotations

import signal
from pathlib import Path

from bench.errors import ExitCode
from bench.report.render import write_reports
from bench.store.finish import finish_run
from bench.store.folder import RunFolder
from tests.report import build
from tests.support.live import ask, at, shown_when, started
from tests.support.processes import bench


def test_a_run_is_followed_to_its_end_and_shown_afterwards(tmp_path: Path) -> None:
    turns, sessions = build.rows(30)
    folder, kept = RunFolder(tmp_path / "run"), build.manifest(ended_at=None)
    build.write_spool(folder, kept, turns[:60], sessions[:12])
    with started("live", folder.root, "--port", "0") as (process, page):
        first = shown_when(page, lambda seen: seen["run"])
        no_report = ask(at(page, "/report"))[0]
        build.write_spool(folder, kept, turns[60:], sessions[12:])
        later = shown_when(page, lambda seen: seen["run"]["turns"]["ended"] == len(turns))
        for name in ("w0", "w1"):
            kept.counts.workers[name].turns_sent = sum(row.worker == name for row in turns)
            kept.counts.workers[name].sessions_sent = sum(row.worker == name for row in sessions)
        summary = write_reports(finish_run(folder, kept))
        stored = shown_when(page, lambda seen: seen["verdict"])
        report = ask(at(page, "/report"))
        posted = ask(at(page, "/stop"), "POST")[0]
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert (first["state"], first["run"]["turns"]["ended"], first["moment"]) == ("following", 60, None)
    assert (later["state"], later["verdict"], no_report) == ("following", None, 404)
    assert (stored["state"], stored["verdict"]["name"]) == ("stored", summary.verdict.name)
    headline = summary.headline
    assert headline is not None
    assert (stored["run"]["latency"][0]["name"], stored["run"]["latency"][0]["n"]) == (headline.name, headline.n)
    assert (report[0], "<h1>sample</h1>" in report[1], posted) == (200, True, 405)


def test_a_folder_without_a_run_is_a_sentence(tmp_path: Path) -> None:
    done = bench("live", tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "not a run folder" in done.stderr
