"""Alibaba's own client of Qwen-Omni, as it is installed, against the reference server."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

omni = pytest.importorskip("dashscope.audio.qwen_omni", reason="needs the extra 'clients'")

from bench.audio.formats import AudioFormat  # noqa: E402
from tests.server.support import server_process, silence, speech  # noqa: E402

TIMEOUT_S = 30.0
AT_16_KHZ = AudioFormat("pcm16", 16_000)


class Heard(omni.OmniRealtimeCallback):  # type: ignore[misc, name-defined]
    """Everything that the client hands on."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.done = threading.Event()

    def on_event(self, response: Any) -> None:
        event = response if isinstance(response, dict) else json.loads(response)
        self.events.append(event)
        if event["type"] == "response.done":
            self.done.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of Qwen-Omni, without the model that the client adds."""
    profile: Path = tmp_path_factory.mktemp("qwen") / "profile.yaml"
    profile.write_text("reply_length: 400ms\nendpointing: 300ms\n")
    with server_process(engine="simulated", profile=profile, dialect="qwen-omni") as (_, address):
        yield f"ws://{urlsplit(address).netloc}/api-ws/v1/realtime"


def turn(place: str, *, manual: bool) -> Heard:
    """One spoken turn."""
    heard = Heard()
    client = omni.OmniRealtimeConversation(model="qwen-omni", callback=heard, url=place, api_key="any")
    client.connect()
    client.update_session(
        output_modalities=[omni.MultiModality.AUDIO, omni.MultiModality.TEXT],
        voice="Chelsie",
        input_audio_transcription_model="gummy-realtime-v1",
        enable_turn_detection=not manual,
    )
    pcm = np.concatenate((silence(200, 16_000), speech("yes-rms", AT_16_KHZ), silence(900, 16_000)))
    for start in range(0, len(pcm), 640):
        client.append_audio(base64.b64encode(pcm[start : start + 640].tobytes()).decode())
        time.sleep(0.01)
    if manual:
        client.commit()
        client.create_response()
    assert heard.done.wait(TIMEOUT_S), heard.events
    client.close()
    return heard


@pytest.mark.parametrize("manual", [False, True])
def test_a_spoken_turn(place: str, manual: bool) -> None:
    heard = turn(place, manual=manual)
    assert not heard.of("error"), heard.of("error")
    sound = sum(len(base64.b64decode(event["delta"])) for event in heard.of("response.audio.delta"))
    assert sound / 48_000 == pytest.approx(0.4, abs=0.25)
    assert "".join(event["delta"] for event in heard.of("response.audio_transcript.delta"))
    assert heard.of("conversation.item.input_audio_transcription.completed")[0]["transcript"]
    assert bool(heard.of("input_audio_buffer.speech_stopped")) is not manual
