"""pipecat's service for xAI's Grok Voice in a pipeline, as it is installed, against the reference server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("pipecat.services.xai.realtime.llm", reason="needs the extra 'clients'")

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    FunctionCallResultFrame,
    InterruptionFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.xai.realtime import events
from pipecat.services.xai.realtime.llm import GrokRealtimeLLMService

from tests.clients.pipecat_call import Call, running
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
    profile_in,
    short_key,
)  # fmt: skip
from tests.server.support import server_process

Talk = Callable[[Call], Awaitable[None]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The HTTP address of a server of Grok Voice."""
    options = {"engine": "simulated", "profile": profile_in(tmp_path_factory), "dialect": "xai"}
    with server_process(api_key=KEY, **options) as (_, address):
        yield address


def talked(server: str, talk: Talk, *, key: str = KEY, manual: bool = False, tools: Any = None) -> Call:
    heard = events.AudioInput(transcription=events.InputAudioTranscription(model="grok-transcribe"))
    properties = events.SessionProperties(
        instructions="You are a bank's telephone agent.",
        voice="ara",
        turn_detection=None if manual else events.TurnDetection(silence_duration_ms=300),
        audio=events.AudioConfiguration(input=heard),
        tools=tools,
    )
    service = GrokRealtimeLLMService(
        api_key=key,
        base_url=server.replace("http", "ws") + "/v1/realtime",
        settings=GrokRealtimeLLMService.Settings(session_properties=properties),
    )

    async def look_up(params: Any) -> None:
        await params.result_callback(RESULT if params.arguments == ARGUMENTS else "?")

    service.register_function(TOOL, look_up)

    async def run() -> Call:
        async with running(service, LLMContext()) as call:
            async with asyncio.timeout(10):
                while not service._api_session_ready:  # what is said before is thrown away
                    await asyncio.sleep(0.01)
            await talk(call)
            return call

    return asyncio.run(run())


def sound_s(call: Call) -> float:
    return len(call.sound()) / 48_000


async def a_turn(call: Call) -> None:
    await call.say(SHORT)
    await call.until_one(TTSStoppedFrame)


def test_a_turn_that_the_server_detects(server: str) -> None:
    async def talk(call: Call) -> None:
        await a_turn(call)
        await call.until_one(UserStoppedSpeakingFrame)

    call = talked(server, talk)
    assert sound_s(call) == pytest.approx(SHORT_S, abs=0.25)


def test_a_turn_by_hand(server: str) -> None:
    async def talk(call: Call) -> None:
        await call.queue(UserStartedSpeakingFrame())
        await call.say(SHORT)
        await call.queue(UserStoppedSpeakingFrame())
        await call.until_one(TTSStoppedFrame)

    assert sound_s(talked(server, talk, manual=True)) == pytest.approx(SHORT_S, abs=0.25)


def test_a_tool_is_run_and_its_result_is_answered(server: str) -> None:
    schema = FunctionSchema(
        name=TOOL, description="Looks an order up.", properties=PARAMETERS["properties"], required=["order_id"]
    )

    async def talk(call: Call) -> None:
        await call.run_llm()
        await call.until_one(TTSStoppedFrame)
        call.listener.frames.clear()
        await call.say(SHORT)
        await call.until(lambda: sound_s(call) > SHORT_S / 2)
        await call.until_one(TTSStoppedFrame)

    call = talked(server, talk, tools=ToolsSchema(standard_tools=[schema]))
    assert {frame.result for frame in call.of(FunctionCallResultFrame)} == {RESULT}
    assert sound_s(call) == pytest.approx(SHORT_S, abs=0.25)


def test_a_barge_in_ends_the_reply(server: str) -> None:
    before: list[float] = []

    async def talk(call: Call) -> None:
        await call.say(LONG)
        await call.until(lambda: sound_s(call) > 0)
        call.listener.frames = [frame for frame in call.listener.frames if not isinstance(frame, InterruptionFrame)]
        await call.say(CUT)
        await call.until_one(InterruptionFrame)
        before.append(sound_s(call))
        await call.until(lambda: sound_s(call) > before[0] + SHORT_S / 2)

    talked(server, talk)
    assert 0 < before[0] < LONG_S / 2


def test_a_client_secret_is_its_key(server: str) -> None:
    assert sound_s(talked(server, a_turn, key=short_key(server))) == pytest.approx(SHORT_S, abs=0.25)
