"""Google's own client of Gemini Live, as it is installed, against the reference server over TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

genai = pytest.importorskip("google.genai", reason="needs the extra 'clients'")

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
    pieces,
    profile_in,
)  # fmt: skip
from tests.server.support import server_process  # noqa: E402
from tests.support.certificates import CA, SERVER, certificates  # noqa: E402

TIMEOUT_S = 30.0
CONFIG = {
    "response_modalities": ["AUDIO"],
    "input_audio_transcription": {},
    "output_audio_transcription": {},
    "system_instruction": "You are a bank's telephone agent.",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of Gemini Live."""
    options = {"engine": "simulated", "profile": profile_in(tmp_path_factory), "dialect": "gemini-live"}
    with server_process(tls_cert=certificates() / SERVER, **options) as (_, address):
        yield f"https://{urlsplit(address).netloc}"


def client_of(place: str, key: str, **options: Any) -> Any:
    trusted = ssl.create_default_context(cafile=str(certificates() / CA))
    http: dict[str, Any] = {"base_url": place, "async_client_args": {"ssl": trusted}, **options}
    return genai.Client(api_key=key, http_options=http | {"client_args": {"verify": trusted}})


async def say(session: Any, fixture: str) -> None:
    for piece in pieces(fixture, 16_000):
        await session.send_realtime_input(audio={"data": piece, "mime_type": "audio/pcm;rate=16000"})


async def turn(place: str, *, manual: bool, key: str = "any", **options: Any) -> list[Any]:
    """One spoken turn: all that the client was given of it."""
    client = client_of(place, key, **options)
    config = {**CONFIG, "realtime_input_config": {"automatic_activity_detection": {"disabled": manual}}}
    async with asyncio.timeout(TIMEOUT_S), client.aio.live.connect(model="gemini", config=config) as session:
        if manual:
            await session.send_realtime_input(activity_start={})
        await say(session, SHORT)
        if manual:
            await session.send_realtime_input(activity_end={})
        return [message async for message in session.receive()]


def sound_s(got: list[Any]) -> float:
    return sum(len(message.data) for message in got if message.data) / 48_000


@pytest.mark.parametrize("manual", [False, True])
def test_a_spoken_turn(place: str, manual: bool) -> None:
    got = asyncio.run(turn(place, manual=manual))
    content = [message.server_content for message in got if message.server_content]
    assert sound_s(got) == pytest.approx(SHORT_S, abs=0.25)
    assert "".join(each.output_transcription.text for each in content if each.output_transcription)
    assert any(each.input_transcription and each.input_transcription.text for each in content)
    assert any(each.generation_complete for each in content)
    assert content[-1].turn_complete
    (usage,) = [message.usage_metadata for message in got if message.usage_metadata]
    assert usage.total_token_count == usage.prompt_token_count + usage.response_token_count


@pytest.mark.parametrize("key", ["parameters", "parameters_json_schema"])
def test_a_tool_is_called_and_its_result_is_answered(place: str, key: str) -> None:
    declared = {"name": TOOL, "description": "Looks an order up.", key: PARAMETERS}
    config = {**CONFIG, "tools": [{"function_declarations": [declared]}]}

    async def run() -> tuple[list[Any], list[Any]]:
        client = client_of(place, "any")
        async with asyncio.timeout(TIMEOUT_S), client.aio.live.connect(model="gemini", config=config) as session:
            await say(session, SHORT)
            calls: list[Any] = []
            answer: list[Any] = []
            async for message in session.receive():
                answer.append(message)
                if message.tool_call:
                    calls += message.tool_call.function_calls
                    (call,) = message.tool_call.function_calls
                    result = {"id": call.id, "name": call.name, "response": {"output": RESULT}}
                    await session.send_tool_response(function_responses=[result])
            return calls, answer

    calls, answer = asyncio.run(run())
    assert [(call.name, call.args) for call in calls] == [(TOOL, ARGUMENTS)]
    assert sound_s(answer) == pytest.approx(SHORT_S, abs=0.25)
    assert answer[-1].server_content.turn_complete


def test_a_setup_that_cannot_be_taken_ends_the_session(place: str) -> None:
    async def run() -> None:
        client = client_of(place, "any")
        config = {**CONFIG, "max_output_tokens": 999_999}
        async with asyncio.timeout(TIMEOUT_S), client.aio.live.connect(model="gemini", config=config) as session:
            async for message in session.receive():
                assert message.server_content is None

    with pytest.raises(Exception, match="1007"):
        asyncio.run(run())


def test_a_barge_in_ends_the_reply(place: str) -> None:
    async def run() -> tuple[list[Any], list[Any]]:
        client = client_of(place, "any")
        async with asyncio.timeout(TIMEOUT_S), client.aio.live.connect(model="gemini", config=CONFIG) as session:
            await say(session, LONG)
            cut: list[Any] = []
            async for message in session.receive():
                cut.append(message)
                if message.data and sum(bool(each.data) for each in cut) == 1:
                    await say(session, CUT)
            return cut, [message async for message in session.receive()]

    cut, answer = asyncio.run(run())
    assert any(message.server_content and message.server_content.interrupted for message in cut)
    assert not any(message.server_content and message.server_content.generation_complete for message in cut)
    assert 0 < sound_s(cut) < LONG_S / 2
    assert sound_s(answer) == pytest.approx(SHORT_S, abs=0.25)


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
