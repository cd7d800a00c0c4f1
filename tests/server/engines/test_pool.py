"""Real workers: recognition of recorded speech in either band, more callers than decoders, speech in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np
import pytest

from bench.audio.formats import AudioFormat
from bench.server.engines.base import EngineError
from bench.server.engines.pool import Recognition, WorkerPool
from tests.server.support import silence, speech

Result = TypeVar("Result")
WORDS = {
    "balance-rms": {"what", "balance", "checking", "account"},
    "opening-hours-rms": {"what", "opening", "saturday"},
}


def with_pool(work: Callable[[WorkerPool], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        pool = WorkerPool(1, 1)
        await pool.start()
        try:
            return await work(pool)
        finally:
            await pool.stop()

    return asyncio.run(run())


def begin(pool: WorkerPool, fixture: str, audio_format: AudioFormat = AudioFormat.PCM16) -> Recognition:
    pcm = audio_format.decode(audio_format.encode(speech(fixture, audio_format)))
    utterance = pool.recognise(audio_format.rate_hz)
    utterance.feed(np.concatenate((pcm, silence(300, audio_format.rate_hz))).tobytes())
    return utterance


@pytest.mark.slow
def test_more_callers_than_decoders_are_all_understood_the_same_in_any_order() -> None:
    async def work(pool: WorkerPool) -> list[list[str]]:
        rounds = []
        for order in (list(WORDS), list(reversed(WORDS))):
            utterances = {fixture: begin(pool, fixture) for fixture in order}
            for utterance in utterances.values():
                utterance.end()
            rounds.append([await utterances[fixture].text() for fixture in WORDS])
        return rounds

    first, second = with_pool(work)
    for heard, words in zip(first, WORDS.values(), strict=True):
        assert words <= set(heard.split()), heard
    assert first == second


def test_telephone_audio_is_understood_and_a_dropped_take_is_an_error() -> None:
    async def work(pool: WorkerPool) -> str:
        dropped = begin(pool, "balance-slt")
        utterance = begin(pool, "balance-rms", AudioFormat.PCMU)
        dropped.drop()
        utterance.end()
        with pytest.raises(EngineError):
            await dropped.text()
        return await utterance.text()

    assert {"balance", "account"} <= set(with_pool(work).split())


def test_sentences_are_spoken_in_order_in_the_asked_format_and_speed() -> None:
    async def work(pool: WorkerPool) -> list[int]:
        sizes = []
        for audio_format, speed in ((AudioFormat.PCM16, 1.0), (AudioFormat.PCM16, 1.5), (AudioFormat.PCMU, 1.0)):
            sentences = ["Yes.", "This sentence is a good deal longer than the other."]
            said = pool.say(sentences, voice="marin", speed=speed, audio_format=audio_format, pause_ms=0)
            sizes += [len(await audio) for audio in said]
        return sizes

    short, long, _, fast, short_g711, long_g711 = with_pool(work)
    assert short * 3 < long
    assert fast < long * 0.8
    assert (short / short_g711, long / long_g711) == (pytest.approx(6, rel=0.01), pytest.approx(6, rel=0.01))


def test_work_held_by_a_worker_that_dies_fails_by_name() -> None:
    async def work(pool: WorkerPool) -> None:
        utterance = begin(pool, "balance-rms")
        speech_in_work = pool.say(["Hello."] * 50, voice="marin", speed=1.0, audio_format=AudioFormat.PCM16, pause_ms=0)
        for worker in pool._workers:
            worker.process.kill()
        with pytest.raises(EngineError, match="worker ended"):
            await utterance.text()
        with pytest.raises(EngineError, match="worker ended"):
            await asyncio.gather(*speech_in_work)

    with_pool(work)
