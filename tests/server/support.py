"""What the server's tests share: recorded speech, a scripted client, and strict checking of every event sent.

`check_event` is the judge: an event passes only if the official SDK's published types accept it without coercion, as
the class of its own name, and if it carries no key that those types do not know.
"""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from openai.types.realtime import RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from bench.audio.formats import AudioFormat, resample
from bench.server.options import COMMAND, LISTENING_PREFIX, ServeOptions, start_server
from bench.server.protocol.commands import Actions
from bench.server.protocol.session import Session
from tests.support.processes import stop
from tests.support.warm import WarmServer

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures" / "audio"
WIRE_FORMATS: dict[AudioFormat, dict[str, Any]] = {
    AudioFormat.PCM16: {"type": "audio/pcm", "rate": 24000},
    AudioFormat.PCMU: {"type": "audio/pcmu"},
    AudioFormat.PCMA: {"type": "audio/pcma"},
}
SERVER_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
# Sent by the vendor, though its types do not list them.
UNLISTED_KEYS = {"id", "object", "expires_at"}


@cache
def speech(fixture: str, audio_format: AudioFormat = AudioFormat.PCM16) -> NDArray[np.int16]:
    """A recorded utterance at the format's rate."""
    samples, rate_hz = sf.read(FIXTURES / f"{fixture}.wav", dtype="int16")
    return resample(samples, rate_hz, audio_format.rate_hz)


def silence(duration_ms: int, rate_hz: int = 24000) -> NDArray[np.int16]:
    return np.zeros(rate_hz * duration_ms // 1000, dtype=np.int16)


def append(pcm: NDArray[np.int16], audio_format: AudioFormat = AudioFormat.PCM16) -> dict[str, Any]:
    audio = base64.b64encode(audio_format.encode(pcm)).decode()
    return {"type": "input_audio_buffer.append", "audio": audio}


def frames(
    pcm: NDArray[np.int16], audio_format: AudioFormat = AudioFormat.PCM16, frame_ms: int = 40
) -> list[dict[str, Any]]:
    """The appends of a microphone."""
    size = audio_format.rate_hz * frame_ms // 1000
    return [append(pcm[start : start + size], audio_format) for start in range(0, len(pcm), size)]


def update(**settings: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **settings}}


def audio_input(**settings: Any) -> dict[str, Any]:
    return update(audio={"input": settings})


def user_text(text: str, **fields: Any) -> dict[str, Any]:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], **fields}
    return {"type": "conversation.item.create", "item": item}


def check_event(event: dict[str, Any]) -> BaseModel:
    """The SDK's model of `event`; raises when its published types do not describe it exactly."""
    model: BaseModel = SERVER_EVENTS.validate_json(json.dumps(event), strict=True)
    assert type(model).model_fields["type"].annotation.__args__ == (event["type"],), type(model)  # type: ignore[union-attr]
    assert event["event_id"].startswith("event_")
    unlisted = set(_unlisted(model))
    assert unlisted <= UNLISTED_KEYS, f"{event['type']} carries {unlisted}"
    return model


def _unlisted(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from value.model_extra or {}
        for name in type(value).model_fields:
            yield from _unlisted(getattr(value, name))
    elif isinstance(value, list):
        for entry in value:
            yield from _unlisted(entry)


class Talk:
    """A session under test: feeds it, checks and collects all it says."""

    def __init__(self, *setup: dict[str, Any], **options: Any) -> None:
        self.session = Session(model="local-pipeline", created_at_s=1_700_000_000, **options)
        self.events: list[dict[str, Any]] = []
        self.commands: list[Any] = []
        self.take(self.session.open())
        self.send(*setup)

    def take(self, actions: Actions) -> list[dict[str, Any]]:
        for event in actions.events:
            check_event(event)
        self.events += actions.events
        self.commands += actions.commands
        return actions.events

    def send(self, *events: dict[str, Any]) -> list[dict[str, Any]]:
        """The events that answer these client events, together."""
        return [event for sent in events for event in self.take(self.session.handle(sent))]

    def error(self, event: dict[str, Any]) -> dict[str, Any]:
        """The error that is the one answer to a client event."""
        answer = self.send(event)
        assert [answered["type"] for answered in answer] == ["error"], answer
        error: dict[str, Any] = answer[0]["error"]
        return error

    def commanded(self, kind: type[Any]) -> list[Any]:
        return [command for command in self.commands if isinstance(command, kind)]


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def http(
    url: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a plain HTTP answer."""
    asked = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=45) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.loads(refusal.read())


def refused_options(line: str) -> subprocess.CompletedProcess[str]:
    """A server that cannot start, with these options on its standard input."""
    return subprocess.run(COMMAND, check=False, capture_output=True, text=True, cwd=ROOT, timeout=90, input=line)


@contextmanager
def server_process(**options: Any) -> Iterator[tuple[subprocess.Popen[str] | WarmServer, str]]:
    """A real server process on a free port: the process and its HTTP address. It ends with its standard input."""
    asked = ServeOptions(port=0, **options)
    alone = asked.engine == "simulated" and asked.processes == 1
    process = WarmServer(asked, folder=ROOT) if alone else start_server(asked, cwd=ROOT)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith(LISTENING_PREFIX), line
        address = line.removeprefix(LISTENING_PREFIX).strip().removesuffix("/v1/realtime")
        yield process, address.replace("ws://", "http://")
    finally:
        stop(process)
