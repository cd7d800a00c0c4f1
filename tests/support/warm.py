"""The `bench` command without the second or two in which a process imports its libraries.

A process of this module imports what a verb imports, in that order, and then forks a process of its own for each
command: with the arguments, environment, folder and streams of a fresh one. What depends on the start of the
interpreter (`PYTHONUTF8`, limits, terminals) is not seen this way; `processes.bench` starts a fresh process for that.
Trap: nothing here may start a thread or gevent's loop before it forks, and Locust patches `os.fork`.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from os import fork, waitpid  # before Locust patches them
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CALLING = frozenset({"run", "calibrate"})
"""Verbs that make calls, for which Locust is imported first."""


def warm_bench(words: list[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` gives for `bench` with these words."""
    ours, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, ours:
        request = {"words": words, "folder": os.getcwd(), "env": dict(os.environ)}
        with theirs:
            body = json.dumps(request).encode()
            socket.send_fds(_starter(words[0] in CALLING), [b"x"], [theirs.fileno(), out.fileno(), err.fileno()])
            ours.sendall(len(body).to_bytes(4) + body)
        ours.settimeout(timeout_s)
        pid = int.from_bytes(_exactly(ours, 4))
        try:
            code = int.from_bytes(_exactly(ours, 4), signed=True)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(words, timeout_s, *map(_text, (out, err))) from None
        return subprocess.CompletedProcess(["bench", *words], code, _text(out), _text(err))


@cache
def _starter(calling: bool) -> socket.socket:
    """A process that waits for commands; it ends when this one does."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.warm", str(theirs.fileno()), "calling" if calling else "reading"],
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


def _import(calling: bool) -> None:
    import bench.cli
    import bench.cli_options

    if calling:
        bench.cli_options.patch_first()
        import bench.load.worker_run
        import bench.workers.master
    import bench.report.html
    import bench.report.render
    import bench.report.terminal
    import bench.run.lifecycle
    import bench.run.recompute
    import bench.run.screen

    bench.report.html.environment().get_template("report.html.j2")


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
            os.close(fd)


def _reaped() -> bool:
    try:
        return waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _in_a_process_of_its_own(asked: int, out: int, err: int) -> dict[str, Any]:
    """Fork once more: the first process waits for the second, and tells its number and its exit code."""
    with socket.socket(fileno=asked) as line:
        request: dict[str, Any] = json.loads(_exactly(line, int.from_bytes(_exactly(line, 4))))
        pid = fork()
        if pid:
            line.sendall(pid.to_bytes(4))
            code = os.waitstatus_to_exitcode(waitpid(pid, 0)[1])
            line.sendall(code.to_bytes(4, signed=True))
            os._exit(0)
    for fd, place in ((out, 1), (err, 2)):
        os.dup2(fd, place)
        os.close(fd)
    return request


def _main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    _import(sys.argv[2] == "calling")
    gc.collect()
    gc.freeze()
    request = _wait_for_commands(control)
    if request is None:
        return
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    sys.argv = ["bench", *request["words"]]
    sys.path[0] = request["folder"]
    from bench.cli import main

    main()


if __name__ == "__main__":
    _main()
