"""`bench live RUN`: the page of a run folder, whose run goes on in another process or is over.

In: a run folder and an address. Out: the page, until Ctrl-C. Trap: open calls leave no row, so how many there are is
known to the page of `bench run --live` alone; and a run that was killed looks like one that has nothing to say.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from bench.errors import BenchError
from bench.live.address import LiveAddress, listen, url_of
from bench.live.board import Board
from bench.live.snapshot import snapshot
from bench.live.stored import run_of, verdict_of
from bench.live.tail import SpoolTail
from bench.live.web import LiveServer, cooperative
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest, read_manifest
from bench.store.reader import read_run, reads_spool

EVERY_S = 1.0
PAUSE_PER_WORK = 10


def watch_run(path: Path, address: LiveAddress) -> None:
    """Serve the page of the run in `path` until a signal. Raises `BenchError` when it is no run folder."""
    folder = RunFolder(path)
    board = Board(about=about(folder, read_manifest(folder)), state="following", stopping=0, quiet_s=0)
    follower = _Follower(folder, board)
    follower.look()
    listener = cooperative(listen(address))
    server = LiveServer(
        listener,
        board,
        token=address.token,
        local=address.local,
        pages={"/report": lambda: _report(folder)},
    )
    print(f"live page: {url_of(address, listener.getsockname()[1])}", flush=True)
    running = read_manifest(folder).state == "running"
    print(f"Ctrl-C ends it{'; the run goes on' if running else ''}.", flush=True)
    over = Event()
    handlers = [gevent.signal_handler(number, over.set) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        while not over.is_set():
            over.wait(max(EVERY_S, PAUSE_PER_WORK * follower.took_s))
            if not over.is_set():
                follower.look()
    finally:
        for handler in handlers:
            handler.cancel()
        server.stop()


class _Follower:
    """Reads what is new, and shows it."""

    def __init__(self, folder: RunFolder, board: Board) -> None:
        self._folder, self._board = folder, board
        self._tail: SpoolTail | None = SpoolTail(folder)
        self._heard_at = time.monotonic()
        self._verdict: str | None = None
        self.took_s = 0.0

    def look(self) -> None:
        """Once: what is new of the run; nothing when it is over and shown."""
        began = time.monotonic()
        manifest = read_manifest(self._folder)
        if reads_spool(self._folder, manifest):
            self._follow(manifest)
        elif self._tail is not None or manifest.verdict != self._verdict:
            self._show_stored(manifest)
        self.took_s = time.monotonic() - began

    def _follow(self, manifest: Manifest) -> None:
        if self._tail is None:
            return
        fresh = self._tail.read_on()
        quiet_s = round(time.monotonic() - self._heard_at)
        if fresh or self._board["run"] is None:
            self._heard_at, quiet_s = time.monotonic(), 0
            self._board.show(run=snapshot(run_of(self._folder, manifest, self._tail.tables())), quiet_s=0)
        elif quiet_s != self._board["quiet_s"]:
            self._board.show(quiet_s=quiet_s)

    def _show_stored(self, manifest: Manifest) -> None:
        try:
            run = read_run(self._folder.root)
        except BenchError as error:
            # Its end is being written; the next look will find it whole.
            self._board.note(error.message)
            return
        if self._tail is not None:
            self._tail.close()
        self._tail, self._verdict = None, manifest.verdict
        about_it = about(self._folder, manifest)
        self._board.show(about=about_it, state="stored", run=snapshot(run), verdict=verdict_of(manifest), quiet_s=0)


def about(folder: RunFolder, manifest: Manifest) -> dict[str, Any]:
    """What a stored run says of itself."""
    targets = manifest.targets or [manifest.target]
    report = folder.report_html
    return {
        "title": manifest.scenario_name,
        "target": ", ".join(dict.fromkeys(each.url or each.name or "-" for each in targets)),
        "model": ", ".join(dict.fromkeys(each.model for each in targets if each.model)),
        "folder": str(folder.root.resolve()),
        "report": str(report.resolve()),
        "report_page": "report" if report.exists() else None,
        "graceful_s": 0,
        "opened_at": manifest.started_at.timestamp(),
    }


def _report(folder: RunFolder) -> bytes | None:
    return folder.report_html.read_bytes() if folder.report_html.exists() else None
