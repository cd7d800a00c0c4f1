"""Turns without a socket: documented orders, either mode, interruption, cancellation, limits, expiry.

Every event in here also passes the strict check against the SDK's published types (`Talk.take`).
"""

from __future__ import annotations

import numpy as np
import pytest

from bench.audio.formats import AudioFormat
from bench.server.protocol.commands import (
    CloseSocket,
    CommitInput,
    DropInput,
    FeedInput,
    OpenInput,
    ReplyRequest,
    SetIdleTimer,
    StopReply,
)
from bench.server.protocol.responses import Ending
from bench.server.protocol.session import Session
from tests.server.protocol.turns import (
    CHUNK,
    ENDING,
    MANUAL,
    TURN,
    VAD_OPENING,
    done,
    end,
    limits,
    response_id,
    speak,
)
from tests.server.support import (
    WIRE_FORMATS,
    Talk,
    append,
    audio_input,
    frames,
    silence,
    speech,
    types,
    update,
    user_text,
)


def test_the_first_event_shows_the_whole_configuration() -> None:
    talk = Talk(lifetime_s=60)
    (created,) = talk.events
    session = created["session"]
    assert created["type"] == "session.created"
    assert session["id"].startswith("sess_")
    assert (session["object"], session["type"], session["model"]) == ("realtime.session", "realtime", "local-pipeline")
    assert session["expires_at"] == 1_700_000_060
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["audio"]["input"]["transcription"] is None
    assert session["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}


def test_an_update_is_acknowledged_with_the_effective_configuration() -> None:
    talk = Talk()
    tool = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
    (updated,) = talk.send(
        update(instructions="Be brief.", tools=[tool], tool_choice="required", max_output_tokens=500)
    )
    assert updated["type"] == "session.updated"
    assert updated["session"]["instructions"] == "Be brief."
    assert updated["session"]["tools"] == [tool]
    assert updated["session"]["id"] == talk.events[0]["session"]["id"]


def test_a_spoken_turn_has_the_documented_order() -> None:
    talk = Talk(rate_limits=limits)
    opening = talk.send(*frames(TURN))
    assert types(opening) == VAD_OPENING
    started, stopped, committed, added, item_done, created = opening
    user = started["item_id"]
    assert stopped["item_id"] == committed["item_id"] == added["item"]["id"] == item_done["item"]["id"] == user
    assert committed["previous_item_id"] is None
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert created["response"]["status"] == "in_progress"
    assert created["response"]["output"] == []
    assert created["response"]["usage"] is None
    middle = speak(talk, "Your ", "balance.")
    assert types(middle) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        *["response.output_audio_transcript.delta", "response.output_audio.delta"] * 2,
    ]
    assert middle[1]["previous_item_id"] == user
    assert middle[0]["item"]["content"] == []
    assert middle[2]["part"] == {"type": "audio", "transcript": ""}
    closing = end(talk)
    assert types(closing) == [*ENDING, "rate_limits.updated"]
    response = done(closing)
    assert response["status"] == "completed"
    assert response["status_details"] is None
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "Your balance."}]
    assert closing[4]["previous_item_id"] == user
    assert closing[-1]["rate_limits"] == limits(0)
    assert len({event["event_id"] for event in talk.events}) == len(talk.events)


def test_a_take_reaches_the_engine_while_it_is_spoken() -> None:
    talk = Talk(audio_input(transcription={"model": "whisper-1"}))
    talk.send(*frames(TURN))
    takes = [command for command in talk.commands if not isinstance(command, SetIdleTimer)]
    assert isinstance(takes[0], OpenInput)
    assert [type(command) for command in takes[-2:]] == [CommitInput, ReplyRequest]
    fed = sum(len(command.pcm) for command in takes if isinstance(command, FeedInput))
    stopped = next(event for event in talk.events if event["type"].endswith("speech_stopped"))
    started = next(event for event in talk.events if event["type"].endswith("speech_started"))
    assert fed / 48 == pytest.approx(stopped["audio_end_ms"] - started["audio_start_ms"], abs=1)
    assert takes[-2].transcribe
    request = takes[-1]
    assert [(item.role, item.text) for item in request.context] == [("user", None)]
    assert request.context[0].item_id == takes[0].item_id


