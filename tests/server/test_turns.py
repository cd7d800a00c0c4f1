"""Spoken turns with a real server process: recognition, agent and speech behind the real socket."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.audio.formats import USUAL_FORMATS, AudioFormat
from tests.server.support import (
    WIRE_FORMATS,
    audio_input,
    check_event,
    frames,
    http,
    silence,
    speech,
    types,
    update,
    user_text,
)

TIMEOUT_S = 90.0
COMMIT = {"type": "input_audio_buffer.commit"}
CREATE = {"type": "response.create"}


class Caller:
    """A client that sends as fast as it can and collects what comes."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []

    async def send(self, *events: dict[str, Any]) -> None:
        for event in events:
            await self.socket.send(json.dumps(event))

    async def until(self, *wanted: str) -> list[dict[str, Any]]:
        """Events up to the point where each of these types has come."""
        missing = list(wanted)
        got: list[dict[str, Any]] = []
        async with asyncio.timeout(TIMEOUT_S):
            while missing:
                event = json.loads(await self.socket.recv())
                check_event(event)
                got.append(event)
                if event["type"] in missing:
                    missing.remove(event["type"])
        self.events += got
        return got


@asynccontextmanager
async def call(server: str, *setup: dict[str, Any]) -> AsyncIterator[Caller]:
    url = f"{server.replace('http', 'ws')}/v1/realtime?model=local-pipeline"
    async with connect(url, compression=None, max_size=None) as socket:
        caller = Caller(socket)
        await caller.until("session.created")
        await caller.send(*setup)
        for _ in setup:
            await caller.until("session.updated")
        yield caller


