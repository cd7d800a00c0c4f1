"""The services by what this machine has: pocketsphinx, the small intent agent, espeak-ng.

Chat keeps nothing: the agent hears every message of the user again, so that it knows what the conversation was.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import soundfile

from bench.audio.formats import AudioFormat, to_pcm16
from bench.server.deadlines import Deadlines
from bench.server.engines.agent import Agent
from bench.server.engines.base import EngineError, FunctionCall
from bench.server.engines.lookups import MOMENT, call_for, spoken_results
from bench.server.engines.pool import WorkerPool
from bench.server.http_legs.requests import ChatRequest, SpeechRequest, TranscriptionRequest
from bench.server.http_legs.services import Asked, Raw, RefusedError
from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.usage import words

DECODERS_PER_WORKER = 4
SLICE_BYTES = 16_000
PAUSE_MS = 180
_SENTENCE = re.compile(r"[^.!?]+[.!?]*\s*")


class LocalServices:
    """The three services over a pool of workers."""

    name = "local"

    def __init__(self, workers: int | None = None) -> None:
        self.models: Mapping[str, str] = {"stt": "pocketsphinx", "llm": "intent-agent", "tts": "espeak-ng"}
        self.settings: Mapping[str, Any] = {}
        self._pool = WorkerPool(workers or max(1, (os.cpu_count() or 2) - 1), DECODERS_PER_WORKER)

    async def start(self, deadlines: Deadlines) -> None:
        await self._pool.start()

    async def stop(self) -> None:
        await self._pool.stop()

    async def transcribe(self, request: TranscriptionRequest, asked: Asked) -> AsyncGenerator[str | Raw, None]:
        try:
            found, rate_hz = soundfile.read(io.BytesIO(request.file), dtype="float64", always_2d=True)
        except soundfile.LibsndfileError:
            message = "The audio file could not be decoded or its format is not supported."
            raise ProtocolError(message, code="audio_unreadable", param="file") from None
        asked.facts["audio_ms"] = round(len(found) * 1000 / rate_hz, 1)
        with _refusing():
            recognition = self._pool.recognise(rate_hz)
            try:
                pcm = AudioFormat.PCM16.encode(to_pcm16(found.mean(axis=1))[0])
                for start in range(0, len(pcm), SLICE_BYTES):
                    recognition.feed(pcm[start : start + SLICE_BYTES])
                recognition.end()
                text = await recognition.text()
            finally:
                recognition.drop()
        for word in words(text):
            yield word

    async def chat(self, request: ChatRequest, asked: Asked) -> AsyncGenerator[str | FunctionCall | Raw, None]:
        agent = Agent()
        answer = agent.greeting()
        for place, message in enumerate(request.messages):
            if message.get("role") == "user":
                answer = agent.answer(str(place), text_of(message))
        results: list[str] = []
        for message in reversed(request.messages):
            if message.get("role") != "tool":
                break
            results.append(text_of(message))
        call = None
        if results:
            answer = spoken_results(agent.lookup, reversed(results))
        elif agent.lookup is not None:
            tools = [{"type": "function", **(tool.get("function") or {})} for tool in request.tools]
            call = call_for(agent.lookup, tools)
        asked.facts["call"] = call.name if call is not None else None
        for word in words(answer if call is None else MOMENT):
            yield word
            await asyncio.sleep(0)
        if call is not None:
            yield call

    async def speak(self, request: SpeechRequest, asked: Asked) -> AsyncGenerator[bytes | Raw, None]:
        asked.facts["characters"] = len(request.text)
        sentences = [found.strip() for found in _SENTENCE.findall(request.text)]
        with _refusing():
            spoken = self._pool.say(
                sentences, voice=request.voice, speed=request.speed, audio_format=AudioFormat.PCM16, pause_ms=PAUSE_MS
            )
            try:
                for audio in spoken:
                    yield await audio
            finally:
                for audio in spoken:
                    audio.cancel()


def text_of(message: Mapping[str, Any]) -> str:
    """The words of a chat message, whose content is a text or a list of parts."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


@contextlib.contextmanager
def _refusing() -> Any:
    try:
        yield
    except EngineError as problem:
        raise RefusedError(500, str(problem)) from problem
