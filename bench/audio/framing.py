"""Audio cut into the frames that a paced sender sends: encoded once, shared by every session.

In: mono int16 samples at the format's own rate. Out: equal payloads of `frame_ms` each, the last padded with silence.
Trap: padding is encoded silence, not zero bytes; a zero byte is nearly full scale in both G.711 laws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import AudioFormat
from bench.errors import BenchError


def samples_per_frame(fmt: AudioFormat, frame_ms: int) -> int:
    """Samples in one frame of `frame_ms`; BenchError when that is not a positive whole number."""
    samples, rest = divmod(fmt.rate_hz * frame_ms, 1000)
    if samples <= 0 or rest:
        raise BenchError(
            f"frame of {frame_ms} ms: not a positive whole number of samples of {fmt}",
            hint="use a whole number of milliseconds; 20, 40 and 100 are usual",
        )
    return int(samples)


def frame_payloads(pcm_at_format_rate: NDArray[np.int16], fmt: AudioFormat, frame_ms: int) -> list[bytes]:
    """Encoded frames in order; no frames for no samples."""
    frame_bytes = samples_per_frame(fmt, frame_ms) * fmt.bytes_per_sample
    data = fmt.encode(pcm_at_format_rate)
    data += bytes([fmt.silence_byte]) * (-len(data) % frame_bytes)
    return [data[at : at + frame_bytes] for at in range(0, len(data), frame_bytes)]


def silence_payload(fmt: AudioFormat, frame_ms: int) -> bytes:
    """One encoded frame of silence."""
    return bytes([fmt.silence_byte]) * (samples_per_frame(fmt, frame_ms) * fmt.bytes_per_sample)
