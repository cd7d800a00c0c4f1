"""Calibrations of this host: what `bench calibrate` measured, kept outside any run so that every report can cite it.

In: a finished calibration; out: the newest one for a host. They are kept in `$BENCH_HOME/calibration` (default
`~/.local/share/realtime-voice-bench/calibration`), one JSON file each. Trap: a calibration of another machine, or of
another kernel or CPU, says nothing here and is not found.
"""

from __future__ import annotations

import errno
import os
from datetime import datetime
from pathlib import Path

from pydantic import Field, ValidationError

from bench.errors import BenchError
from bench.store.certificate import Spread, StoredPart
from bench.store.environment import Host
from bench.store.folder import file_part, write_atomic

SCHEMA_VERSION = 1


class Level(StoredPart):
    """One number of simultaneous calls: how wrong each metric was and what it cost."""

    calls: int
    turns: int
    turns_unmatched: int = 0
    """Turns that the truth log does not know; any makes the level fail."""
    errors: dict[str, Spread]
    """Metric name -> |measured - true|."""
    frame_late: Spread
    recv_lag: Spread
    client_cpu: dict[str, float]
    """Worker name -> share of one core while it ran."""
    server_cpu: dict[str, float]
    """Truth server process -> share of one core while it ran."""
    rss_per_call_bytes: float | None = None
    client_late_turns: int = 0
    ok: bool
    reasons: list[str] = Field(default_factory=list)
    """Why the level did not pass, or what limited it (the server's own share of the cores included)."""


class Calibration(StoredPart):
    """The harness's own measurement error on one machine, by number of simultaneous calls."""

    schema_version: int = SCHEMA_VERSION
    created_at: datetime
    bench_version: str
    host: Host
    transport: str
    nagle: bool = False
    """The server gathered small messages."""
    frame_ms: int
    workers: int
    burner_ms: float = 0.0
    """Length of the CPU bursts of a deliberately misbehaving greenlet in each worker; 0 for none."""
    error_bound_ms: float
    late_bound_ms: float
    levels: list[Level]
    highest_level: int | None
    """The most calls whose level passed; None when none did."""


def calibration_home() -> Path:
    """Where calibrations are kept."""
    home = os.environ.get("BENCH_HOME")
    base = Path(home) if home else Path.home() / ".local" / "share" / "realtime-voice-bench"
    return base / "calibration"


def writable_home() -> Path:
    """Where calibrations are kept, made if need be. Raises `BenchError` when nothing can be kept there."""
    try:
        folder = calibration_home()
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    except (OSError, RuntimeError) as error:
        raise BenchError(
            f"the calibration cannot be kept: {error}",
            hint="set BENCH_HOME to a folder that this user may write",
        ) from error
    return folder


def write_calibration(calibration: Calibration) -> Path:
    """Keep `calibration`; the path of its file. Raises as `writable_home` does."""
    folder = writable_home()
    stamp = calibration.created_at.strftime("%Y%m%dT%H%M%SZ")
    path = folder / f"{file_part(calibration.host.hostname or 'host')}-{stamp}.json"
    write_atomic(path, calibration.model_dump_json(indent=2) + "\n")
    return path


def newest_calibration(host: Host) -> Calibration | None:
    """The latest calibration made on `host` (same name, CPU and kernel) without a burner, or None.

    It is optional: a home folder that may not be read, or that nobody knows, is one without calibrations.
    """
    found: list[Calibration] = []
    try:
        paths = sorted(calibration_home().iterdir())
    except (OSError, RuntimeError):
        return None
    for path in paths:
        if path.suffix != ".json":
            continue
        try:
            candidate = Calibration.model_validate_json(path.read_bytes())
        except (ValidationError, OSError):
            continue  # a file of a newer version, or half a copy, is not this host's calibration
        if not candidate.burner_ms and _same(candidate.host, host):
            found.append(candidate)
    return max(found, key=lambda calibration: calibration.created_at, default=None)


def _same(one: Host, other: Host) -> bool:
    return (one.hostname, one.cpu_model, one.cores, one.kernel) == (
        other.hostname,
        other.cpu_model,
        other.cores,
        other.kernel,
    )
