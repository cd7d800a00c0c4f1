"""A transcription session: it hears and writes down, and never answers."""

from __future__ import annotations

import pytest

from bench.server.protocol import commands, config
from tests.server.support import Talk, frames, silence, speech, types

UPDATE = {"type": "session.update", "session": {"type": "transcription"}}


def session(model: str | None = None) -> Talk:
    return Talk(settings=config.default_transcription(model))


def test_it_says_what_it_is() -> None:
    created = session().events[0]["session"]
    assert (created["type"], created["object"]) == ("transcription", "realtime.transcription_session")
    assert created["audio"]["input"]["transcription"] == {"model": config.DEFAULT_TRANSCRIBER}
    assert "output" not in created["audio"]
    assert session("whisper-1").events[0]["session"]["audio"]["input"]["transcription"] == {"model": "whisper-1"}


def test_a_turn_is_written_down_and_not_answered() -> None:
    talk = session()
    detection = {"type": "server_vad", "create_response": True}
    changed = talk.send(
        {
            "type": "session.update",
            "session": {
                "type": "transcription",
                "include": None,
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
                        "turn_detection": detection,
                        "noise_reduction": None,
                    }
                },
            },
        }
    )
    assert types(changed) == ["session.updated"]
    heard = talk.send(*frames(speech("balance-rms")), *frames(silence(900)))
    assert types(heard) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    (commit,) = talk.commanded(commands.CommitInput)
    assert commit.transcribe
    assert talk.commanded(commands.ReplyRequest) == []
    written = talk.take(talk.session.transcript(commit.item_id, "my balance"))
    assert written[-1]["type"] == "conversation.item.input_audio_transcription.completed"


@pytest.mark.parametrize("kind", ["response.create", "response.cancel", "conversation.item.create"])
def test_what_only_a_session_that_answers_has_is_refused(kind: str) -> None:
    error = session().error({"type": kind})
    assert (error["code"], error["param"]) == ("invalid_value", "type")
    assert "'session.update'" in error["message"]


def test_the_type_of_a_session_cannot_be_changed() -> None:
    error = Talk().error(UPDATE)
    assert error["code"] == "invalid_parameter"
    assert error["message"] == "Passing a transcription session update event to a realtime session is not allowed."
    error = session().error({"type": "session.update", "session": {"type": "realtime"}})
    assert error["message"] == "Passing a realtime session update event to a transcription session is not allowed."
    assert (
        session().error({**UPDATE, "session": {"type": "transcription", "voice": "marin"}})["param"] == "session.voice"
    )
