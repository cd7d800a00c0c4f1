"""openai-agents as it is installed, against the reference server, at an address that names no model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

realtime_sdk = pytest.importorskip("agents.realtime", reason="needs the extra 'clients'")

import agents  # noqa: E402

from tests.clients.support import (  # noqa: E402
    ARGUMENTS,
    CUT,
    KEY,
    LONG,
    LONG_S,
    RESULT,
    SHORT,
    SHORT_S,
    TOOL,
    pieces,
    short_key,
)  # fmt: skip

TIMEOUT_S = 30.0


class Call:
    """A session of the SDK, and all that it told."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.events: list[Any] = []

    async def say(self, fixture: str, *, commit: bool = False) -> None:
        heard = pieces(fixture)
        for number, piece in enumerate(heard, 1):
            await self.session.send_audio(piece, commit=commit and number == len(heard))

    async def until(self, happened: Callable[[Any], bool]) -> Any:
        """The next event of which this is true; an error fails."""
        async for event in self.session:
            self.events.append(event)
            assert event.type != "error", event.error
            if happened(event):
                return event
        raise AssertionError("the session has ended")

    async def until_type(self, kind: str) -> Any:
        return await self.until(lambda event: event.type == kind)

    def raw(self, kind: str) -> list[dict[str, Any]]:
        """Messages of the server, as the SDK hands them on."""
        bodies = (getattr(getattr(event, "data", None), "data", None) for event in self.events)
        return [body for body in bodies if isinstance(body, dict) and body.get("type") == kind]

    def sound_s(self) -> float:
        return sum(len(event.audio.data) for event in self.events if event.type == "audio") / 48_000


def called(server: str, talk: Callable[[Call], Any], *, key: str = KEY, manual: bool = False, tools: Any = ()) -> Call:
    """A call in which `talk` happens."""

    async def run() -> Call:
        agent = realtime_sdk.RealtimeAgent(
            name="Teller", instructions="You are a bank's telephone agent.", tools=list(tools)
        )
        settings = {
            "model_name": "gpt-realtime",
            "voice": "cedar",
            "input_audio_transcription": {"model": "gpt-4o-mini-transcribe"},
            "turn_detection": None
            if manual
            else {"type": "server_vad", "silence_duration_ms": 300, "interrupt_response": True},
        }
        runner = realtime_sdk.RealtimeRunner(agent, config={"model_settings": settings})
        url = server.replace("http://", "ws://") + "/v1/realtime"
        async with asyncio.timeout(TIMEOUT_S), await runner.run(model_config={"api_key": key, "url": url}) as session:
            call = Call(session)
            await talk(call)
            return call

    return asyncio.run(run())


def test_a_turn_without_a_model_in_the_address(server: str) -> None:
    async def talk(call: Call) -> None:
        await call.say(SHORT)
        await call.until_type("audio_end")

    call = called(server, talk, key="any")
    (configured,) = (event["session"] for event in call.raw("session.updated")[:1])
    assert configured["model"] == "gpt-realtime"
    assert configured["audio"]["output"]["voice"] == "cedar"
    assert configured["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 300
    assert call.sound_s() > 0
    assert call.raw("input_audio_buffer.speech_stopped")


def test_a_turn_by_hand(realtime: str) -> None:
    async def talk(call: Call) -> None:
        await call.say(SHORT, commit=True)
        await call.session.model.send_event(
            realtime_sdk.RealtimeModelSendRawMessage(message={"type": "response.create"})
        )
        await call.until_type("audio_end")

    call = called(realtime, talk, manual=True)
    assert call.sound_s() == pytest.approx(SHORT_S, abs=0.25)
    assert not call.raw("input_audio_buffer.speech_stopped")


def test_a_tool_is_run_and_its_result_is_answered(realtime: str) -> None:
    asked: list[str] = []

    @agents.function_tool(name_override=TOOL)
    def look_up(order_id: str) -> str:
        """Looks an order up."""
        asked.append(order_id)
        return RESULT

    async def talk(call: Call) -> None:
        await call.say(SHORT)
        ended = await call.until_type("tool_end")
        assert ended.output == RESULT
        await call.until_type("audio_end")

    call = called(realtime, talk, tools=[look_up])
    assert asked == [ARGUMENTS["order_id"]]
    assert call.sound_s() == pytest.approx(SHORT_S, abs=0.25)


def test_a_barge_in_ends_the_reply(realtime: str) -> None:
    before: list[float] = []

    async def talk(call: Call) -> None:
        await call.say(LONG)
        await call.until_type("audio")
        await call.say(CUT)
        await call.until_type("audio_interrupted")
        await call.until(lambda _: bool(call.raw("response.done")))
        before.append(call.sound_s())
        await call.until(lambda _: bool(call.raw("conversation.item.truncated")))
        await call.until(lambda _: len(call.raw("response.done")) == 2)

    call = called(realtime, talk)
    cut, answer = (event["response"] for event in call.raw("response.done"))
    assert (cut["status"], cut["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert 0 < before[0] < LONG_S / 2
    assert answer["status"] == "completed"


def test_a_client_secret_is_its_key(realtime: str) -> None:
    async def talk(call: Call) -> None:
        await call.say(SHORT)
        await call.until_type("audio_end")

    assert called(realtime, talk, key=short_key(realtime)).sound_s() == pytest.approx(SHORT_S, abs=0.25)
