"""The official SDK's old client, `beta.realtime`, against the server's beta shape: a spoken turn in either mode."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI

from tests.server.support import frames, server_process, silence, speech

pytest.importorskip("openai.resources.beta.realtime", reason="this version of the SDK has no client of the beta shape")
TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the beta shape."""
    profile = tmp_path_factory.mktemp("beta") / "profile.yaml"
    profile.write_text("reply_length: 400ms\n")
    with server_process(engine="simulated", profile=profile, dialect="openai-beta") as (_, address):
        yield address


@pytest.mark.parametrize("detection", [{"type": "server_vad", "silence_duration_ms": 300}, None])
def test_a_spoken_turn(server: str, detection: Any) -> None:
    async def run() -> list[Any]:
        client = AsyncOpenAI(api_key="any", websocket_base_url=f"{server}/v1".replace("http", "ws"), max_retries=0)
        got: list[Any] = []
        async with asyncio.timeout(TIMEOUT_S), client.beta.realtime.connect(model="simulated") as connection:
            session = {"modalities": ["text", "audio"], "input_audio_format": "pcm16", "turn_detection": detection}
            await connection.session.update(session=session)  # type: ignore[arg-type]
            pcm = np.concatenate((silence(200), speech("yes-rms"), silence(900)))
            for frame in frames(pcm):
                await connection.input_audio_buffer.append(audio=frame["audio"])
            if detection is None:
                await connection.input_audio_buffer.commit()
                await connection.response.create()
            async for event in connection:
                got.append(event)
                if event.type == "response.done":
                    return got
        return got

    events = asyncio.run(run())
    named = [event.type for event in events]
    assert "error" not in named, [event for event in events if event.type == "error"]
    assert {"session.updated", "conversation.item.created", "response.audio_transcript.delta"} <= set(named)
    sound = [event.delta for event in events if event.type == "response.audio.delta"]
    assert sound
    assert events[-1].response.status == "completed"
    assert events[-1].response.usage.total_tokens > 0
    assert ("input_audio_buffer.speech_stopped" in named) == (detection is not None)
