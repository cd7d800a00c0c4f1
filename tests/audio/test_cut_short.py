"""Speech that is cut off: to digital silence, to a telephone's noise, and what only looks like it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.audio.evidence import judge
from bench.audio.formats import resample_float, to_pcm16
from tests.support.degraded import dtx, faded, gated, lost_packets
from tests.support.degraded_families import FAMILIES
from tests.support.recordings import RATE_HZ, Take, at, both, cut, noise, take

FIXTURES = ("balance-rms", "order-status-slt")


def doubts(made: Take) -> str:
    return "; ".join(judge(made.pcm, RATE_HZ, made.text).doubts)


def cut_to_zeros(ms: float) -> Callable[[Take], None]:
    return both(cut(ms), lambda made: made.silence_after(500))


@pytest.mark.parametrize("fixture_id", FIXTURES)
@pytest.mark.parametrize(
    "degrade",
    [cut_to_zeros(60), cut_to_zeros(240), lost_packets(4, concealed=False), dtx(3, 0, 120), gated(20, 20)],
    ids=["cut 60 ms early", "cut 240 ms early", "four packets lost", "no packets in pauses", "noise gate"],
)
def test_speech_that_is_cut_to_silence_is_told(degrade: Callable[[Take], None], fixture_id: str) -> None:
    made = take(fixture_id)
    degrade(made)
    assert "digital silence" in doubts(made)


@pytest.mark.parametrize("file_hz", [8_000, 16_000, 44_100])
def test_a_cut_is_seen_though_the_recording_was_resampled_after_it(file_hz: int) -> None:
    made = take("balance-rms")
    cut_to_zeros(120)(made)
    narrow = resample_float(made.samples, RATE_HZ, file_hz)
    narrow[round(made.end_ms - 120) * file_hz // 1000 :] = 0
    made.samples = resample_float(to_pcm16(narrow)[0] / 32768, file_hz, RATE_HZ)
    assert "digital silence" in doubts(made)


def test_an_offset_is_silence_too() -> None:
    made = take("order-status-slt")
    cut_to_zeros(240)(made)
    made.samples += 0.02
    assert "digital silence" in doubts(made)


@pytest.mark.parametrize("fixture_id", FIXTURES)
def test_a_fall_to_a_telephones_own_noise_is_told(fixture_id: str) -> None:
    made = take(fixture_id)
    cut_to_zeros(240)(made)
    rest = len(made.samples) - at(made.end_ms - 240)
    made.samples[-rest:] = made.peak * 10 ** (-52 / 20) * made.rng.standard_normal(rest)
    assert "within 1 ms" in doubts(made)


@pytest.mark.parametrize("fixture_id", [FIXTURES[0], pytest.param(FIXTURES[1], marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", ["clean", "codec"])
def test_what_dies_away_is_not_cut(family: str, fixture_id: str) -> None:
    for strength in ("as it is", "G.711 mu", "GSM 6.10", "Opus 16 kHz", "8 kHz"):
        if strength in FAMILIES[family]:
            made = take(fixture_id)
            FAMILIES[family][strength](made)
            assert "digital silence" not in doubts(made)
            assert "within 1 ms" not in doubts(made)


def test_steady_noise_and_a_fade_are_no_cut() -> None:
    for degrade in (noise(1, 50), noise(0, 55), faded(200, 1)):
        made = take("balance-rms")
        degrade(made)
        assert "within 1 ms" not in doubts(made)
        assert "digital silence" not in doubts(made)


def test_few_bits_are_told_and_are_no_gate() -> None:
    made = take("balance-rms")
    made.samples = np.round(made.samples * 127) / 127
    assert "digital silence" not in doubts(made)
    assert "it has only 8 bits a sample" in doubts(made)
    assert "bits" not in doubts(take("balance-rms"))
