"""Every container and codec that libsndfile writes, whole, truncated and with a header that lies."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from bench.audio.annotate import speech_span
from bench.audio.catalogue import load_catalogue, shipped_catalogue
from bench.audio.formats import to_pcm16
from bench.audio.wav import decode_audio, wav_bytes
from bench.errors import BenchError

HERE = Path("call.wav")
UNREADABLE = {"RAW", "SD2"}  # no header; a resource fork in a file of its own
FIXED_HZ = {"WVE": (8_000,), "XI": (44_100,)}
UNWINDABLE = {"DWVW_12", "DWVW_16", "DWVW_24"}
SILENTLY_SHORT = {
    "AVR",
    "MAT4",
    "MAT5",
    "MPC2K",
    "PAF",
    "PVF",
    "IRCAM",
    "VOC",
    "NIST",
    "WVE",
    "XI",
    "SVX",
    "HTK",
    "SDS",
}
"""Formats of the nineties whose headers libsndfile does not compare with the file."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libsndfile leaves the resource fork of an SD2 file, `._`, in the working folder."""
    monkeypatch.chdir(tmp_path)


def written() -> list[tuple[str, str, int, bytes]]:
    fixture = load_catalogue(shipped_catalogue()).get("yes-rms")
    speech = fixture.load_pcm(24_000).astype(np.float64) / 32768
    found = []
    for kind in soundfile.available_formats():
        for subtype in soundfile.available_subtypes(kind):
            for rate_hz in FIXED_HZ.get(kind, (16_000, 8_000, 24_000)):
                buffer = io.BytesIO()
                try:
                    samples = soxr.resample(speech, 24_000, rate_hz)
                    soundfile.write(buffer, samples, rate_hz, format=kind, subtype=subtype)
                except (soundfile.LibsndfileError, ValueError, TypeError, RuntimeError, AssertionError):
                    continue
                found.append((kind, subtype, rate_hz, buffer.getvalue()))
                break
    return found


def test_every_container_and_codec_is_the_right_audio_or_a_sentence() -> None:
    truth_ms = load_catalogue(shipped_catalogue()).get("yes-rms").speech_end_ms
    read = set()
    for kind, subtype, rate_hz, data in written():
        if kind in UNREADABLE or subtype in UNWINDABLE:
            with pytest.raises(BenchError, match="not readable as audio") as caught:
                decode_audio(data, HERE)
            assert caught.value.exit_code == 2
            continue
        samples, found_hz = decode_audio(data, HERE)
        read.add(subtype)
        assert found_hz == pytest.approx(rate_hz, rel=0.02)  # a VOC file keeps whole microseconds
        span = speech_span(to_pcm16(samples)[0], found_hz)
        assert span is not None
        bound_ms = 30 if rate_hz > 8_000 and subtype not in {"GSM610", "DPCM_8", "PCM_S8", "PCM_U8"} else 120
        assert span.end_ms == pytest.approx(truth_ms, abs=bound_ms), (kind, subtype)
    assert {"GSM610", "MPEG_LAYER_III", "OPUS", "VORBIS", "ALAC_16", "IMA_ADPCM", "MS_ADPCM", "ULAW", "G721_32"} <= read


def test_a_truncated_file_is_refused() -> None:
    for kind, subtype, _, data in written():
        if kind in UNREADABLE | SILENTLY_SHORT or subtype in UNWINDABLE:
            continue
        with pytest.raises(BenchError, match=r"truncated|not readable|no samples") as caught:
            decode_audio(data[: len(data) * 6 // 10], HERE)
        assert caught.value.hint


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFF000])
def test_the_header_of_a_stream_is_put_right(size: int) -> None:
    pcm = (np.arange(24_000) % 4000 - 2000).astype(np.int16)
    data = bytearray(wav_bytes(pcm, 24_000))
    struct.pack_into("<I", data, 40, size)
    assert np.array_equal(decode_audio(bytes(data), HERE)[0] * 32768, pcm)


@pytest.mark.parametrize(("size", "words"), [(1000, "1,000 bytes of audio, and 48,000"), (96_000, "96,000 bytes")])
def test_a_header_that_lies_is_refused_in_numbers(size: int, words: str) -> None:
    data = bytearray(wav_bytes((np.arange(24_000) * 7 % 4000 - 2000).astype(np.int16), 24_000))
    struct.pack_into("<I", data, 40, size)
    with pytest.raises(BenchError, match=words):
        decode_audio(bytes(data), HERE)


def test_chunks_after_the_audio_are_no_lie() -> None:
    pcm = (np.arange(2_400) * 7 % 4000).astype(np.int16)
    notes = b"LIST" + struct.pack("<I", 12) + b"INFOISFT\x00\x00\x00\x00"
    for extra in (notes, b"\x00", b"\x00" * 100):
        assert len(decode_audio(wav_bytes(pcm, 24_000) + extra, HERE)[0]) == 2_400


def test_a_recording_of_an_afternoon_is_refused_and_not_read() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(8_000 * 700, np.int16), 8_000, format="FLAC")
    with pytest.raises(BenchError, match="700 s in 1 channel"):
        decode_audio(buffer.getvalue(), HERE)
    lies = bytearray(wav_bytes(np.zeros(800, np.int16), 8_000))
    struct.pack_into("<I", lies, 24, 5)
    with pytest.raises(BenchError, match="5 samples a second"):
        decode_audio(bytes(lies), HERE)
