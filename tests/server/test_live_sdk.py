"""The vendor's own client of OpenAI Live, as it is installed, against the reference server: a turn, and the end."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from openai import AsyncOpenAI

from tests.server.support import server_process, silence, speech

FRAME = 24_000 // 25
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base of a Live server's address."""
    profile: Path = tmp_path_factory.mktemp("live") / "profile.yaml"
    profile.write_text("reply_length: 400ms\nendpointing: 300ms\ndelivery_speed: 1\n")
    with server_process(engine="simulated", profile=profile, dialect="openai-live") as (_, address):
        yield f"http://{urlsplit(address).netloc}/v1"


async def call(place: str) -> list[Any]:
    """One spoken turn and the close: all that the client was given of it."""
    got: list[Any] = []
    pcm = np.concatenate((silence(200), speech("yes-rms"), silence(2_500)))
    client = AsyncOpenAI(api_key="any", base_url=place)
    async with asyncio.timeout(TIMEOUT_S), client.live.connect() as line:
        await line.send({"type": "session.start", "session": {"model": "gpt-live-1"}})
        got.append(await line.recv())

        async def speak() -> None:
            for start in range(0, len(pcm), FRAME):
                sound = base64.b64encode(pcm[start : start + FRAME].tobytes()).decode()
                await line.send({"type": "session.input_audio.append", "audio": sound})
                await asyncio.sleep(0.01)
            await asyncio.sleep(1)
            await line.send({"type": "session.close"})

        speaking = asyncio.create_task(speak())
        while got[-1].type != "session.closed":
            got.append(await line.recv())
        await speaking
    return got


def test_a_spoken_turn(place: str) -> None:
    got = asyncio.run(call(place))
    assert got[0].type == "session.started"
    assert got[0].session.id.startswith("sess_")
    sound = b"".join(base64.b64decode(each.delta) for each in got if each.type == "session.output_audio.delta")
    audible = np.abs(np.frombuffer(sound, "<i2").astype(int)) > 300
    assert 0.1 < audible.sum() / 24_000 < 0.6
    assert "".join(each.delta for each in got if each.type == "session.input_transcript.delta")
    assert "".join(each.delta for each in got if each.type == "session.output_transcript.delta")
    assert got[-1].reason == "close_requested"
    assert got[-1].usage.seconds > 1
