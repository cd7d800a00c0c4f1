"""What a user asked to have exported, checked before the run begins.

In: words of the command line. Out: `Asked`. Trap: a mistake must show before the first call, not after the last one.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.config.hosts import is_loopback
from bench.config.units import parse_duration
from bench.errors import BenchError
from bench.export.otlp.asked import Otlp

DEFAULT_HOST = "127.0.0.1"
SUFFIX = ".prom"
INSTALL = "pip install 'realtime-voice-bench[export]'"


@dataclass(frozen=True, slots=True)
class Address:
    """Where `/metrics` is served; port 0 takes a free one."""

    host: str
    port: int

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a run is exported to; nothing of it is asked for by default."""

    prometheus: Address | None = None
    linger_s: float = 0.0
    """How long `/metrics` is served after the report is written."""
    textfile: Path | None = None
    otlp: Otlp | None = None

    @property
    def live(self) -> bool:
        """Whether something is exported while the run goes on."""
        return self.prometheus is not None or self.otlp is not None

    def for_process(self) -> dict[str, Any]:
        """What the process of the exporter has to know, for JSON."""
        local = self.prometheus.local if self.prometheus is not None else None
        otlp = asdict(self.otlp) if self.otlp is not None else None
        return {"local": local, "linger_s": self.linger_s, "otlp": otlp}


def address_of(text: str) -> Address:
    """`9464`, `:9464`, `127.0.0.1:9464` or `[::1]:9464`; without a host, this machine alone."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]") if colon else ""
    if not port.isdecimal() or int(port) > 65535:
        raise BenchError(
            f"--prometheus '{text}': allowed: PORT or HOST:PORT, with a port from 0 to 65535",
            hint="such as --prometheus 9464, or --prometheus 0.0.0.0:9464 so that other machines can read it",
        )
    return Address(host or DEFAULT_HOST, int(port))


def linger_of(text: str | None) -> float:
    """Seconds of `--prometheus-linger`."""
    try:
        return parse_duration(text) / 1000 if text is not None else 0.0
    except ValueError as error:
        raise BenchError(f"--prometheus-linger: {error}", hint="such as --prometheus-linger 30s") from None


def textfile_of(path: Path) -> Path:
    """The file of `--prometheus-textfile`, which must be one that node_exporter reads and that can be written."""
    if path.suffix != SUFFIX:
        raise BenchError(
            f"--prometheus-textfile {path}: node_exporter reads only files that end in {SUFFIX}",
            hint=f"such as --prometheus-textfile {path.with_suffix(SUFFIX)}",
        )
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise BenchError(
            f"--prometheus-textfile {path}: the folder {path.parent} is not there or cannot be written",
            hint="make it, or name a folder that this user may write: the one that node_exporter was given as "
            "--collector.textfile.directory",
        )
    return path


def check_installed(asked: Asked) -> None:
    """Raises `BenchError` where the libraries of what was asked for are not installed."""
    wanted = {
        "--prometheus": ("prometheus_client", asked.prometheus is not None),
        "--prometheus-textfile": ("prometheus_client", asked.textfile is not None),
        "--otlp": ("opentelemetry.exporter.otlp.proto.http", asked.otlp is not None),
    }
    for option, (module, needed) in wanted.items():
        if needed and not _is_there(module):
            raise BenchError(f"{option} needs a library that is not installed: {module}", hint=f"install it: {INSTALL}")


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
