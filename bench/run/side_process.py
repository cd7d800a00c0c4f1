"""A process beside a run, which is told how the run stands and may say sentences for the reader.

In: the module to start, open files that it is to have, words. Out: lines of JSON, one a word, both ways. Trap: the
side of the run is in the loop that paces audio, so it never waits: what the socket does not take is kept, and beyond a
bound it is dropped.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import orjson

from bench.errors import BenchError

START_TIMEOUT_S = 30.0
FLUSH_TIMEOUT_S = 1.0
MOST_WAITING = 256 * 1024
"""Bytes of lines that were not taken yet; further ones are dropped."""


class SideProcess:
    """`python -m MODULE SOCKET FD...`, which says one line when it is ready.

    Raises `BenchError` when it does not start.
    """

    def __init__(
        self, module: str, hello: dict[str, Any], *, fds: Sequence[int] = (), what: str, hint: str | None = None
    ) -> None:
        """`hello`: its first line; `what` and `hint`: for the error of a process that does not start."""
        self._waiting = bytearray()
        self._heard = bytearray()
        self._socket, theirs = socket.socketpair()
        with theirs:
            given = (theirs.fileno(), *fds)
            # A session of its own: Ctrl-C is for the run.
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *map(str, given)],
                pass_fds=given,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.say(**hello)
        if next(self.answers(START_TIMEOUT_S), None) is None:
            self.kill()
            raise BenchError(f"the process of {what} did not start: see above", hint=hint)
        self._socket.setblocking(False)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def say(self, **words: Any) -> None:
        """Tell it; dropped when it has not listened for long."""
        if len(self._waiting) < MOST_WAITING:
            self._waiting += orjson.dumps(words) + b"\n"
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            self._send()

    def heard(self) -> Iterator[dict[str, Any]]:
        """What it has said by now, without waiting."""
        with suppress(BlockingIOError, ConnectionResetError):
            while part := self._socket.recv(65_536):
                self._heard += part
        yield from self._lines()

    def answers(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        """What it says until it closes the line, or until the time has passed."""
        deadline = time.monotonic() + timeout_s
        while True:
            yield from self._lines()
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                part = self._socket.recv(65_536)
            except OSError:
                return
            if not part:
                return
            self._heard += part

    def flush(self) -> None:
        """Wait a moment for it to take what still waits; not while audio is paced."""
        self._socket.settimeout(FLUSH_TIMEOUT_S)
        with suppress(OSError):
            self._send()
        self._socket.setblocking(False)

    def no_more_words(self) -> None:
        """Close our half of the line, after what still waits: it may finish and answer."""
        self.flush()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def kill(self, after_s: float = 0.0) -> bool:
        """Close the line and end the process if it does not end by itself; whether it had to be ended."""
        self._socket.close()
        try:
            self._process.wait(after_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
            return True
        return False

    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    def _send(self) -> None:
        while self._waiting:
            del self._waiting[: self._socket.send(self._waiting)]

    def _lines(self) -> Iterator[dict[str, Any]]:
        while b"\n" in self._heard:
            line, _, rest = self._heard.partition(b"\n")
            self._heard = rest
            yield orjson.loads(line)
