"""Reading any recording that libsndfile knows as mono samples, and the bytes of a mono PCM16 WAV.

In: a path, or samples. Out: samples at the file's own rate, or bytes. Every failure is a BenchError naming the file.
Trap: some codecs (GSM 6.10, G.721) cannot be rewound, and a lying header makes libsndfile return less than was said
without an error; so a file is read forwards in blocks, and what it holds is compared with what it promised.
"""

from __future__ import annotations

import io
import stat
import struct
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from bench.audio.channels import one_channel
from bench.audio.headers import mended, shortfall
from bench.errors import BenchError

LONGEST_S = 600  # an utterance is one turn; a whole afternoon would fill the memory of every worker
MOST_SAMPLES = 60_000_000  # of all channels together
MOST_BYTES = 1 << 30
RATES_HZ = (4_000, 768_000)
BLOCK_FRAMES = 1 << 16
UNKNOWN_FORMAT = 1  # libsndfile's code
_UNKNOWN_SIZE = 0xFFFFFFFF
_CONVERT = "convert it to WAV, for example with `ffmpeg -i FILE out.wav` or `sox FILE out.wav`"


def read_bytes(path: Path) -> bytes:
    """The file as it lies on disk; BenchError when it is missing, no regular file, too large, unreadable or empty."""
    try:
        facts = path.stat()
        if stat.S_ISREG(facts.st_mode) and facts.st_size > MOST_BYTES:
            raise BenchError(
                f"{path}: {facts.st_size:,} bytes; allowed are {MOST_BYTES:,}", hint="cut the utterance out of it"
            )
        if not stat.S_ISREG(facts.st_mode) and not stat.S_ISDIR(facts.st_mode):
            raise BenchError(f"{path}: cannot be read (not a regular file)", hint="name an audio file")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BenchError(f"{path}: no such audio file", hint="check the path and its spelling") from None
    except OSError as error:
        raise BenchError(
            f"{path}: cannot be read ({error.strerror})", hint="name an audio file that you may read"
        ) from error
    if not data:
        raise BenchError(f"{path}: the file is empty", hint="record or copy it again")
    return data


def decode_audio(data: bytes, path: Path, channel: int | None = None) -> tuple[NDArray[np.float64], int]:
    """Mono float samples (full scale = 1.0; a float file may exceed it) and the rate, of a file's bytes.

    `channel` (from 1) chooses one of several; without it channels that differ are refused. `path` is only for messages.
    """
    data, wrong = mended(data)
    if wrong is not None:
        raise _unsound(path, wrong)
    try:
        read = _read(data, path)
    except soundfile.LibsndfileError as error:
        raise BenchError(f"{path}: not readable as audio ({_said(error)})", hint=_CONVERT) from error
    except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError, AssertionError) as error:
        raise BenchError(f"{path}: not readable as audio ({error or type(error).__name__})", hint=_CONVERT) from error
    samples, rate_hz, promised, lacks = read
    if lacks is not None:
        raise _unsound(path, lacks)
    if not len(samples):
        raise BenchError(f"{path}: holds no samples", hint="record or export it again")
    if len(samples) < promised - rate_hz // 100:
        raise _unsound(path, f"its header says {promised:,} frames, and {len(samples):,} can be read")
    if not np.isfinite(samples).all():
        raise BenchError(f"{path}: holds samples that are not numbers", hint="export it again as 16-bit PCM")
    return one_channel(samples, rate_hz, path, channel).astype(np.float64), rate_hz


def _read(data: bytes, path: Path) -> tuple[NDArray[np.float32], int, int, str | None]:
    """Samples by channel, their rate, how many frames the header promised, and what else the file lacks."""
    try:
        return _read_from(io.BytesIO(data), data, path)
    except soundfile.LibsndfileError as error:
        if error.code == UNKNOWN_FORMAT:
            raise
    # libsndfile's way of reading from memory fails for some codecs (DWVW, now and then MP3) that it reads from a file
    with tempfile.NamedTemporaryFile(suffix=".audio") as file:
        file.write(data)
        file.flush()
        return _read_from(file.name, data, path)


def _read_from(source: io.BytesIO | str, data: bytes, path: Path) -> tuple[NDArray[np.float32], int, int, str | None]:
    with soundfile.SoundFile(source) as sound:
        _check_size(sound, path)
        lacks = shortfall(data, str(sound.extra_info))
        promised, rate_hz = int(sound.frames), int(sound.samplerate)
        return _frames(sound), rate_hz, promised, lacks


def _check_size(sound: soundfile.SoundFile, path: Path) -> None:
    frames, channels, rate_hz = int(sound.frames), int(sound.channels), int(sound.samplerate)
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise BenchError(
            f"{path}: {rate_hz:,} samples a second; allowed are {RATES_HZ[0]:,} to {RATES_HZ[1]:,}",
            hint="record or export it at 8,000 samples a second or more",
        )
    # a streamed file may not know its length; it is bounded by its bytes instead
    if frames < 1 << 40 and (frames > LONGEST_S * rate_hz or frames * channels > MOST_SAMPLES):
        raise BenchError(
            f"{path}: {frames / rate_hz:,.0f} s in {channels} channel(s) at {rate_hz:,} Hz; allowed are {LONGEST_S} s "
            f"and {MOST_SAMPLES:,} samples in all",
            hint="a fixture is what a caller says in one turn: cut it out of the recording",
        )


def _frames(sound: soundfile.SoundFile) -> NDArray[np.float32]:
    blocks: list[NDArray[np.float32]] = []
    left = min(int(sound.frames), MOST_SAMPLES // int(sound.channels))
    while left > 0:
        # soundfile rewinds what can be rewound and returns short, so never ask for more than is there
        block = np.asarray(sound.read(min(left, BLOCK_FRAMES), dtype="float32", always_2d=True), dtype=np.float32)
        if not len(block):
            break
        blocks.append(block)
        left -= len(block)
    return np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)


def _unsound(path: Path, why: str) -> BenchError:
    return BenchError(
        f"{path}: truncated or wrongly labelled: {why}",
        hint="copy or export it again; if all of its audio is there, write a new header "
        "(`sox --ignore-length FILE out.wav`)",
    )


def _said(error: soundfile.LibsndfileError) -> str:
    if error.code == UNKNOWN_FORMAT:  # libsndfile's text for it is of whatever failed before
        return "no audio format that is known; raw samples without a header say neither rate nor width"
    return str(error.error_string).strip().rstrip(".") or f"libsndfile error {error.code}"


def wav_bytes(pcm: NDArray[np.int16], rate_hz: int) -> bytes:
    """The bytes of a mono PCM16 WAV file: the plain 44-byte header, so equal samples give equal files."""
    if pcm.dtype != np.int16 or pcm.ndim != 1:
        raise ValueError("a WAV here is one channel of int16 samples")
    data = pcm.astype("<i2", copy=False).tobytes()
    return wav_head(len(data), rate_hz) + data


def wav_head(data_bytes: int | None, rate_hz: int) -> bytes:
    """The header of a mono PCM16 WAV file; None: of one that is streamed, whose length is not known yet."""
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16)
    whole, data = (_UNKNOWN_SIZE, _UNKNOWN_SIZE) if data_bytes is None else (data_bytes + 36, data_bytes)
    return struct.pack("<4sI4s", b"RIFF", whole, b"WAVE") + fmt + struct.pack("<4sI", b"data", data)
