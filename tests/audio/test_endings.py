"""How the sound ends: fades, soft endings in noise, and what only looks like them."""

from __future__ import annotations

import numpy as np
import pytest

from bench.audio.evidence import judge
from tests.support.degraded import faded
from tests.support.recordings import RATE_HZ, Samples, Take, at, noise, noise_then_zeros, take

VOICED_ENDS = ("order-status-slt", "appointment-rms", "plan-prices-kal16", "opening-hours-awb")


def doubts(made: Take) -> str:
    return "; ".join(judge(made.pcm, RATE_HZ, made.text).doubts)


@pytest.mark.parametrize("fixture_id", ["order-status-slt", "hours-friday-awb", "appointment-kal16"])
@pytest.mark.parametrize("ms", [800, 1200])
def test_a_long_fade_into_silence_is_told(fixture_id: str, ms: float) -> None:
    made = take(fixture_id)
    faded(ms, 2)(made)
    found = judge(made.pcm, RATE_HZ, made.text)
    assert found.findings
    assert found.level is not None
    assert found.level.end_ms < made.end_ms - 30


def test_a_fade_is_told_with_its_fall_into_silence() -> None:
    made = take("order-status-slt")
    faded(800, 2)(made)
    assert "dB into digital silence at" in doubts(made)


@pytest.mark.parametrize("fixture_id", VOICED_ENDS)
def test_what_dies_away_into_a_rooms_own_noise_is_no_fade(fixture_id: str) -> None:
    made = take(fixture_id)
    noise(1, 62)(made)
    assert "fades out" not in doubts(made)


@pytest.mark.parametrize("fixture_id", ["order-status-slt", "opening-hours-awb"])
@pytest.mark.parametrize("snr_db", [50, 45, 38])
def test_noise_that_stops_is_no_fade(fixture_id: str, snr_db: float) -> None:
    made = take(fixture_id)
    noise_then_zeros(snr_db, 900, 700)(made)
    assert "fades out" not in doubts(made)


@pytest.mark.parametrize("slope", [0, 1])
@pytest.mark.parametrize("fixture_id", VOICED_ENDS)
def test_noise_well_under_a_sharp_voiced_end_moves_it_little(fixture_id: str, slope: int) -> None:
    made = take(fixture_id)
    noise(slope, 42)(made)
    found = judge(made.pcm, RATE_HZ, made.text)
    assert found.level is not None
    assert found.findings or found.level.end_ms == pytest.approx(made.end_ms, abs=30)


@pytest.mark.parametrize(
    ("fixture_id", "snr_db"), [("digits-card-rms", 42), ("yes-slt", 42), *((one, 32) for one in VOICED_ENDS)]
)
def test_an_ending_that_noise_may_drown_is_told(fixture_id: str, snr_db: float) -> None:
    made = take(fixture_id)
    noise(1, snr_db)(made)
    assert "a soft ending is lost" in doubts(made)


def sung(start_hz: float, end_hz: float) -> Samples:
    """A high /i/: two harmonics hold nearly all of its power."""
    count = at(400)
    phase = 2 * np.pi * np.cumsum(np.linspace(start_hz, end_hz, count)) / RATE_HZ
    wave = np.sin(phase) + 0.4 * np.sin(2 * phase)
    return 0.2 * wave * np.hanning(count) ** 0.5


@pytest.mark.parametrize(("end_hz", "refused"), [(150, False), (170, False), (250, True)])
def test_a_high_vowel_glides_and_a_tone_does_not(end_hz: float, refused: bool) -> None:
    made = Take(
        np.concatenate((np.zeros(at(300)), sung(250, end_hz), np.zeros(at(500)))), 300, 700, np.random.default_rng(1)
    )
    found = judge(made.pcm, RATE_HZ, "E.")
    assert any("pure tone" in refusal for refusal in found.refusals) == refused


def test_an_end_that_hangs_on_a_decibel_is_told() -> None:
    made = take("order-status-slt")
    found = judge(made.pcm, RATE_HZ, made.text)
    assert found.level is not None
    # a soft murmur, as loud as what counts as speech
    count = at(60)
    murmur = 0.02 * np.sin(2 * np.pi * 150 * np.arange(count) / RATE_HZ) * np.hanning(count)
    murmur *= made.peak * 10 ** (-37.5 / 20) / 0.02 * np.sqrt(2)
    made.add(murmur, found.level.end_ms + 5)
    assert "right at it" in doubts(made) or "a soft sound follows" in doubts(made)
