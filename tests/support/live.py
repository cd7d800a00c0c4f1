"""A run with its live page, as a user starts it."""

from __future__ import annotations

import json
import select
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.runs import start
from tests.support.warm import WarmRun

ENDLESS = ["--set", "load.callers=2", "--set", "load.sessions=null", "--set", "load.duration=90s"]
PREFIX = "live page: "


@contextmanager
def started(*words: str | Path) -> Iterator[tuple[subprocess.Popen[str] | WarmRun, str]]:
    """`bench` with these words, and the address of its page; ended here if it does not end itself."""
    process = start(*words)
    try:
        yield process, _address(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def live_run(*words: str | Path) -> Any:
    return started("run", *words, "--live", "--live-port", "0")


def _address(process: subprocess.Popen[str] | WarmRun) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 40)[0], "it says nothing"
    line = process.stdout.readline()
    assert line.startswith(f"{PREFIX}http://127.0.0.1:"), line + process.stdout.read()
    return line.removeprefix(PREFIX).strip()


def at(page: str, path: str) -> str:
    """The address of `path` beside the page, with its token."""
    parts = urllib.parse.urlsplit(page)
    return parts._replace(path=path).geturl()


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Status and body, also of a refusal."""
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def shown_when(page: str, true_of: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """What the page shows, once `true_of` it."""
    deadline = time.monotonic() + 40
    shown: dict[str, Any] = {}
    while time.monotonic() < deadline:
        shown = json.loads(ask(at(page, "/state"))[1])
        if true_of(shown):
            return shown
        time.sleep(0.2)
    raise AssertionError(f"not seen in 40 s; at last: {shown}")


def states(page: str) -> list[dict[str, Any]]:
    """Every state that the page is sent until its events end."""
    with urllib.request.urlopen(at(page, "/events"), timeout=60) as stream:
        lines = stream.read().decode().splitlines()
    assert "event: end" in lines
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith('data: {"')]