@pytest.mark.parametrize("audio_format", [AudioFormat.PCMU, AudioFormat.PCMA], ids=["pcmu", "pcma"])
def test_a_turn_in_g711(audio_format: AudioFormat) -> None:
    wire = WIRE_FORMATS[audio_format]
    talk = Talk(update(audio={"input": {"format": wire}, "output": {"format": wire}}))
    rate_hz = audio_format.rate_hz
    turn = np.concatenate((silence(500, rate_hz), speech("balance-rms", audio_format), silence(900, rate_hz)))
    assert types(talk.send(*frames(turn, audio_format))) == VAD_OPENING
    assert talk.commanded(OpenInput)[0].rate_hz == 8000
    assert talk.commanded(ReplyRequest)[0].output_format is audio_format
    talk.take(talk.session.reply_audio(response_id(talk), bytes(8000)))
    assert done(end(talk))["usage"]["output_token_details"]["audio_tokens"] == 20


def test_a_manual_turn() -> None:
    talk = Talk(MANUAL)
    assert talk.send(*frames(TURN)) == []
    committed = talk.send({"type": "input_audio_buffer.commit"})
    assert types(committed) == VAD_OPENING[2:5]
    assert talk.commanded(ReplyRequest) == []
    created = talk.send({"type": "response.create", "response": {"metadata": {"turn": "7"}}})
    assert types(created) == ["response.created"]
    assert created[0]["response"]["metadata"] == {"turn": "7"}
    speak(talk, "Hello.")
    assert done(end(talk))["metadata"] == {"turn": "7"}


def test_a_silent_commit_is_still_a_take() -> None:
    talk = Talk(MANUAL, append(silence(400)), {"type": "input_audio_buffer.commit"})
    (opened,) = talk.commanded(OpenInput)
    assert [command.item_id for command in talk.commanded(CommitInput)] == [opened.item_id]


def test_clear_drops_the_take_in_progress() -> None:
    talk = Talk(*frames(TURN[: 24 * 1800]))
    (opened,) = talk.commanded(OpenInput)
    assert types(talk.send({"type": "input_audio_buffer.clear"})) == ["input_audio_buffer.cleared"]
    assert talk.commanded(DropInput) == [DropInput(opened.item_id)]


def test_without_create_response_the_turn_ends_with_its_item() -> None:
    talk = Talk(audio_input(turn_detection={"type": "server_vad", "create_response": False}))
    assert types(talk.send(*frames(TURN))) == VAD_OPENING[:5]


def test_speech_interrupts_a_reply() -> None:
    talk = Talk(*frames(TURN))
    speak(talk, "A ", "long ", "story ", chunks_each=2)
    first = response_id(talk)
    events = talk.send(*frames(TURN))
    assert types(events) == ["input_audio_buffer.speech_started", *ENDING, *VAD_OPENING[1:]]
    response = done(events)
    assert response["status"] == "cancelled"
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["output_token_details"]["audio_tokens"] == 24
    assert talk.commanded(StopReply) == [StopReply(first)]
    assert talk.take(talk.session.reply_text(first, "late")) == []
    assert talk.take(talk.session.reply_audio(first, CHUNK)) == []
    assert talk.take(talk.session.reply_ended(first, Ending("completed"))) == []


def test_an_interruption_before_the_first_piece_has_no_item() -> None:
    talk = Talk(*frames(TURN))
    events = talk.send(*frames(TURN))
    assert types(events)[:2] == ["input_audio_buffer.speech_started", "response.done"]
    assert done(events)["output"] == []


