"""A caller of the simulated server: speaks fixtures in real time, keeps every message with its time of arrival.

It shares no code with the harness's own client: `websockets` and asyncio do the work.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from bench.audio.formats import AudioFormat
from tests.server.support import FIXTURES, WIRE_FORMATS, append, frames, server_process, silence, speech

__all__ = ["FIXTURES", "Seen", "call", "simulated", "utterance"]

FRAME_MS = 40


@dataclass(slots=True)
class Seen:
    """What one call saw."""

    events: list[dict[str, Any]] = field(default_factory=list)
    at_ns: list[int] = field(default_factory=list)
    broken: int = 0
    close_code: int | None = None
    http_status: int | None = None
    http_body: dict[str, Any] | None = None
    refused: bool = False
    connect_s: float = 0.0

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def first_ns(self, kind: str) -> int:
        return self.at_ns[self.types().index(kind)]

    def statuses(self) -> list[str]:
        return [event["response"]["status"] for event in self.of("response.done")]

    def transcripts(self) -> list[str]:
        kind = "conversation.item.input_audio_transcription.completed"
        return [event["transcript"] for event in self.of(kind)]


@contextmanager
def simulated(profile: str | None, tmp_path: Path, **options: Any) -> Iterator[str]:
    """The WebSocket address of a simulated server with this profile."""
    if profile is not None:
        options["profile"] = tmp_path / "profile.yaml"
        options["profile"].write_text(profile)
    with server_process(engine="simulated", **options) as (_, address):
        yield address.replace("http://", "ws://") + "/v1/realtime?model=simulated"


def utterance(
    fixture: str, *, lead_ms: int = 200, tail_ms: int = 2500, audio_format: AudioFormat = AudioFormat.PCM16
) -> list[dict[str, Any]]:
    """The frames of a fixture between silences."""
    rate_hz = audio_format.rate_hz
    pcm = np.concatenate((silence(lead_ms, rate_hz), speech(fixture, audio_format), silence(tail_ms, rate_hz)))
    return frames(pcm, audio_format, FRAME_MS)


async def call(
    url: str,
    appends: Sequence[dict[str, Any]],
    *,
    manual: bool = False,
    audio_format: AudioFormat = AudioFormat.PCM16,
    transcription: bool = True,
    commit_after: int | None = None,
    **connect_options: Any,
) -> Seen:
    """One call from connect to close: frames at their times, then `commit_after` frames a commit in manual mode."""
    seen = Seen()
    began_s = time.monotonic()
    try:
        socket = await connect(url, compression=None, **connect_options)
    except InvalidStatus as refusal:
        seen.http_status = refusal.response.status_code
        seen.http_body = json.loads(refusal.response.body or b"null")
        return seen
    except (OSError, InvalidHandshake, EOFError):
        seen.refused = True
        return seen
    seen.connect_s = time.monotonic() - began_s
    reader = asyncio.create_task(_read(socket, seen))
    audio_input: dict[str, Any] = {"format": WIRE_FORMATS[audio_format]}
    if manual:
        audio_input["turn_detection"] = None
    if transcription:
        audio_input["transcription"] = {"model": "whisper-1"}
    update = {"type": "session.update", "session": {"type": "realtime", "audio": {"input": audio_input}}}
    try:
        await socket.send(json.dumps(update))
        start_s = time.monotonic()
        for number, message in enumerate(appends, start=1):
            await asyncio.sleep(max(0.0, start_s + number * FRAME_MS / 1000 - time.monotonic()))
            await socket.send(json.dumps(message))
            if number == commit_after:
                await socket.send('{"type": "input_audio_buffer.commit"}')
                await socket.send('{"type": "response.create"}')
        await socket.close()
    except ConnectionClosed:
        pass
    await asyncio.wait_for(reader, 30)
    return seen


async def _read(socket: Any, seen: Seen) -> None:
    try:
        async for message in socket:
            at_ns = time.monotonic_ns()
            try:
                seen.events.append(json.loads(message))
                seen.at_ns.append(at_ns)
            except json.JSONDecodeError:
                seen.broken += 1
    except ConnectionClosed:
        pass
    seen.close_code = socket.close_code


def one_append() -> dict[str, Any]:
    return append(silence(FRAME_MS))
