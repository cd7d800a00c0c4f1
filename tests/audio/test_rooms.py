"""Echoes of a line and of a room."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bench.audio.evidence import judge
from bench.audio.rooms import RATE_HZ as MODEL_HZ
from bench.audio.rooms import strongest_echo
from tests.support.degraded import line_echo, room
from tests.support.recordings import RATE_HZ, take


def doubts(fixture_id: str, degrade: object) -> str:
    made = take(fixture_id)
    if callable(degrade):
        degrade(made)
    return "; ".join(judge(made.pcm, RATE_HZ, made.text).doubts)


@pytest.mark.parametrize("fixture_id", ["balance-rms", pytest.param("order-status-slt", marks=pytest.mark.slow)])
@pytest.mark.parametrize("delay_ms", [60, 120, 200])
def test_an_echo_of_a_line_is_told_with_its_delay(fixture_id: str, delay_ms: int) -> None:
    found = re.search(r"once more (\d+) ms later, about (\d+) dB softer", doubts(fixture_id, line_echo(delay_ms, 12)))
    assert found
    assert int(found[1]) == pytest.approx(delay_ms, abs=1)
    assert int(found[2]) == pytest.approx(12, abs=2)


@pytest.mark.parametrize("fixture_id", ["balance-rms", "hours-friday-awb", "digits-card-kal16"])
def test_a_room_is_told(fixture_id: str) -> None:
    assert doubts(fixture_id, room(400, -3))


def test_a_dry_voice_has_no_echo() -> None:
    for fixture_id in ("balance-rms", "appointment-kal16", "hours-friday-awb", "digits-card-kal16"):
        assert "echo" not in doubts(fixture_id, None)


def test_short_and_silent_samples_have_no_echo() -> None:
    for samples in (np.zeros(0), np.zeros(100), np.zeros(2 * MODEL_HZ)):
        assert strongest_echo(samples)[1] == pytest.approx(0, abs=1e-6)
