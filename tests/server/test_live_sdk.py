"""The vendor's own client of OpenAI Live, as it is installed, against the reference server."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray
from openai import AsyncOpenAI

from tests.clients.support import ARGUMENTS, CUT, LONG, LONG_S, PARAMETERS, RESULT, SHORT, TOOL, profile_in, said
from tests.server.support import server_process, silence

FRAME = 24_000 // 25
TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base of a Live server's address."""
    with server_process(engine="simulated", profile=profile_in(tmp_path_factory), dialect="openai-live") as (
        _,
        address,
    ):
        yield f"http://{urlsplit(address).netloc}/v1"


class Line:
    """A call: all that the client was given of it, and what it says meanwhile."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.got: list[Any] = []

    async def say(self, pcm: NDArray[np.int16], pause_s: float = 0.01) -> None:
        for start in range(0, len(pcm), FRAME):
            sound = base64.b64encode(pcm[start : start + FRAME].tobytes()).decode()
            await self.socket.send({"type": "session.input_audio.append", "audio": sound})
            await asyncio.sleep(pause_s)

    async def until(self, happened: Callable[[Any], bool]) -> Any:
        """The next message of which this is true."""
        while True:
            self.got.append(await self.socket.recv())
            assert self.got[-1].type != "error", self.got[-1]
            if happened(self.got[-1]):
                return self.got[-1]

    async def close(self) -> None:
        await self.socket.send({"type": "session.close"})
        await self.until(lambda each: each.type == "session.closed")


async def call(place: str, talk: Callable[[Line], Any], **session: Any) -> list[Any]:
    """What the client was given in a call."""
    client = AsyncOpenAI(api_key="any", base_url=place)
    async with asyncio.timeout(TIMEOUT_S), client.live.connect() as socket:
        line = Line(socket)
        await socket.send({"type": "session.start", "session": {"model": "gpt-live-1", **session}})
        await line.until(lambda each: each.type == "session.started")
        await talk(line)
        return line.got


def audible(message: Any) -> bool:
    if message.type != "session.output_audio.delta":
        return False
    return bool((np.abs(np.frombuffer(base64.b64decode(message.delta), "<i2").astype(int)) > 300).any())


def loud_s(got: list[Any]) -> float:
    sound = b"".join(base64.b64decode(each.delta) for each in got if each.type == "session.output_audio.delta")
    return float((np.abs(np.frombuffer(sound, "<i2").astype(int)) > 300).sum()) / 24_000


def test_a_spoken_turn(place: str) -> None:
    async def talk(line: Line) -> None:
        speaking = asyncio.create_task(line.say(np.concatenate((said(SHORT), silence(1_600)))))
        await line.until(audible)
        await line.until(lambda each: each.type == "session.output_audio.delta" and not audible(each))
        await speaking
        await line.close()

    got = asyncio.run(call(place, talk))
    assert got[0].type == "session.started"
    assert got[0].session.id.startswith("sess_")
    assert 0.1 < loud_s(got) < 0.6
    assert "".join(each.delta for each in got if each.type == "session.input_transcript.delta")
    assert "".join(each.delta for each in got if each.type == "session.output_transcript.delta")
    assert got[-1].reason == "close_requested"
    assert got[-1].usage.seconds > 1


def test_a_tool_is_called_by_the_model_behind_and_its_result_is_spoken(place: str) -> None:
    tool = {"type": "function", "name": TOOL, "parameters": PARAMETERS}
    behind = {"type": "responses", "responses": {"model": "gpt-5-mini", "tools": [tool]}}
    calls: list[Any] = []

    async def talk(line: Line) -> None:
        await line.say(said(SHORT))
        told = await line.until(
            lambda each: each.type == "response.event" and each.event["type"] == "response.output_item.done"
        )
        calls.append(told.event["item"])
        assert loud_s(line.got) == 0
        result = {"type": "function_call_output", "call_id": calls[0]["call_id"], "output": RESULT}
        await line.socket.response.item.create(item=result)
        await line.socket.response.create()
        await line.until(audible)
        await line.close()

    got = asyncio.run(call(place, talk, delegation=behind))
    (asked,) = calls
    assert (asked["name"], json.loads(asked["arguments"])) == (TOOL, ARGUMENTS)
    assert any(each.type == "session.delegation.created" for each in got)


def test_a_reply_that_is_spoken_into_falls_silent(place: str) -> None:
    heard: list[float] = []

    async def talk(line: Line) -> None:
        await line.say(said(LONG))
        await line.until(audible)
        await line.say(said(CUT, after_ms=0))
        await line.until(lambda each: each.type == "session.output_audio.delta" and not audible(each))
        heard.append(loud_s(line.got))
        await line.say(silence(900))
        await line.until(audible)
        await line.close()

    asyncio.run(call(place, talk))
    assert 0 < heard[0] < LONG_S / 2