def one(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [event for event in events if event["type"] == kind]
    return found


def audio_of(events: list[dict[str, Any]]) -> bytes:
    return b"".join(
        base64.b64decode(event["delta"]) for event in events if event["type"] == "response.output_audio.delta"
    )


@pytest.mark.parametrize("audio_format", USUAL_FORMATS, ids=str)
def test_a_detected_turn_is_heard_answered_and_spoken(server: str, audio_format: AudioFormat) -> None:
    wire = WIRE_FORMATS[audio_format]
    rate_hz = audio_format.rate_hz
    turn = np.concatenate((silence(300, rate_hz), speech("balance-rms", audio_format), silence(900, rate_hz)))

    async def run() -> list[dict[str, Any]]:
        transcription = {"model": "gpt-4o-mini-transcribe"}
        setup = update(audio={"input": {"format": wire, "transcription": transcription}, "output": {"format": wire}})
        async with call(server, setup) as caller:
            await caller.send(*frames(turn, audio_format))
            return await caller.until(
                "rate_limits.updated", "conversation.item.input_audio_transcription.completed", "response.done"
            )

    events = asyncio.run(run())
    heard = one(events, "conversation.item.input_audio_transcription.completed")
    assert "account" in heard["transcript"]
    response = one(events, "response.done")["response"]
    said = response["output"][0]["content"][0]["transcript"]
    assert response["status"] == "completed"
    assert "balance" in said
    audio = audio_of(events)
    samples = audio_format.decode(audio)
    seconds = len(samples) / rate_hz
    assert 2 < seconds < 12
    assert np.abs(samples.astype(np.int32)).max() > 4000
    assert response["usage"]["output_token_details"]["audio_tokens"] == int(seconds * 20)
    deltas = [event["delta"] for event in events if event["type"] == "response.output_audio_transcript.delta"]
    assert "".join(deltas) == said
    order = types(events)
    assert order.index("response.output_audio_transcript.delta") < order.index("response.output_audio.delta")
    assert order.count("response.output_audio.delta") >= seconds / 0.2 - 1
    last_word = len(order) - 1 - order[::-1].index("response.output_audio_transcript.delta")
    assert last_word > order.index("response.output_audio.delta")  # interleaved, not one after the other


def test_the_agent_remembers_what_was_said_before(server: str) -> None:
    async def run() -> list[str]:
        answers: list[str] = []
        async with call(server, update(output_modalities=["text"])) as caller:
            for text in ("where is my order", "it is eight two five one", "cancel it please", "yes"):
                await caller.send(user_text(text), CREATE)
                events = await caller.until("response.done", "rate_limits.updated")
                answers.append(one(events, "response.output_text.done")["text"])
        return answers

    asked, state, offer, done = asyncio.run(run())
    assert "order number" in asked
    assert "eight two five one is delivered" in state
    assert "Shall I cancel" in offer
    assert "is cancelled" in done


def test_a_manual_turn_without_a_question_is_greeted_and_an_empty_one_asked_again(server: str) -> None:
    async def run() -> list[str]:
        answers: list[str] = []
        async with call(server, audio_input(turn_detection=None)) as caller:
            await caller.send(CREATE)
            events = await caller.until("response.done", "rate_limits.updated")
            answers.append(one(events, "response.output_audio_transcript.done")["transcript"])
            await caller.send(*frames(silence(400)), COMMIT, CREATE)
            events = await caller.until("response.done", "rate_limits.updated")
            answers.append(one(events, "response.output_audio_transcript.done")["transcript"])
        return answers

    greeting, again = asyncio.run(run())
    assert "help you" in greeting
    assert "did not hear" in again


def test_speech_cuts_a_reply_short(server: str) -> None:
    turn = np.concatenate((silence(300), speech("plan-prices-rms"), silence(900)))

    async def run() -> list[dict[str, Any]]:
        async with call(server) as caller:
            await caller.send(*frames(turn))
            await caller.until("response.output_audio.delta")
            await caller.send(*frames(turn))
            first = await caller.until("response.done")
            second = await caller.until("response.done", "rate_limits.updated")
            return [one(first, "response.done")["response"], one(second, "response.done")["response"]]

    cut, whole = asyncio.run(run())
    assert cut["status_details"]["reason"] == "turn_detected"
    assert cut["output"][0]["status"] == "incomplete"
    assert whole["status"] == "completed"
    assert cut["usage"]["output_tokens"] < whole["usage"]["output_tokens"]
    assert whole["usage"]["input_tokens"] > cut["usage"]["input_tokens"]


def test_several_callers_at_once_are_kept_apart(server: str) -> None:
    asked = {"balance-slt": "balance", "opening-hours-rms": "open", "cancel-refund-rms": "cancel"}

    async def turn(fixture: str) -> str:
        async with call(server) as caller:
            await caller.send(*frames(np.concatenate((silence(300), speech(fixture), silence(900)))))
            events = await caller.until("response.done")
            return str(one(events, "response.output_audio_transcript.done")["transcript"])

    async def run() -> list[str]:
        return list(await asyncio.gather(*(turn(fixture) for fixture in asked)))

    for answer, word in zip(asyncio.run(run()), asked.values(), strict=True):
        assert word in answer.lower()


def test_a_message_beyond_the_bound_closes_the_socket_and_one_below_does_not(server: str) -> None:
    async def run() -> int | None:
        async with call(server, audio_input(turn_detection=None)) as caller:
            await caller.send({"type": "input_audio_buffer.append", "audio": "A" * (14 * 1024 * 1024)})
            await caller.send({"type": "input_audio_buffer.clear"})
            await caller.until("input_audio_buffer.cleared")
            # the server hangs up while the client may still be sending, which can cost it the closing frame
            with contextlib.suppress(ConnectionClosed):
                await caller.send({"type": "input_audio_buffer.append", "audio": "A" * (17 * 1024 * 1024)})
            with pytest.raises(ConnectionClosed):
                await caller.socket.recv()
            return caller.socket.close_code

    assert asyncio.run(run()) in (1009, 1006)


def test_a_client_that_does_not_read_is_let_go(server: str) -> None:
    async def open_sessions() -> int:
        _, body = await asyncio.to_thread(http, f"{server}/healthz")
        return int(body["open_sessions"])

    async def run() -> tuple[int, int]:
        async with call(server, audio_input(turn_detection=None)) as caller:
            before = await open_sessions()
            # silence, 14 MiB of it: cheap to hear, and sent back whole at each request
            await caller.send({"type": "input_audio_buffer.append", "audio": "A" * (14 * 1024 * 1024)}, COMMIT)
            item_id = one(await caller.until("conversation.item.done"), "conversation.item.done")["item"]["id"]
            with contextlib.suppress(ConnectionClosed):
                await caller.send(*[{"type": "conversation.item.retrieve", "item_id": item_id}] * 8)
            async with asyncio.timeout(TIMEOUT_S):
                while (after := await open_sessions()) >= before:
                    await asyncio.sleep(0.05)
        return before, after

    before, after = asyncio.run(run())
    assert before >= 1
    assert after == before - 1


def test_an_item_deleted_before_it_was_understood_fails_its_reply_and_not_the_call(server: str) -> None:
    async def run() -> list[dict[str, Any]]:
        async with call(server, audio_input(turn_detection=None)) as caller:
            await caller.send(*frames(speech("long-order-rms")), COMMIT, CREATE)
            events = await caller.until("response.created")
            item_id = one(events, "input_audio_buffer.committed")["item_id"]
            await caller.send({"type": "conversation.item.delete", "item_id": item_id})
            events += await caller.until("response.done", "rate_limits.updated")
            await caller.send(user_text("what is my balance"), CREATE)
            return events + await caller.until("response.done", "rate_limits.updated")

    first, second = [event["response"] for event in asyncio.run(run()) if event["type"] == "response.done"]
    assert first["status"] == "failed"
    assert first["status_details"]["error"]["code"] == "engine_failed"
    assert second["status"] == "completed"
