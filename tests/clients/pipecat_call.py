"""A pipeline of pipecat with one service in it, and what comes out of that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.frames.frames import ErrorFrame, Frame, InputAudioRawFrame, LLMRunFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from tests.clients.support import ARGUMENTS, PARAMETERS, RESULT, TOOL, pieces

TIMEOUT_S = 30.0
SCHEMA = FunctionSchema(
    name=TOOL, description="Looks an order up.", properties=PARAMETERS["properties"], required=["order_id"]
)


class Listener(FrameProcessor):
    """Keeps every frame that comes out of the service."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.came = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, InputAudioRawFrame):
            self.frames.append(frame)
            self.came.set()
        await self.push_frame(frame, direction)


class Call:
    """A pipeline that is running."""

    def __init__(self, worker: PipelineWorker, listener: Listener) -> None:
        self.worker, self.listener = worker, listener
        self.problems: list[Any] = []

    async def queue(self, *frames: Frame) -> None:
        await self.worker.queue_frames(list(frames))

    async def run_llm(self) -> None:
        """Give the service its context, upon which it may speak first."""
        await self.queue(LLMRunFrame())

    async def say(self, fixture: str) -> None:
        await self.queue(*(InputAudioRawFrame(piece, 24_000, 1) for piece in pieces(fixture)))

    def of(self, kind: type[Frame]) -> list[Any]:
        return [frame for frame in self.listener.frames if isinstance(frame, kind)]

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until this is true of the frames; a problem of the pipeline fails."""
        async with asyncio.timeout(TIMEOUT_S):
            while not happened():
                assert not self.problems, self.problems
                self.listener.came.clear()
                await self.listener.came.wait()

    async def until_one(self, kind: type[Frame]) -> None:
        await self.until(lambda: bool(self.of(kind)))

    def sound(self) -> bytes:
        return b"".join(frame.audio for frame in self.of(OutputAudioRawFrame))

    def sound_s(self) -> float:
        return len(self.sound()) / 48_000


Talk = Callable[[Call], Awaitable[None]]


async def _look_up(params: Any) -> None:
    await params.result_callback(RESULT if params.arguments == ARGUMENTS else "?")


def in_pipeline(service: Any, talk: Talk, context: LLMContext | None = None) -> Call:
    """What is left of a call in which `talk` was done with the service; it has the tool."""
    service.register_function(TOOL, _look_up)

    async def run() -> Call:
        async with running(service, context or LLMContext()) as call:
            await talk(call)
            return call

    return asyncio.run(run())


@asynccontextmanager
async def running(service: FrameProcessor, context: LLMContext) -> AsyncIterator[Call]:
    """A pipeline with this service between pipecat's own aggregators."""
    pair = LLMContextAggregatorPair(context)
    listener = Listener()
    pipeline = Pipeline([pair.user(), service, listener, pair.assistant()])
    rates = PipelineParams(audio_in_sample_rate=24_000, audio_out_sample_rate=24_000)
    worker = PipelineWorker(pipeline, params=rates, idle_timeout_secs=None)
    call = Call(worker, listener)

    @worker.event_handler("on_pipeline_error")
    async def failed(_: Any, frame: ErrorFrame) -> None:
        call.problems.append(frame.error)

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    run = asyncio.create_task(runner.run())
    try:
        yield call
        assert not call.problems
    finally:
        await worker.cancel()
        await asyncio.wait_for(run, TIMEOUT_S)
