"""The options of a server, the line that it prints when it listens, and how a parent process starts one.

A parent writes the options as one line of JSON to the child's standard input and keeps that pipe open: the server
stops when it closes, so a parent that was killed leaves no server behind.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

LISTENING_PREFIX = "listening on "
REALTIME_PATH = "/v1/realtime"
ENGINES = ("local", "simulated", "cascade")
COMMAND = (sys.executable, "-m", "bench.server")


class ServeOptions(BaseModel):
    """Options of one server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = 8765
    """0 takes any free port; the printed line says which."""
    dialect: str = "openai"
    """The wire protocol that it speaks: one of `bench.server.protocol.shapes`, or its `HTTP`."""
    engine: str = "local"
    profile: Path | None = None
    """A file of settings; only for the engine `simulated`."""
    config: Path | None = None
    """A file that describes the services; only for the engine `cascade`."""
    cascade: dict[str, Any] | None = None
    """The same as data, in the place of a file (`bench.scenario.cascade.CascadeConfig`)."""
    base: Path | None = None
    """The folder that `file:` secrets of `cascade` are relative to."""
    api_key: str | None = None
    """The key that callers must show; None lets everyone in."""
    workers: int | None = None
    """Processes for CPU-bound work; None is one less than the cores, at least one."""
    session_lifetime_s: int = 3600
    truth_log: Path | None = None
    """A file for what was heard and sent, and when; with several processes one for each."""
    nagle: bool = False
    """Gather small messages (Nagle's algorithm), as servers do that never switched it off."""
    processes: int = 1
    """Server processes on one port; only for the engine `simulated`."""
    tokens_per_minute: int | None = None
    """In the place of the profile's own limit, as the next two; only for the engine `simulated`."""
    requests_per_minute: int | None = None
    max_sessions: int | None = None
    shared_key: str | None = None
    """Of several processes: what they sign client secrets with, so that each takes those of the others."""
    process: int | None = None
    """Which of them this one is; None: the first, which starts the others."""
    tls_cert: Path | None = None
    """A certificate chain in PEM: serve `wss`."""
    tls_key: Path | None = None
    """Its key, where that is not in the same file."""

    def line(self) -> str:
        """The options as a child process reads them."""
        return self.model_dump_json(exclude_defaults=True) + "\n"


def start_server(options: ServeOptions, **popen: Any) -> subprocess.Popen[str]:
    """A server in a process of its own: its standard output says where it listens; closing its input stops it."""
    process = subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1, **popen
    )
    assert process.stdin is not None
    process.stdin.write(options.line())
    process.stdin.flush()
    return process


def listening_line(host: str, port: int, *, tls: bool = False, path: str = REALTIME_PATH, http: bool = False) -> str:
    """The one line on standard output that tells a parent process the address."""
    shown = f"[{host}]" if ":" in host else host
    return f"{LISTENING_PREFIX}{'http' if http else 'ws'}{'s' if tls else ''}://{shown}:{port}{path}"
