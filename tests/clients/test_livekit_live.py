"""LiveKit's client of OpenAI Live, as it is installed, against the reference server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

rtc = pytest.importorskip("livekit.rtc", reason="needs the extra 'clients'")
openai = pytest.importorskip("livekit.plugins.openai", reason="needs the extra 'clients'")

from livekit.agents import llm  # noqa: E402

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
    profile_in,
)  # fmt: skip
from tests.server.support import server_process  # noqa: E402

TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a Live server."""
    options = {"engine": "simulated", "profile": profile_in(tmp_path_factory), "dialect": "openai-live"}
    with server_process(api_key=KEY, **options) as (_, address):
        yield urlsplit(address).netloc


class Sound:
    """What was heard: silence all the time, and speech between."""

    def __init__(self) -> None:
        self.loud_s = 0.0
        self.speaking = False
        self.changed = asyncio.Event()

    def hear(self, pcm: bytes) -> None:
        loud = np.abs(np.frombuffer(pcm, "<i2").astype(int)) > 300
        self.loud_s += float(loud.sum()) / 24_000
        self.speaking = bool(loud.any())
        self.changed.set()

    async def until(self, *, speaking: bool) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while self.speaking is not speaking:
                self.changed.clear()
                await self.changed.wait()


class LiveKitCall:
    """A session of LiveKit's Live model, and what came of it."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.sound = Sound()
        self.calls: list[Any] = []
        self.errors: list[Any] = []
        session.on("function_call", self.calls.append)
        session.on("error", self.errors.append)

    async def say(self, fixture: str) -> None:
        for piece in pieces(fixture):
            self.session.push_audio(rtc.AudioFrame(piece, 24_000, 1, len(piece) // 2))
            await asyncio.sleep(0.01)

    async def listen(self) -> None:
        async for frame in self.session.audio_stream:
            self.sound.hear(bytes(frame.frame.data))


@asynccontextmanager
async def livekit_call(place: str, tools: Any = ()) -> AsyncIterator[LiveKitCall]:
    model = openai.realtime.GPTLiveModel(base_url=f"http://{place}/v1", api_key=KEY)
    call = LiveKitCall(model.session())
    await call.session._update_session(instructions="You are a bank's telephone agent.", tools=list(tools))
    listening = asyncio.create_task(call.listen())
    try:
        async with asyncio.timeout(TIMEOUT_S):
            yield call
    finally:
        listening.cancel()
        await call.session.aclose()
        await model.aclose()
    assert call.errors == []


def test_livekit_speaks_and_is_answered(place: str) -> None:
    async def run() -> float:
        async with livekit_call(place) as call:
            await call.say(SHORT)
            await call.sound.until(speaking=True)
            await call.sound.until(speaking=False)
            return call.sound.loud_s

    assert asyncio.run(run()) == pytest.approx(SHORT_S, abs=0.25)


def test_livekit_runs_a_tool(place: str) -> None:
    async def run() -> list[Any]:
        @llm.function_tool(name=TOOL)
        async def look_up(order_id: str) -> str:
            """Looks an order up."""
            return RESULT

        async with livekit_call(place, [look_up]) as call:
            await call.say(SHORT)
            while not call.calls:
                await asyncio.sleep(0.02)
            assert call.sound.loud_s == 0
            output = llm.FunctionCallOutput(call_id=call.calls[0].call_id, name=TOOL, output=RESULT, is_error=False)
            await call.session._append_items([output])
            await call.sound.until(speaking=True)
            return call.calls

    (asked,) = asyncio.run(run())
    assert (asked.name, json.loads(asked.arguments)) == (TOOL, ARGUMENTS)


def test_livekit_is_heard_when_it_speaks_into_a_reply(place: str) -> None:
    async def run() -> float:
        async with livekit_call(place) as call:
            await call.say(LONG)
            await call.sound.until(speaking=True)
            await call.say(CUT)
            await call.sound.until(speaking=False)
            return call.sound.loud_s

    assert 0 < asyncio.run(run()) < LONG_S / 2


def test_livekit_asks_for_a_reply_by_commentary(place: str) -> None:
    async def run() -> tuple[float, float]:
        async with livekit_call(place) as call:
            await call.session._session_started_fut
            before_s = call.sound.loud_s
            call.session._generate_reply()
            await call.sound.until(speaking=True)
            return before_s, call.sound.loud_s

    before_s, after_s = asyncio.run(run())
    assert before_s == 0 < after_s
