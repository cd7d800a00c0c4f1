"""LiveKit's realtime model and its streaming transcriber, as they are installed, against the reference server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

rtc = pytest.importorskip("livekit.rtc", reason="needs the extra 'clients'")
openai = pytest.importorskip("livekit.plugins.openai", reason="needs the extra 'clients'")

from tests.server.support import silence, speech  # noqa: E402

TIMEOUT_S = 30.0


def test_a_plain_generate_reply_is_answered(server: str) -> None:
    async def run() -> tuple[list[Any], str, int]:
        model = openai.realtime.RealtimeModel(base_url=f"{server}/v1", api_key="any", model="gpt-realtime")
        session = model.session()
        errors: list[Any] = []
        session.on("error", errors.append)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await session.update_instructions("You are a bank's telephone agent.")
                generation = await session.generate_reply()
                words, sound = "", 0
                async for message in generation.message_stream:
                    async for text in message.text_stream:
                        words += str(text)
                    async for frame in message.audio_stream:
                        sound += frame.samples_per_channel
                return errors, words, sound
        finally:
            await session.aclose()
            await model.aclose()

    errors, words, sound = asyncio.run(run())
    assert errors == []
    assert words.strip()
    assert sound > 0


def test_a_spoken_turn_is_transcribed(server: str) -> None:
    async def run() -> list[str]:
        import aiohttp

        async with aiohttp.ClientSession() as http:
            transcriber = openai.STT(
                base_url=f"{server}/v1", api_key="any", model="gpt-4o-transcribe", use_realtime=True
            )
            transcriber._session = http
            stream = transcriber.stream()
            pcm = [*speech("balance-rms"), *silence(1_200)]
            for start in range(0, len(pcm), 1_200):
                part = pcm[start : start + 1_200]
                data = b"".join(int(sample).to_bytes(2, "little", signed=True) for sample in part)
                stream.push_frame(rtc.AudioFrame(data, 24_000, 1, len(part)))
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
