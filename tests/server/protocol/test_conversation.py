"""Items, context, transcription and what they cost, without a socket.

Every event in here also passes the strict check against the SDK's published types (`Talk.take`).
"""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bench.server.protocol.commands import (
    CommitInput,
    ReplyRequest,
)
from tests.server.protocol.turns import (
    TURN,
    done,
    end,
    response_id,
    speak,
)
from tests.server.support import (
    Talk,
    audio_input,
    frames,
    silence,
    types,
    update,
    user_text,
)


def test_usage_grows_with_the_context_and_its_cached_part_follows() -> None:
    talk = Talk()
    seen: list[dict[str, Any]] = []
    for _ in range(3):
        talk.send(*frames(TURN))
        speak(talk, "Your ", "balance.", chunks_each=5)
        seen.append(done(end(talk))["usage"])
    inputs = [usage["input_token_details"] for usage in seen]
    assert inputs[0]["audio_tokens"] < inputs[1]["audio_tokens"] < inputs[2]["audio_tokens"]
    assert [usage["output_token_details"]["audio_tokens"] for usage in seen] == [40, 40, 40]
    assert [details["cached_tokens"] for details in inputs] == [0, seen[0]["input_tokens"], seen[1]["input_tokens"]]
    talk.send(update(instructions="Something else."), *frames(TURN))
    speak(talk, "Yes.")
    assert done(end(talk))["usage"]["input_token_details"]["cached_tokens"] == 0


def test_a_response_beside_the_conversation() -> None:
    talk = Talk(user_text("hi"), {"type": "response.create"})
    main = response_id(talk)
    aside = {"conversation": "none", "metadata": {"topic": "x"}, "output_modalities": ["text"], "input": []}
    (created,) = talk.send({"type": "response.create", "response": aside})
    assert created["response"]["conversation_id"] is None
    assert created["response"]["metadata"] == {"topic": "x"}
    assert talk.commanded(ReplyRequest)[-1].context == ()
    events = talk.take(talk.session.reply_text(response_id(talk), "Aside.")) + end(talk)
    assert not [name for name in types(events) if name.startswith("conversation.")]
    assert talk.session.is_replying(main)


def test_a_response_with_input_of_its_own() -> None:
    talk = Talk(user_text("one", id="item_one"), user_text("two", id="item_two"))
    audio = base64.b64encode(silence(300).tobytes()).decode()
    own = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}]}
    given = [{"type": "item_reference", "id": "item_one"}, own]
    talk.send({"type": "response.create", "response": {"conversation": "none", "input": given}})
    request = talk.commanded(ReplyRequest)[-1]
    assert [item.text for item in request.context] == ["one", None]
    assert request.context[1].item_id == talk.commanded(CommitInput)[-1].item_id


def test_only_one_response_writes_to_the_conversation() -> None:
    talk = Talk(user_text("hi"), {"type": "response.create"})
    error = talk.error({"type": "response.create", "event_id": "again"})
    assert error["code"] == "conversation_already_has_active_response"
    assert response_id(talk) in error["message"]
    assert error["event_id"] == "again"


def test_transcription_comes_after_the_commit_on_its_own_time() -> None:
    talk = Talk(audio_input(transcription={"model": "gpt-4o-mini-transcribe"}), *frames(TURN))
    item_id = talk.commanded(CommitInput)[0].item_id
    speak(talk, "Hello.")
    end(talk)
    events = talk.take(talk.session.transcript(item_id, "what is my balance"))
    kind = "conversation.item.input_audio_transcription"
    assert types(events) == [f"{kind}.delta"] * 4 + [f"{kind}.completed"]
    assert "".join(event["delta"] for event in events[:-1]) == events[-1]["transcript"] == "what is my balance"
    assert events[-1]["usage"]["type"] == "tokens"
    assert talk.take(talk.session.transcript(item_id, "again")) == []
    (retrieved,) = talk.send({"type": "conversation.item.retrieve", "item_id": item_id})
    content = retrieved["item"]["content"][0]
    assert content["transcript"] == "what is my balance"
    audio_ms = len(base64.b64decode(content["audio"])) / 48
    assert audio_ms == pytest.approx(10 * 100 * events[-1]["usage"]["input_tokens"] / 10, abs=100)


