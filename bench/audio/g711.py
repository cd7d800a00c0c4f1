"""G.711 companding: 16-bit linear PCM in, one byte per sample out, and back (mu-law and A-law).

Table driven: 65,536 entries to encode, 256 to decode, built once on first use of each law.
Trap: implementations differ on negative inputs that lie exactly on a decision value (some shift the two's
complement, some the magnitude). Here it is the one's complement, as in the ITU-T G.191 reference tools.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_MU_BIAS = 33  # G.711 adds it to the 14-bit magnitude so that every segment starts at a power of two
_MU_MAX = 0x1FFF
_ALAW_TOGGLE = 0x55  # A-law inverts the even bits on the line


def ulaw_encode(pcm: NDArray[np.int16]) -> bytes:
    """Mu-law bytes of `pcm` (any shape, read in C order), one per sample."""
    return _ulaw_encode_table()[_index(pcm)].tobytes()


def ulaw_decode(data: bytes) -> NDArray[np.int16]:
    """Linear samples of mu-law bytes; full scale is +-32124."""
    return _ulaw_decode_table()[np.frombuffer(data, dtype=np.uint8)]


def alaw_encode(pcm: NDArray[np.int16]) -> bytes:
    """A-law bytes of `pcm` (any shape, read in C order), one per sample."""
    return _alaw_encode_table()[_index(pcm)].tobytes()


def alaw_decode(data: bytes) -> NDArray[np.int16]:
    """Linear samples of A-law bytes; full scale is +-32256, and there is no code for exactly 0 (the nearest is +-8)."""
    return _alaw_decode_table()[np.frombuffer(data, dtype=np.uint8)]


def _index(pcm: NDArray[np.int16]) -> NDArray[np.uint16]:
    if pcm.dtype != np.int16:
        raise TypeError(f"G.711 encodes int16 samples, not {pcm.dtype}")
    return np.ascontiguousarray(pcm).reshape(-1).view(np.uint16)


def _all_samples() -> NDArray[np.int32]:
    """Every int16 value, at the position of its unsigned bit pattern."""
    return np.arange(65536, dtype=np.uint32).astype(np.uint16).view(np.int16).astype(np.int32)


@cache
def _ulaw_encode_table() -> NDArray[np.uint8]:
    sample = _all_samples()
    magnitude = np.minimum((np.where(sample < 0, ~sample, sample) >> 2) + _MU_BIAS, _MU_MAX)
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5  # 0..7; magnitude is 33..8191
    mantissa = (magnitude >> (segment + 1)) & 0x0F
    sign = np.where(sample < 0, 0x80, 0)
    code: NDArray[np.int32] = ~(sign | (segment << 4) | mantissa) & 0xFF
    return code.astype(np.uint8)


@cache
def _ulaw_decode_table() -> NDArray[np.int16]:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    segment = (code >> 4) & 7
    magnitude = (((((code & 0x0F) << 1) + _MU_BIAS) << segment) - _MU_BIAS) << 2
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


@cache
def _alaw_encode_table() -> NDArray[np.uint8]:
    sample = _all_samples()
    magnitude = np.where(sample < 0, ~sample, sample) >> 4  # 0..2047
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 3, 0)
    mantissa = (magnitude >> np.maximum(segment - 1, 0)) & 0x0F
    sign = np.where(sample < 0, 0, 0x80)
    code: NDArray[np.int32] = (sign | (segment << 4) | mantissa) ^ _ALAW_TOGGLE
    return code.astype(np.uint8)


@cache
def _alaw_decode_table() -> NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ _ALAW_TOGGLE
    segment = (code >> 4) & 7
    mantissa = (code & 0x0F) + np.where(segment > 0, 16, 0)
    magnitude: NDArray[np.int32] = ((mantissa << 4) + 8) << np.maximum(segment - 1, 0)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)
