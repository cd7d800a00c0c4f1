"""Two voices on one clock, sample by sample."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.audio.stereo import Piece, stereo

RATE = 8_000
MS = 1_000_000


def tone(length: int, value: int = 100) -> np.ndarray:
    return np.full(length, value, np.int16)


def test_each_voice_is_at_its_moment_on_its_side() -> None:
    caller, agent = [Piece(1_010 * MS, tone(80))], [Piece(1_030 * MS, tone(40, 7))]
    both = stereo(caller, agent, begin_ns=1_000 * MS, end_ns=1_050 * MS, rate_hz=RATE)
    assert both.shape == (400, 2)
    left, right = both[:, 0], both[:, 1]
    assert (np.flatnonzero(left)[[0, -1]] == [80, 159]).all()
    assert (np.flatnonzero(right)[[0, -1]] == [240, 279]).all()
    assert set(right[240:280]) == {7}


def test_what_overlaps_is_added_and_never_wraps_round() -> None:
    loud = [Piece(0, tone(10, 30_000)), Piece(0, tone(5, 30_000))]
    left = stereo(loud, [], begin_ns=0, end_ns=10 * MS, rate_hz=RATE)[:, 0]
    assert left[:10].tolist() == [32_767] * 5 + [30_000] * 5


def test_what_lies_outside_is_cut_and_not_moved() -> None:
    pieces = [Piece(-5 * MS, np.arange(1, 81, dtype=np.int16)), Piece(8 * MS, tone(80))]
    left = stereo(pieces, [], begin_ns=0, end_ns=10 * MS, rate_hz=RATE)[:, 0]
    assert left[0] == 41
    assert (left[64:] == 100).all()
    assert len(left) == 80
    assert stereo(pieces, [], begin_ns=5, end_ns=0, rate_hz=RATE).shape == (0, 2)


@given(st.lists(st.tuples(st.integers(-2_000, 2_000), st.integers(0, 300)), max_size=6))
def test_any_pieces_fit(places: list[tuple[int, int]]) -> None:
    pieces = [Piece(at_ms * MS, tone(length, 1)) for at_ms, length in places]
    left = stereo(pieces, [], begin_ns=0, end_ns=100 * MS, rate_hz=RATE)[:, 0]
    inside = sum(
        max(0, min(800, at_ms * 8 + length) - max(0, at_ms * 8)) for at_ms, length in places if at_ms * 8 + length > 0
    )
    assert int(left.sum()) == inside
