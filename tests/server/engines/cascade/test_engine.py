"""A cascade over the simulated services: its reply, what it tells of them, and each fault with the leg that failed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from bench.errors import BenchError
from bench.scenario.cascade import LEGS, CascadeConfig, load_cascade
from bench.server.options import ServeOptions, start_server
from tests.server.support import (
    append,
    check_event,
    server_process,
    silence,
    speech,
    update,
    user_text,
)

REPLY = "Good day to you. Your order has been sent and will be with you on Friday."
PROFILE = f"""
reply: "{REPLY}"
legs:
  stt: {{delay: 30ms}}
  llm: {{first_token: 30ms, token_gap: 1ms}}
  tts: {{first_byte: 30ms, word: 100ms, delivery_speed: 4}}
  faults:
    - {{leg: llm, kind: status, status: 429, at_request: 1}}
    - {{leg: llm, kind: status, status: 401, at_request: 2}}
    - {{leg: llm, kind: cut, at_request: 3}}
    - {{leg: llm, kind: garbage, at_request: 4}}
    - {{leg: llm, kind: stall, at_request: 5}}
    - {{leg: tts, kind: status, status: 503, at_request: 1}}
    - {{leg: tts, kind: cut, at_request: 2}}
    - {{leg: tts, kind: no_answer, at_request: 3}}
    - {{leg: stt, kind: status, status: 500, at_request: 1}}
    - {{leg: stt, kind: garbage, at_request: 2}}
"""
DONE, FAILED = "response.done", "conversation.item.input_audio_transcription.failed"
MANUAL = update(audio={"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}})


@pytest.fixture(scope="module")
def cascade(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a cascade, and the truth log of its services."""
    folder = tmp_path_factory.mktemp("cascade")
    profile, log, config = folder / "legs.yaml", folder / "legs.jsonl", folder / "cascade.yaml"
    profile.write_text(PROFILE)
    with server_process(dialect="openai-http", engine="simulated", profile=profile, truth_log=log) as (_, services):
        legs = "".join(f"{leg}: {{url: '{services}', model: my-{leg}, timeout: 400ms}}\n" for leg in LEGS)
        config.write_text(f"{legs}sentences: {{split: whole}}\n")
        with server_process(engine="cascade", config=config) as (_, address):
            yield address.replace("http://", "ws://") + "/v1/realtime", log


def ask(
    call: ClientConnection, *messages: dict[str, Any], upto: tuple[str, ...] = ("response.done",)
) -> list[dict[str, Any]]:
    """Send, and read until an event of each of these types was there."""
    for message in messages:
        call.send(json.dumps(message))
    found: list[dict[str, Any]] = []
    while not set(upto) <= {event["type"] for event in found}:
        found.append(json.loads(call.recv(timeout=30)))
        check_event(found[-1])
    return found


def failed(call: ClientConnection, text: str) -> tuple[str, str]:
    """Code and type of the error with which the reply to `text` fails."""
    response = ask(call, user_text(text), ASK)[-1]["response"]
    assert response["status"] == "failed"
    error = response["status_details"]["error"]
    return error["code"], error["type"]


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


ASK = {"type": "response.create"}
SPOKEN = [append(speech("balance-rms")), append(silence(200)), {"type": "input_audio_buffer.commit"}, ASK]


