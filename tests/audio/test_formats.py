"""Wire formats, resampling that neither shifts nor clips, and framing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.audio.formats import USUAL_FORMATS, AudioFormat, resample, to_pcm16
from bench.audio.framing import frame_payloads, samples_per_frame, silence_payload
from bench.errors import BenchError

from .signals import joined, silence, tone


@pytest.mark.parametrize(
    ("fmt", "rate_hz", "width", "silent"),
    [("pcm16", 24_000, 2, 0x00), ("pcmu", 8_000, 1, 0xFF), ("pcma", 8_000, 1, 0xD5)],
)
def test_each_format(fmt: str, rate_hz: int, width: int, silent: int) -> None:
    audio = AudioFormat.usual(fmt)
    assert (audio.rate_hz, audio.bytes_per_sample, audio.silence_byte) == (rate_hz, width, silent)
    assert audio.encode(np.zeros(5, np.int16)) == bytes([silent]) * 5 * width
    assert np.max(np.abs(audio.decode(bytes([silent]) * 10))) <= 8


def test_pcm16_is_little_endian_and_refuses_half_a_sample() -> None:
    assert AudioFormat.PCM16.encode(np.array([1, -2], np.int16)) == b"\x01\x00\xfe\xff"
    assert AudioFormat.PCM16.decode(b"\x01\x00\xfe\xff").tolist() == [1, -2]
    with pytest.raises(ValueError, match="even number"):
        AudioFormat.PCM16.decode(b"\x01\x00\x02")


def lag(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> int:
    """By how many samples `found` comes after `wanted`, by the whole of both; 0 when they lie best as they are."""
    size = len(found) + len(wanted)
    alike = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(wanted, size)), size)
    return int(np.argmax(alike))


@pytest.mark.parametrize(("from_hz", "to_hz"), [(24_000, 8_000), (8_000, 24_000), (44_100, 24_000), (16_000, 24_000)])
def test_resampling_keeps_length_level_and_time(from_hz: int, to_hz: int) -> None:
    there = resample(joined(silence(200, from_hz), tone(300, from_hz), silence(200, from_hz)), from_hz, to_hz)
    assert abs(len(there) - 0.7 * to_hz) <= 1
    wanted = joined(silence(200, to_hz), tone(300, to_hz), silence(200, to_hz)).astype(float)
    assert lag(there.astype(float), wanted) == 0
    middle = slice(int(0.25 * to_hz), int(0.45 * to_hz))
    assert np.sqrt(np.mean((there[middle] - wanted[middle]) ** 2)) < 0.01 * 32768 * 0.3


def test_a_full_scale_square_is_scaled_not_wrapped_or_clipped() -> None:
    square = np.where(np.arange(8000) % 16 < 8, 32767, -32768).astype(np.int16)
    louder = resample(square, 8_000, 24_000)
    assert np.abs(louder.astype(int)).max() <= 32767
    assert np.sum(np.abs(louder.astype(int)) >= 32767) < len(louder) // 100  # clipping would flatten every crest
    assert resample(square, 8_000, 8_000) is square


def test_conversion_reports_the_gain_it_needed() -> None:
    pcm, gain_db = to_pcm16(np.array([0.5, -2.0]))
    assert gain_db == pytest.approx(-6.02, abs=0.01)
    assert pcm.tolist() == [8192, -32767]
    every = np.arange(-32768, 32768) / 32768.0
    exact, gain_db = to_pcm16(every)
    assert gain_db == 0.0
    assert np.array_equal(exact, np.arange(-32768, 32768))


@settings(deadline=None)
@given(count=st.integers(0, 2000), fmt=st.sampled_from(USUAL_FORMATS), frame_ms=st.sampled_from([10, 20, 40, 100]))
def test_frames_carry_every_sample_once_and_end_in_silence(count: int, fmt: AudioFormat, frame_ms: int) -> None:
    pcm = (np.arange(count) % 3000 + 1000).astype(np.int16)
    frames = frame_payloads(pcm, fmt, frame_ms)
    size = samples_per_frame(fmt, frame_ms) * fmt.bytes_per_sample
    assert {len(frame) for frame in frames} <= {size}
    data = fmt.encode(pcm)
    assert b"".join(frames)[: len(data)] == data
    assert set(b"".join(frames)[len(data) :]) <= {fmt.silence_byte}
    assert len(frames) == -(-len(data) // size)


def test_silence_payload_and_impossible_frames() -> None:
    assert silence_payload(AudioFormat.PCMU, 20) == b"\xff" * 160
    assert silence_payload(AudioFormat.PCM16, 40) == b"\x00" * 1920
    for frame_ms in (0, -20):
        with pytest.raises(BenchError, match="whole number of samples"):
            silence_payload(AudioFormat.PCMA, frame_ms)


def test_any_rate_goes_with_any_encoding() -> None:
    wide = AudioFormat("pcmu", 16_000)
    assert len(silence_payload(wide, 20)) == 320
    assert str(wide) == "pcmu at 16000 Hz"
    with pytest.raises(ValueError, match="no audio encoding 'opus'; allowed: pcm16, pcmu, pcma"):
        AudioFormat.usual("opus")
