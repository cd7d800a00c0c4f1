"""One reply: the model's words as they come, and their sound, sentence by sentence, while the model goes on.

In: messages. Out: words, sound (PCM16 at the speech service's rate) and calls of functions, in the order in which they
are to be sent; calls last. Closing the generator ends every request of the reply.
Trap: the sound of a sentence is passed on only when that of all sentences before it has been, though it may be here.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.scenario.cascade import CascadeConfig
from bench.server.engines.base import FunctionCall
from bench.server.engines.cascade.caller import Work
from bench.server.engines.cascade.clients import Clients, Said, Speech, Thought
from bench.server.engines.cascade.report import ReplyReport
from bench.server.engines.cascade.sentences import SentenceSplitter


@dataclass(slots=True, eq=False)
class _Sound:
    """Of one sentence."""

    speech: Speech
    held: list[bytes] = field(default_factory=list)
    """What came while sentences before it were not over."""
    over: bool = False


class Pipeline:
    """The requests of one reply."""

    def __init__(
        self, clients: Clients, config: CascadeConfig, report: ReplyReport, *, voice: str | None, speed: float = 1.0
    ) -> None:
        """`voice` None: the reply is not spoken."""
        self._clients, self._config, self._report = clients, config, report
        self._voice, self._speed = voice, speed
        self._out: asyncio.Queue[str | bytes | FunctionCall | Exception | None] = asyncio.Queue()
        self._sounds: deque[_Sound] = deque()
        """What was asked for and is not over, in the order of the sentences; the first is passed on as it comes."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._sentences: deque[str] = deque()
        """What is to be spoken and was not asked for yet."""
        self._thought = False
        """There will be no more sentences."""

    async def pieces(
        self, messages: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]
    ) -> AsyncGenerator[str | bytes | FunctionCall, None]:
        """The reply as it comes; raises `LegError` for a service that failed."""
        work = self._report.llm = Work(self._config.llm.model)
        thought = self._clients.llm.begin(messages, wanted, work)
        self._start(lambda: self._think(thought))
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
            thought.leave()
            for sound in self._sounds:
                sound.speech.leave()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Callable[[], Awaitable[None]]) -> None:
        async def guarded() -> None:
            try:
                await work()
            except Exception as error:
                self._out.put_nowait(error)

        self._tasks.add(asyncio.create_task(guarded()))

    async def _think(self, thought: Thought) -> None:
        """The model's words, and what is to be spoken of them."""
        splitter = SentenceSplitter(self._config.sentences)
        async for piece in thought.pieces():
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
        self._ask_ahead()

    def _say(self, sentence: str) -> None:
        if self._report.sentence_ns is None:
            self._report.sentence_ns = time.monotonic_ns()
        if self._voice is not None:
            self._sentences.append(sentence)
            self._ask_ahead()

    def _ask_ahead(self) -> None:
        """Ask for the sound of sentences, as many at once as may be under way; when none is left, it is the end."""
        while self._sentences and len(self._sounds) < self._config.sentences.ahead:
            work = Work(self._config.tts.model)
            self._report.tts.append(work)
            # The request goes out here, before words are passed on: those can wait, the sound cannot.
            sound = _Sound(self._clients.tts.begin(self._sentences.popleft(), self._voice or "", self._speed, work))
            self._sounds.append(sound)
            self._start(partial(self._speak, sound))
        if self._thought and not self._sounds:
            self._out.put_nowait(None)

    async def _speak(self, sound: _Sound) -> None:
        async for piece in sound.speech.pieces():
            if sound is self._sounds[0]:
                self._out.put_nowait(piece)
            else:
                sound.held.append(piece)
        sound.over = True
        if sound is self._sounds[0]:
            self._pass_on()

    def _pass_on(self) -> None:
        """The first sound is over: go on with those behind it."""
        while self._sounds and self._sounds[0].over:
            self._sounds.popleft()
            if self._sounds:
                for piece in self._sounds[0].held:
                    self._out.put_nowait(piece)
                self._sounds[0].held.clear()
        self._ask_ahead()
