"""The worker processes, seen from the socket loop: takes to recognise and sentences to speak go out, results come in.

Each take stays with one worker; new work goes to the worker with the least of it. A worker that dies fails the work
it held and is replaced.
Trap: workers live only as long as their standard input is open, which the operating system closes even when the
server is killed. Nothing here may hand that pipe to another process.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.server.engines.base import EngineError
from bench.server.engines.frames import FrameReader, pack

logger = logging.getLogger(__name__)

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 2.0
READ_BYTES = 1 << 18
MAX_RESTARTS = 5


@dataclass(slots=True, eq=False)
class _Worker:
    process: asyncio.subprocess.Process
    ready: asyncio.Future[None]
    pending: dict[str, Callable[[dict[str, Any] | None, bytes], None]] = field(default_factory=dict)
    takes: int = 0

    def send(self, head: dict[str, Any], body: bytes = b"") -> None:
        stdin = self.process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(pack(head, body))


class WorkerPool:
    """`count` workers with `decoders` decoders each."""

    def __init__(self, count: int, decoders: int) -> None:
        self._count = count
        self._decoders = decoders
        self._workers: list[_Worker] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = itertools.count(1)
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
        for worker in workers:
            if worker.process.stdin is not None:
                worker.process.stdin.close()
        for worker in workers:
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await worker.process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    worker.process.kill()
                await worker.process.wait()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def open_take(self, rate_hz: int) -> Take:
        """A new take with the least busy worker."""
        if not self._workers:
            raise EngineError("no speech worker is running")
        worker = min(self._workers, key=lambda candidate: candidate.takes)
        take_id = f"t{next(self._ids)}"
        worker.send({"op": "open", "id": take_id, "rate_hz": rate_hz})
        return Take(worker, take_id)

    def say(self, sentences: list[str], *, voice: str, speed: float, audio_format: str, pause_ms: int) -> Speech:
        """Ask for all sentences at once; they are spoken in order, each available as soon as it is done."""
        if not self._workers:
            raise EngineError("no speech worker is running")
        worker = min(self._workers, key=lambda candidate: (len(candidate.pending), candidate.takes))
        speech = Speech(worker, f"s{next(self._ids)}", len(sentences))
        common = {"op": "say", "id": speech.id, "voice": voice, "speed": speed, "format": audio_format}
        for index, text in enumerate(sentences):
            pause = pause_ms if index < len(sentences) - 1 else 0
            worker.send({**common, "index": index, "text": text, "pause_ms": pause})
        return speech

    async def _spawn(self) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.server.engines.worker",
            str(self._decoders),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        worker = _Worker(process, asyncio.get_running_loop().create_future())
        if self._stopping:  # `stop` came while the process was made and does not know of it
            process.kill()
            await process.wait()
            return worker
        self._workers.append(worker)
        task = asyncio.create_task(self._listen(worker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return worker

    async def _listen(self, worker: _Worker) -> None:
        """Deliver one worker's results until its output ends."""
        reader = FrameReader()
        assert worker.process.stdout is not None
        while data := await worker.process.stdout.read(READ_BYTES):
            for head, body in reader.feed(data):
                if head["op"] == "ready":
                    worker.ready.set_result(None)
                elif deliver := worker.pending.get(head["id"]):
                    deliver(head, body)
        for deliver in list(worker.pending.values()):
            deliver(None, b"")
        if worker in self._workers:
            self._workers.remove(worker)
        if not self._stopping:
            await self._replace(worker)

    async def _replace(self, worker: _Worker) -> None:
        status = await worker.process.wait()
        logger.error("a speech worker (pid %d) ended with status %d", worker.process.pid, status)
        if not worker.ready.done():
            worker.ready.set_exception(EngineError(f"a speech worker ended with status {status} while it started"))
            return
        self._restarts += 1
        if self._restarts <= MAX_RESTARTS and not self._stopping:
            await self._spawn()


class Take:
    """One utterance with its worker; `text()` is its words once `end` was called."""

    __slots__ = ("_id", "_open", "_result", "_worker")

    def __init__(self, worker: _Worker, take_id: str) -> None:
        self._worker = worker
        self._id = take_id
        self._open = True
        self._result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        worker.takes += 1
        worker.pending[take_id] = self._deliver

    def feed(self, pcm: bytes) -> None:
        self._worker.send({"op": "feed", "id": self._id}, pcm)

    def end(self) -> None:
        self._worker.send({"op": "end", "id": self._id})

    def drop(self) -> None:
        """Nobody will ask for the words any more."""
        if self._open:
            self._worker.send({"op": "drop", "id": self._id})
            self._close()
            self._fail("this audio was dropped before it was recognised")

    async def text(self) -> str:
        """The words; raises `EngineError` when the worker died."""
        return await asyncio.shield(self._result)

    def _deliver(self, head: dict[str, Any] | None, _body: bytes) -> None:
        self._close()
        if self._result.done():
            return
        if head is None:
            self._fail("the speech worker ended while it recognised this audio")
        else:
            self._result.set_result(head["text"])

    def _fail(self, message: str) -> None:
        self._result.set_exception(EngineError(message))
        self._result.exception()  # counts as seen: perhaps nobody will ask for it

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._worker.takes -= 1
            self._worker.pending.pop(self._id, None)


class Speech:
    """Sentences being spoken, in order."""

    __slots__ = ("_expected", "_queue", "_worker", "id")

    def __init__(self, worker: _Worker, speech_id: str, expected: int) -> None:
        self.id = speech_id
        self._worker = worker
        self._expected = expected
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        worker.pending[speech_id] = self._deliver

    async def sentence(self) -> bytes:
        """The next sentence's encoded audio; raises `EngineError` when the worker died."""
        audio = await self._queue.get()
        if audio is None:
            raise EngineError("the speech worker ended while it spoke")
        return audio

    def close(self) -> None:
        """No more sentences are wanted."""
        if self._worker.pending.pop(self.id, None) is not None:
            self._worker.send({"op": "drop", "id": self.id})

    def _deliver(self, head: dict[str, Any] | None, body: bytes) -> None:
        self._queue.put_nowait(None if head is None else body)
        self._expected -= 1
        if head is None or not self._expected:
            self._worker.pending.pop(self.id, None)
