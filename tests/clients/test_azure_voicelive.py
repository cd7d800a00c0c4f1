"""Microsoft's own client of Voice Live, as it is installed, against the reference server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

voicelive = pytest.importorskip("azure.ai.voicelive.aio", reason="needs the extra 'clients'")

from azure.ai.voicelive import models  # noqa: E402
from azure.core.credentials import AccessToken, AzureKeyCredential  # noqa: E402

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
KEY = "secret-key"
KINDS = models.ServerEventType


class Entra:
    """A credential that holds a token, as azure-identity's do."""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        assert scopes
        return AccessToken(KEY, int(time.time()) + 3600)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Entra:
        return self

    async def __aexit__(self, *raised: object) -> None:
        pass


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of Voice Live."""
    options = {"engine": "simulated", "profile": profile_in(tmp_path_factory), "dialect": "azure-voice-live"}
    with server_process(api_key=KEY, **options) as (_, address):
        yield f"http://{urlsplit(address).netloc}"


def line(place: str, credential: Any = None) -> Any:
    return voicelive.connect(
        endpoint=place, credential=credential or AzureKeyCredential(KEY), model="gpt-realtime-mini"
    )


async def configure(connection: Any, *, manual: bool = False, tools: Any = None) -> None:
    session = models.RequestSession(
        modalities=[models.Modality.TEXT, models.Modality.AUDIO],
        instructions="You are a bank's telephone agent.",
        input_audio_format=models.InputAudioFormat.PCM16,
        output_audio_format=models.OutputAudioFormat.PCM16,
        input_audio_transcription=models.AudioInputTranscriptionOptions(model="whisper-1"),
        turn_detection=None if manual else models.ServerVad(silence_duration_ms=400),
        tools=tools,
    )
    if manual:
        session["turn_detection"] = None
    await connection.session.update(session=session)


async def say(connection: Any, fixture: str) -> None:
    for audio in encoded(fixture):
        await connection.input_audio_buffer.append(audio=audio)


async def until(connection: Any, kind: Any) -> list[Any]:
    """All events up to the first of this kind; an error fails."""
    got: list[Any] = []
    async with asyncio.timeout(TIMEOUT_S):
        while not got or got[-1].type != kind:
            got.append(await connection.recv())
            assert got[-1].type != KINDS.ERROR, got[-1]
    return got


def of(got: list[Any], kind: Any) -> list[Any]:
    return [event for event in got if event.type == kind]


async def turn(place: str, *, manual: bool = False, credential: Any = None) -> list[Any]:
    """One spoken turn: all events until its end."""
    async with line(place, credential) as connection:
        await configure(connection, manual=manual)
        await say(connection, SHORT)
        if manual:
            await connection.input_audio_buffer.commit()
            await connection.response.create()
        return await until(connection, KINDS.RESPONSE_DONE)


@pytest.mark.parametrize("manual", [False, True])
def test_a_spoken_turn(place: str, manual: bool) -> None:
    got = asyncio.run(turn(place, manual=manual))
    sound = sum(len(event.delta) for event in of(got, KINDS.RESPONSE_AUDIO_DELTA))
    assert sound / 48_000 == pytest.approx(SHORT_S, abs=0.25)
    assert "".join(event.delta for event in of(got, KINDS.RESPONSE_AUDIO_TRANSCRIPT_DELTA))
    assert bool(of(got, KINDS.INPUT_AUDIO_BUFFER_SPEECH_STOPPED)) is not manual
    (done,) = of(got, KINDS.RESPONSE_DONE)
    usage = done.response.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_a_tool_is_called_and_its_result_is_answered(place: str) -> None:
    tool = models.FunctionTool(name=TOOL, description="Looks an order up.", parameters=PARAMETERS)

    async def run() -> tuple[list[Any], list[Any]]:
        async with line(place) as connection:
            await configure(connection, tools=[tool])
            await say(connection, SHORT)
            calling = await until(connection, KINDS.RESPONSE_DONE)
            (done,) = of(calling, KINDS.RESPONSE_FUNCTION_CALL_ARGUMENTS_DONE)
            await connection.conversation.item.create(
                item=models.FunctionCallOutputItem(call_id=done.call_id, output=RESULT)
            )
            await connection.response.create()
            return calling, await until(connection, KINDS.RESPONSE_DONE)

    calling, answering = asyncio.run(run())
    (done,) = of(calling, KINDS.RESPONSE_FUNCTION_CALL_ARGUMENTS_DONE)
    assert (done.name, json.loads(done.arguments)) == (TOOL, ARGUMENTS)
    assert of(answering, KINDS.RESPONSE_AUDIO_DELTA)
    assert answering[-1].response.status == models.ResponseStatus.COMPLETED


def test_a_barge_in_ends_the_reply(place: str) -> None:
    async def run() -> tuple[list[Any], list[Any], list[Any]]:
        async with line(place) as connection:
            await configure(connection)
            await say(connection, LONG)
            begun = await until(connection, KINDS.RESPONSE_AUDIO_DELTA)
            await say(connection, CUT)
            cut = await until(connection, KINDS.RESPONSE_DONE)
            await connection.conversation.item.truncate(item_id=begun[-1].item_id, content_index=0, audio_end_ms=100)
            truncated = await until(connection, KINDS.CONVERSATION_ITEM_TRUNCATED)
            return cut, truncated, await until(connection, KINDS.RESPONSE_DONE)

    cut, truncated, answer = asyncio.run(run())
    assert of(cut, KINDS.INPUT_AUDIO_BUFFER_SPEECH_STARTED)
    assert cut[-1].response.status == models.ResponseStatus.CANCELLED
    assert sum(len(event.delta) for event in of(cut, KINDS.RESPONSE_AUDIO_DELTA)) / 48_000 < LONG_S / 2
    assert truncated[-1].audio_end_ms == 100
    assert answer[-1].response.status == models.ResponseStatus.COMPLETED


def test_a_token_of_the_directory_opens_a_session(place: str) -> None:
    got = asyncio.run(turn(place, credential=Entra()))
    assert got[-1].response.status == models.ResponseStatus.COMPLETED


def test_a_wrong_key_is_refused(place: str) -> None:
    with pytest.raises(Exception, match="401"):
        asyncio.run(turn(place, credential=AzureKeyCredential("another")))
