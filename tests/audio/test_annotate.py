"""Both speech detectors on signals whose true beginning and end are known."""

from __future__ import annotations

import numpy as np
import pytest

from bench.audio.annotate import AGREEMENT_MS, speech_span, vad_span
from bench.audio.catalogue import Fixture, load_catalogue, shipped_catalogue

from .signals import joined, noise, silence, tone


@pytest.fixture(scope="module")
def spoken() -> Fixture:
    return load_catalogue(shipped_catalogue()).get("balance-rms")


def test_nobody_speaks() -> None:
    assert speech_span(np.zeros(0, np.int16), 24_000) is None
    assert speech_span(silence(500), 24_000) is None
    assert speech_span(noise(2000, rms_dbfs=-62), 24_000) is None
    assert speech_span(joined(silence(300), tone(3, level=0.9), silence(300)), 24_000) is None
    assert vad_span(silence(500), 24_000) is None


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("hz", [120.0, 300.0, 1000.0])
def test_an_abrupt_end_in_digital_silence_is_exact(rate_hz: int, hz: float) -> None:
    pcm = joined(silence(137, rate_hz), tone(811.3, rate_hz, hz=hz), silence(203, rate_hz))
    span = speech_span(pcm, rate_hz)
    assert span is not None
    assert span.start_ms == pytest.approx(137, abs=1)
    assert span.end_ms == pytest.approx(137 + 811.3, abs=1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("burst", ["tone", "noise"])
def test_an_abrupt_end_over_a_noise_floor_is_right_to_a_millisecond(burst: str, seed: int) -> None:
    loud = tone(700, level=0.2) if burst == "tone" else noise(700, rms_dbfs=-20, seed=seed + 100)
    pcm = joined(silence(250), loud, silence(350)) + noise(1300, rms_dbfs=-60, seed=seed)
    span = speech_span(pcm, 24_000)
    assert span is not None
    assert span.start_ms == pytest.approx(250, abs=1)
    assert span.end_ms == pytest.approx(950, abs=1)


def test_lone_clicks_before_and_after_are_not_speech() -> None:
    click = tone(3, hz=1500, level=0.9)
    pcm = joined(silence(50), click, silence(400), tone(600), silence(400), click, silence(100))
    span = speech_span(pcm, 24_000)
    assert span is not None
    assert span.start_ms == pytest.approx(453, abs=1)
    assert span.end_ms == pytest.approx(1053, abs=1)


def test_a_click_close_to_speech_is_still_a_click() -> None:
    span = speech_span(joined(silence(200), tone(600), silence(80), tone(2, level=0.9), silence(200)), 24_000)
    assert span is not None
    assert span.end_ms == pytest.approx(800, abs=1)


def test_a_soft_final_consonant_and_a_stop_burst_belong_to_speech() -> None:
    vowel, hiss = tone(400, level=0.5), noise(120, rms_dbfs=-38)  # the hiss is 29 dB under the vowel
    span = speech_span(joined(silence(150), vowel, hiss, silence(300)), 24_000)
    assert span is not None
    assert span.end_ms == pytest.approx(670, abs=1)
    burst = noise(15, rms_dbfs=-30)
    span = speech_span(joined(silence(150), vowel, silence(70), burst, silence(300)), 24_000)
    assert span is not None
    assert span.end_ms == pytest.approx(635, abs=1)


def test_a_recording_cut_tight_on_both_sides_is_all_speech() -> None:
    span = speech_span(tone(500), 24_000)
    assert span is not None
    assert span.start_ms <= 1
    assert span.end_ms >= 499


def test_a_pause_inside_does_not_end_speech() -> None:
    span = speech_span(joined(silence(100), tone(300), silence(380), tone(300), silence(200)), 24_000)
    assert span is not None
    assert span.end_ms == pytest.approx(1080, abs=1)


def test_the_annotation_does_not_depend_on_the_rate(spoken: Fixture) -> None:
    for rate_hz in (16_000, 48_000):
        span = speech_span(spoken.load_pcm(rate_hz), rate_hz)
        assert span is not None
        assert span.end_ms == pytest.approx(spoken.speech_end_ms, abs=10)


@pytest.mark.parametrize("floor_dbfs", [-70, -60])
def test_a_little_noise_moves_the_end_little_and_the_detectors_agree(spoken: Fixture, floor_dbfs: int) -> None:
    clean = spoken.load_pcm(24_000)
    noisy = clean + noise(len(clean) / 24, rms_dbfs=floor_dbfs)[: len(clean)]
    energy, model = speech_span(noisy, 24_000), vad_span(noisy, 24_000)
    assert energy is not None
    assert model is not None
    assert energy.end_ms == pytest.approx(spoken.speech_end_ms, abs=30)
    assert abs(energy.end_ms - model.end_ms) <= AGREEMENT_MS


def test_the_model_hears_the_same_end_in_a_tight_cut_and_at_telephone_rate(spoken: Fixture) -> None:
    whole = spoken.load_pcm(8_000)
    cut = whole[: round(spoken.speech_end_ms * 8)]
    for pcm in (whole, cut):
        model = vad_span(pcm, 8_000)
        assert model is not None
        assert model.end_ms == pytest.approx(spoken.speech_end_ms, abs=AGREEMENT_MS)
        assert model.end_ms <= len(pcm) / 8


def test_a_trailing_tone_makes_the_detectors_disagree(spoken: Fixture) -> None:
    """The bound can fail: a hum that starts after speech is energy, and no voice."""
    pcm = joined(spoken.load_pcm(24_000), tone(900, hz=6000, level=0.05))
    energy, model = speech_span(pcm, 24_000), vad_span(pcm, 24_000)
    assert energy is not None
    assert model is not None
    assert energy.end_ms - model.end_ms > AGREEMENT_MS
