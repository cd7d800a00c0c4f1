"""Recordings of calls on disk: written in a thread when a call is over, and only the slowest kept where that is asked.

In: the sound of a call and how long its replies took. Out: stereo WAV files, and what writing them cost.
Trap: a recording that cannot be written costs no row and ends no call; it is counted and told.
"""

from __future__ import annotations

import heapq
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

import soundfile

from bench.measure.outcome import ANSWERED
from bench.measure.records import TurnRecord
from bench.session.tape import CallSound


def slowness(rows: Sequence[TurnRecord]) -> float:
    """The slowest first audible of a call, ms; infinite for a turn without an answer, -1 for a call without turns."""
    waits = [
        math.inf if row.status not in ANSWERED or row.first_audible_ms is None else row.first_audible_ms for row in rows
    ]
    return max(waits, default=-1.0)


class Tapes:
    """The recordings of one worker, all made in the thread of its writer."""

    def __init__(self, folder: Path, slowest: int | None) -> None:
        """`slowest`: keep so many; None: all that are written."""
        self._folder = folder
        self._slowest = slowest
        self._kept: list[tuple[float, str]] = []
        self.written = 0
        self.failed: list[str] = []
        self.seconds = 0.0
        """What rendering and writing took."""

    def keep(self, name: str, sound: CallSound, slow: float) -> None:
        """Write `sound` to `name`.wav, unless there are enough slower ones."""
        if self._slowest is not None and len(self._kept) >= self._slowest and (slow, name) <= self._kept[0]:
            return
        began_s = time.perf_counter()
        try:
            self._write(self._folder / f"{name}.wav", sound)
        except Exception as error:
            self.failed.append(f"{type(error).__name__}: {error}")
            return
        finally:
            self.seconds += time.perf_counter() - began_s
        self.written += 1
        if self._slowest is not None:
            heapq.heappush(self._kept, (slow, name))
            if len(self._kept) > self._slowest:
                _, faster = heapq.heappop(self._kept)
                (self._folder / f"{faster}.wav").unlink(missing_ok=True)

    def _write(self, path: Path, sound: CallSound) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        try:
            soundfile.write(part, sound.render(), sound.rate_hz, subtype="PCM_16", format="WAV")
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    @property
    def told(self) -> tuple[int, float, int, str | None]:
        """Recordings written, seconds that took, recordings that failed, and why the last one did."""
        return self.written, self.seconds, len(self.failed), self.failed[-1] if self.failed else None


def tape_notes(failed: int, why: str | None) -> list[str]:
    """Recordings that are missing, for the reader."""
    return [f"{failed:,} recordings could not be written ({why})"] if failed else []
