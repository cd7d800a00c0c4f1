"""Disk space set aside for the end of a run: what lets a run on a full disk still finish its rows.

In: a run folder. Out: a file of a few megabytes that is given back when a row does not fit, or when the run ends.
"""

from __future__ import annotations

import os
import shutil

from bench.store.folder import RunFolder

RESERVE_BYTES = 8 << 20
"""Enough for the last rows, the tables and the reports of some ten thousand turns."""
_SHARE_OF_FREE = 4
"""The reserve takes at most a quarter of what is free: the rows come first."""


def take_reserve(folder: RunFolder) -> None:
    """Set space aside; without a word where the file system cannot, since a run does not depend on it."""
    size = min(RESERVE_BYTES, shutil.disk_usage(folder.root).free // _SHARE_OF_FREE)
    if size <= 0:
        return
    try:
        with folder.reserve.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, size)
    except OSError:
        release_reserve(folder)


def release_reserve(folder: RunFolder) -> bool:
    """Give the space back; whether there was any. Any process of the run may do it, more than once."""
    try:
        folder.reserve.unlink()
    except OSError:
        return False
    return True
