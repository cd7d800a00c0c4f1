"""The engine `local`: a real pipeline without downloads. It recognises (pocketsphinx), answers (a small intent agent)
and speaks (espeak-ng); all that costs CPU time runs in worker processes.

Recognition runs while the caller speaks, so that only the tail of an utterance is left when the turn ends; the reply
is spoken sentence by sentence, so that the first sound does not wait for the last word.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncGenerator
from typing import Any

from bench.server.engines.agent import Agent
from bench.server.engines.base import EngineError, Piece, ReplyText
from bench.server.engines.pacing import Pacer, words
from bench.server.engines.pool import Take, WorkerPool
from bench.server.protocol.commands import ReplyRequest

logger = logging.getLogger(__name__)

DECODERS_PER_WORKER = 4
FEED_BATCH_MS = 100  # audio handed to a worker at once
PAUSE_MS = 180  # between sentences
_SENTENCE = re.compile(r"[^.!?]+[.!?]*\s*")


class LocalEngine:
    """The pool of workers, shared by all callers."""

    name = "local"
    default_model = "local-pipeline"

    def __init__(self, workers: int | None = None) -> None:
        self._count = workers or max(1, (os.cpu_count() or 2) - 1)
        self._pool = WorkerPool(self._count, DECODERS_PER_WORKER)

    async def start(self) -> None:
        await self._pool.start()

    async def stop(self) -> None:
        await self._pool.stop()

    def session(self) -> LocalSession:
        return LocalSession(self._pool)

    def health(self) -> dict[str, Any]:
        return {"workers": self._count, "worker_pids": self._pool.pids}


class LocalSession:
    """One caller: takes being heard, and the agent that remembers what was said."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._agent = Agent()
        self._takes: dict[str, Take] = {}
        self._batches: dict[str, tuple[bytearray, int]] = {}  # audio not yet handed over, and when it shall be

    def open_take(self, take_id: str, rate_hz: int) -> None:
        try:
            self._takes[take_id] = self._pool.open_take(rate_hz)
        except EngineError as problem:  # told to whoever asks for the words; the call itself goes on
            logger.warning("nobody hears the take %s: %s", take_id, problem)
            return
        self._batches[take_id] = (bytearray(), rate_hz * 2 * FEED_BATCH_MS // 1000)

    def feed_take(self, take_id: str, pcm: bytes) -> None:
        if take_id not in self._batches:
            return
        batch, enough = self._batches[take_id]
        batch += pcm
        if len(batch) >= enough:
            self._takes[take_id].feed(bytes(batch))
            batch.clear()

    def commit_take(self, take_id: str) -> None:
        if take_id not in self._batches:
            return
        batch, _ = self._batches.pop(take_id)
        if batch:
            self._takes[take_id].feed(bytes(batch))
        self._takes[take_id].end()

    def drop_take(self, take_id: str) -> None:
        self._batches.pop(take_id, None)
        take = self._takes.pop(take_id, None)
        if take is not None:
            take.drop()

    async def transcript(self, take_id: str) -> str:
        take = self._takes.get(take_id)
        if take is None:
            raise EngineError("this audio was never heard")
        return await take.text()

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[Piece, None]:
        answer = await self._answer(request)
        if request.modality == "text":
            for word in words(answer):
                yield ReplyText(word)
                await asyncio.sleep(0)
            return
        sentences = _SENTENCE.findall(answer)
        speech = self._pool.say(
            [sentence.strip() for sentence in sentences],
            voice=request.voice,
            speed=request.speed,
            audio_format=request.output_format.encoding,
            pause_ms=PAUSE_MS,
        )
        try:
            pacer = Pacer(request.output_format)
            for index, sentence in enumerate(sentences):
                text = words(sentence)
                if not index:  # the first word is known before any sound is made
                    yield ReplyText(text.pop(0))
                async for piece in pacer.sentence(text, await speech.sentence()):
                    yield piece
        finally:
            speech.close()

    async def close(self) -> None:
        for take_id in list(self._takes):
            self.drop_take(take_id)

    async def _answer(self, request: ReplyRequest) -> str:
        """What the agent says to the newest of the caller's items, after hearing every earlier one."""
        latest = next((item for item in reversed(request.context) if item.role == "user"), None)
        if latest is None:
            return self._agent.greeting()
        heard = latest.text if latest.text is not None else await self.transcript(latest.item_id)
        return self._agent.answer(latest.item_id, heard)