def test_transcription_is_off_unless_asked_for_and_may_fail() -> None:
    talk = Talk(*frames(TURN))
    assert talk.take(talk.session.transcript(talk.commanded(CommitInput)[0].item_id, "words")) == []
    talk = Talk(audio_input(transcription={"model": "whisper-1"}), *frames(TURN))
    (failed,) = talk.take(talk.session.transcript_failed(talk.commanded(CommitInput)[0].item_id, "no"))
    assert failed["type"] == "conversation.item.input_audio_transcription.failed"
    assert failed["error"]["message"] == "no"


def test_an_empty_transcript_still_completes() -> None:
    talk = Talk(audio_input(transcription={"model": "whisper-1"}), *frames(TURN))
    (completed,) = talk.take(talk.session.transcript(talk.commanded(CommitInput)[0].item_id, ""))
    assert completed["transcript"] == ""
    assert completed["usage"]["type"] == "duration"


def test_items_are_placed_found_and_deleted() -> None:
    talk = Talk(user_text("one", id="a"), user_text("three", id="c"))
    events = talk.send({**user_text("two", id="b"), "previous_item_id": "a"})
    assert types(events) == ["conversation.item.added", "conversation.item.done"]
    assert events[0]["previous_item_id"] == "a"
    front = talk.send({**user_text("zero", id="z"), "previous_item_id": "root"})
    assert front[0]["previous_item_id"] is None
    output = {"type": "function_call_output", "call_id": "call_1", "output": '{"ok": true}'}
    talk.send({"type": "conversation.item.create", "item": output})
    (deleted,) = talk.send({"type": "conversation.item.delete", "item_id": "c"})
    assert (deleted["type"], deleted["item_id"]) == ("conversation.item.deleted", "c")
    talk.send({"type": "response.create"})
    texts = [item.text for item in talk.commanded(ReplyRequest)[0].context]
    assert texts == ["zero", "one", "two", '{"ok": true}']


def test_truncation_shortens_the_audio_and_drops_the_transcript() -> None:
    talk = Talk(*frames(TURN))
    added = speak(talk, "Your ", "balance.", chunks_each=5)
    end(talk)
    item_id = added[0]["item"]["id"]
    too_long = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 2001}
    assert talk.error(too_long)["param"] == "audio_end_ms"
    (truncated,) = talk.send({**too_long, "audio_end_ms": 500})
    assert (truncated["type"], truncated["audio_end_ms"]) == ("conversation.item.truncated", 500)
    (retrieved,) = talk.send({"type": "conversation.item.retrieve", "item_id": item_id})
    part = retrieved["item"]["content"][0]
    assert part["transcript"] == ""
    assert len(base64.b64decode(part["audio"])) == 500 * 48
    talk.send(*frames(TURN))
    speak(talk, "More.")
    after = done(end(talk))["usage"]["input_token_details"]
    first = next(event for event in talk.events if event["type"] == "response.done")["response"]["usage"]
    # two takes of the same length, and of the reply's 2,000 ms only the 500 ms that were heard
    assert after["audio_tokens"] == pytest.approx(2 * first["input_token_details"]["audio_tokens"] + 10, abs=2)


def test_an_item_truncated_while_it_is_spoken_stays_truncated() -> None:
    talk = Talk(user_text("hi"), {"type": "response.create"})
    item_id = speak(talk, "Your ", "balance.", chunks_each=5)[0]["item"]["id"]
    talk.send({"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 300})
    speak(talk, "More.")
    end(talk)
    (retrieved,) = talk.send({"type": "conversation.item.retrieve", "item_id": item_id})
    assert retrieved["item"]["content"] == [{"type": "output_audio", "transcript": ""}]


def test_an_item_deleted_while_it_is_spoken_stays_deleted() -> None:
    talk = Talk(user_text("hi"), {"type": "response.create"})
    item_id = speak(talk, "Your ")[0]["item"]["id"]
    talk.send({"type": "conversation.item.delete", "item_id": item_id})
    assert done(end(talk))["status"] == "completed"
    assert talk.error({"type": "conversation.item.retrieve", "item_id": item_id})["code"]
