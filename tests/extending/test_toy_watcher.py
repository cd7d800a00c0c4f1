"""A toy watcher and a toy guard: an exporter that writes rows and progress as lines of JSON, and a bound on spend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.load.progress import Progress
from bench.load.watchers import Watcher, Watchers
from bench.measure.records import SessionRecord, TurnRecord
from bench.run.conduct import Guard, Stop, conduct
from tests.report import build
from tests.run.workers import ScriptedWorkers


class JsonLines(Watcher):
    """Appends what happens to a file, one JSON object a line. A watcher must not block: a line is written at once."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("w")

    def turn(self, row: TurnRecord) -> None:
        self._write("turn", session=row.session_id, status=row.status, first_audible_ms=row.first_audible_ms)

    def session(self, row: SessionRecord) -> None:
        self._write("session", session=row.session_id, status=row.status)

    def progress(self, progress: Progress) -> None:
        self._write("progress", phase=progress.phase, open=progress.calls.open)

    def close(self) -> None:
        self._stream.close()

    def _write(self, kind: str, **values: Any) -> None:
        self._stream.write(json.dumps({"kind": kind, **values}) + "\n")


def test_an_exporter_of_a_few_lines_sees_the_run(tmp_path: Path) -> None:
    turns, sessions = build.rows(calls=2, fails=0, warm=0)
    out = tmp_path / "run.jsonl"
    watchers = Watchers([JsonLines(out)])

    def end_a_call() -> None:
        session = sessions.pop()
        for row in turns:
            if row.session_id == session.session_id:
                watchers.turn(row)
        watchers.session(session)

    asked = len(turns), len(sessions)
    assert conduct(ScriptedWorkers(2, on_wait=end_a_call), [], watchers, graceful_stop_s=9) == "completed"
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["phase"] for line in lines if line["kind"] == "progress"] == ["steady", "steady", "steady"]
    assert (sum(line["kind"] == "turn" for line in lines), sum(line["kind"] == "session" for line in lines)) == asked
    assert all(line["status"] == "ok" for line in lines if line["kind"] == "turn")


def spent(most_usd: float) -> Guard:
    """Stops a run that has cost more than `most_usd`."""

    def guard(progress: Progress) -> Stop | None:
        if progress.tally.cost_usd <= most_usd:
            return None
        return Stop("budget", f"more than ${most_usd:g} spent: hanging up")

    return guard


def test_a_guard_of_a_few_lines_ends_the_run() -> None:
    def spend() -> None:
        workers.tally.cost_usd += 0.04

    workers = ScriptedWorkers(99, on_wait=spend)
    assert conduct(workers, [spent(0.10)], Watcher(), graceful_stop_s=9) == "budget"
    assert workers.tally.cost_usd == pytest.approx(0.12)
    assert workers.done == ["start", "hang up", "drain"]