def test_a_call(cascade: tuple[str, Path]) -> None:
    """The requests are counted, so this is one test: a good turn, then each fault in its turn."""
    address, log = cascade
    with connect(address) as call:
        good = ask(call, MANUAL, *SPOKEN)
        response = good[-1]["response"]
        assert response["status"] == "completed"
        told = {leg: json.loads(text) for leg, text in response["metadata"].items()}
        assert set(told) == {"leg.stt", "leg.llm", "leg.tts", "leg.own"}
        assert [told[f"leg.{leg}"]["model"] for leg in LEGS] == ["my-stt", "my-llm", "my-tts"]
        assert all(told[f"leg.{leg}"]["ms"] >= 30 for leg in LEGS)
        assert told["leg.tts"]["characters"] == len(REPLY)
        assert told["leg.tts"]["seconds"] == pytest.approx(1.6)
        assert response["usage"]["output_token_details"] == {"text_tokens": 18, "audio_tokens": 0}
        words = of(good, "conversation.item.input_audio_transcription.completed")
        assert "balance" in words[0]["transcript"]
        assert words[0]["usage"]["type"] == "duration"
        sound = b"".join(event["delta"].encode() for event in of(good, "response.output_audio.delta"))
        assert len(sound) > 1.6 * 48_000

        failures = [failed(call, f"Question {number}") for number in range(5)]
        assert failures == [
            ("llm_rate_limit_exceeded", "rate_limit_error"),
            ("llm_invalid_api_key", "authentication_error"),
            ("llm_cut", "closed_error"),
            ("llm_malformed", "protocol_error"),
            ("llm_stalled", "timeout_error"),
        ]
        failures = [failed(call, f"Question {number}") for number in range(3)]
        assert failures == [
            ("tts_server_error", "server_error"),
            ("tts_cut", "closed_error"),
            ("tts_timeout", "timeout_error"),
        ]
        for code in ("stt_server_error", "stt_malformed"):
            heard = ask(call, *SPOKEN, upto=(DONE, FAILED))  # in either order
            assert of(heard, "response.done")[0]["response"]["status_details"]["error"]["code"] == code
            assert len(of(heard, FAILED)) == 1

        call.send(json.dumps(user_text("Once more")))
        ask(call, ASK, upto=("response.output_audio.delta",))
        ended = ask(call, {"type": "response.cancel"})[-1]["response"]
        assert ended["status"] == "cancelled"
        assert json.loads(ended["metadata"]["leg.llm"])["ms"] >= 30
    wanted, until_s = {("llm", 5), ("tts", 3)}, time.monotonic() + 3
    hung_up: set[tuple[str, int]] = set()
    while not wanted <= hung_up and time.monotonic() < until_s:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        hung_up = {(line["leg"], line["number"]) for line in lines if line.get("ended") == "hung_up"}
        time.sleep(0.05)
    assert wanted <= hung_up, "a leg that timed out must end its request"


def test_services_that_are_not_there_are_named_at_the_start(tmp_path: Path) -> None:
    config = tmp_path / "cascade.yaml"
    config.write_text("".join(f"{leg}: {{url: 'http://127.0.0.1:9/v1', model: m}}\n" for leg in LEGS))
    server = start_server(ServeOptions(port=0, engine="cascade", config=config), stderr=subprocess.PIPE)
    with server:
        said = server.stderr.read() if server.stderr is not None else ""
    assert server.returncode == 8
    assert "stt: " in said
    assert "http://127.0.0.1:9/v1" in said


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("stt: {url: 'ws://host/v1', model: m}", "scheme"),
        ("stt: {url: 'https://me:secret@host/v1', model: m}", "a secret in the URL"),
        ("stt: {url: 'https://host/v1', model: m, api_key: sk-abcdefgh12345678}", "not shown"),
        ("endpointing: {aggressiveness: 3}", "only with detector: webrtc"),
        ("tts: {url: 'https://host/v1'}", "model"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(tmp_path: Path, text: str, about: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(BenchError, match=about) as refused:
        load_cascade(path)
    assert "abcdefgh" not in str(refused.value)


def test_a_config_survives_the_pipe_to_the_server() -> None:
    config = CascadeConfig.model_validate(
        {leg: {"url": "https://h/v1/", "model": leg, "api_key": "env:KEY", "timeout": "3s"} for leg in LEGS}
        | {"endpointing": {"silence": "700ms"}, "barge_in": {"shortest": "200ms"}}
    )
    assert CascadeConfig.model_validate(config.model_dump(mode="json")) == config
    assert config.model == "stt + llm + tts"
