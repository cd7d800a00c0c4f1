"""Which rows a statistic covers: the stored tables as arrays, with their masks, made once per report.

In: a stored `Run`. Out: a `View`: numpy columns and the masks that every section shares.
Trap: `measured` leaves out warm-up turns and turns that our own lateness or limits spoiled; `answered` is the part of
it that got a reply. Whatever is measured and not answered stays in every denominator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.measure.outcome import ANSWERED, GIVES_UP_MS, MAY_GIVE_UP
from bench.report.stats import Codes, Floats
from bench.store.reader import Run

Mask = NDArray[np.bool_]
OWN = "harness"
LOAD_BINS = 12
"""Ranges of open calls in a chart or table."""
"""`error_kind` of what failed by a limit or a mistake of this side."""


class Columns(dict[str, Floats]):
    """The numeric columns of a table as float64, NaN where null; each is converted when it is first asked for.

    `prefix` is what all of their names begin with in the table.
    """

    def __init__(self, frame: pd.DataFrame, prefix: str = "") -> None:
        self._frame = frame
        self._prefix = prefix

    def __missing__(self, name: str) -> Floats:
        self[name] = floats(self._frame, self._prefix + name)
        return self[name]


@dataclass(frozen=True, slots=True)
class View:
    """A run as the statistics see it; all arrays are aligned with the rows of their table."""

    run: Run
    turn: Columns
    call: Columns
    warmup: Mask
    late: Mask
    measured: Mask
    answered: Mask
    calls_of_turns: Codes
    """A code per turn: which call it belongs to."""
    calls_warmup: Mask
    calls_measured: Mask
    own_turns: Mask
    """Turns, and below calls, after warm-up that the harness itself failed: they say nothing of the target."""
    own_calls: Mask
    calls_timed: Mask
    """Calls whose waits count: those whose coming up fell into no gap of our own process."""
    calls_ready: Mask
    """Calls that the server configured and acknowledged, warm-up too."""

    @property
    def turns(self) -> pd.DataFrame:
        return self.run.turns

    @property
    def sessions(self) -> pd.DataFrame:
        return self.run.sessions

    @property
    def origin_s(self) -> float:
        """Wall-clock seconds at which the run began: time zero of its charts."""
        return self.run.manifest.started_at.timestamp()


def view_of(run: Run) -> View:
    """The masks of `run`."""
    warmup, late = truth(run.turns, "warmup"), truth(run.turns, "client_late")
    own_turns, own_calls = equals(run.turns, "error_kind", OWN), equals(run.sessions, "error_kind", OWN)
    call = Columns(run.sessions)
    own_calls = own_calls | _given_up(run.sessions, call)
    measured = ~warmup & ~late & ~own_turns
    answered = measured & run.turns["status"].isin(ANSWERED).to_numpy(dtype=np.bool_)
    calls_warmup = truth(run.sessions, "warmup")
    return View(
        run=run,
        turn=Columns(run.turns),
        call=call,
        warmup=warmup,
        late=late,
        measured=measured,
        answered=answered,
        calls_of_turns=codes_of(run.turns["session_id"])[0],
        calls_warmup=calls_warmup,
        calls_measured=~calls_warmup & ~own_calls,
        own_turns=own_turns & ~warmup,
        own_calls=own_calls & ~calls_warmup,
        calls_timed=~calls_warmup & ~own_calls & np.isnan(call["gap_ms"]),
        calls_ready=~np.isnan(call["session_ready_ms"]),
    )


def _given_up(sessions: pd.DataFrame, call: Columns) -> Mask:
    """As `bench.measure.outcome.was_given_up`, for all calls."""
    named = ~sessions["error_kind"].isin(MAY_GIVE_UP).to_numpy(dtype=np.bool_) | ~np.isnan(call["http_status"])
    return equals(sessions, "status", "failed") & ~named & (np.nan_to_num(call["gap_ms"]) >= GIVES_UP_MS)


def floats(frame: pd.DataFrame, name: str) -> Floats:
    """A numeric column as float64, NaN where it is null."""
    values: Floats = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def truth(frame: pd.DataFrame, name: str) -> Mask:
    """A boolean column; null counts as false."""
    values: Mask = frame[name].to_numpy(dtype=np.bool_, na_value=False)
    return values


def equals(frame: pd.DataFrame, name: str, value: str) -> Mask:
    """Where a text column is `value`; null is not."""
    values: Mask = (frame[name] == value).to_numpy(dtype=np.bool_, na_value=False)
    return values


def codes_of(column: pd.Series) -> tuple[Codes, list[str]]:
    """Each row's category as a code, and the categories by code; null is a category of its own, shown as "-"."""
    codes, names = pd.factorize(column, use_na_sentinel=False)
    return np.asarray(codes, dtype=np.intp), ["-" if pd.isna(name) else str(name) for name in names]


def load_bins(open_calls: Floats) -> tuple[int, int, int]:
    """Lowest and highest number of calls that were open, and the width of the at most `LOAD_BINS` ranges between."""
    low, high = int(open_calls.min()), int(open_calls.max())
    return low, high, max(1, -(-(high - low + 1) // LOAD_BINS))


def counts(column: pd.Series) -> dict[str, int]:
    """How many rows there are of each value, most frequent first."""
    found = column.value_counts()
    return {str(name): int(count) for name, count in sorted(found.items(), key=lambda item: (-item[1], str(item[0])))}


def total(values: Floats) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = values[~np.isnan(values)]
    return float(known.sum()) if len(known) else None


def text(value: Any) -> str | None:
    """A cell as text, None when null."""
    return None if pd.isna(value) else str(value)
