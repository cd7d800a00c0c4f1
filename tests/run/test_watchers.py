"""A watcher is one class in one file: here an exporter that writes a run's rows and progress as lines of JSON.

It is also the example of `docs/extending.md`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.load.progress import Progress
from bench.load.watchers import Watcher, Watchers
from bench.measure.records import SessionRecord, TurnRecord
from bench.run.conduct import conduct
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


def test_a_failing_watcher_hurts_neither_rows_nor_the_others(tmp_path: Path) -> None:
    class Full(Watcher):
        def turn(self, row: TurnRecord) -> None:
            raise OSError("no space left on device")

    class Notes(Watcher):
        def __init__(self) -> None:
            self.rows = 0
            self.lines: list[str] = []

        def turn(self, row: TurnRecord) -> None:
            self.rows += 1

        def note(self, line: str) -> None:
            self.lines.append(line)

    others = Notes()
    watchers = Watchers([Full(), others])
    for row in build.rows(calls=2, fails=0, warm=0)[0]:
        watchers.turn(row)
    assert others.rows == 10
    assert others.lines == ["Full failed and is not used any more: OSError: no space left on device"]


def test_closing_twice_closes_once() -> None:
    class Once(Watcher):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    watcher = Once()
    watchers = Watchers([watcher])
    watchers.close()
    watchers.close()
    assert watcher.closed == 1
