"""Tests of small times on a machine that does something else besides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

FIRST = -18


@contextmanager
def first_in_line() -> Iterator[None]:
    """Processes that are started meanwhile get a core before others, where this user may ask for that."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, FIRST)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
