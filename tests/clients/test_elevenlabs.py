"""ElevenLabs' own client of its agents, as it is installed, against the reference server: a turn, and its answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

elevenlabs = pytest.importorskip("elevenlabs", reason="needs the extra 'clients'")

from elevenlabs.conversational_ai.conversation import AudioInterface, ClientTools, Conversation  # noqa: E402

from bench.audio.formats import AudioFormat  # noqa: E402
from tests.server.support import server_process, silence, speech  # noqa: E402

TIMEOUT_S = 30.0
KEY = "sk-of-the-agents"
RATE_HZ = 16_000
PROFILE = """\
reply_length: 400ms
endpointing: 300ms
tools: {calls: [{name: look_up, arguments: {order_id: "4719"}}], share: %s}
"""


@pytest.fixture(scope="module", params=[0, 1], ids=["answers", "calls a tool"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, bool]]:
    """The address of a server of agents, and whether they call a tool before they answer."""
    profile: Path = tmp_path_factory.mktemp("agents") / "profile.yaml"
    profile.write_text(PROFILE % request.param)
    with server_process(engine="simulated", profile=profile, dialect="elevenlabs-agents", api_key=KEY) as (_, address):
        yield f"http://{urlsplit(address).netloc}", bool(request.param)


class Microphone(AudioInterface):
    """Speaks one recording in pieces of 250 ms as the client asks for, then silence, in real time."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.interruptions = 0
        self._over = threading.Event()

    def start(self, input_callback: Callable[[bytes], None]) -> None:
        said = speech("yes-rms", AudioFormat("pcm16", RATE_HZ))
        pcm = np.concatenate((silence(200, RATE_HZ), said, silence(4000, RATE_HZ)))

        def speak() -> None:
            for start in range(0, len(pcm), RATE_HZ // 4):
                if self._over.wait(0.25):
                    return
                input_callback(pcm[start : start + RATE_HZ // 4].tobytes())

        threading.Thread(target=speak, daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def output(self, audio: bytes) -> None:
        self.heard += audio

    def interrupt(self) -> None:
        self.interruptions += 1


def test_a_spoken_turn(place: tuple[str, bool]) -> None:
    address, calls = place
    microphone, tools, told = Microphone(), ClientTools(), []
    asked: list[dict[str, Any]] = []

    def look_up(parameters: dict[str, Any]) -> str:
        asked.append(parameters)
        return "It ships today."

    tools.register("look_up", look_up)
    agents: list[str] = []
    client = elevenlabs.ElevenLabs(api_key=KEY, base_url=address)
    call = Conversation(
        client,
        "agent_1",
        requires_auth=True,  # it asks for a signed URL
        audio_interface=microphone,
        client_tools=tools,
        callback_agent_response=agents.append,
        callback_user_transcript=told.append,
    )
    call.start_session()
    until_s = time.monotonic() + TIMEOUT_S
    while not (agents and told and microphone.heard) and time.monotonic() < until_s:
        time.sleep(0.05)
    time.sleep(0.5)
    call.end_session()
    name = call.wait_for_session_end()
    assert name is not None
    assert name.startswith("sess_")
    assert told
    assert agents
    assert len(microphone.heard) / 2 / RATE_HZ == pytest.approx(0.4, abs=0.25)
    assert bool(asked) == calls
    assert all(parameters["order_id"] == "4719" for parameters in asked)
