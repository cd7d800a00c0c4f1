"""G.711 against published values, the definition of a quantiser, and an independent slow encoder."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from bench.audio import g711

EVERY_CODE = bytes(range(256))
EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
LAWS = [(g711.ulaw_encode, g711.ulaw_decode), (g711.alaw_encode, g711.alaw_decode)]


@pytest.mark.parametrize(
    ("code", "sample"),
    [
        (0x00, -32124),
        (0x80, 32124),
        (0xFF, 0),
        (0x7F, 0),
        (0xFE, 8),
        (0x7E, -8),
        (0xF0, 120),
        (0xEF, 132),
        (0x8F, 16764),
    ],
)
def test_mu_law_decodes_to_the_values_of_the_standard(code: int, sample: int) -> None:
    assert g711.ulaw_decode(bytes([code])).tolist() == [sample]


@pytest.mark.parametrize(
    ("code", "sample"),
    [(0xD5, 8), (0x55, -8), (0xD4, 24), (0xAA, 32256), (0x2A, -32256), (0x00, -5504), (0x80, 5504), (0xC5, 264)],
)
def test_a_law_decodes_to_the_values_of_the_standard(code: int, sample: int) -> None:
    assert g711.alaw_decode(bytes([code])).tolist() == [sample]


@pytest.mark.parametrize(("law", "decode"), [("ULAW", g711.ulaw_decode), ("ALAW", g711.alaw_decode)])
def test_every_code_decodes_as_in_libsndfile(law: str, decode) -> None:
    """An implementation that is not ours holds the tables of the Recommendation, at 16 bits."""
    raw = io.BytesIO(EVERY_CODE)
    table, _ = soundfile.read(raw, samplerate=8_000, channels=1, format="RAW", subtype=law, dtype="int16")
    assert np.array_equal(decode(EVERY_CODE), table)


def test_silence_is_the_code_every_telephone_expects() -> None:
    zero = np.zeros(3, dtype=np.int16)
    assert g711.ulaw_encode(zero) == b"\xff\xff\xff"
    assert g711.alaw_encode(zero) == b"\xd5\xd5\xd5"


@pytest.mark.parametrize(("encode", "decode"), LAWS)
def test_a_decoded_code_encodes_to_the_same_value(encode, decode) -> None:
    once = decode(EVERY_CODE)
    assert np.array_equal(decode(encode(once)), once)


def test_only_the_negative_zero_of_mu_law_has_two_codes() -> None:
    back = g711.ulaw_encode(g711.ulaw_decode(EVERY_CODE))
    assert [code for code in range(256) if back[code] != code] == [0x7F]
    assert g711.alaw_encode(g711.alaw_decode(EVERY_CODE)) == EVERY_CODE


@pytest.mark.parametrize(("encode", "decode"), LAWS)
def test_louder_never_becomes_quieter(encode, decode) -> None:
    assert np.all(np.diff(decode(encode(EVERY_SAMPLE)).astype(int)) >= 0)


@pytest.mark.parametrize(
    ("encode", "decode", "least", "ceiling"),
    [(g711.ulaw_encode, g711.ulaw_decode, 4, 32635), (g711.alaw_encode, g711.alaw_decode, 16, 32767)],
)
def test_the_error_is_at_most_half_a_step(encode, decode, least: int, ceiling: int) -> None:
    heard = decode(encode(EVERY_SAMPLE)).astype(int)
    magnitude = np.abs(EVERY_SAMPLE.astype(int))
    inside = magnitude <= ceiling
    # a segment's sixteen steps are each 1/16 to 1/32 of its magnitude: half of that, or the smallest half step
    bound = np.maximum(least, (magnitude + 132) / 32 + 1)
    assert np.all(np.abs(heard - EVERY_SAMPLE)[inside] <= bound[inside])


def _slow_mu_law(sample: int) -> int:
    """Segment by segment, as the Recommendation's table is read."""
    magnitude = min(((~sample if sample < 0 else sample) >> 2) + 33, 8191)
    segment = next(k for k in range(8) if magnitude < 64 << k)
    code = (segment << 4) | ((magnitude - (32 << segment)) >> (segment + 1))
    return (code | (0x80 if sample < 0 else 0)) ^ 0xFF


def _slow_a_law(sample: int) -> int:
    magnitude = (~sample if sample < 0 else sample) >> 4
    if magnitude < 32:
        code = magnitude
    else:
        segment = next(k for k in range(1, 8) if magnitude < 32 << (k - 1) or k == 7)
        while magnitude >= 32 << (segment - 1):
            segment += 1
        code = (segment << 4) | ((magnitude - (16 << (segment - 1))) >> (segment - 1))
    return (code | (0 if sample < 0 else 0x80)) ^ 0x55


def test_every_sample_encodes_as_the_definition_says() -> None:
    assert g711.ulaw_encode(EVERY_SAMPLE) == bytes(_slow_mu_law(int(s)) for s in EVERY_SAMPLE)
    assert g711.alaw_encode(EVERY_SAMPLE) == bytes(_slow_a_law(int(s)) for s in EVERY_SAMPLE)


def test_strided_and_empty_arrays_and_wrong_types() -> None:
    assert g711.ulaw_encode(EVERY_SAMPLE[::7]) == g711.ulaw_encode(EVERY_SAMPLE[::7].copy())
    assert g711.alaw_encode(np.zeros(0, np.int16)) == b""
    assert len(g711.ulaw_decode(b"")) == 0
    with pytest.raises(TypeError, match="float64"):
        g711.ulaw_encode(np.zeros(2))  # type: ignore[arg-type]
