"""Two voices on one clock, as a recording in stereo: the caller on the left, the agent, as it was heard, on the right.

In: pieces of sound, each with the moment of its first sample. Out: samples of two channels. Pieces that overlap are
added. Trap: what lies before the beginning or after the end of the recording is cut, never moved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NS_PER_S = 1_000_000_000
Samples = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound whose first sample is heard at `at_ns` (monotonic)."""

    at_ns: int
    samples: Samples


def stereo(
    caller: Iterable[Piece], agent: Iterable[Piece], *, begin_ns: int, end_ns: int, rate_hz: int
) -> NDArray[np.int16]:
    """Samples of shape (n, 2) from `begin_ns` to `end_ns`."""
    n = max(0, round((end_ns - begin_ns) * rate_hz / NS_PER_S))
    both = np.zeros((n, 2), np.int16)
    for channel, pieces in enumerate((caller, agent)):
        for piece in pieces:
            _add(both[:, channel], piece.samples, round((piece.at_ns - begin_ns) * rate_hz / NS_PER_S))
    return both


def _add(track: Samples, samples: Samples, at: int) -> None:
    first, last = max(0, at), min(len(track), at + len(samples))
    if last <= first:
        return
    mixed = track[first:last].astype(np.int32) + samples[first - at : last - at]
    track[first:last] = np.clip(mixed, -32768, 32767).astype(np.int16)
