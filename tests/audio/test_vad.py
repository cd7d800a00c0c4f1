"""The detector against recorded speech, its annotation, noise, and every way of cutting the stream."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.audio.formats import USUAL_FORMATS, AudioFormat
from bench.audio.vad import Edge, SpeechDetector, SpeechEdge
from tests.server.support import FIXTURES, silence, speech

CATALOGUE = {entry["id"]: entry for entry in yaml.safe_load((FIXTURES / "catalogue.yaml").read_text())["fixtures"]}
SPOKEN = ["balance-rms", "order-status-slt", "opening-hours-awb", "cancel-refund-kal16", "yes-rms"]
LEAD_MS = 1000


def edges(pcm: NDArray[np.int16], rate_hz: int = 24000, frame: int | None = None, **options: float) -> list[SpeechEdge]:
    detector = SpeechDetector(rate_hz, **options)  # type: ignore[arg-type]
    size = frame or rate_hz // 25
    return [edge for start in range(0, len(pcm), size) for edge in detector.feed(pcm[start : start + size])]


def noise(duration_ms: int, level_db: float, rate_hz: int = 24000) -> NDArray[np.float64]:
    generator = np.random.default_rng(7)
    return generator.standard_normal(rate_hz * duration_ms // 1000) * 32768 * 10 ** (level_db / 20)


def in_quiet(fixture: str, audio_format: AudioFormat, noise_db: float | None = None) -> NDArray[np.int16]:
    rate_hz = audio_format.rate_hz
    pcm = np.concatenate((silence(LEAD_MS, rate_hz), speech(fixture, audio_format), silence(1000, rate_hz)))
    if noise_db is None:
        return pcm
    return np.clip(pcm + noise(60_000, noise_db, rate_hz)[: len(pcm)], -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("audio_format", USUAL_FORMATS, ids=str)
@pytest.mark.parametrize("fixture", SPOKEN)
def test_an_utterance_is_one_turn_with_the_annotated_bounds(fixture: str, audio_format: AudioFormat) -> None:
    rate_hz = audio_format.rate_hz
    pcm = audio_format.decode(audio_format.encode(in_quiet(fixture, audio_format)))
    start, stop = edges(pcm, rate_hz)
    assert (start.edge, stop.edge) == (Edge.START, Edge.STOP)
    truth = CATALOGUE[fixture]
    assert start.at_sample * 1000 / rate_hz == pytest.approx(LEAD_MS + truth["speech_start_ms"], abs=80)
    assert stop.at_sample * 1000 / rate_hz == pytest.approx(LEAD_MS + truth["speech_end_ms"], abs=80)
    assert stop.known_at_sample - stop.at_sample == rate_hz // 2  # the default silence, 500 ms


@pytest.mark.parametrize("noise_db", [-60.0, -45.0, -38.0])
def test_steady_noise_neither_starts_nor_stretches_a_turn(noise_db: float) -> None:
    clean = edges(in_quiet("balance-rms", AudioFormat.PCM16))
    noisy = edges(in_quiet("balance-rms", AudioFormat.PCM16, noise_db))
    assert len(noisy) == 2
    for before, after in zip(clean, noisy, strict=True):
        assert abs(before.at_sample - after.at_sample) <= 24 * 140


@pytest.mark.parametrize("level_db", [-70.0, -50.0, -40.0, -30.0])
def test_noise_alone_is_never_speech(level_db: float) -> None:
    assert edges(noise(8000, level_db).astype(np.int16)) == []


def test_speech_from_the_very_first_sample_is_heard() -> None:
    start, _ = edges(np.concatenate((speech("balance-rms")[24 * 160 :], silence(1000))))
    assert start.at_sample <= 24 * 60


def test_a_higher_threshold_needs_louder_speech() -> None:
    clean = in_quiet("balance-rms", AudioFormat.PCM16)
    faint = (clean * 0.04 + noise(60_000, -58)[: len(clean)]).astype(np.int16)
    assert len(edges(faint, threshold=0.3)) >= 2
    assert edges(faint, threshold=0.97) == []


def test_a_shorter_silence_ends_the_turn_sooner_and_splits_a_hesitation() -> None:
    pcm = np.concatenate((speech("balance-rms"), silence(450), speech("balance-slt"), silence(1200)))
    assert [edge.edge for edge in edges(pcm, silence_duration_ms=1000)] == [Edge.START, Edge.STOP]
    assert [edge.edge for edge in edges(pcm, silence_duration_ms=300)] == [Edge.START, Edge.STOP] * 2


def test_reset_forgets_the_turn_but_not_the_time() -> None:
    detector = SpeechDetector(24000)
    detector.feed(speech("balance-rms")[: 24 * 1000])
    assert detector.speaking
    detector.reset()
    assert not detector.speaking
    assert detector.position == 24 * 1000


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=60))
def test_the_result_does_not_depend_on_how_the_stream_is_cut(sizes: list[int]) -> None:
    pcm = in_quiet("yes-rms", AudioFormat.PCM16)
    detector = SpeechDetector(24000)
    found: list[SpeechEdge] = []
    cuts = np.cumsum([0, *sizes])
    bounds = [*[int(cut) for cut in cuts if cut < len(pcm)], len(pcm)]
    for low, high in pairwise(bounds):
        found += detector.feed(pcm[low:high])
    assert found == edges(pcm)
    assert detector.position == len(pcm)
