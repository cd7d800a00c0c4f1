"""What the server can be told, and the line by which it says where it listens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LISTENING_PREFIX = "listening on "
REALTIME_PATH = "/v1/realtime"
ENGINES = ("local", "simulated")


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of one server."""

    host: str = "127.0.0.1"
    port: int = 8765
    """0 takes any free port; the printed line says which."""
    engine: str = "local"
    profile: str | None = None
    """A file of settings for engines that take one."""
    api_key: str | None = None
    """The key that callers must show; None lets everyone in."""
    workers: int | None = None
    """Processes for CPU-bound work; None is one less than the cores, at least one."""
    exit_with_stdin: bool = False
    """Stop when standard input ends, so that a parent that was killed leaves no server behind."""
    session_lifetime_s: int = 3600
    truth_log: Path | None = None
    """A file for what was heard and sent, and when; with several processes one for each."""
    processes: int = 1
    """Server processes on one port; only for the engine `simulated`."""
    process: int = 0
    """Which of them this one is."""
    shared_port: bool = False
    """Other processes listen on the same port."""
    tls_cert: Path | None = None
    """A certificate chain in PEM: serve `wss`; only for the engine `simulated`."""
    tls_key: Path | None = None
    """Its key, where that is not in the same file."""


def listening_line(host: str, port: int, *, tls: bool = False) -> str:
    """The one line on standard output that tells a parent process the address."""
    shown = f"[{host}]" if ":" in host else host
    return f"{LISTENING_PREFIX}{'wss' if tls else 'ws'}://{shown}:{port}{REALTIME_PATH}"
