"""What SDKs send, as they send it, on both engines: messages taken down from LiveKit and openai-agents.

The SDKs themselves are tested in `tests/clients`, where they are installed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.server.support import append, check_event, frames, http, server_process, silence, speech

TIMEOUT_S = 90.0

LIVEKIT_REPLY = {
    "type": "response.create",
    "event_id": "response_create_1",
    "response": {
        "audio": None, "conversation": None, "input": None, "instructions": None, "max_output_tokens": None,
        "metadata": {"client_event_id": "response_create_1"}, "output_modalities": None, "prompt": None,
        "reasoning": None, "parallel_tool_calls": None, "tool_choice": None, "tools": None,
    },
}  # fmt: skip
SESSION = {
    "type": "realtime",
    "model": "gpt-realtime",
    "instructions": "You are a bank's telephone agent.",
    "include": None, "max_output_tokens": None, "output_modalities": None, "prompt": None, "tool_choice": None,
    "tools": None, "tracing": None, "truncation": None, "reasoning": None, "parallel_tool_calls": None,
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": None,
            "transcription": {"model": "gpt-4o-mini-transcribe", "language": None, "prompt": None},
            "turn_detection": {
                "type": "server_vad", "threshold": None, "prefix_padding_ms": None, "silence_duration_ms": 300,
                "create_response": None, "interrupt_response": None, "idle_timeout_ms": None,
            },
        },
        "output": {"format": None, "speed": None, "voice": "cedar"},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def simulated() -> Iterator[str]:
    with server_process(engine="simulated") as (_, address):
        yield address


@pytest.fixture(params=["local", "simulated"])
def address(request: pytest.FixtureRequest) -> str:
    """A server of each engine."""
    return str(request.getfixturevalue("server" if request.param == "local" else "simulated"))


async def until(connection: AsyncRealtimeConnection, *wanted: str) -> list[dict[str, Any]]:
    """Events, each checked strictly, until all these types have come."""
    missing, got = list(wanted), []
    async with asyncio.timeout(TIMEOUT_S):
        while missing:
            event = json.loads(await connection.recv_bytes())
            check_event(event)
            got.append(event)
            if event["type"] in missing:
                missing.remove(event["type"])
    return got


def of(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(event for event in events if event["type"] == kind)


def spoken(fixture: str) -> list[str]:
    return [event["audio"] for event in frames(np.concatenate((speech(fixture), silence(900))))]


def test_a_reply_whose_every_field_is_null(address: str) -> None:
    async def run() -> list[dict[str, Any]]:
        client = AsyncOpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)
        async with client.realtime.connect(model="gpt-realtime") as connection:
            await connection.send_raw(json.dumps({"type": "session.update", "event_id": None, "session": SESSION}))
            await connection.send_raw(json.dumps(LIVEKIT_REPLY))
            return await until(connection, "session.updated", "response.done")

    events = asyncio.run(run())
    assert not [event for event in events if event["type"] == "error"]
    done = of(events, "response.done")["response"]
    assert (done["status"], done["metadata"]) == ("completed", {"client_event_id": "response_create_1"})


def test_an_address_without_a_model_leaves_it_to_the_first_update(address: str) -> None:
    async def run() -> list[dict[str, Any]]:
        client = AsyncOpenAI(
            base_url=f"{address}/v1", api_key="any", max_retries=0, websocket_base_url=f"ws{address[4:]}/v1"
        )
        async with client.realtime.connect() as connection:
            await connection.send_raw(json.dumps({"type": "session.update", "session": SESSION}))
            for audio in spoken("balance-rms"):
                await connection.input_audio_buffer.append(audio=audio)
            events = await until(connection, "response.done")
            for model in ("gpt-realtime", "another"):
                await connection.session.update(session={"type": "realtime", "model": model})
            return events + await until(connection, "session.updated", "error")

    events = asyncio.run(run())
    updated = of(events, "session.updated")["session"]
    assert (updated["model"], updated["audio"]["output"]["voice"]) == ("gpt-realtime", "cedar")
    assert updated["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 300
    refused = [event["error"]["code"] for event in events if event["type"] == "error"]
    assert refused == ["cannot_update_model"]


@pytest.mark.parametrize("kind", ["realtime", "transcription"])
def test_a_client_secret_opens_a_session_of_its_configuration(address: str, kind: str) -> None:
    body: dict[str, Any] = {"type": kind, "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    request = {"session": body, "expires_after": {"anchor": "created_at", "seconds": 60}}
    status, made = http(f"{address}/v1/realtime/client_secrets", method="POST", body=json.dumps(request).encode())
    assert status == 200
    assert made["session"]["type"] == kind

    async def run() -> dict[str, Any]:
        url = f"ws{address[4:]}/v1/realtime"
        headers = {"Authorization": f"Bearer {made['value']}"}
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            event = json.loads(await socket.recv())
            check_event(event)
            session: dict[str, Any] = event["session"]
            return session

    created = asyncio.run(run())
    assert created["type"] == kind
    assert created["audio"]["input"]["transcription"] == {"model": "whisper-1"}
    wrong = http(f"{address}/v1/realtime/client_secrets", method="POST", body=b'{"session": {"type": "chat"}}')
    assert (wrong[0], wrong[1]["error"]["param"]) == (400, "session.type")
    assert http(f"{address}/healthz", method="POST")[0] == 405


def test_any_of_several_processes_takes_a_client_secret() -> None:
    async def opened(url: str, value: str) -> str:
        headers = {"Authorization": f"Bearer {value}"}
        async with connect(url, additional_headers=headers, proxy=None) as socket:
            return str(json.loads(await socket.recv())["session"]["instructions"])

    with server_process(engine="simulated", processes=2) as (_, address):
        made = http(
            f"{address}/v1/realtime/client_secrets",
            method="POST",
            body=b'{"session": {"type": "realtime", "instructions": "Baked."}}',
        )[1]
        found = [asyncio.run(opened(f"ws{address[4:]}/v1/realtime", made["value"])) for _ in range(8)]
    assert found == ["Baked."] * 8


def test_one_message_may_hold_a_whole_turn(address: str) -> None:
    async def run() -> list[dict[str, Any]]:
        client = AsyncOpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)
        async with client.realtime.connect(model="gpt-realtime") as connection:
            turn = np.concatenate((speech("balance-rms"), silence(1200)))
            await connection.input_audio_buffer.append(audio=append(turn)["audio"])
            return await until(connection, "input_audio_buffer.committed", "response.done")

    assert of(asyncio.run(run()), "response.done")["response"]["status"] == "completed"


def test_a_transcription_session_writes_down_and_does_not_answer(address: str) -> None:
    async def run() -> list[dict[str, Any]]:
        url = f"ws{address[4:]}/v1/realtime?intent=transcription&model=gpt-4o-transcribe"
        events: list[dict[str, Any]] = []
        async with connect(url, proxy=None) as socket, asyncio.timeout(TIMEOUT_S):
            for audio in spoken("balance-rms"):
                await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
            while not events or not events[-1]["type"].endswith("transcription.completed"):
                events.append(json.loads(await socket.recv()))
                check_event(events[-1])
            await asyncio.sleep(0.3)
            try:
                await socket.close()
                events += [json.loads(data) async for data in socket]
            except ConnectionClosed:
                pass
        return events

    events = asyncio.run(run())
    assert events[0]["session"]["type"] == "transcription"
    assert events[0]["session"]["audio"]["input"]["transcription"] == {"model": "gpt-4o-transcribe"}
    assert "balance" in of(events, "conversation.item.input_audio_transcription.completed")["transcript"].lower()
    assert not [event["type"] for event in events if event["type"].startswith(("response.", "error"))]
