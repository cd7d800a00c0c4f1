"""What the simulated server recognises: every shipped recording, through G.711, noise and any offset; nothing else."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.audio.catalogue import Fixture, load_catalogue
from bench.audio.formats import AudioFormat
from bench.audio.level_detector import Activity, LevelDetector
from bench.audio.recording_matcher import Match, RecordingMatcher, reduced
from bench.scenario.model import shipped_catalogue

ASK_MS = 160


@cache
def fixtures() -> tuple[Fixture, ...]:
    return tuple(load_catalogue(shipped_catalogue()).fixtures.values())


@cache
def matcher() -> RecordingMatcher:
    return RecordingMatcher(fixtures(), confidence=0.6)


def spoken(
    fixture: Fixture, audio_format: AudioFormat, rng: np.random.Generator, noise_db: float | None, *, constant: bool
) -> tuple[NDArray[np.int16], float]:
    """The recording at a random offset in a stream, with noise in it or all through; and where its speech ends, ms."""
    rate_hz = audio_format.rate_hz
    pcm = fixture.load_pcm(rate_hz).astype(np.float64)
    said = pcm[round(fixture.speech_start_ms * rate_hz / 1000) : round(fixture.speech_end_ms * rate_hz / 1000)]
    level = 0.0 if noise_db is None else float(np.sqrt(np.mean(said**2))) * 10 ** (-noise_db / 20)
    lead = int(rng.integers(rate_hz // 4, rate_hz))
    if level and not constant:
        pcm = pcm + rng.normal(0, level, len(pcm))
    stream = np.concatenate((np.zeros(lead), pcm, np.zeros(rate_hz)))
    if level and constant:
        stream = stream + rng.normal(0, level, len(stream))
    return np.clip(np.rint(stream), -32768, 32767).astype(np.int16), lead * 1000 / rate_hz + fixture.speech_end_ms


def hear(stream: NDArray[np.int16], audio_format: AudioFormat, frame_ms: int) -> tuple[Match | None, float, int]:
    """What is recognised, where its speech ended (ms on the stream), and how many onsets were heard."""
    detector, onsets = LevelDetector(audio_format, ASK_MS), 0
    encoded = audio_format.encode(stream)
    size = audio_format.rate_hz * frame_ms // 1000 * audio_format.bytes_per_sample
    for start in range(0, len(encoded), size):
        sound = detector.feed(encoded[start : start + size], start)
        onsets += sound is Activity.ONSET
        if sound is Activity.QUIET:
            heard = reduced(detector.before(detector.last_active), detector.rate_hz)
            match = matcher().ended(heard, detector.speech_ms, thorough=detector.quiet_ms >= 400)
            if match is not None:
                return match, detector.last_active * 1000 / detector.rate_hz + match.end_offset_ms, onsets
    return None, 0.0, onsets


@pytest.mark.parametrize(
    ("audio_format", "frame_ms", "noise_db", "constant"),
    [
        (AudioFormat.PCM16, 40, None, False),
        pytest.param(AudioFormat.PCMU, 20, None, False, marks=pytest.mark.slow),
        pytest.param(AudioFormat.PCM16, 20, 10.0, False, marks=pytest.mark.slow),
        (AudioFormat.PCMA, 100, 10.0, True),
    ],
    ids=["pcm16", "pcmu", "noise", "pcma-constant-noise"],
)
def test_every_shipped_recording(
    audio_format: AudioFormat, frame_ms: int, noise_db: float | None, constant: bool
) -> None:
    rng = np.random.default_rng(4)
    for fixture in fixtures():
        stream, end_ms = spoken(fixture, audio_format, rng, noise_db, constant=constant)
        match, found_ms, onsets = hear(stream, audio_format, frame_ms)
        assert match is not None, fixture.id
        assert match.fixture.id == fixture.id
        assert abs(found_ms - end_ms) < 0.5, (fixture.id, found_ms - end_ms)
        assert onsets == 1, fixture.id


def test_a_recording_that_is_not_in_the_catalogue_is_unknown() -> None:
    known = [fixture for fixture in fixtures() if not fixture.id.startswith(("balance", "yes", "long"))]
    others = [fixture for fixture in fixtures() if fixture.id.startswith(("balance", "yes", "long"))]
    few = RecordingMatcher(known, confidence=0.6)
    for fixture in others:
        pcm = fixture.load_pcm(24_000)[: round(fixture.speech_end_ms * 24)]
        assert few.ended(reduced(pcm, 24_000), fixture.duration_ms) is None, fixture.id
    rng = np.random.default_rng(1)
    for audio in (
        rng.normal(0, 3000, 48_000),
        8000 * np.sin(np.arange(48_000) * 2 * np.pi * 220 / 24_000),
        np.zeros(9),
    ):
        assert matcher().ended(reduced(audio.astype(np.int16), 24_000), 2000) is None


def test_a_pause_inside_a_recording_says_how_much_is_still_to_come() -> None:
    fixture = next(fixture for fixture in fixtures() if fixture.id == "long-order-rms")
    pcm = fixture.load_pcm(24_000)
    for at_ms in (3_000, 7_500):
        heard = reduced(pcm[: at_ms * 24], 24_000)
        assert matcher().ended(heard, at_ms - fixture.speech_start_ms) is None
        match = matcher().inside(heard, at_ms - fixture.speech_start_ms)
        assert match is not None
        assert match.fixture.id == fixture.id
        assert match.end_offset_ms == pytest.approx(fixture.speech_end_ms - at_ms, abs=0.5)


def test_arrival_times_give_the_instant_of_a_sample() -> None:
    detector = LevelDetector(AudioFormat.PCM16, ASK_MS)
    for number in range(1, 6):
        detector.feed(bytes(2 * 960), number * 40_000_000)
    assert detector.captured_ns(960 * 3) == 3 * 40_000_000
    assert detector.captured_ns(960 * 3 - 480) == 3 * 40_000_000 - 20_000_000
    assert detector.captured_ns(960 * 6) == 6 * 40_000_000


def test_half_samples_are_put_together_again() -> None:
    pcm = (8000 * np.sin(np.arange(24_000) * 0.1)).astype("<i2").tobytes()
    whole, cut = LevelDetector(AudioFormat.PCM16, ASK_MS), LevelDetector(AudioFormat.PCM16, ASK_MS)
    whole.feed(pcm, 0)
    for start in range(0, len(pcm), 999):
        cut.feed(pcm[start : start + 999], 0)
    assert cut.position == whole.position == 24_000
    assert np.array_equal(cut.before(24_000), whole.before(24_000))
