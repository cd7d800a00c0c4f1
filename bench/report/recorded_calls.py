"""The calls of a run that were kept as sound.

In: a stored run. Out: a `Recorded` for each file that is there, the slowest first.
Trap: a recording may have been deleted or moved by hand; what is listed is what lies in the folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.measure.outcome import ANSWERED
from bench.store.reader import Run

_NAME = re.compile(r"call-(\d+)\.wav")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recording; `slow_ms` is the slowest first audible of the call, infinite where a turn had no answer."""

    path: Path
    session_index: int
    session_id: str
    slow_ms: float


def recorded_calls(run: Run) -> list[Recorded]:
    """Every recording that belongs to a call of the run."""
    files = {
        int(match.group(1)): path
        for path in sorted(run.folder.recorded_calls.glob("*.wav"))
        if (match := _NAME.fullmatch(path.name))
    }
    if not files:
        return []
    calls = dict(zip(run.sessions["session_index"], run.sessions["session_id"], strict=True))
    turns = run.turns[run.turns["session_index"].isin(list(files))]
    waits = turns["first_audible_ms"].to_numpy(dtype=np.float64, na_value=np.inf)
    waits = np.where(turns["status"].isin(ANSWERED).to_numpy(dtype=np.bool_), waits, np.inf)
    slowest: dict[int, float] = {}
    for index, wait in zip(turns["session_index"], waits, strict=True):
        slowest[int(index)] = max(slowest.get(int(index), -1.0), float(wait))
    found = [
        Recorded(path, index, str(calls[index]), slowest.get(index, -1.0))
        for index, path in files.items()
        if index in calls
    ]
    return sorted(found, key=lambda each: (-each.slow_ms, each.session_index))
