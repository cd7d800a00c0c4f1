"""The `bench` command and its server without the second or two in which a process imports its libraries.

A process of this module imports what a verb imports, in that order, and then forks a process of its own for each
command: with the arguments, environment, folder and streams of a fresh one. What depends on the start of the
interpreter (`PYTHONUTF8`, limits, terminals) is not seen this way; `processes.bench` starts a fresh process for that.
`warm_server` is to `bench.server.options.start_server` what `warm_bench` is to the command.
Trap: nothing here may start a thread or gevent's loop before it forks, and Locust patches `os.fork`.
"""

from __future__ import annotations

import atexit
import gc
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from os import close, fork, waitpid  # before Locust patches them: a patched one closes in the loop, which never runs
from pathlib import Path
from typing import Any, NoReturn

from bench.server.options import ServeOptions

ROOT = Path(__file__).resolve().parents[2]
CALLING = frozenset({"run", "calibrate"})
"""Verbs that make calls, for which Locust is imported first."""


def warm_bench(
    words: list[str], timeout_s: float, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` gives for `bench` with these words."""
    request = {"words": words, "env": dict(os.environ if env is None else env), "folder": str(cwd or os.getcwd())}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        line = _asked(_kind_of(words), request, out.fileno(), err.fileno())
        process = WarmProcess(line)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise subprocess.TimeoutExpired(words, timeout_s, *map(_text, (out, err))) from None
        return subprocess.CompletedProcess(["bench", *words], code, _text(out), _text(err))


class WarmProcess:
    """A forked process, with what its users need of `subprocess.Popen`. `line` tells its number and its exit code."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self.pid = int.from_bytes(_exactly(line, 4))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        try:
            return self.wait(0.001)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when it has ended; raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = int.from_bytes(_exactly(self._line, 4), signed=True)
            except TimeoutError:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0) from None
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing to a process that has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class WarmServer(WarmProcess):
    """A running server: it stops when `stdin` closes."""

    def __init__(self, options: ServeOptions, *, folder: Path | None = None) -> None:
        asked, told = os.pipe(), os.pipe()
        super().__init__(_asked("serving", {"folder": str(folder or os.getcwd())}, told[1], asked[0]))
        os.close(told[1])
        os.close(asked[0])
        self.stdin = os.fdopen(asked[1], "w", encoding="utf-8", buffering=1)
        self.stdout = os.fdopen(told[0], encoding="utf-8")
        self.stdin.write(options.line())


class WarmRun(WarmProcess):
    """A `bench` command that goes on meanwhile; its standard output and error come out at `stdout`."""

    def __init__(self, words: list[str], **variables: str) -> None:
        reading, writing = os.pipe()
        request = {"words": words, "env": {**os.environ, **variables}}
        super().__init__(_asked(_kind_of(words), request, writing, writing))
        os.close(writing)
        self.stdout = os.fdopen(reading, encoding="utf-8")

    def communicate(self, timeout: float) -> tuple[str, None]:
        """What it says until its end; raises `subprocess.TimeoutExpired`."""
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.append(self.stdout.read()), daemon=True)
        reader.start()
        reader.join(timeout)
        if reader.is_alive():
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        self.wait(timeout)
        self.stdout.close()
        return said[0], None


def _kind_of(words: list[str]) -> str:
    return "calling" if words[0] in CALLING else "reading"


def _asked(kind: str, request: dict[str, Any], *streams: int) -> socket.socket:
    """The line to a new process for `request`: its number comes first, its exit code last."""
    ours, theirs = socket.socketpair()
    body = json.dumps({"folder": os.getcwd(), "env": dict(os.environ), **request}).encode()
    with theirs:
        socket.send_fds(_starter(kind), [b"x"], [theirs.fileno(), *streams])
    ours.sendall(len(body).to_bytes(4) + body)
    return ours


@cache
def _starter(kind: str) -> socket.socket:
    """A process that waits for commands of a kind: `calling`, `reading`, `serving`; it ends when this one does."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm", str(theirs.fileno()), kind],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
        )

    def end() -> None:
        ours.close()
        process.wait(10)

    atexit.register(end)
    return ours


def _text(file: Any) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


def _exactly(sock: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = sock.recv(size - len(found))
        if not more:
            raise EOFError("the process of a command ended without a word")
        found += more
    return found


def _import(kind: str) -> None:
    if kind == "serving":
        import bench.server.engines.simulated.engine
        import bench.server.run
        from bench.server.engines.simulated.profile import Profile

        bench.server.engines.simulated.engine.SimulatedEngine(Profile())  # reads the shipped recordings
        return
    import bench.cli
    import bench.cli_options

    if kind == "calling":
        bench.cli_options.patch_first()
        import bench.load.worker_run
        import bench.transport.websocket
        import bench.workers.master

    import pyarrow.dataset  # noqa: F401  # else with the first table that is read

    import bench.audio.catalogue
    import bench.audio.evidence
    import bench.measure.wer
    import bench.pricing.book
    import bench.report.html
    import bench.report.render
    import bench.report.terminal
    import bench.run.lifecycle
    import bench.run.recompute
    import bench.run.screen
    from bench.dialects import dialect_names, dialect_of

    for name in dialect_names():
        dialect_of(name)
    bench.measure.wer.prepare()
    bench.audio.catalogue.load_catalogue(bench.audio.catalogue.shipped_catalogue())
    bench.audio.catalogue.load_catalogue(bench.audio.catalogue.shipped_sounds())
    inspect.stack()  # Locust asks for it in each run: the first time reads the names of all modules
    bench.pricing.book.default_books()
    templates = bench.report.html.environment()
    for name in templates.list_templates():
        templates.get_template(name)


def _wait_for_commands(control: socket.socket) -> dict[str, Any] | None:
    """The command for which this process was forked; None in the process that waits, when nobody asks any more."""
    while True:
        word, fds, _, _ = socket.recv_fds(control, 1, 3)
        while _reaped():
            pass
        if not word:
            return None
        if fork() == 0:
            control.close()
            return _in_a_process_of_its_own(*fds)
        for fd in fds:
            close(fd)


def _reaped() -> bool:
    try:
        return waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _in_a_process_of_its_own(asked: int, *streams: int) -> dict[str, Any]:
    """Fork once more: the first process waits for the second, and tells its number and its exit code.

    `streams`: of a command its standard output and error, of a server its standard output and input.
    """
    with socket.socket(fileno=asked) as line:
        request: dict[str, Any] = json.loads(_exactly(line, int.from_bytes(_exactly(line, 4))))
        pid = fork()
        if pid:
            for fd in streams:
                close(fd)
            line.sendall(pid.to_bytes(4))
            code = os.waitstatus_to_exitcode(waitpid(pid, 0)[1])
            line.sendall(code.to_bytes(4, signed=True))
            os._exit(0)
    for fd, place in zip(streams, (1, 2) if "words" in request else (1, 0), strict=True):
        os.dup2(fd, place)
        close(fd)
    return request


def _main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    kind = sys.argv[2]
    _import(kind)
    gc.collect()
    gc.freeze()
    request = _wait_for_commands(control)
    if request is None:
        return
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    if kind == "serving":
        os.setsid()
        from bench.server.__main__ import main as serve

        _end(serve())
    # Those of this process believe that they can seek, as the null device can.
    sys.stdout = open(1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding=sys.stderr.encoding, errors=sys.stderr.errors, closefd=False)  # noqa: SIM115
    sys.argv = ["bench", *request["words"]]
    sys.path[0] = request["folder"]
    from bench.cli import main

    try:
        main()
    except SystemExit as end:
        _end(int(end.code or 0))


def _end(code: int) -> NoReturn:
    """As the interpreter ends, but for taking all modules apart, which takes longer than many a command."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _main()
