"""The official SDK's old client, `beta.realtime`, against the server's beta shape: turns, a tool, a cut, a key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from tests.clients.support import ARGUMENTS, CUT, LONG, LONG_S, PARAMETERS, RESULT, SHORT, TOOL, encoded, profile_in
from tests.server.support import server_process

pytest.importorskip("openai.resources.beta.realtime", reason="this version of the SDK has no client of the beta shape")
TIMEOUT_S = 90.0
KEY = "key-of-the-beta"
SESSION: Any = {"modalities": ["text", "audio"], "input_audio_format": "pcm16"}
DETECTION = {"type": "server_vad", "silence_duration_ms": 300}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the beta shape."""
    options = {"engine": "simulated", "profile": profile_in(tmp_path_factory), "dialect": "openai-beta"}
    with server_process(api_key=KEY, **options) as (_, address):
        yield address


def client(server: str, key: str = KEY) -> AsyncOpenAI:
    websocket = f"{server}/v1".replace("http", "ws")
    return AsyncOpenAI(api_key=key, base_url=f"{server}/v1", websocket_base_url=websocket, max_retries=0)


async def until(connection: Any, kind: str) -> list[Any]:
    """All events up to the first of this kind; an error fails."""
    got: list[Any] = []
    async with asyncio.timeout(TIMEOUT_S):
        while not got or got[-1].type != kind:
            got.append(await connection.recv())
            assert got[-1].type != "error", got[-1]
    return got


async def say(connection: Any, fixture: str) -> None:
    for audio in encoded(fixture):
        await connection.input_audio_buffer.append(audio=audio)


@pytest.mark.parametrize("detection", [DETECTION, None])
def test_a_spoken_turn(server: str, detection: Any) -> None:
    async def run() -> list[Any]:
        async with client(server).beta.realtime.connect(model="simulated") as connection:
            await connection.session.update(session={**SESSION, "turn_detection": detection})
            await say(connection, SHORT)
            if detection is None:
                await connection.input_audio_buffer.commit()
                await connection.response.create()
            return await until(connection, "response.done")

    events = asyncio.run(run())
    named = [event.type for event in events]
    assert {"session.updated", "conversation.item.created", "response.audio_transcript.delta"} <= set(named)
    sound = [event.delta for event in events if event.type == "response.audio.delta"]
    assert sound
    assert events[-1].response.status == "completed"
    assert events[-1].response.usage.total_tokens > 0
    assert ("input_audio_buffer.speech_stopped" in named) == (detection is not None)


def test_a_tool_is_called_and_its_result_is_answered(server: str) -> None:
    tool: Any = {"type": "function", "name": TOOL, "parameters": PARAMETERS}

    async def run() -> tuple[list[Any], list[Any]]:
        async with client(server).beta.realtime.connect(model="simulated") as connection:
            await connection.session.update(session={**SESSION, "turn_detection": DETECTION, "tools": [tool]})
            await say(connection, SHORT)
            calling = await until(connection, "response.done")
            (call,) = calling[-1].response.output
            item: Any = {"type": "function_call_output", "call_id": call.call_id, "output": RESULT}
            await connection.conversation.item.create(item=item)
            await connection.response.create()
            return calling, await until(connection, "response.done")

    calling, answering = asyncio.run(run())
    (call,) = calling[-1].response.output
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", TOOL, ARGUMENTS)
    (done,) = (event for event in calling if event.type == "response.function_call_arguments.done")
    assert done.arguments == call.arguments
    assert answering[-1].response.status == "completed"
    assert any(event.type == "response.audio.delta" for event in answering)


def test_a_barge_in_ends_the_reply(server: str) -> None:
    async def run() -> tuple[list[Any], list[Any], list[Any]]:
        async with client(server).beta.realtime.connect(model="simulated") as connection:
            await connection.session.update(session={**SESSION, "turn_detection": DETECTION})
            await say(connection, LONG)
            begun = await until(connection, "response.audio.delta")
            await say(connection, CUT)
            cut = await until(connection, "response.done")
            item_id = begun[-1].item_id
            await connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=100)
            return cut, await until(connection, "conversation.item.truncated"), await until(connection, "response.done")

    cut, truncated, answer = asyncio.run(run())
    details = cut[-1].response.status_details
    assert (cut[-1].response.status, details.reason) == ("cancelled", "turn_detected")
    assert sum(event.type == "response.audio.delta" for event in cut) * 0.2 < LONG_S / 2
    assert truncated[-1].audio_end_ms == 100
    assert answer[-1].response.status == "completed"


def test_a_key_made_with_a_session_opens_it(server: str) -> None:
    async def run() -> tuple[Any, list[Any]]:
        made = await client(server).beta.realtime.sessions.create(
            model="gpt-realtime",
            instructions="Baked in.",
            modalities=["text", "audio"],
            input_audio_format="g711_ulaw",
            temperature=0.7,
            turn_detection={"type": "server_vad", "silence_duration_ms": 321},
            client_secret={"expires_after": {"anchor": "created_at", "seconds": 30}},
        )
        async with client(server, made.client_secret.value).beta.realtime.connect(model="gpt-realtime") as connection:
            return made, await until(connection, "session.created")

    made, events = asyncio.run(run())
    assert made.client_secret.value.startswith("ek_")
    assert made.client_secret.expires_at > 0
    assert (made.instructions, made.temperature, made.voice, made.model) == ("Baked in.", 0.7, "alloy", "gpt-realtime")
    session = events[-1].session
    assert (session.instructions, session.input_audio_format, session.voice) == ("Baked in.", "g711_ulaw", "alloy")
    assert session.turn_detection.silence_duration_ms == 321


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"turn_detection": {"type": "none"}}, "server_vad"),
        ({"client_secret": {"expires_after": {"seconds": 1}}}, "client_secret.expires_after.seconds"),
        ({"client_secret": "soon"}, "client_secret"),
        ({"no_such_key": 1}, "no_such_key"),
    ],
)
def test_a_session_that_cannot_be_is_refused(server: str, asked: Any, named: str) -> None:
    with pytest.raises(Exception, match="400") as refused:
        asyncio.run(client(server).beta.realtime.sessions.create(extra_body=asked))
    assert named in str(refused.value)


def test_the_client_of_azures_preview_is_served(server: str) -> None:
    address = server.replace("http", "ws")
    azure = AsyncAzureOpenAI(
        api_key=KEY, api_version="2025-04-01-preview", azure_endpoint=server, websocket_base_url=f"{address}/openai"
    )

    async def run() -> list[Any]:
        async with azure.beta.realtime.connect(model="my-deployment") as connection:
            await connection.session.update(session={**SESSION, "turn_detection": DETECTION})
            await say(connection, SHORT)
            return await until(connection, "response.done")

    events = asyncio.run(run())
    assert events[0].session.model == "my-deployment"
    assert events[-1].response.status == "completed"
