"""A worker's folder for the recordings of one run, and the sweeping of folders that killed workers left behind.

In: nothing. Out: a temporary folder named after this process. Trap: another user's folders, and those of processes
that live, are left alone.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

PREFIX = "bench-worker-"
_NAME = re.compile(rf"{PREFIX}(\d+)-")


def new_scratch() -> tempfile.TemporaryDirectory[str]:
    """A new folder, after those of dead workers are gone."""
    sweep(Path(tempfile.gettempdir()))
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")


def sweep(root: Path) -> None:
    """Remove the folders in `root` that belong to workers of this user which no longer live."""
    for folder in root.glob(f"{PREFIX}*"):
        found = _NAME.match(folder.name)
        if found is not None and _ours(folder) and not _lives(int(found.group(1))):
            shutil.rmtree(folder, ignore_errors=True)


def _ours(folder: Path) -> bool:
    try:
        return folder.lstat().st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()
    except OSError:
        return False


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
