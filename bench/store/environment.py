"""Where a run took place: Python, libraries, git commit and machine, for the manifest.

In: nothing but the machine itself. Out: `GitState` and `Host`.
Trap: each fact may be unavailable (no git, no /proc); it is then null, and the run goes on.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import psutil

from bench.store.certificate import StoredPart

LIBRARIES = (
    "locust",
    "gevent",
    "websockets",
    "numpy",
    "pandas",
    "pyarrow",
    "jiwer",
    "whisper-normalizer",
    "soxr",
    "pydantic",
)
_GIT_TIMEOUT_S = 5.0


class GitState(StoredPart):
    """The commit of the working directory; `dirty` when tracked files differed from it."""

    commit: str
    dirty: bool


class Host(StoredPart):
    """The machine that placed the calls."""

    hostname: str | None = None
    platform: str | None = None
    kernel: str | None = None
    cpu_model: str | None = None
    cores: int | None = None
    memory_bytes: int | None = None


def library_versions(names: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """Installed versions of the libraries that numbers depend on; one that is not installed is left out."""
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def git_state(folder: Path) -> GitState | None:
    """The commit of the work tree that `folder` is in, and whether tracked files differ; None outside of one."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    if not commit or changes is None:
        return None
    return GitState(commit=commit.strip(), dirty=bool(changes.strip()))


def host_facts() -> Host:
    """This machine: processor, cores that this process may use, memory, kernel, platform."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Host(
        hostname=platform.node() or None,
        platform=platform.platform(),
        kernel=platform.release() or None,
        cpu_model=_cpu_model(),
        cores=cores,
        memory_bytes=psutil.virtual_memory().total,
    )


def _cpu_model() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in {"model name", "Model", "Hardware"} and value.strip():
                return value.strip()
    except OSError:
        return platform.processor() or None
    return platform.processor() or None


def _git(folder: Path, *arguments: str) -> str | None:
    program = shutil.which("git")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *arguments],
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
