"""The vendor's own SDK against the three HTTP services: speech to text, chat, text to speech."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from tests.server.support import FIXTURES, server_process

SAID = "balance-rms"
PROFILE = """
seed: 3
legs:
  stt: {delay: 20ms}
  llm: {first_token: 20ms, token_gap: 1ms}
  tts: {first_byte: 20ms, word: 100ms}
"""
FAULTS = """  faults:
    - {leg: llm, kind: status, status: 429, retry_after: 7s, at_request: 1}
    - {leg: llm, kind: cut, at_request: 2}
    - {leg: tts, kind: cut, at_request: 0}
"""
BROKEN = r"(?i)clos|reset|read|peer|connection"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    profile = tmp_path_factory.mktemp("legs") / "legs.yaml"
    profile.write_text(PROFILE)
    with server_process(dialect="openai-http", engine="simulated", profile=profile) as (_, address):
        yield openai.OpenAI(base_url=address, api_key="any", max_retries=0)


@pytest.fixture(scope="module")
def local() -> Iterator[openai.OpenAI]:
    with server_process(dialect="openai-http", engine="local", workers=1) as (_, address):
        yield openai.OpenAI(base_url=address, api_key="any", max_retries=0)


def test_models_are_listed(simulated: openai.OpenAI) -> None:
    client = simulated
    assert [model.id for model in client.models.list()] == ["simulated-stt", "simulated-llm", "simulated-tts"]


def test_a_recording_is_written_down(simulated: openai.OpenAI) -> None:
    client = simulated
    audio = FIXTURES / f"{SAID}.wav"
    found = client.audio.transcriptions.create(file=audio, model="m")
    assert "balance" in found.text
    plain = client.audio.transcriptions.create(file=audio, model="m", response_format="text")
    assert str(plain).strip() == found.text
    streamed = client.audio.transcriptions.create(file=audio, model="gpt-4o-transcribe", stream=True)
    pieces = list(streamed)
    assert "".join(piece.delta for piece in pieces if piece.type == "transcript.text.delta") == found.text
    assert pieces[-1].type == "transcript.text.done"
    assert pieces[-1].usage is not None


def test_a_chat_streams_and_says_what_it_used(simulated: openai.OpenAI) -> None:
    client = simulated
    asked = [{"role": "user", "content": "What is my balance?"}]
    whole = client.chat.completions.create(model="m", messages=asked)  # type: ignore[arg-type]
    options = {"include_usage": True}
    streamed = list(
        client.chat.completions.create(model="m", messages=asked, stream=True, stream_options=options)  # type: ignore[call-overload]
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)
    assert said == whole.choices[0].message.content
    assert streamed[-1].choices == []
    assert streamed[-1].usage == whole.usage


def test_speech_comes_in_chunks(simulated: openai.OpenAI) -> None:
    client = simulated
    with client.audio.speech.with_streaming_response.create(
        input="one two three four", model="m", voice="alloy", response_format="pcm"
    ) as answer:
        sizes = [len(piece) for piece in answer.iter_bytes()]
    assert sum(sizes) == 4 * 100 * 48
    assert len(sizes) > 1
    spoken = client.audio.speech.create(input="one two", model="m", voice="alloy", response_format="wav").read()
    with wave.open(io.BytesIO(spoken)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (24_000, 1, 2)
    with pytest.raises(openai.BadRequestError, match="mp3"):
        client.audio.speech.create(input="one", model="m", voice="alloy")


def test_a_reply_that_the_caller_closes_is_no_longer_sent(tmp_path: Path) -> None:
    profile, log = tmp_path / "legs.yaml", tmp_path / "truth.jsonl"
    profile.write_text(PROFILE.replace("token_gap: 1ms", "token_gap: 40ms"))
    asked = [{"role": "user", "content": "What is my balance?"}]
    with server_process(dialect="openai-http", engine="simulated", profile=profile, truth_log=log) as (_, address):
        client = openai.OpenAI(base_url=address, api_key="any", max_retries=0)
        with client.chat.completions.create(model="m", messages=asked, stream=True) as chunks:  # type: ignore[call-overload]
            assert next(chunk for chunk in chunks if chunk.choices[0].delta.content)
        client.chat.completions.create(model="m", messages=asked)  # type: ignore[arg-type]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    requests = [line for line in lines if line["kind"] == "request"]
    assert [line["ended"] for line in requests] == ["hung_up", "whole"]
    cut, whole = ((line["ended_ns"] - line["first_ns"]) / 1e6 for line in requests)
    assert cut < 500, "the whole answer takes a second"
    assert whole >= 0


def test_faults_are_what_the_sdk_calls_them(tmp_path: Path) -> None:
    profile, log = tmp_path / "legs.yaml", tmp_path / "truth.jsonl"
    profile.write_text(PROFILE + FAULTS)
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    spoken = {"input": "one two three", "model": "m", "voice": "alloy", "response_format": "pcm"}
    with server_process(dialect="openai-http", engine="simulated", profile=profile, truth_log=log) as (_, address):
        client = openai.OpenAI(base_url=address, api_key="any", max_retries=0)
        client.chat.completions.create(**asked)  # type: ignore[call-overload]
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(**asked)  # type: ignore[call-overload]
        assert refused.value.response.headers["retry-after"] == "7"
        assert refused.value.code == "rate_limit_exceeded"
        with pytest.raises(Exception, match=BROKEN):
            list(client.chat.completions.create(**asked, stream=True))  # type: ignore[call-overload]
        with (
            pytest.raises(Exception, match=BROKEN),
            client.audio.speech.with_streaming_response.create(**spoken) as answer,  # type: ignore[arg-type]
        ):
            answer.read()
        client.chat.completions.create(**asked)  # type: ignore[call-overload]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    requests = [line for line in lines if line["kind"] == "request"]
    assert [(line["leg"], line["number"], line["fault"]) for line in requests] == [
        ("llm", 0, None), ("llm", 1, "status"), ("llm", 2, "cut"), ("tts", 0, "cut"), ("llm", 3, None),
    ]  # fmt: skip
    assert [line["ended"] for line in requests] == ["whole", "refused", "cut", "cut", "whole"]
    assert all(line["first_ns"] - line["at_ns"] >= 20_000_000 for line in requests if line["status"] == 200)


def test_wrong_key_and_wrong_fields_are_refused() -> None:
    with server_process(dialect="openai-http", engine="simulated", api_key="right") as (_, address):
        client = openai.OpenAI(base_url=address, api_key="wrong", max_retries=0)
        with pytest.raises(openai.AuthenticationError):
            client.models.list()
        client = openai.OpenAI(base_url=address, api_key="right", max_retries=0)
        with pytest.raises(openai.BadRequestError, match="could not be decoded"):
            client.audio.transcriptions.create(file=("a.wav", b"no sound"), model="m")
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(input="x", model="m")


def test_this_machine_hears_answers_and_speaks(local: openai.OpenAI) -> None:
    found = local.audio.transcriptions.create(file=FIXTURES / f"{SAID}.wav", model="m")
    assert "balance" in found.text
    lookup = {
        "name": "get_balance",
        "parameters": {"type": "object", "properties": {"account": {"type": "string"}}, "required": ["account"]},
    }
    answer = local.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": found.text}],
        tools=[{"type": "function", "function": lookup}],  # type: ignore[list-item]
    )
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].function.name == "get_balance"  # type: ignore[union-attr]
    spoken = local.audio.speech.create(input="Good morning.", model="m", voice="alloy", response_format="pcm").read()
    assert len(spoken) > 24_000
