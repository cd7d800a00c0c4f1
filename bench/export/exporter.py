"""The process that exports a run: `python -m bench.export.exporter FEED [LISTENER]`, open sockets.

In: lines of JSON about the run, and its rows from the spool. Out: `/metrics` over HTTP, and sentences for the reader.
Trap: the run must not feel it, so it runs at low priority, and it counts new rows only after twenty times the time that
the last count took. It ends when the run closes the feed, whatever became of it.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson

from bench.errors import BenchError
from bench.export.family import Series
from bench.export.now import moment_series, run_series
from bench.export.rows import NewRows
from bench.export.sink import Sink
from bench.export.sinks import open_sinks
from bench.export.stored import in_order, stored_series
from bench.export.totals import Totals, totals_of
from bench.priority import go_as_others, go_last
from bench.report.summary import summarise
from bench.report.thresholds import objectives_of
from bench.report.view import view_of
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest, read_manifest
from bench.store.reader import Run, read_run

LEAST_PAUSE_S = 1.0
PAUSE_PER_WORK = 20


class Exporter:
    """One run's export."""

    def __init__(self, feed: socket.socket, listener: socket.socket | None) -> None:
        self._feed = feed
        self._lines = feed.makefile("rb")
        hello = orjson.loads(self._lines.readline())
        self._folder = RunFolder(Path(hello["root"]))
        self._linger_s = float(hello["linger_s"])
        self._rows = NewRows(self._folder)
        self._totals = Totals()
        self._moment: dict[str, Any] | None = None
        self._over, self._closed = threading.Event(), threading.Event()
        self._failed: set[str] = set()
        self._sinks: list[Sink] = open_sinks(hello, listener, self._say)
        self._say(ready=True)

    def serve(self) -> None:
        """Until the run closes the feed, and then until all of it is sent."""
        threading.Thread(target=self._read, daemon=True).start()
        while not self._over.is_set():
            began = time.monotonic()
            self._count()
            self._over.wait(max(LEAST_PAUSE_S, PAUSE_PER_WORK * (time.monotonic() - began)))
        go_as_others()  # no audio is paced any more, and the run waits for the last figures
        self._count()
        self._closed.wait()
        self._show_the_end()
        if self._linger_s:
            time.sleep(self._linger_s)
        for sink in self._sinks:
            self._trying(sink, sink.close)

    def _read(self) -> None:
        try:
            for line in self._lines:
                words = orjson.loads(line)
                self._moment = words.get("moment", self._moment)
                if "over" in words:
                    self._over.set()
        except OSError:
            pass
        self._over.set()
        self._closed.set()

    def _count(self) -> None:
        """Take in the rows that are new, and show what there is."""
        try:
            manifest = read_manifest(self._folder)
        except BenchError:
            return
        run = self._rows.read(manifest)
        if run is not None:
            self._totals.add(totals_of(view_of(run), objectives_of(manifest)))
        self._show(manifest, self._series(manifest), run)

    def _series(self, manifest: Manifest) -> list[Series]:
        moment = [] if self._moment is None else moment_series(manifest, self._moment)
        return [*run_series(manifest), *moment, *in_order(self._totals)]

    def _show_the_end(self) -> None:
        """What the report says of the run; as it was last, where there is none."""
        try:
            run = read_run(self._folder.root)
        except BenchError:
            return
        if run.manifest.state == "finished" and run.manifest.verdict is not None:
            self._show(run.manifest, stored_series(run, summarise(run)), run, last=True)
        else:
            self._show(run.manifest, self._series(run.manifest), run, last=True)

    def _show(self, manifest: Manifest, series: list[Series], new: Run | None, *, last: bool = False) -> None:
        for sink in self._sinks:
            self._trying(sink, lambda sink=sink: sink.show(manifest, series, new, last=last))

    def _trying(self, sink: Sink, act: Any) -> None:
        """An exporter that fails is named once, and the others go on."""
        try:
            act()
        except Exception as error:
            if sink.name not in self._failed:
                self._failed.add(sink.name)
                self._say(note=f"{sink.name}: {type(error).__name__}: {error}")

    def _say(self, **words: Any) -> None:
        try:
            self._feed.sendall(orjson.dumps(words) + b"\n")
        except OSError:
            self._closed.set()


def main() -> None:
    """Export with the sockets whose numbers are the arguments."""
    sockets = [socket.socket(fileno=int(number)) for number in sys.argv[1:3]]
    for each in sockets:
        # As gevent made them, they do not wait.
        each.setblocking(True)
    exporter = Exporter(sockets[0], sockets[1] if len(sockets) > 1 else None)
    go_last()
    exporter.serve()


if __name__ == "__main__":
    main()
