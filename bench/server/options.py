"""What the server can be told, and the line by which it says where it listens."""

from __future__ import annotations

from dataclasses import dataclass

LISTENING_PREFIX = "listening on "
REALTIME_PATH = "/v1/realtime"
ENGINES = ("local",)


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Options of one server process."""

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


def listening_line(host: str, port: int) -> str:
    """The one line on standard output that tells a parent process the address."""
    shown = f"[{host}]" if ":" in host else host
    return f"{LISTENING_PREFIX}ws://{shown}:{port}{REALTIME_PATH}"
