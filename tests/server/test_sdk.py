"""The official SDK as the client: a spoken turn in either mode, and every event of a scripted session, type-checked.

The SDK parses leniently, so what it received is checked again against its published types (`check_event`).
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import numpy as np
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from tests.server.support import check_event, frames, silence, speech, types

TIMEOUT_S = 90.0


async def until(connection: AsyncRealtimeConnection, *wanted: str) -> list[dict[str, Any]]:
    """Raw events, each checked strictly and read by the SDK as well, until all these types have come."""
    missing = list(wanted)
    got: list[dict[str, Any]] = []
    async with asyncio.timeout(TIMEOUT_S):
        while missing:
            raw = await connection.recv_bytes()
            event = json.loads(raw)
            model = check_event(event)
            assert type(connection.parse_event(raw)) is type(model)
            got.append(event)
            if event["type"] in missing:
                missing.remove(event["type"])
    return got


def client(server: str) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{server}/v1", api_key="any", max_retries=0)


def turn(fixture: str) -> list[str]:
    pcm = np.concatenate((silence(300), speech(fixture), silence(900)))
    return [event["audio"] for event in frames(pcm)]


def test_a_turn_with_detection(server: str) -> None:
    async def run() -> list[dict[str, Any]]:
        async with client(server).realtime.connect(model="local-pipeline") as connection:
            await connection.session.update(
                session={
                    "type": "realtime",
                    "instructions": "You are a bank's telephone agent.",
                    "audio": {
                        "input": {
                            "transcription": {"model": "whisper-1"},
                            "turn_detection": {"type": "server_vad", "silence_duration_ms": 500},
                        },
                        "output": {"voice": "cedar"},
                    },
                }
            )
            events = await until(connection, "session.updated")
            for audio in turn("balance-rms"):
                await connection.input_audio_buffer.append(audio=audio)
            return events + await until(
                connection,
                "response.done",
                "conversation.item.input_audio_transcription.completed",
                "rate_limits.updated",
            )

    events = asyncio.run(run())
    transcripts = [event for event in events if event["type"].endswith("transcription.completed")]
    assert "balance" in transcripts[0]["transcript"]
    assert transcripts[0]["usage"]["type"] == "duration"
    own = [name for name in types(events) if "transcription" not in name and not name.endswith(".delta")]
    assert own == [
        "session.created",
        "session.updated",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
        "rate_limits.updated",
    ]


def test_a_manual_turn_and_every_other_request(server: str) -> None:
    async def run() -> list[dict[str, Any]]:
        async with client(server).realtime.connect(model="local-pipeline") as connection:
            events = await until(connection, "session.created")
            await connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
            events += await until(connection, "session.updated")
            for audio in turn("order-status-slt"):
                await connection.input_audio_buffer.append(audio=audio)
            await connection.input_audio_buffer.commit()
            await connection.response.create(response={"metadata": {"turn": "1"}})
            spoken = await until(connection, "response.done", "rate_limits.updated")
            item = next(event["item"] for event in spoken if event["type"] == "response.output_item.done")
            await connection.conversation.item.retrieve(item_id=item["id"])
            await connection.conversation.item.truncate(item_id=item["id"], content_index=0, audio_end_ms=400)
            await connection.conversation.item.truncate(item_id=item["id"], content_index=0, audio_end_ms=999_999)
            await connection.input_audio_buffer.clear()
            await connection.input_audio_buffer.commit()
            await connection.response.cancel()
            await connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "the plans?"}]}
            )
            await connection.response.create(response={"max_output_tokens": 30})
            spoken += await until(connection, "response.done", "rate_limits.updated")
            await connection.response.create()
            await connection.response.create()
            await connection.response.cancel()
            spoken += await until(connection, "response.done", "rate_limits.updated")
            await connection.response.create(response={"output_modalities": ["text"], "conversation": "none"})
            spoken += await until(connection, "response.done", "rate_limits.updated")
            await connection.conversation.item.delete(item_id=item["id"])
            spoken += await until(connection, "conversation.item.deleted")
            return events + spoken

    events = asyncio.run(run())
    responses = [event["response"] for event in events if event["type"] == "response.done"]
    assert [response["status"] for response in responses] == ["completed", "incomplete", "cancelled", "completed"]
    assert responses[0]["metadata"] == {"turn": "1"}
    codes = [event["error"]["code"] for event in events if event["type"] == "error"]
    assert codes == [
        "invalid_value",
        "input_audio_buffer_commit_empty",
        "response_cancel_not_active",
        "conversation_already_has_active_response",
    ]
    retrieved = next(event for event in events if event["type"] == "conversation.item.retrieved")
    assert len(base64.b64decode(retrieved["item"]["content"][0]["audio"])) > 48_000
    assert {"conversation.item.truncated", "input_audio_buffer.cleared"} <= set(types(events))


def test_a_barge_in_and_the_truncation_of_what_was_not_heard(server: str) -> None:
    heard_ms = 300

    async def run() -> list[dict[str, Any]]:
        async with client(server).realtime.connect(model="local-pipeline") as connection:
            await connection.session.update(
                session={"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
            )
            events = await until(connection, "session.updated")
            for audio in turn("opening-hours-slt"):
                await connection.input_audio_buffer.append(audio=audio)
            delta = "response.output_audio.delta"
            events += await until(connection, *[delta] * 5)
            item_id = next(event["item_id"] for event in events if event["type"] == delta)
            for audio in turn("no-wrong-kal16"):
                await connection.input_audio_buffer.append(audio=audio)
            events += await until(connection, "input_audio_buffer.speech_started", "response.done")
            await connection.conversation.item.truncate(item_id=item_id, content_index=0, audio_end_ms=heard_ms)
            return events + await until(connection, "conversation.item.truncated", "response.done")

    events = asyncio.run(run())
    first, second = (event["response"] for event in events if event["type"] == "response.done")
    assert (first["status"], first["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert first["usage"]["output_tokens"] > 0, "what was sent of it is billed"
    assert second["status"] == "completed"
    (truncated,) = (event for event in events if event["type"] == "conversation.item.truncated")
    assert truncated["audio_end_ms"] == heard_ms
    order = types(events)
    assert order.index("input_audio_buffer.speech_started") < order.index("response.done")
    assert "error" not in order


def test_a_client_secret_made_by_the_sdk_opens_a_session_with_its_configuration(server: str) -> None:
    async def run() -> tuple[Any, list[dict[str, Any]]]:
        made = await client(server).realtime.client_secrets.create(
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "model": "local-pipeline", "instructions": "Baked in."},
        )
        holder = AsyncOpenAI(base_url=f"{server}/v1", api_key=made.value, max_retries=0)
        async with holder.realtime.connect(model="local-pipeline") as connection:
            return made, await until(connection, "session.created")

    made, events = asyncio.run(run())
    assert made.value.startswith("ek_")
    assert made.session.type == "realtime"
    assert events[0]["session"]["instructions"] == "Baked in."


def test_a_tool_round_trip(server: str) -> None:
    parameters = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}
    tool: dict[str, Any] = {"type": "function", "name": "lookup_order", "parameters": parameters}

    async def run() -> list[dict[str, Any]]:
        async with client(server).realtime.connect(model="local-pipeline") as connection:
            session: Any = {"type": "realtime", "output_modalities": ["text"], "tools": [tool], "tool_choice": "auto"}
            await connection.session.update(session={**session, "audio": {"input": {"turn_detection": None}}})
            events = await until(connection, "session.updated")
            for audio in turn("order-number-rms"):
                await connection.input_audio_buffer.append(audio=audio)
            await connection.input_audio_buffer.commit()
            await connection.response.create()
            called = await until(connection, "response.done", "rate_limits.updated")
            done = next(event for event in called if event["type"] == "response.function_call_arguments.done")
            output = json.dumps({"status": "on its way"})
            await connection.conversation.item.create(
                item={"type": "function_call_output", "call_id": done["call_id"], "output": output}
            )
            await connection.response.create()
            return events + called + await until(connection, "response.done", "rate_limits.updated")

    events = asyncio.run(run())
    responses = [event["response"] for event in events if event["type"] == "response.done"]
    said, call = responses[0]["output"]
    assert said["content"][0]["text"].startswith("One moment")
    assert (call["type"], call["name"], json.loads(call["arguments"])) == (
        "function_call",
        "lookup_order",
        {"order_id": "45791"},
    )
    pieces = [event["delta"] for event in events if event["type"] == "response.function_call_arguments.delta"]
    assert "".join(pieces) == call["arguments"]
    places = [event["output_index"] for event in events if event["type"] == "response.output_item.done"]
    assert places == [0, 1, 0]
    assert responses[1]["output"][0]["content"][0]["text"] == "Order four five seven nine one is on its way."
