"""Runs as processes of their own, and what they have written so far."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.warm import CALLING, WarmRun


def start(*words: str | Path, **variables: str) -> subprocess.Popen[str] | WarmRun:
    """`bench` with these words, which goes on meanwhile; forked where it makes calls."""
    if words[0] in CALLING:
        return WarmRun(list(map(str, words)), **variables)
    command = [sys.executable, "-m", "bench", *map(str, words)]
    env = {**os.environ, **variables}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def wait_for(path: Path, at_least: int, timeout_s: float = 40) -> None:
    """Until the files below `path` hold `at_least` turn rows."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        rows = sum(len(file.read_bytes().splitlines()) for file in path.glob("spool/*-turns.jsonl"))
        if rows >= at_least:
            return
        time.sleep(0.1)
    raise AssertionError(f"fewer than {at_least} rows in {timeout_s} s")


def rows_on_disk(path: Path) -> set[tuple[Any, ...]]:
    """Identity of every whole turn row in the spool."""
    found = set()
    for file in path.glob("spool/*-turns.jsonl"):
        for line in file.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n"):
                row = json.loads(line)
                found.add((row["session_id"], row["turn"]))
    return found


LOAD = ["--set", "load.callers=8", "--set", "load.sessions=24"]


def start_master(scenario: Path, url: str, out: Path, port: int) -> subprocess.Popen[str] | WarmRun:
    """A run that waits for two workers of other machines."""
    where = ("--expect-workers", "2", "--bind", f"127.0.0.1:{port}")
    return start("run", scenario, "--url", url, "--out", out, *LOAD, "--master", *where)
