"""Errors that reach a user: what happened, what to do next, and the exit code of `bench`.

Every error a user can cause is a `BenchError`; anything else that escapes is a bug and shows its traceback.
"""

from __future__ import annotations

import os
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of `bench`; scripts rely on the numbers, so one that is free now keeps its meaning."""

    PASS = 0
    THRESHOLD_FAILED = 1
    USAGE = 2
    NO_DATA = 3
    INVALID_GENERATOR = 4
    INCOMPLETE = 5
    BUDGET = 6
    REGRESSION = 7
    UNREACHABLE = 8
    BUG = 70
    INTERRUPTED = 130


def why(error: OSError) -> str:
    """What the system says of `error`, without the words that Python puts around it."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)


class BenchError(Exception):
    """A failure to be shown as a sentence, never as a traceback.

    `hint` is the next step for the reader; `exit_code` becomes the exit status of the command.
    """

    def __init__(self, message: str, *, hint: str | None = None, exit_code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code
