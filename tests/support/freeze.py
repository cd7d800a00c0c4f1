"""Standing still on purpose: every thread of this process, as a stopped process or a paused machine does."""

from __future__ import annotations

import ctypes


def freeze(seconds: float) -> None:
    """Hold the interpreter's lock in a C call, so that no other thread of ours can run either."""
    ctypes.PyDLL(None).usleep(round(seconds * 1e6))
