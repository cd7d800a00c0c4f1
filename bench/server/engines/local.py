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
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from bench.audio.formats import AudioFormat
from bench.server.allowance import Allowance
from bench.server.engines.agent import Agent
from bench.server.engines.base import EngineError, FunctionCall, Handler, StreamingSession
from bench.server.engines.lookups import MOMENT, call_for, spoken_results
from bench.server.engines.pacing import ReplyPacer
from bench.server.engines.pool import Recognition, WorkerPool
from bench.server.protocol.commands import ReplyRequest
from bench.server.protocol.config import Json
from bench.server.protocol.input_audio import InputAudio
from bench.server.protocol.usage import words

logger = logging.getLogger(__name__)

DECODERS_PER_WORKER = 4
PAUSE_MS = 180  # between sentences
REQUESTS_PER_MIN, TOKENS_PER_MIN = 20_000, 15_000_000
_SENTENCE = re.compile(r"[^.!?]+[.!?]*\s*")


class LocalEngine:
    """The pool of workers, shared by all callers."""

    name = "local"
    default_model = "local-pipeline"
    session_lifetime_s: float | None = None

    def __init__(self, workers: int | None = None) -> None:
        self.settings: Mapping[str, Any] = {}
        self._count = workers or max(1, (os.cpu_count() or 2) - 1)
        self._pool = WorkerPool(self._count, DECODERS_PER_WORKER)
        self._allowance = Allowance(REQUESTS_PER_MIN, TOKENS_PER_MIN, 0)

    async def start(self) -> None:
        await self._pool.start()

    async def stop(self) -> None:
        await self._pool.stop()

    def session(self, handler: Handler, _number: int) -> LocalSession:
        return LocalSession(handler, self._allowance, self._pool)

    def health(self) -> dict[str, Any]:
        return {"workers": self._count, "worker_pids": self._pool.pids}


class LocalSession(StreamingSession):
    """One caller: utterances being recognised, and the agent that remembers what was said."""

    def __init__(self, handler: Handler, allowance: Allowance, pool: WorkerPool) -> None:
        super().__init__(handler, allowance)
        self._pool = pool
        self._agent = Agent()
        self._heard: dict[str, Recognition] = {}
        self._turns = 0

    def input_audio(self, audio_format: AudioFormat, turn_detection: Json | None) -> InputAudio:
        self._input = super().input_audio(audio_format, turn_detection)
        return self._input

    def open_input(self, item_id: str, rate_hz: int) -> None:
        try:
            self._heard[item_id] = self._pool.recognise(rate_hz)
        except EngineError as problem:  # `transcript` fails later; the call goes on
            logger.warning("the audio of %s is not recognised: %s", item_id, problem)

    def feed_input(self, item_id: str, pcm: bytes) -> None:
        if item_id in self._heard:
            self._heard[item_id].feed(pcm)

    def commit_input(self, item_id: str, *, transcribe: bool) -> None:
        if item_id in self._heard:
            self._heard[item_id].end()
        self._log_turn(item_id)
        super().commit_input(item_id, transcribe=transcribe)

    def drop_input(self, item_id: str) -> None:
        recognition = self._heard.pop(item_id, None)
        if recognition is not None:
            recognition.drop()

    async def transcript(self, item_id: str) -> str:
        recognition = self._heard.get(item_id)
        if recognition is None:
            raise EngineError("this audio was never heard")
        return await recognition.text()

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[str | bytes | FunctionCall, None]:
        answer, call = await self._answer(request)
        async for piece in self._said(answer, request):
            yield piece
        if call is not None:
            yield call

    async def _said(self, answer: str, request: ReplyRequest) -> AsyncGenerator[str | bytes | FunctionCall, None]:
        """`answer` in words and, where it is spoken, in sound."""
        if request.modality == "text":
            for word in words(answer):
                yield word
                await asyncio.sleep(0)
            return
        sentences = _SENTENCE.findall(answer)
        spoken = self._pool.say(
            [sentence.strip() for sentence in sentences],
            voice=request.voice,
            speed=request.speed,
            audio_format=request.output_format,
            pause_ms=PAUSE_MS,
        )
        try:
            pacer = ReplyPacer(request.output_format)
            for index, sentence in enumerate(sentences):
                text = words(sentence)
                if not index:  # the first word is known before any sound is made
                    yield text.pop(0)
                async for piece in pacer.sentence(text, await spoken[index]):
                    yield piece
        finally:
            for audio in spoken:
                audio.cancel()

    def close(self) -> None:
        super().close()
        for item_id in list(self._heard):
            self.drop_input(item_id)

    async def _answer(self, request: ReplyRequest) -> tuple[str, FunctionCall | None]:
        """What the agent says to the newest of the caller's items, after hearing every earlier one.

        Where one of the client's tools knows it, the agent asks for a moment and calls that.
        """
        if request.tool_results:
            return spoken_results(self._agent.lookup, [item.text or "" for item in request.tool_results]), None
        latest = next((item for item in reversed(request.context) if item.role == "user"), None)
        if latest is None:
            return self._agent.greeting(), None
        heard = latest.text if latest.text is not None else await self.transcript(latest.item_id)
        answer = self._agent.answer(latest.item_id, heard)
        lookup = self._agent.lookup
        call = call_for(lookup, request.tools) if lookup is not None else None
        return (answer, None) if call is None else (MOMENT, call)

    def _log_turn(self, item_id: str) -> None:
        """A turn in the truth log, without what only an engine that knows its callers could say."""
        arrivals_ns = self._input.arrivals_ns
        self.handler.truth.add(
            "turn",
            self.handler.session.id,
            turn=self._turns,
            items=[item_id],
            fixture=None,
            known_by="detector",
            speech_end_ns=None,
            commit_ns=time.monotonic_ns(),
            frame_arrivals_ns=list(arrivals_ns),
            expected=None,
        )
        self._turns += 1
        arrivals_ns.clear()
