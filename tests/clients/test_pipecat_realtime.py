"""pipecat's service for OpenAI Realtime in a pipeline of its own, as it is installed, against the reference server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("pipecat.services.openai.realtime.llm", reason="needs the extra 'clients'")

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    FunctionCallResultFrame,
    InputAudioRawFrame,
    InterruptionFrame,
    LLMRunFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

from tests.clients.support import (
    ARGUMENTS,
    CUT,
    KEY,
    LONG,
    LONG_S,
    PARAMETERS,
    RESULT,
    SHORT,
    SHORT_S,
    TOOL,
    pieces,
    short_key,
)  # fmt: skip

TIMEOUT_S = 30.0


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

    def __init__(self, worker: Any, listener: Listener, problems: list[Any]) -> None:
        self.worker, self.listener, self.problems = worker, listener, problems

    async def say(self, fixture: str) -> None:
        await self.worker.queue_frames([InputAudioRawFrame(piece, 24_000, 1) for piece in pieces(fixture)])

    def of(self, kind: type[Frame]) -> list[Any]:
        return [frame for frame in self.listener.frames if isinstance(frame, kind)]

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not happened():
                assert not self.problems, self.problems
                self.listener.came.clear()
                await self.listener.came.wait()

    def sound_s(self) -> float:
        return sum(len(frame.audio) for frame in self.of(TTSAudioRawFrame)) / 48_000

    async def greeted(self) -> None:
        """Let the bot speak first, as it does once it has a context, which results of tools need; then forget it."""
        await self.worker.queue_frames([LLMRunFrame()])
        await self.until(lambda: bool(self.of(TTSStoppedFrame)))
        self.listener.frames.clear()


@asynccontextmanager
async def running(server: str, *, key: str = KEY, manual: bool = False, tools: Any = None) -> AsyncIterator[Call]:
    detection = False if manual else events.TurnDetection(silence_duration_ms=300)
    properties = events.SessionProperties(
        instructions="You are a bank's telephone agent.",
        audio=events.AudioConfiguration(
            input=events.AudioInput(
                transcription=events.InputAudioTranscription(model="gpt-4o-mini-transcribe"), turn_detection=detection
            )
        ),
        tools=tools,
    )
    llm = OpenAIRealtimeLLMService(
        api_key=key,
        base_url=server.replace("http", "ws") + "/v1/realtime",
        settings=OpenAIRealtimeLLMService.Settings(model="gpt-realtime", session_properties=properties),
    )
    if tools is not None:

        async def look_up(params: Any) -> None:
            await params.result_callback(RESULT if params.arguments == ARGUMENTS else "?")

        llm.register_function(TOOL, look_up)
    pair = LLMContextAggregatorPair(LLMContext())
    listener = Listener()
    pipeline = Pipeline([pair.user(), llm, listener, pair.assistant()])
    rates = PipelineParams(audio_in_sample_rate=24_000, audio_out_sample_rate=24_000)
    worker = PipelineWorker(pipeline, params=rates, idle_timeout_secs=None)
    problems: list[Any] = []

    @worker.event_handler("on_pipeline_error")
    async def failed(_: Any, frame: ErrorFrame) -> None:
        problems.append(frame.error)

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    run = asyncio.create_task(runner.run())
    try:
        yield Call(worker, listener, problems)
        assert not problems
    finally:
        await worker.cancel()
        await asyncio.wait_for(run, TIMEOUT_S)


def talked(server: str, talk: Callable[[Call], Any], **options: Any) -> Call:
    async def run() -> Call:
        async with running(server, **options) as call:
            await talk(call)
            return call

    return asyncio.run(run())


async def a_turn(call: Call) -> None:
    await call.say(SHORT)
    await call.until(lambda: bool(call.of(TTSStoppedFrame)))


def test_a_turn_that_the_server_detects(realtime: str) -> None:
    async def talk(call: Call) -> None:
        await a_turn(call)
        await call.until(lambda: bool(call.of(UserStoppedSpeakingFrame)))

    call = talked(realtime, talk)
    assert call.sound_s() == pytest.approx(SHORT_S, abs=0.25)
    assert call.of(UserStartedSpeakingFrame)


def test_a_turn_by_hand(realtime: str) -> None:
    async def talk(call: Call) -> None:
        await call.worker.queue_frames([UserStartedSpeakingFrame()])
        await call.say(SHORT)
        await call.worker.queue_frames([UserStoppedSpeakingFrame()])
        await call.until(lambda: bool(call.of(TTSStoppedFrame)))

    assert talked(realtime, talk, manual=True).sound_s() == pytest.approx(SHORT_S, abs=0.25)


def test_a_tool_is_run_and_its_result_is_answered(realtime: str) -> None:
    schema = FunctionSchema(
        name=TOOL, description="Looks an order up.", properties=PARAMETERS["properties"], required=["order_id"]
    )

    async def talk(call: Call) -> None:
        await call.greeted()
        await call.say(SHORT)
        await call.until(lambda: call.sound_s() > SHORT_S / 2)
        await call.until(lambda: bool(call.of(TTSStoppedFrame)))

    call = talked(realtime, talk, tools=ToolsSchema(standard_tools=[schema]))
    assert {frame.result for frame in call.of(FunctionCallResultFrame)} == {RESULT}
    assert call.sound_s() == pytest.approx(SHORT_S, abs=0.25)


def test_a_barge_in_ends_the_reply(realtime: str) -> None:
    before: list[float] = []

    async def talk(call: Call) -> None:
        await call.say(LONG)
        await call.until(lambda: call.sound_s() > 0)
        call.listener.frames = [frame for frame in call.listener.frames if not isinstance(frame, InterruptionFrame)]
        await call.say(CUT)
        await call.until(lambda: bool(call.of(InterruptionFrame)))
        before.append(call.sound_s())
        await call.until(lambda: call.sound_s() > before[0] + SHORT_S / 2)

    talked(realtime, talk)
    assert 0 < before[0] < LONG_S / 2


def test_a_client_secret_is_its_key(realtime: str) -> None:
    assert talked(realtime, a_turn, key=short_key(realtime)).sound_s() == pytest.approx(SHORT_S, abs=0.25)
