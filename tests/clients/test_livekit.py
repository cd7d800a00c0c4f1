"""LiveKit's realtime model and its streaming transcriber, as they are installed, against the reference server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

rtc = pytest.importorskip("livekit.rtc", reason="needs the extra 'clients'")
openai = pytest.importorskip("livekit.plugins.openai", reason="needs the extra 'clients'")

from livekit.agents import llm  # noqa: E402
from openai.types.beta.realtime.session import TurnDetection  # noqa: E402

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
DETECTION = TurnDetection(type="server_vad", silence_duration_ms=300, create_response=True, interrupt_response=True)


class Line:
    """A session of LiveKit's realtime model, and what it told."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.errors: list[Any] = []
        self.generations: asyncio.Queue[Any] = asyncio.Queue()
        self.started: list[Any] = []
        self.words: list[str] = []
        session.on("error", self.errors.append)
        session.on("generation_created", self.generations.put_nowait)
        session.on("input_speech_started", self.started.append)
        session.on("input_audio_transcription_completed", lambda event: self.words.append(event.transcript))

    def say(self, fixture: str) -> None:
        for piece in pieces(fixture):
            self.session.push_audio(rtc.AudioFrame(piece, 24_000, 1, len(piece) // 2))


@asynccontextmanager
async def line(server: str, detection: Any = DETECTION, key: str = KEY) -> AsyncIterator[Line]:
    model = openai.realtime.RealtimeModel(
        base_url=f"{server}/v1", api_key=key, model="gpt-realtime", turn_detection=detection
    )
    made = Line(model.session())
    try:
        async with asyncio.timeout(TIMEOUT_S):
            yield made
    finally:
        await made.session.aclose()
        await model.aclose()
    assert made.errors == []


async def heard(generation: Any) -> tuple[str, float]:
    """The words and the length (s) of what was generated."""
    words, sound_s = "", 0.0
    async for message in generation.message_stream:
        async for text in message.text_stream:
            words += str(text)
        async for frame in message.audio_stream:
            sound_s += frame.duration
    return words, sound_s


def test_a_plain_generate_reply_is_answered(server: str) -> None:
    async def run() -> tuple[str, float]:
        async with line(server, key="any") as call:
            await call.session.update_instructions("You are a bank's telephone agent.")
            return await heard(await call.session.generate_reply())

    words, sound_s = asyncio.run(run())
    assert words.strip()
    assert sound_s > 0


def test_a_turn_that_the_server_detects(realtime: str) -> None:
    async def run() -> tuple[Line, float]:
        async with line(realtime) as call:
            call.say(SHORT)
            _, sound_s = await heard(await call.generations.get())
            while not call.words:
                await asyncio.sleep(0.02)
            return call, sound_s

    call, sound_s = asyncio.run(run())
    assert call.started
    assert call.words[0].strip()
    assert sound_s == pytest.approx(SHORT_S, abs=0.25)


def test_a_turn_by_hand(realtime: str) -> None:
    async def run() -> tuple[Line, float]:
        async with line(realtime, detection=None) as call:
            call.say(SHORT)
            call.session.commit_audio()
            _, sound_s = await heard(await call.session.generate_reply())
            return call, sound_s

    call, sound_s = asyncio.run(run())
    assert not call.started
    assert sound_s == pytest.approx(SHORT_S, abs=0.25)


def test_a_tool_is_called_and_its_result_is_answered(realtime: str) -> None:
    @llm.function_tool(name=TOOL)
    async def look_up(order_id: str) -> str:
        """Looks an order up."""
        return RESULT

    async def run() -> tuple[list[Any], float]:
        async with line(realtime) as call:
            await call.session.update_tools([look_up])
            call.say(SHORT)
            generation = await call.generations.get()
            calls = [each async for each in generation.function_stream]
            told = call.session.chat_ctx.copy()
            told.items += [
                llm.FunctionCallOutput(call_id=each.call_id, name=each.name, output=RESULT, is_error=False)
                for each in calls
            ]
            await call.session.update_chat_ctx(told)
            _, sound_s = await heard(await call.session.generate_reply())
            return calls, sound_s

    calls, sound_s = asyncio.run(run())
    assert [(each.name, json.loads(each.arguments)) for each in calls] == [(TOOL, ARGUMENTS)]
    assert sound_s == pytest.approx(SHORT_S, abs=0.25)


@pytest.mark.parametrize("by", ["speech", "interrupt()"])
def test_a_barge_in_ends_the_reply(realtime: str, by: str) -> None:
    async def run() -> float:
        async with line(realtime) as call:
            call.say(LONG)
            generation = await call.generations.get()
            sound_s, messages = 0.0, []
            async for message in generation.message_stream:
                messages.append(message.message_id)
                async for frame in message.audio_stream:
                    if not sound_s:
                        if by == "speech":
                            call.say(CUT)
                        else:
                            call.session.interrupt()
                    sound_s += frame.duration
            call.session.truncate(message_id=messages[0], modalities=["audio"], audio_end_ms=100)
            if by == "speech":
                assert len(call.started) == 2
                assert (await heard(await call.generations.get()))[1] > 0
            await asyncio.sleep(0.3)
            return sound_s

    assert 0 < asyncio.run(run()) < LONG_S / 2


def test_a_client_secret_is_its_key(realtime: str) -> None:
    async def run() -> float:
        async with line(realtime, key=short_key(realtime)) as call:
            call.say(SHORT)
            return (await heard(await call.generations.get()))[1]

    assert asyncio.run(run()) == pytest.approx(SHORT_S, abs=0.25)


def test_a_spoken_turn_is_transcribed(server: str) -> None:
    async def run() -> list[str]:
        import aiohttp

        async with aiohttp.ClientSession() as http:
            transcriber = openai.STT(
                base_url=f"{server}/v1", api_key="any", model="gpt-4o-transcribe", use_realtime=True
            )
            transcriber._session = http
            stream = transcriber.stream()
            for piece in pieces("balance-rms", piece_ms=50):
                stream.push_frame(rtc.AudioFrame(piece, 24_000, 1, len(piece) // 2))
            said: list[str] = []
            async with asyncio.timeout(TIMEOUT_S):
                async for event in stream:
                    said += [one.text for one in event.alternatives if event.type == "final_transcript"]
                    if said:
                        break
            await stream.aclose()
            return said

    (said,) = asyncio.run(run())
    assert "balance" in said.lower()
