"""Reading any WAV or FLAC as mono samples, and the bytes of a mono PCM16 WAV.

In: a path, or samples. Out: samples at the file's own rate, or bytes. Every failure is a BenchError naming the file.
Trap: channels are averaged in float before rounding; averaging int16 overflows, and picking one channel of a stereo
call recording may pick the wrong speaker.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from bench.errors import BenchError

FORMATS = ("WAV", "WAVEX", "RF64", "FLAC")


def read_bytes(path: Path) -> bytes:
    """The file as it lies on disk; BenchError when it is missing, a directory, unreadable or empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BenchError(f"{path}: no such audio file", hint="check the path and its spelling") from None
    except OSError as error:
        raise BenchError(
            f"{path}: cannot be read ({error.strerror})", hint="name a WAV or FLAC file you may read"
        ) from error
    if not data:
        raise BenchError(f"{path}: the file is empty", hint="record or copy it again")
    return data


def decode_audio(data: bytes, path: Path) -> tuple[NDArray[np.float64], int]:
    """Mono float samples (full scale = 1.0; a float file may exceed it) and the rate, of a file's bytes.

    `path` is only for messages.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            kind, rate_hz = str(sound.format), int(sound.samplerate)
            samples = np.asarray(sound.read(dtype="float64", always_2d=True), dtype=np.float64)
    except soundfile.LibsndfileError as error:
        raise BenchError(
            f"{path}: not readable as audio ({error.error_string})", hint="convert it to WAV or FLAC"
        ) from error
    if kind not in FORMATS:
        raise BenchError(f"{path}: {kind} audio; allowed are WAV and FLAC", hint="convert it to WAV or FLAC")
    if not len(samples):
        raise BenchError(f"{path}: holds no samples", hint="record or export it again")
    if not np.isfinite(samples).all():
        raise BenchError(f"{path}: holds samples that are not numbers", hint="export it again as 16-bit PCM")
    return samples.mean(axis=1), rate_hz


def wav_bytes(pcm: NDArray[np.int16], rate_hz: int) -> bytes:
    """The bytes of a mono PCM16 WAV file: the plain 44-byte header, so equal samples give equal files."""
    if pcm.dtype != np.int16 or pcm.ndim != 1:
        raise ValueError("a WAV here is one channel of int16 samples")
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, rate_hz, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
