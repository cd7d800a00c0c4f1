"""pipecat's services for OpenAI Realtime and Live in pipelines, as they are installed, against the reference server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pipecat.services.openai.realtime.llm", reason="needs the extra 'clients'")

from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    FunctionCallResultFrame,
    InterruptionFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.openai.live.llm import OpenAILiveLLMService
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.services.openai.responses.llm import OpenAIResponsesLLMService

from tests.clients.pipecat_call import SCHEMA, Call, Talk, in_pipeline
from tests.clients.support import (
    CUT,
    KEY,
    LONG,
    LONG_S,
    RESULT,
    SHORT,
    SHORT_S,
    profile_in,
    short_key,
)  # fmt: skip
from tests.server.support import server_process


def talked(server: str, talk: Talk, *, key: str = KEY, manual: bool = False, tools: Any = None) -> Call:
    """A call of the Realtime service."""
    detection = False if manual else events.TurnDetection(silence_duration_ms=300)
    transcription = events.InputAudioTranscription(model="gpt-4o-mini-transcribe")
    heard = events.AudioInput(transcription=transcription, turn_detection=detection)
    properties = events.SessionProperties(
        instructions="You are a bank's telephone agent.", audio=events.AudioConfiguration(input=heard), tools=tools
    )
    service = OpenAIRealtimeLLMService(
        api_key=key,
        base_url=server.replace("http", "ws") + "/v1/realtime",
        settings=OpenAIRealtimeLLMService.Settings(model="gpt-realtime", session_properties=properties),
    )
    return in_pipeline(service, talk)


def loud_s(call: Call) -> float:
    return float((np.abs(np.frombuffer(call.sound(), "<i2").astype(int)) > 300).sum()) / 24_000


async def a_turn(call: Call) -> None:
    await call.say(SHORT)
    await call.until_one(TTSStoppedFrame)


def test_a_turn_that_the_server_detects(realtime: str) -> None:
    async def talk(call: Call) -> None:
        await a_turn(call)
        await call.until_one(UserStoppedSpeakingFrame)

    call = talked(realtime, talk)
    assert call.sound_s() == pytest.approx(SHORT_S, abs=0.25)
    assert call.of(UserStartedSpeakingFrame)


def test_a_turn_by_hand(realtime: str) -> None:
    async def talk(call: Call) -> None:
        await call.queue(UserStartedSpeakingFrame())
        await call.say(SHORT)
        await call.queue(UserStoppedSpeakingFrame())
        await call.until_one(TTSStoppedFrame)

    assert talked(realtime, talk, manual=True).sound_s() == pytest.approx(SHORT_S, abs=0.25)


def test_a_tool_is_run_and_its_result_is_answered(realtime: str) -> None:
    async def talk(call: Call) -> None:
        await call.run_llm()
        await call.until_one(TTSStoppedFrame)
        call.listener.frames.clear()
        await call.say(SHORT)
        await call.until(lambda: call.sound_s() > SHORT_S / 2)
        await call.until_one(TTSStoppedFrame)

    call = talked(realtime, talk, tools=ToolsSchema(standard_tools=[SCHEMA]))
    assert {frame.result for frame in call.of(FunctionCallResultFrame)} == {RESULT}
    assert call.sound_s() == pytest.approx(SHORT_S, abs=0.25)


def test_a_barge_in_ends_the_reply(realtime: str) -> None:
    before: list[float] = []

    async def talk(call: Call) -> None:
        await call.say(LONG)
        await call.until(lambda: call.sound_s() > 0)
        call.listener.frames = [frame for frame in call.listener.frames if not isinstance(frame, InterruptionFrame)]
        await call.say(CUT)
        await call.until_one(InterruptionFrame)
        before.append(call.sound_s())
        await call.until(lambda: call.sound_s() > before[0] + SHORT_S / 2)

    talked(realtime, talk)
    assert 0 < before[0] < LONG_S / 2


def test_a_client_secret_is_its_key(realtime: str) -> None:
    assert talked(realtime, a_turn, key=short_key(realtime)).sound_s() == pytest.approx(SHORT_S, abs=0.25)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The WebSocket address of a Live server."""
    options = {"engine": "simulated", "profile": profile_in(tmp_path_factory), "dialect": "openai-live"}
    with server_process(api_key=KEY, **options) as (_, address):
        yield address.removesuffix("/v1/live/sessions").replace("http", "ws") + "/v1/live/sessions"


def lived(live: str, talk: Talk, tools: Any = None) -> Call:
    """A call of the Live service."""
    behind = OpenAIResponsesLLMService.Settings(model="gpt-5-mini")
    service = OpenAILiveLLMService(
        api_key=KEY,
        base_url=live,
        settings=OpenAILiveLLMService.Settings(system_instruction="You are a bank's telephone agent."),
        delegation=OpenAILiveLLMService.ResponsesDelegation(settings=behind),
    )
    context = LLMContext() if tools is None else LLMContext(tools=tools)

    async def started(call: Call) -> None:
        ready = asyncio.Event()

        @service.event_handler("on_session_started")
        async def begun(*_: Any) -> None:
            ready.set()

        await call.run_llm()
        await asyncio.wait_for(ready.wait(), 10)
        await talk(call)

    return in_pipeline(service, started, context)


def test_live_answers_what_is_said(live: str) -> None:
    async def talk(call: Call) -> None:
        await a_turn(call)
        await call.until_one(UserStoppedSpeakingFrame)

    assert loud_s(lived(live, talk)) == pytest.approx(SHORT_S, abs=0.3)


def test_live_runs_a_tool(live: str) -> None:
    async def talk(call: Call) -> None:
        await call.say(SHORT)
        await call.until_one(FunctionCallResultFrame)
        assert loud_s(call) == 0
        await call.until(lambda: loud_s(call) > 0)

    call = lived(live, talk, ToolsSchema(standard_tools=[SCHEMA]))
    assert {frame.result for frame in call.of(FunctionCallResultFrame)} == {RESULT}


def test_live_falls_silent_when_it_is_spoken_into(live: str) -> None:
    before: list[float] = []

    def quiet(call: Call) -> bool:
        return not (np.abs(np.frombuffer(call.sound()[-9_600:], "<i2").astype(int)) > 300).any()

    async def talk(call: Call) -> None:
        await call.say(LONG)
        await call.until(lambda: loud_s(call) > 0)
        await call.say(CUT)
        await call.until(lambda: quiet(call))
        before.append(loud_s(call))

    lived(live, talk)
    assert 0 < before[0] < LONG_S / 2
