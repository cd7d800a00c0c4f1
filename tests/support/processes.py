"""Starting and stopping helper processes of tests, each by its own handle."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from bench.server.options import LISTENING_PREFIX, ServeOptions, start_server
from tests.support.warm import WarmServer, warm_bench

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def voice_server(**options: Any) -> Iterator[str]:
    """The independent voice server; gives its URL.

    Without options it is the one that all tests of this process share: its calls know nothing of each other. With
    options it is one of its own, which stops at the end.
    """
    if not options:
        yield _shared_voice_server()
        return
    with _server("voice_server.py", options) as url:
        yield url


@cache
def _shared_voice_server() -> str:
    server = _server("voice_server.py", {})
    url = server.__enter__()
    atexit.register(server.__exit__, None, None, None)
    return url


@contextmanager
def cued_server() -> Iterator[str]:
    """The server that says what the script named in its address tells it to; gives its URL without a script."""
    with _server("cued_server.py", {}) as url:
        yield url


@contextmanager
def simulated_server(
    profile: Path | None, *, truth_log: Path | None = None, nagle: bool = False, dialect: str = "openai"
) -> Iterator[str]:
    """The project's simulated server under `profile`; gives its URL."""
    options = ServeOptions(
        engine="simulated", profile=profile, port=0, truth_log=truth_log, nagle=nagle, dialect=dialect
    )
    server = WarmServer(options)
    try:
        line = server.stdout.readline()
        assert line.startswith(LISTENING_PREFIX), line
        yield line.removeprefix(LISTENING_PREFIX).strip()
    finally:
        stop(server)


@contextmanager
def fresh_server(**options: Any) -> Iterator[str]:
    """A server in a process that is started as a user's is, and not forked from a warm one; gives its URL."""
    server = start_server(ServeOptions(port=0, **options), cwd=ROOT)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line.startswith(LISTENING_PREFIX), line
        yield line.removeprefix(LISTENING_PREFIX).strip()
    finally:
        stop(server)


def stop(server: WarmServer | subprocess.Popen[str]) -> None:
    """End a server gently, by the end of its standard input, and at last by force."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.close()
    try:
        server.wait(timeout=15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    server.stdout.close()


@contextmanager
def _server(name: str, options: dict[str, Any]) -> Iterator[str]:
    script = ROOT / "tests" / "support" / name
    process = subprocess.Popen(
        [sys.executable, str(script), json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        word, port = process.stdout.readline().split()
        assert word == "port"
        yield f"ws://127.0.0.1:{port}/v1/realtime"
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def bench(
    *words: str | Path,
    timeout_s: float = 120,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[str]:
    """Run the `bench` command in a process of its own: with `options` of `subprocess.run` a fresh one as a user's."""
    if words and not options:
        return warm_bench(list(map(str, words)), timeout_s, env, cwd)
    command = [sys.executable, "-m", "bench", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, check=False, env=env, cwd=cwd, **options
    )
