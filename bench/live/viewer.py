"""The process that serves the live page of a run: `python -m bench.live.viewer FEED LISTENER`, two open sockets.

In: lines of JSON about the run, and its rows from the spool. Out: the page over HTTP, and one line to the run for each
stop that a reader confirmed. Trap: the run must not feel it, so it runs after all others, and it counts rows anew only
after a hundred times the time that the last count took. It ends when the run closes the feed, whatever became of it.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
import orjson
from gevent.event import Event
from gevent.socket import socket as gevent_socket

from bench.errors import BenchError
from bench.live.board import Board
from bench.live.slices import Point
from bench.live.snapshot import snapshot
from bench.live.stored import ended_run_of, run_of, verdict_of
from bench.live.tail import SpoolTail
from bench.live.web import LiveServer
from bench.priority import go_as_others, go_last
from bench.store.folder import RunFolder
from bench.store.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from bench.live.talk import Talk

LEAST_PAUSE_S = 3.0
PAUSE_PER_WORK = 100
MOST_POINTS = 20_000
VERDICT_EVERY_S = 0.5
LAST_WORD_S = 0.3
"""For readers to get the last state before the address closes."""


class Viewer:
    """One run's page."""

    def __init__(self, feed: socket.socket, listener: socket.socket) -> None:
        self._feed = feed
        self._lines = feed.makefile("rb")
        hello = orjson.loads(self._lines.readline())
        self._hello = hello
        self._talk: Talk | None = None
        self._folder = RunFolder(Path(hello["root"]))
        self._tail = SpoolTail(self._folder)
        self._points: list[Point] = []
        self._over = False
        self._ended = Event()
        self._board = Board(about=hello["about"], state="waiting", stopping=0)
        self._server = LiveServer(
            listener,
            self._board,
            token=hello["token"],
            local=hello["local"],
            posts={"/stop": self._stop, "/talk/open": self._open_talk},
            reply=lambda number: None if self._talk is None else self._talk.reply(number),
        )
        self._say(ready=True)

    def serve(self) -> None:
        """Until the run closes the feed."""
        reader = gevent.spawn(self._read)
        while not self._ended.is_set():
            began = time.process_time()
            if self._board["state"] == "running":
                self._count()
            self._ended.wait(max(LEAST_PAUSE_S, PAUSE_PER_WORK * (time.process_time() - began)))
        go_as_others()  # no audio is paced any more, and the run waits for the last figures
        self._count(last=True)
        self._board.show(state="ended" if self._over else "lost")
        while not reader.ready():
            self._show_verdict()
            reader.join(VERDICT_EVERY_S)
        self._show_verdict()
        if self._talk is not None:
            self._talk.close()
        self._board.close()
        gevent.sleep(LAST_WORD_S)
        self._server.stop()

    def _say(self, **words: Any) -> None:
        self._feed.sendall(orjson.dumps(words) + b"\n")

    # what the run says

    def _read(self) -> None:
        with suppress(OSError):
            for line in self._lines:
                self._hear(orjson.loads(line))
        self._ended.set()

    def _hear(self, words: dict[str, Any]) -> None:
        moment = words.get("moment")
        if moment is not None:
            self._points.append((moment["elapsed_s"], moment["open"], moment["talking"]))
            if len(self._points) > MOST_POINTS:
                del self._points[::2]
            self._board.show(moment=moment, state="running")
        if "note" in words:
            self._board.note(words["note"])
        if "over" in words:
            self._over = True
            self._ended.set()

    # what the rows say

    def _count(self, *, last: bool = False) -> None:
        try:
            manifest = read_manifest(self._folder)
        except BenchError:
            return
        try:
            # In a thread, since a reader may be talking to the target in this one.
            pool = gevent.get_hub().threadpool
            self._board.show(run=pool.apply(self._counted, (manifest, self._board["moment"], last)))
        except Exception as error:
            self._board.note(f"the rows could not be counted: {type(error).__name__}: {error}")

    def _counted(self, manifest: Manifest, moment: dict[str, Any] | None, last: bool) -> dict[str, Any]:
        self._tail.read_on()
        rows = self._tail.tables()
        run = ended_run_of(self._folder, rows) if last else run_of(self._folder, manifest, rows)
        return snapshot(run, moment, list(self._points))

    def _show_verdict(self) -> None:
        if self._board["verdict"] is None:
            with suppress(BenchError):
                self._board.show(verdict=verdict_of(read_manifest(self._folder)))

    # what the reader wants

    def _stop(self, _environ: dict[str, Any]) -> tuple[int, str]:
        asked = self._board["stopping"]
        if self._board["state"] != "running" or asked >= 2:
            return 409, "The run is not taking calls."
        self._say(stop=True)
        self._board.show(stopping=asked + 1)
        return 202, "The run is told."

    def _open_talk(self, _environ: dict[str, Any]) -> tuple[int, str]:
        """Make ready to talk to the target: nothing of it is loaded before somebody wants to.

        A conversation is paced too, so this process runs as others do from now on.
        """
        if self._hello["talk"] is None:
            return 409, "This run has no target to talk to."
        if self._talk is None:
            from bench.live.talk import Talk
            from bench.live.talk_source import TalkSource, callee_of

            try:
                scenario = TalkSource.from_json(self._hello["talk"]).load()
                go_as_others()
                self._talk = Talk(callee_of(scenario, self._hello["embedded_url"]), self._board)
            except BenchError as error:
                return 409, f"{error.message}; {error.hint}"
            self._server.posts.update(self._talk.posts)
        return 202, "Begin a call."


def main() -> None:
    """Serve with the sockets whose numbers are the arguments."""
    feed, listener = (gevent_socket(fileno=int(number)) for number in sys.argv[1:3])
    viewer = Viewer(feed, listener)
    go_last()
    viewer.serve()


if __name__ == "__main__":
    main()
