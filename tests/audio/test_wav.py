"""Reading recordings as people have them: any width, any rate, stereo, FLAC, and the broken ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.audio.wav import wav_bytes
from bench.errors import BenchError

from .signals import read_audio, tone


def test_mono_pcm16_comes_back_bit_for_bit(tmp_path: Path) -> None:
    pcm = np.random.default_rng(3).integers(-32768, 32768, 5000).astype(np.int16)
    (tmp_path / "a.wav").write_bytes(wav_bytes(pcm, 24_000))
    back, rate_hz = read_audio(tmp_path / "a.wav")
    assert rate_hz == 24_000
    assert back.dtype == np.int16
    assert np.array_equal(back, pcm)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_U8"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("FLAC", "PCM_16"),
     ("FLAC", "PCM_24"), ("WAVEX", "PCM_16")],
)  # fmt: skip
def test_every_width_reads_as_the_same_sound(tmp_path: Path, kind: str, subtype: str) -> None:
    pcm = tone(100, 44_100)
    file = tmp_path / "sound"
    soundfile.write(file, pcm.astype(float) / 32768, 44_100, format=kind, subtype=subtype)
    back, rate_hz = read_audio(file)
    assert rate_hz == 44_100
    assert np.max(np.abs(back.astype(int) - pcm)) <= (400 if subtype in {"PCM_U8", "ULAW"} else 1)


def test_a_float_file_over_full_scale_is_scaled_not_clipped(tmp_path: Path) -> None:
    file = tmp_path / "hot.wav"
    soundfile.write(file, np.array([0.5, 2.0, -1.0]), 16_000, subtype="FLOAT")
    assert read_audio(file)[0].tolist() == [8192, 32767, -16384]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such audio file"),
        (b"", "is empty"),
        (b"RIFF", "not readable"),
        (b"not audio at all" * 20, "not readable"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    file = tmp_path / "odd name.wav"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BenchError, match=message) as caught:
        read_audio(file)
    assert str(file) in caught.value.message
    assert caught.value.hint


def test_no_samples_no_numbers_other_kinds_and_folders(tmp_path: Path) -> None:
    (tmp_path / "none.wav").write_bytes(wav_bytes(np.zeros(0, np.int16), 8_000))
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 8_000, subtype="FLOAT")
    for name, message in (
        ("none.wav", "no samples"),
        ("nan.wav", "not numbers"),
    ):
        with pytest.raises(BenchError, match=message):
            read_audio(tmp_path / name)
    with pytest.raises(BenchError, match="cannot be read"):
        read_audio(tmp_path)
