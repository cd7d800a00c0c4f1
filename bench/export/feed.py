"""The run's side of the export: starts the process that exports, and tells it how the run stands.

In: `Progress` a few times a second. Out: one short line of JSON a second to the other process, which reads the rows
from the spool by itself; and what it has to say to the reader. Trap: this runs in the loop that paces audio. It never
waits for the other process, and an exporter that ends does not end the run.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from bench.errors import BenchError, why
from bench.export.asked import Address, Asked
from bench.export.moment import moment_of
from bench.load.progress import Progress
from bench.load.spec import RunSpec
from bench.load.watchers import Watcher
from bench.run.side_process import SideProcess

EVERY_S = 1.0
FLUSH_TIMEOUT_S = 30.0
"""How long the end of a run waits for what is still to be sent."""


class Exports:
    """The exports of one run; leaving the context sends what is left, and then says what could not be sent."""

    def __init__(self, asked: Asked, console: Console) -> None:
        self._asked, self._console = asked, console
        self._process: SideProcess | None = None
        self._lost = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is None:
            return
        if self._asked.linger_s and error is None:
            self._say(f"/metrics is served for {self._asked.linger_s:g} s more")
        self._process.no_more_words()
        wait_s = FLUSH_TIMEOUT_S + self._asked.linger_s
        killed = True
        try:
            for said in self._process.answers(wait_s):
                self._hear(said)
            killed = self._process.kill(after_s=2.0)
        finally:
            if killed:
                self._process.kill()
        if killed and not self._lost:
            self._say(f"the export did not end within {wait_s:g} s: its last part may be missing")

    def open(self, spec: RunSpec) -> Feed:
        """The watcher of the run `spec`; the address of `/metrics` is printed once it is served."""
        hello = {"root": str(spec.folder.root.resolve()), **self._asked.for_process()}
        with ExitStack() as stack:
            fds = []
            if self._asked.prometheus is not None:
                listener = stack.enter_context(listen(self._asked.prometheus))
                fds.append(listener.fileno())
                self._say(f"metrics: {url_of(self._asked.prometheus, listener.getsockname()[1])}")
                if not self._asked.prometheus.local:
                    self._say("others can reach this address, without a token and unencrypted")
            self._process = SideProcess("bench.export.exporter", hello, fds=fds, what="the export")
        return Feed(self, self._process, spec)

    def listen_to_it(self) -> None:
        """Print what the exporter has to say; once, when it is gone."""
        if self._process is None or self._lost:
            return
        for said in self._process.heard():
            self._hear(said)
        if self._process.ended():
            self._lost = True
            self._say("the process of the export has ended: nothing more is exported, and the run goes on")

    def _hear(self, said: dict[str, Any]) -> None:
        if "note" in said:
            self._say(str(said["note"]))

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Feed(Watcher):
    """Tells the process of the export."""

    def __init__(self, exports: Exports, process: SideProcess, spec: RunSpec) -> None:
        self._exports, self._process = exports, process
        self._budget = spec.scenario.budget
        self._next_s = 0.0
        self._latest: Progress | None = None

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def progress(self, progress: Progress) -> None:
        self._latest = progress
        if progress.elapsed_s >= self._next_s:
            self._next_s = progress.elapsed_s + EVERY_S
            self._exports.listen_to_it()
            self._process.say(moment=moment_of(progress, self._budget))

    def close(self) -> None:
        """The last call has ended: the last rows are in the spool, which is about to become tables."""
        if self._latest is not None:
            self._process.say(moment=moment_of(self._latest, self._budget))
        self._process.say(over=True)


def listen(address: Address) -> socket.socket:
    """A listening socket at `address`. Raises `BenchError` when it cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise BenchError(
            f"metrics cannot be served on {address.host}, port {address.port}: {why(error)}",
            hint="name another with --prometheus HOST:PORT (port 0 takes a free one); HOST must be an address of this "
            "machine",
        ) from error


def url_of(address: Address, port: int) -> str:
    """What Prometheus is to scrape."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address.host, address.host)
    return f"http://{f'[{host}]' if ':' in host and '[' not in host else host}:{port}/metrics"
