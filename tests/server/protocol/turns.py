"""A scripted engine for tests of the session: what it says, and the orders that the protocol documents."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.server.protocol.commands import (
    ReplyRequest,
)
from bench.server.protocol.responses import Ending
from tests.server.support import (
    Talk,
    audio_input,
    silence,
    speech,
)

CHUNK = silence(200).tobytes()
TURN = np.concatenate((silence(500), speech("balance-rms"), silence(900)))
MANUAL = audio_input(turn_detection=None)
VAD_OPENING = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]
ENDING = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "response.output_item.done",
    "conversation.item.done",
    "response.done",
]


def limits(_tokens: int) -> list[dict[str, Any]]:
    return [{"name": "tokens", "limit": 100, "remaining": 60, "reset_seconds": 1.5}]


def response_id(talk: Talk) -> str:
    return str(talk.commanded(ReplyRequest)[-1].response_id)


def speak(talk: Talk, *words: str, chunks_each: int = 1) -> list[dict[str, Any]]:
    """The engine says this to the newest response."""
    events: list[dict[str, Any]] = []
    for word in words:
        events += talk.take(talk.session.reply_text(response_id(talk), word))
        for _ in range(chunks_each):
            events += talk.take(talk.session.reply_audio(response_id(talk), CHUNK))
    return events


def end(talk: Talk, ending: Ending | None = None) -> list[dict[str, Any]]:
    return talk.take(talk.session.reply_ended(response_id(talk), ending or Ending("completed")))


def done(events: list[dict[str, Any]]) -> dict[str, Any]:
    response: dict[str, Any] = next(event["response"] for event in events if event["type"] == "response.done")
    return response
