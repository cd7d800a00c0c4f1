"""Alibaba's own client of Qwen-Omni, as it is installed, against the reference server."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

omni = pytest.importorskip("dashscope.audio.qwen_omni", reason="needs the extra 'clients'")

from tests.clients.support import (  # noqa: E402
    ARGUMENTS,
    CUT,
    LONG,
    LONG_S,
    PARAMETERS,
    RESULT,
    SHORT,
    SHORT_S,
    TOOL,
    encoded,
    profile_in,
)  # fmt: skip
from tests.server.support import server_process  # noqa: E402

TIMEOUT_S = 30.0


class Heard(omni.OmniRealtimeCallback):  # type: ignore[misc, name-defined]
    """Everything that the client hands on."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.came = threading.Condition()

    def on_event(self, response: Any) -> None:
        event = response if isinstance(response, dict) else json.loads(response)
        with self.came:
            self.events.append(event)
            self.came.notify_all()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def wait(self, kind: str, number: int = 1) -> dict[str, Any]:
        """The event of this kind that is the `number`th, once it has come."""

        def come() -> bool:
            assert not self.of("error"), self.of("error")
            return len(self.of(kind)) >= number

        with self.came:
            assert self.came.wait_for(come, TIMEOUT_S), self.events
        return self.of(kind)[number - 1]

    def sound_s(self, response_id: str) -> float:
        deltas = (each["delta"] for each in self.of("response.audio.delta") if each["response_id"] == response_id)
        return sum(len(base64.b64decode(delta)) for delta in deltas) / 48_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of Qwen-Omni, without the model that the client adds."""
    with server_process(engine="simulated", profile=profile_in(tmp_path_factory), dialect="qwen-omni") as (_, address):
        yield f"ws://{urlsplit(address).netloc}/api-ws/v1/realtime"


@contextmanager
def call(place: str, *, manual: bool = False, finish: bool = False, **session: Any) -> Iterator[tuple[Any, Heard]]:
    """A call that is configured."""
    heard = Heard()
    client = omni.OmniRealtimeConversation(model="qwen-omni", callback=heard, url=place, api_key="any")
    client.connect()
    try:
        client.update_session(
            output_modalities=[omni.MultiModality.AUDIO, omni.MultiModality.TEXT],
            voice="Chelsie",
            input_audio_transcription_model="gummy-realtime-v1",
            enable_turn_detection=not manual,
            **session,
        )
        heard.wait("session.updated")
        yield client, heard
        if finish:
            client.end_session(timeout=5)
    finally:
        client.close()


def say(client: Any, fixture: str) -> None:
    for audio in encoded(fixture, 16_000):
        client.append_audio(audio)


@pytest.mark.parametrize("manual", [False, True])
def test_a_spoken_turn(place: str, manual: bool) -> None:
    with call(place, manual=manual) as (client, heard):
        say(client, SHORT)
        if manual:
            client.commit()
            client.create_response()
        done = heard.wait("response.done")
        heard.wait("conversation.item.input_audio_transcription.completed")
    assert heard.sound_s(done["response"]["id"]) == pytest.approx(SHORT_S, abs=0.25)
    assert "".join(event["delta"] for event in heard.of("response.audio_transcript.delta"))
    assert heard.of("conversation.item.input_audio_transcription.completed")[0]["transcript"]
    assert bool(heard.of("input_audio_buffer.speech_stopped")) is not manual


def test_a_tool_is_called_and_its_result_is_answered(place: str) -> None:
    tool = {"type": "function", "name": TOOL, "description": "Looks an order up.", "parameters": PARAMETERS}
    with call(place, tools=[tool]) as (client, heard):
        say(client, SHORT)
        called = heard.wait("response.function_call_arguments.done")
        heard.wait("response.done")
        client.create_item({"type": "function_call_output", "call_id": called["call_id"], "output": RESULT})
        client.create_response()
        done = heard.wait("response.done", 2)
    assert (called["name"], json.loads(called["arguments"])) == (TOOL, ARGUMENTS)
    assert heard.sound_s(done["response"]["id"]) > 0


@pytest.mark.parametrize("cut_in", [say, lambda client, _: client.cancel_response()], ids=["speech", "a request"])
def test_a_barge_in_ends_the_reply(place: str, cut_in: Callable[[Any, str], None]) -> None:
    with call(place) as (client, heard):
        say(client, LONG)
        heard.wait("response.audio.delta")
        time.sleep(0.3)
        cut_in(client, CUT)
        done = heard.wait("response.done")
    assert done["response"]["status"] == "cancelled"
    assert heard.sound_s(done["response"]["id"]) < LONG_S / 2


def test_a_session_of_its_own_rates_is_finished(place: str) -> None:
    rates = {
        "input_audio_config": omni.AudioFormatConfig(sample_rate=24_000),
        "output_audio_config": omni.AudioFormatConfig(sample_rate=16_000),
    }
    with call(place, finish=True, **rates) as (client, heard):
        client.append_video("AAAA")
        for audio in encoded(SHORT, 24_000):
            client.append_audio(audio)
        done = heard.wait("response.done")
        assert heard.of("session.updated")[0]["session"]["audio"]["input"]["format"]["sample_rate"] == 24_000
    assert heard.sound_s(done["response"]["id"]) * 24_000 / 16_000 == pytest.approx(SHORT_S, abs=0.25)
    assert heard.of("session.finished")
