"""Google's own client of Gemini Live, as it is installed, against the reference server over TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

genai = pytest.importorskip("google.genai", reason="needs the extra 'clients'")

from bench.audio.formats import AudioFormat  # noqa: E402
from tests.server.support import server_process, silence, speech  # noqa: E402
from tests.support.certificates import CA, SERVER, certificates  # noqa: E402

TIMEOUT_S = 30.0
AT_16_KHZ = AudioFormat("pcm16", 16_000)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of Gemini Live."""
    profile: Path = tmp_path_factory.mktemp("gemini") / "profile.yaml"
    profile.write_text("reply_length: 400ms\nendpointing: 300ms\n")
    options = {"engine": "simulated", "profile": profile, "dialect": "gemini-live"}
    with server_process(tls_cert=certificates() / SERVER, **options) as (_, address):
        yield f"https://{urlsplit(address).netloc}"


def client_of(place: str, key: str, **options: Any) -> Any:
    trusted = ssl.create_default_context(cafile=str(certificates() / CA))
    http: dict[str, Any] = {"base_url": place, "async_client_args": {"ssl": trusted}, **options}
    return genai.Client(api_key=key, http_options=http | {"client_args": {"verify": trusted}})


async def turn(place: str, *, manual: bool, key: str = "any", **options: Any) -> list[Any]:
    """One spoken turn: all that the client was given of it."""
    client = client_of(place, key, **options)
    config = {
        "response_modalities": ["AUDIO"],
        "input_audio_transcription": {},
        "output_audio_transcription": {},
        "system_instruction": "You are a bank's telephone agent.",
        "realtime_input_config": {"automatic_activity_detection": {"disabled": manual}},
    }
    got: list[Any] = []
    pcm = np.concatenate((silence(200, 16_000), speech("yes-rms", AT_16_KHZ), silence(900, 16_000)))
    async with asyncio.timeout(TIMEOUT_S), client.aio.live.connect(model="gemini", config=config) as session:
        if manual:
            await session.send_realtime_input(activity_start={})
        for start in range(0, len(pcm), 640):
            blob = {"data": pcm[start : start + 640].tobytes(), "mime_type": "audio/pcm;rate=16000"}
            await session.send_realtime_input(audio=blob)
        if manual:
            await session.send_realtime_input(activity_end={})
        async for message in session.receive():
            got.append(message)
    return got


@pytest.mark.parametrize("manual", [False, True])
def test_a_spoken_turn(place: str, manual: bool) -> None:
    got = asyncio.run(turn(place, manual=manual))
    content = [message.server_content for message in got if message.server_content]
    sound = sum(len(message.data) for message in got if message.data)
    assert sound / 48_000 == pytest.approx(0.4, abs=0.25)
    assert "".join(each.output_transcription.text for each in content if each.output_transcription)
    assert any(each.input_transcription and each.input_transcription.text for each in content)
    assert any(each.generation_complete for each in content)
    assert content[-1].turn_complete
    (usage,) = [message.usage_metadata for message in got if message.usage_metadata]
    assert usage.total_token_count == usage.prompt_token_count + usage.response_token_count


@pytest.mark.filterwarnings("ignore:The SDK's")
def test_a_token_made_by_the_client_opens_one_session(place: str) -> None:
    version = {"api_version": "v1alpha"}
    client = client_of(place, "any", **version)
    token = client.auth_tokens.create(config={"uses": 1}).name
    assert token.startswith("auth_tokens/")
    got = asyncio.run(turn(place, manual=False, key=token, **version))
    assert got[-1].server_content.turn_complete
    with pytest.raises(Exception, match="401"):
        asyncio.run(turn(place, manual=False, key=token, **version))
