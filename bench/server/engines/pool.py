"""The worker processes as the event loop sees them: audio and sentences out, words and speech in.

Each utterance stays with one worker; new work goes to the worker with the least of it. A worker does the most urgent
first: speech (a caller waits for it), then utterances that have ended, then those still being spoken. A worker that
dies fails the work it held and is replaced.
Trap: workers live only as long as their standard input is open, which the operating system closes even when the
server is killed. Nothing here may hand that pipe to another process.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import pickle
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from bench.audio.formats import AudioFormat
from bench.server.engines.base import EngineError
from bench.server.engines.speech_worker import LENGTH, packed
from bench.server.processes import stop_children

logger = logging.getLogger(__name__)

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 2.0
SLICE_MS = 120  # of audio decoded before more urgent work is looked for: about 15 ms
MAX_RESTARTS = 5
COMMAND = (sys.executable, "-m", "bench.server.engines.speech_worker")


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _fail(future: asyncio.Future[Any], message: str) -> None:
    if not future.done():
        future.set_exception(EngineError(message))
        future.exception()  # marks it as seen: it may never be awaited


@dataclass(slots=True, eq=False)
class Recognition:
    """One utterance with its worker; `text()` is its words once `end` was called."""

    worker: _SpeechWorker
    number: int
    rate_hz: int
    waiting: bytearray = field(default_factory=bytearray)
    ended: bool = False
    has_decoder: bool = False
    result: asyncio.Future[str] = field(default_factory=_future)

    def feed(self, pcm: bytes) -> None:
        self.waiting += pcm
        self.worker.wake.set()

    def end(self) -> None:
        self.ended = True
        self.worker.wake.set()

    def drop(self) -> None:
        """The words are not needed any more."""
        _fail(self.result, "this audio was dropped before it was recognised")
        self.worker.wake.set()

    async def text(self) -> str:
        """The words; raises `EngineError` when the worker died."""
        return await asyncio.shield(self.result)

    def slice_bytes(self) -> int:
        """Of the audio that is decoded at once."""
        return self.rate_hz * 2 * SLICE_MS // 1000


@dataclass(slots=True, eq=False)
class _SpeechWorker:
    process: asyncio.subprocess.Process
    most_decoders: int
    ready: asyncio.Future[None] = field(default_factory=_future)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    sentences: deque[tuple[tuple[Any, ...], asyncio.Future[bytes]]] = field(default_factory=deque)
    utterances: list[Recognition] = field(default_factory=list)
    """In the order of their beginning."""
    decoders: int = 0

    async def run(self) -> None:
        """Work until cancelled, or until the process ends."""
        while True:
            if self.sentences:
                arguments, audio = self.sentences[0]
                spoken = await self._call("say", *arguments) if not audio.done() else b""
                if not audio.done():
                    audio.set_result(spoken)
                self.sentences.popleft()
            elif (utterance := self._next_utterance()) is not None:
                await self._recognise(utterance)
            elif self.decoders < self.most_decoders:
                await self._call("load")
                self.decoders += 1
                if not self.ready.done():
                    self.ready.set_result(None)
            else:
                self.wake.clear()
                await self.wake.wait()

    def fail(self, message: str) -> None:
        """The process has ended, and with it the work that it held."""
        for utterance in self.utterances:
            _fail(utterance.result, f"{message} while it recognised this audio")
        for _, audio in self.sentences:
            _fail(audio, f"{message} while it spoke")

    def _next_utterance(self) -> Recognition | None:
        """One that ended or was dropped before one that goes on, the older first; a decoder must be free for it."""
        best: Recognition | None = None
        free = sum(utterance.has_decoder for utterance in self.utterances) < self.decoders
        for utterance in self.utterances:
            if utterance.result.done():
                return utterance
            if not (utterance.has_decoder or free):
                continue
            if utterance.ended:
                return utterance
            if best is None and len(utterance.waiting) >= utterance.slice_bytes():
                best = utterance
        return best

    async def _recognise(self, utterance: Recognition) -> None:
        """One slice of work."""
        dropped = utterance.result.done()
        size = 0 if dropped else min(utterance.slice_bytes(), len(utterance.waiting))
        if not dropped or utterance.has_decoder:
            piece = bytes(utterance.waiting[:size])
            del utterance.waiting[:size]
            utterance.has_decoder = True
            await self._call("hear", utterance.number, utterance.rate_hz, piece)
            if not dropped and (not utterance.ended or utterance.waiting):
                return
            text = await self._call("finish", utterance.number)
            if not utterance.result.done():
                utterance.result.set_result(text)
        self.utterances.remove(utterance)

    async def _call(self, name: str, *arguments: Any) -> Any:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(packed((name, arguments)))
        (length,) = LENGTH.unpack(await stdout.readexactly(LENGTH.size))
        return pickle.loads(await stdout.readexactly(length))


class WorkerPool:
    """`count` workers with `decoders` decoders each."""

    def __init__(self, count: int, decoders: int) -> None:
        self._count = count
        self._decoders = decoders
        self._workers: list[_SpeechWorker] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._restarts = 0
        self._stopping = False

    @property
    def pids(self) -> list[int]:
        return [worker.process.pid for worker in self._workers]

    async def start(self) -> None:
        """Start all workers; returns when each has loaded its model."""
        workers = await asyncio.gather(*(self._spawn() for _ in range(self._count)))
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await asyncio.gather(*(worker.ready for worker in workers))
        except TimeoutError:
            await self.stop()
            raise EngineError(f"the speech workers were not ready after {READY_TIMEOUT_S:g} s") from None

    async def stop(self) -> None:
        """Close every worker's input, then make sure that each has gone."""
        self._stopping = True
        workers, self._workers = self._workers, []
        await stop_children([worker.process for worker in workers], STOP_TIMEOUT_S)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def recognise(self, rate_hz: int) -> Recognition:
        """A new utterance with the least busy worker."""
        worker = min(self._running(), key=lambda candidate: len(candidate.utterances))
        utterance = Recognition(worker, next(self._numbers), rate_hz)
        worker.utterances.append(utterance)
        return utterance

    def say(
        self, sentences: list[str], *, voice: str, speed: float, audio_format: AudioFormat, pause_ms: int
    ) -> list[asyncio.Future[bytes]]:
        """Ask for all sentences at once: the encoded audio of each, in order, as soon as it is spoken.

        A future raises `EngineError` when the worker died; cancel those of sentences that are not needed any more.
        """
        worker = min(self._running(), key=lambda candidate: (len(candidate.sentences), len(candidate.utterances)))
        spoken = [_future() for _ in sentences]
        for audio, text in zip(spoken, sentences, strict=True):
            pause = pause_ms if audio is not spoken[-1] else 0
            worker.sentences.append(((text, pause, voice, speed, audio_format), audio))
        worker.wake.set()
        return spoken

    def _running(self) -> list[_SpeechWorker]:
        if not self._workers:
            raise EngineError("no speech worker is running")
        return self._workers

    async def _spawn(self) -> _SpeechWorker:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        worker = _SpeechWorker(process, self._decoders)
        if self._stopping:  # `stop` came while the process was made and does not know of it
            await stop_children([process], 0.0)
            return worker
        self._workers.append(worker)
        task = asyncio.create_task(self._attend(worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return worker

    async def _attend(self, worker: _SpeechWorker) -> None:
        """Let one worker work; when it ends, fail what it held and replace it."""
        work, ended = asyncio.create_task(worker.run()), asyncio.create_task(worker.process.wait())
        await asyncio.wait((work, ended), return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        if worker.process.returncode is None and not self._stopping:
            worker.process.kill()
        status = await ended
        await asyncio.gather(work, return_exceptions=True)
        worker.fail("the speech worker ended")
        if worker in self._workers:
            self._workers.remove(worker)
        if self._stopping:
            return
        logger.error("a speech worker (pid %d) ended with status %d", worker.process.pid, status)
        if not worker.ready.done():
            _fail(worker.ready, f"a speech worker ended with status {status} while it started")
            return
        self._restarts += 1
        if self._restarts <= MAX_RESTARTS:
            await self._spawn()
