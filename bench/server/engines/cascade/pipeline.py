"""One reply: the model's words as they come, and their sound, sentence by sentence, while the model goes on.

In: messages. Out: words, sound (PCM16 at the speech service's rate) and calls of functions, in the order in which they
are to be sent; calls last. Closing the generator ends every request of the reply.
Trap: the sound of a sentence is passed on only when that of all sentences before it has been, though it may be here.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from bench.scenario.cascade import CascadeConfig
from bench.server.engines.base import FunctionCall
from bench.server.engines.cascade.clients import Clients, Said, Work
from bench.server.engines.cascade.report import ReplyReport
from bench.server.engines.cascade.sentences import SentenceSplitter

_Sound = asyncio.Queue[bytes | None]
"""Of one sentence; None is its end."""


class Pipeline:
    """The requests of one reply."""

    def __init__(
        self, clients: Clients, config: CascadeConfig, report: ReplyReport, *, voice: str | None, speed: float = 1.0
    ) -> None:
        """`voice` None: the reply is not spoken."""
        self._clients, self._config, self._report = clients, config, report
        self._voice, self._speed = voice, speed
        self._out: asyncio.Queue[str | bytes | FunctionCall | Exception | None] = asyncio.Queue()
        self._sounds: asyncio.Queue[_Sound | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sentences: deque[str] = deque()
        """What is to be spoken and was not asked for yet."""
        self._free = config.sentences.ahead
        self._thought = False
        """There will be no more sentences."""

    async def pieces(
        self, messages: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]
    ) -> AsyncGenerator[str | bytes | FunctionCall, None]:
        """The reply as it comes; raises `LegError` for a service that failed."""
        self._start(self._think(messages, wanted))
        if self._voice is not None:
            self._start(self._collect())
        calls: list[FunctionCall] = []
        try:
            while (piece := await self._out.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                if isinstance(piece, FunctionCall):
                    calls.append(piece)
                else:
                    yield piece
            for call in calls:
                yield call
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Any) -> None:
        async def guarded() -> None:
            try:
                await work
            except Exception as error:
                self._out.put_nowait(error)

        self._tasks.add(asyncio.create_task(guarded()))

    async def _think(self, messages: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> None:
        """The model's words, and what is to be spoken of them."""
        work = self._report.llm = Work(self._config.llm.model)
        splitter = SentenceSplitter(self._config.sentences)
        async for piece in self._clients.llm.stream(messages, work, **wanted):
            if piece is Said.ALL:
                # What was used comes behind the words, and nobody has to wait for it.
                if (rest := splitter.rest()) is not None:
                    self._say(rest)
                continue
            self._out.put_nowait(piece)
            if isinstance(piece, str):
                for sentence in splitter.feed(piece):
                    self._say(sentence)
        if (rest := splitter.rest()) is not None:
            self._say(rest)
        self._thought = True
        if self._voice is None:
            self._out.put_nowait(None)
        else:
            self._ask_ahead()

    def _say(self, sentence: str) -> None:
        if self._report.sentence_ns is None:
            self._report.sentence_ns = time.monotonic_ns()
        self._sentences.append(sentence)
        if self._voice is not None:
            self._ask_ahead()

    def _ask_ahead(self) -> None:
        """Ask for the sound of sentences, as many at once as may be under way."""
        while self._sentences and self._free:
            self._free -= 1
            sound: _Sound = asyncio.Queue()
            self._sounds.put_nowait(sound)
            self._start(self._speak(self._sentences.popleft(), sound))
        if self._thought and not self._sentences:
            self._sounds.put_nowait(None)

    async def _speak(self, sentence: str, sound: _Sound) -> None:
        work = Work(self._config.tts.model)
        self._report.tts.append(work)
        async for piece in self._clients.tts.stream(sentence, self._voice or "", self._speed, work):
            sound.put_nowait(piece)
        sound.put_nowait(None)

    async def _collect(self) -> None:
        """Pass the sound on in the order of the sentences."""
        while (sound := await self._sounds.get()) is not None:
            while (piece := await sound.get()) is not None:
                self._out.put_nowait(piece)
            self._free += 1
            self._ask_ahead()
        self._out.put_nowait(None)