def test_without_interrupt_response_the_reply_goes_on_and_the_next_is_refused() -> None:
    talk = Talk(audio_input(turn_detection={"type": "server_vad", "interrupt_response": False}), *frames(TURN))
    speak(talk, "A ")
    events = talk.send(*frames(TURN))
    assert types(events) == [*VAD_OPENING[:5], "error"]
    assert events[-1]["error"]["code"] == "conversation_already_has_active_response"
    assert events[-1]["error"]["event_id"] is None
    assert types(speak(talk, "story.")) == ["response.output_audio_transcript.delta", "response.output_audio.delta"]


def test_a_finished_reply_cannot_be_interrupted_any_more() -> None:
    talk = Talk(*frames(TURN))
    speak(talk, "Done.")
    end(talk)
    assert types(talk.send(*frames(TURN))) == VAD_OPENING


def test_the_client_cancels() -> None:
    talk = Talk(user_text("hi"), {"type": "response.create"})
    speak(talk, "Hello ")
    events = talk.send({"type": "response.cancel", "response_id": response_id(talk)})
    assert types(events) == ENDING
    assert done(events)["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    error = talk.error({"type": "response.cancel", "event_id": "c9"})
    assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "c9")


def test_text_modality() -> None:
    talk = Talk(update(output_modalities=["text"]), user_text("hi"), {"type": "response.create"})
    events = talk.take(talk.session.reply_text(response_id(talk), "Hello."))
    assert talk.take(talk.session.reply_audio(response_id(talk), CHUNK)) == []
    events += end(talk)
    assert types(events) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    assert done(events)["output"][0]["content"] == [{"type": "output_text", "text": "Hello."}]
    assert done(events)["usage"]["output_token_details"] == {"text_tokens": 2, "audio_tokens": 0}


def test_a_failed_reply() -> None:
    talk = Talk(*frames(TURN))
    error = {"type": "server_error", "code": "engine_failed", "message": "no"}
    response = done(end(talk, Ending("failed", error=error)))
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["code"] == "engine_failed"


@pytest.mark.parametrize("per_response", [False, True])
def test_the_token_limit_ends_a_reply_as_incomplete(per_response: bool) -> None:
    talk = Talk(user_text("hi"))
    if per_response:
        talk.send({"type": "response.create", "response": {"max_output_tokens": 10}})
    else:
        talk.send(update(max_output_tokens=10), {"type": "response.create"})
    events = speak(talk, "one ", "two ", "three ", "four ")
    response = done(events)
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["max_output_tokens"] == 10
    assert 10 <= response["usage"]["output_tokens"] < 15
    assert talk.commanded(StopReply) == [StopReply(response["id"])]


def test_the_voice_is_locked_once_heard() -> None:
    talk = Talk(update(audio={"output": {"voice": "cedar"}}), *frames(TURN))
    speak(talk, "Hello.")
    end(talk)
    assert talk.error(update(audio={"output": {"voice": "marin"}}))["code"] == "cannot_update_voice"


def test_expiry_is_an_error_and_then_a_close() -> None:
    talk = Talk(lifetime_s=3600)
    (error,) = talk.take(talk.session.expire())
    assert error["error"]["code"] == "session_expired"
    assert "maximum duration of 60 minutes" in error["error"]["message"]
    assert isinstance(talk.commands[-1], CloseSocket)


def test_silence_after_a_reply_is_answered_when_asked_for() -> None:
    talk = Talk(audio_input(turn_detection={"type": "server_vad", "idle_timeout_ms": 6000}), *frames(TURN))
    speak(talk, "Hello.")
    end(talk)
    assert talk.commands[-1] == SetIdleTimer(6200)
    talk.send(*frames(silence(1000)))
    events = talk.take(talk.session.idle())
    assert types(events) == ["input_audio_buffer.timeout_triggered", *VAD_OPENING[2:]]
    assert events[0]["audio_start_ms"] < events[0]["audio_end_ms"]
    assert talk.take(talk.session.idle()) == []  # a reply is running


def test_a_baked_configuration_is_the_starting_point() -> None:
    settings = {**Session(model="m", created_at_s=0).settings, "instructions": "From the secret."}
    talk = Talk(settings=settings)
    assert talk.events[0]["session"]["instructions"] == "From the secret."
