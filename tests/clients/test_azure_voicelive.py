"""Microsoft's own client of Voice Live, as it is installed, against the reference server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

voicelive = pytest.importorskip("azure.ai.voicelive.aio", reason="needs the extra 'clients'")

from azure.ai.voicelive import models  # noqa: E402
from azure.core.credentials import AzureKeyCredential  # noqa: E402

from tests.server.support import server_process, silence, speech  # noqa: E402

TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of Voice Live."""
    profile: Path = tmp_path_factory.mktemp("voice-live") / "profile.yaml"
    profile.write_text("reply_length: 400ms\nendpointing: 300ms\n")
    options = {"engine": "simulated", "profile": profile, "dialect": "azure-voice-live"}
    with server_process(api_key="secret-key", **options) as (_, address):
        yield f"http://{urlsplit(address).netloc}"


async def turn(place: str, key: str, *, manual: bool) -> list[Any]:
    """One spoken turn: all events until its end."""
    got: list[Any] = []
    detection = None if manual else models.ServerVad(silence_duration_ms=400)
    session = models.RequestSession(
        modalities=[models.Modality.TEXT, models.Modality.AUDIO],
        instructions="You are a bank's telephone agent.",
        input_audio_format=models.InputAudioFormat.PCM16,
        output_audio_format=models.OutputAudioFormat.PCM16,
        input_audio_transcription=models.AudioInputTranscriptionOptions(model="whisper-1"),
        turn_detection=detection,
    )
    if manual:
        session["turn_detection"] = None
    pcm = np.concatenate((silence(200), speech("yes-rms"), silence(900)))
    credential = AzureKeyCredential(key)
    async with (
        asyncio.timeout(TIMEOUT_S),
        voicelive.connect(endpoint=place, credential=credential, model="gpt-realtime-mini") as connection,
    ):
        await connection.session.update(session=session)
        for start in range(0, len(pcm), 960):
            audio = base64.b64encode(pcm[start : start + 960].tobytes()).decode()
            await connection.input_audio_buffer.append(audio=audio)
        if manual:
            await connection.input_audio_buffer.commit()
            await connection.response.create()
        async for event in connection:
            got.append(event)
            if event.type in {models.ServerEventType.RESPONSE_DONE, models.ServerEventType.ERROR}:
                break
    return got


@pytest.mark.parametrize("manual", [False, True])
def test_a_spoken_turn(place: str, manual: bool) -> None:
    got = asyncio.run(turn(place, "secret-key", manual=manual))
    kinds = models.ServerEventType

    def of(kind: Any) -> list[Any]:
        return [event for event in got if event.type == kind]

    assert not of(kinds.ERROR), of(kinds.ERROR)
    sound = sum(len(event.delta) for event in of(kinds.RESPONSE_AUDIO_DELTA))
    assert sound / 48_000 == pytest.approx(0.4, abs=0.25)
    assert "".join(event.delta for event in of(kinds.RESPONSE_AUDIO_TRANSCRIPT_DELTA))
    assert bool(of(kinds.INPUT_AUDIO_BUFFER_SPEECH_STOPPED)) is not manual
    (done,) = of(kinds.RESPONSE_DONE)
    usage = done.response.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_a_wrong_key_is_refused(place: str) -> None:
    with pytest.raises(Exception, match="401"):
        asyncio.run(turn(place, "another", manual=False))
