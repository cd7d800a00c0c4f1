"""Delivery of a spoken sentence: nothing lost, words ahead of sound, faster than real time but not at once."""

from __future__ import annotations

import asyncio

import pytest

from bench.audio.formats import USUAL_FORMATS, AudioFormat
from bench.server.engines.pacing import LEAD_MS, SPEED, ReplyPacer
from bench.server.protocol.usage import words


def deliver(text: str, audio: bytes, audio_format: AudioFormat) -> tuple[list[object], float]:
    async def collect() -> tuple[list[object], float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        pieces: list[object] = [piece async for piece in ReplyPacer(audio_format).sentence(words(text), audio)]
        return pieces, loop.time() - began

    return asyncio.run(collect())


@pytest.mark.parametrize("audio_format", USUAL_FORMATS, ids=str)
@pytest.mark.parametrize("audio_ms", [0, 130, 900])
def test_everything_is_delivered_in_order(audio_format: AudioFormat, audio_ms: int) -> None:
    audio = bytes(
        index % 251 for index in range(audio_ms * audio_format.rate_hz * audio_format.bytes_per_sample // 1000)
    )
    pieces, _ = deliver("One two  three four.", audio, audio_format)
    assert "".join(piece for piece in pieces if isinstance(piece, str)) == "One two  three four."
    assert b"".join(piece for piece in pieces if isinstance(piece, bytes)) == audio
    assert isinstance(pieces[0], str)


def test_it_takes_a_fraction_of_real_time_after_the_lead() -> None:
    _, took_s = deliver("One two.", bytes(2 * 24_000 * 2), AudioFormat.PCM16)
    # the last chunk of 200 ms is due when 1800 ms less the lead have been played at that speed
    assert took_s >= (1800 - LEAD_MS) / 1000 / SPEED - 0.002
