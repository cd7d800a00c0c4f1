"""ElevenLabs' own client of its agents, as it is installed, against the reference server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

elevenlabs = pytest.importorskip("elevenlabs", reason="needs the extra 'clients'")

from elevenlabs.conversational_ai.conversation import AudioInterface, ClientTools, Conversation  # noqa: E402

from tests.clients.support import (  # noqa: E402
    ARGUMENTS,
    CUT,
    LONG,
    LONG_S,
    PROFILE,
    RESULT,
    SHORT,
    SHORT_S,
    TOOL,
    said,
)  # fmt: skip
from tests.server.support import server_process  # noqa: E402

TIMEOUT_S = 30.0
KEY = "sk-of-the-agents"
RATE_HZ = 16_000
PIECE = RATE_HZ // 4 * 2
"""Bytes of 250 ms, as the client's own microphones hand over."""
CALLS = ("answers", "calls a tool")


@pytest.fixture(scope="module")
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of agents; `calls a tool`: they do so before they answer."""
    profile = tmp_path_factory.mktemp("agents") / "profile.yaml"
    share = CALLS.index(request.param)
    profile.write_text(PROFILE.replace("tools: {", f"tools: {{share: {share}, "))
    with server_process(engine="simulated", profile=profile, dialect="elevenlabs-agents", api_key=KEY) as (_, address):
        yield f"http://{urlsplit(address).netloc}"


class Telephone(AudioInterface):
    """Says what it is told to, in real time and with silence after it, and keeps what it hears."""

    def __init__(self, first: str) -> None:
        self.heard = bytearray()
        self.before_cut = 0
        """Bytes that had been heard when the agent was interrupted."""
        self.interruptions = 0
        self._next = [first]
        self._over = threading.Event()

    def say(self, fixture: str) -> None:
        self._next.append(fixture)

    def start(self, input_callback: Callable[[bytes], None]) -> None:
        def speak() -> None:
            rest = b""
            while not self._over.wait(0.25):
                if self._next:
                    rest = said(self._next.pop(0), RATE_HZ, after_ms=0).tobytes()
                piece, rest = rest[:PIECE], rest[PIECE:]
                input_callback(piece.ljust(PIECE, b"\0"))

        threading.Thread(target=speak, daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def output(self, audio: bytes) -> None:
        self.heard += audio

    def interrupt(self) -> None:
        self.interruptions += 1
        self.before_cut = self.before_cut or len(self.heard)


class Call:
    """A conversation, and what the client told of it."""

    def __init__(self, address: str, first: str, tools: ClientTools | None = None) -> None:
        self.telephone = Telephone(first)
        self.answers: list[str] = []
        self.told: list[str] = []
        self.corrections: list[tuple[str, str]] = []
        self._conversation = Conversation(
            elevenlabs.ElevenLabs(api_key=KEY, base_url=address),
            "agent_1",
            requires_auth=True,  # it asks for a signed URL
            audio_interface=self.telephone,
            client_tools=tools,
            callback_agent_response=self.answers.append,
            callback_agent_response_correction=lambda *words: self.corrections.append(words),
            callback_user_transcript=self.told.append,
        )

    def __enter__(self) -> Call:
        self._conversation.start_session()
        return self

    def __exit__(self, *raised: object) -> None:
        self._conversation.end_session()
        name = self._conversation.wait_for_session_end()
        assert name is not None
        assert name.startswith("sess_")


def until(happened: Callable[[], object]) -> None:
    end_s = time.monotonic() + TIMEOUT_S
    while not happened():
        assert time.monotonic() < end_s
        time.sleep(0.02)


@pytest.mark.parametrize("place", CALLS, indirect=True)
def test_a_spoken_turn_at_a_signed_address(place: str, request: pytest.FixtureRequest) -> None:
    tools, asked = ClientTools(), []

    def look_up(parameters: dict[str, Any]) -> str:
        asked.append(parameters)
        return RESULT

    tools.register(TOOL, look_up)
    with Call(place, SHORT, tools) as call:
        until(lambda: call.answers and call.told)
        until(lambda: len(call.telephone.heard) >= SHORT_S * 0.5 * RATE_HZ * 2)
        time.sleep(0.3)
    assert len(call.telephone.heard) / 2 / RATE_HZ == pytest.approx(SHORT_S, abs=0.25)
    calls = "calls a tool" in request.node.name
    assert len(asked) == calls
    assert all(parameters["order_id"] == ARGUMENTS["order_id"] for parameters in asked)


@pytest.mark.parametrize("place", CALLS[:1], indirect=True)
def test_a_barge_in_ends_the_reply(place: str) -> None:
    with Call(place, LONG) as call:
        until(lambda: call.telephone.heard)
        call.telephone.say(CUT)
        until(lambda: call.telephone.interruptions)
        until(lambda: len(call.answers) == 2)
    assert call.telephone.interruptions == 1
    assert 0 < call.telephone.before_cut / 2 / RATE_HZ < LONG_S / 2
    assert call.corrections
