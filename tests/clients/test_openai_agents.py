"""openai-agents as it is installed: a spoken turn, at an address that names no model."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

realtime = pytest.importorskip("agents.realtime", reason="needs the extra 'clients'")

from tests.server.support import silence, speech  # noqa: E402

TIMEOUT_S = 30.0


def test_a_turn_without_a_model_in_the_address(server: str) -> None:
    async def run() -> tuple[list[Any], dict[str, Any], str]:
        agent = realtime.RealtimeAgent(name="Teller", instructions="You are a bank's telephone agent.")
        runner = realtime.RealtimeRunner(
            agent,
            config={
                "model_settings": {
                    "model_name": "gpt-realtime",
                    "voice": "cedar",
                    "input_audio_transcription": {"model": "gpt-4o-mini-transcribe"},
                    "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
                }
            },
        )
        url = server.replace("http://", "ws://") + "/v1/realtime"
        errors: list[Any] = []
        configured: dict[str, Any] = {}
        said = ""
        async with await runner.run(model_config={"api_key": "any", "url": url}) as session:
            await session.send_audio(b"".join(part.tobytes() for part in (speech("balance-rms"), silence(900))))
            async with asyncio.timeout(TIMEOUT_S):
                async for event in session:
                    if event.type == "error":
                        errors.append(event.error)
                    raw = getattr(event, "data", None)
                    body = getattr(raw, "data", None)
                    if isinstance(body, dict) and body.get("type") == "session.updated":
                        configured = body["session"]
                    if getattr(raw, "type", "") == "transcript_delta":
                        said += raw.delta
                    if event.type == "audio_end":
                        break
        return errors, configured, said

    errors, configured, said = asyncio.run(run())
    assert errors == []
    assert configured["model"] == "gpt-realtime"
    assert configured["audio"]["output"]["voice"] == "cedar"
    assert configured["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 300
    assert said.strip()
