"""The gemini-live dialect from recorded messages: a whole turn, what is missing, and whatever a server sends."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.dialects.dialect import Address, KeyTerms
from bench.dialects.gemini_live import PATH, GeminiLiveDialect
from bench.facts.signals import (
    AudioDelta,
    AudioDone,
    InputTranscript,
    Malformed,
    ResponseEnded,
    ServerError,
    SessionEnds,
    SessionReady,
    Signal,
    SpeechStarted,
    TextDelta,
    ToolCall,
    Unrecognised,
    signal_from_dict,
    signal_to_dict,
)
from bench.scenario.model import SessionConfig

SOUND = base64.b64encode(b"\0\1" * 240).decode()


def dialect(**config: Any) -> GeminiLiveDialect:
    return GeminiLiveDialect(SessionConfig.model_validate(config, context={"dialect": "gemini-live"}), "m")


def receive(subject: GeminiLiveDialect, **message: Any) -> list[Signal]:
    return list(subject.receive(json.dumps(message).encode(), 7))


def content(subject: GeminiLiveDialect, **keys: Any) -> list[Signal]:
    return receive(subject, serverContent=keys)


def spoken(data: str = SOUND) -> dict[str, Any]:
    return {"modelTurn": {"parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}}]}}


# what is sent


def test_the_setup_says_what_the_scenario_says() -> None:
    (message,) = dialect(instructions="Be brief.", voice="Kore", max_output_tokens=50).opening()
    setup = json.loads(message)["setup"]
    assert setup["model"] == "models/m"
    assert setup["generationConfig"]["responseModalities"] == ["AUDIO"]
    assert setup["generationConfig"]["maxOutputTokens"] == 50
    voice = setup["generationConfig"]["speechConfig"]["voiceConfig"]["prebuiltVoiceConfig"]
    assert voice == {"voiceName": "Kore"}
    detection = setup["realtimeInputConfig"]["automaticActivityDetection"]
    assert detection == {"disabled": False, "silenceDurationMs": 500}
    assert setup["inputAudioTranscription"] == setup["outputAudioTranscription"] == {}
    assert setup["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert "inputAudioTranscription" not in dialect(transcription=None).setup()
    kept = dialect(turn_detection={"type": "server_vad", "interrupt_response": False}).setup()
    assert kept["realtimeInputConfig"]["activityHandling"] == "NO_INTERRUPTION"


def test_push_to_talk_brackets_the_speech() -> None:
    by_hand = dialect(turn_detection="manual")
    assert by_hand.setup()["realtimeInputConfig"] == {"automaticActivityDetection": {"disabled": True}}
    assert json.loads(by_hand.start_of_turn(0)[0]) == {"realtimeInput": {"activityStart": {}}}
    assert json.loads(by_hand.end_of_turn(0)[0]) == {"realtimeInput": {"activityEnd": {}}}
    assert dialect().start_of_turn(0) == dialect().end_of_turn(0) == ()


def test_the_caller_is_sent_at_16_khz_and_the_model_is_not_in_the_url() -> None:
    subject = dialect()
    assert (subject.input_format.rate_hz, subject.output_format.rate_hz) == (16_000, 24_000)
    audio = json.loads(subject.audio_message(b"\1\2"))["realtimeInput"]["audio"]
    assert audio == {"data": "AQI=", "mimeType": "audio/pcm;rate=16000"}
    place = GeminiLiveDialect.endpoint(Address("wss://g.example", "m", {"x-goog-api-key": "secret"}))
    assert place.url == f"wss://g.example{PATH}"


def test_a_token_is_asked_for_with_the_key_and_called_without_it() -> None:
    address = Address("wss://g.example", "m", {"x-goog-api-key": "secret", "X": "1"}, key_header="x-goog-api-key")
    asked = GeminiLiveDialect.short_key_request(address, KeyTerms(600, now_s=1_800_000_000))
    assert (asked.method, asked.url) == ("POST", "https://g.example/v1alpha/auth_tokens")
    assert asked.headers["x-goog-api-key"] == "secret"
    assert json.loads(asked.body) == {
        "uses": 1,
        "newSessionExpireTime": "2027-01-15T08:10:00Z",
        "expireTime": "2027-01-15T08:40:00Z",
    }
    shared = GeminiLiveDialect.short_key_request(address, KeyTerms(600, "https://b.example/t", shared=True))
    assert (shared.url, json.loads(shared.body)) == ("https://b.example/t", {"uses": 0})
    key = GeminiLiveDialect.short_key(b'{"name": "auth_tokens/t1"}')
    place = GeminiLiveDialect.endpoint_with(address, key)
    constrained = f"{PATH.replace('v1beta', 'v1alpha')}Constrained"
    assert (place.url, place.headers) == (f"wss://g.example{constrained}?access_token=auth_tokens/t1", {"X": "1"})
    proxied = GeminiLiveDialect.endpoint_with(Address("wss://p.example/live?a=b&c="), key)
    assert proxied.url == "wss://p.example/live?a=b&c=&access_token=auth_tokens/t1"
    for body in (b"{}", b"[]", b"no", b'{"name": 5}', b'{"name": ""}', '{"name": "ä"}'.encode()):
        with pytest.raises(ValueError, match="the answer"):
            GeminiLiveDialect.short_key(body)


# what is received


def test_a_whole_turn() -> None:
    subject = dialect()
    assert SessionReady(7) in receive(subject, setupComplete={})
    assert content(subject, inputTranscription={"text": "Hel"}) == [InputTranscript(7, None, "Hel", final=False)]
    assert content(subject, inputTranscription={"text": "lo."}) == [InputTranscript(7, None, "lo.", final=False)]
    first, words = content(subject, **spoken(), outputTranscription={"text": "Hi"})
    assert isinstance(first, AudioDelta)
    assert (first.samples, first.response_id) == (240, "reply-1")
    assert words == TextDelta(7, "reply-1", "Hi", "transcript")
    assert content(subject, generationComplete=True) == [AudioDone(7, "reply-1")]
    usage = {
        "promptTokenCount": 20,
        "responseTokenCount": 30,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 15}, {"modality": "TEXT", "tokenCount": 5}],
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}],
    }
    transcript, ended = receive(subject, serverContent={"turnComplete": True}, usageMetadata=usage)
    assert transcript == InputTranscript(7, None, "Hello.", final=True)
    assert isinstance(ended, ResponseEnded)
    assert (ended.status, ended.response_id) == ("completed", "reply-1")
    assert ended.usage is not None
    assert (ended.usage.in_text_tokens, ended.usage.in_audio_tokens) == (5, 15)
    assert (ended.usage.out_text_tokens, ended.usage.out_audio_tokens) == (0, 30), "the list makes up the total"
    assert ended.usage.in_cached_audio_tokens is None
    assert content(subject, **spoken())[0].response_id == "reply-2"  # type: ignore[union-attr]


def test_a_list_that_does_not_make_up_the_total_leaves_the_rest_unknown() -> None:
    subject = dialect()
    content(subject, **spoken())
    listed = [{"modality": "AUDIO", "tokenCount": 15}]
    usage = {"promptTokenCount": 20, "promptTokensDetails": listed, "responseTokenCount": 4}
    (ended,) = receive(subject, usageMetadata=usage, serverContent={"turnComplete": True})
    assert isinstance(ended, ResponseEnded)
    assert ended.usage is not None
    assert (ended.usage.in_audio_tokens, ended.usage.in_text_tokens, ended.usage.out_audio_tokens) == (15, None, None)
    assert ended.usage.out_total_tokens == 4


def test_usage_between_two_replies_is_not_billed_to_the_next() -> None:
    subject = dialect()
    content(subject, **spoken())
    content(subject, turnComplete=True)
    assert receive(subject, usageMetadata={"promptTokenCount": 20}) == [Unrecognised(7, "usageMetadata of no reply")]
    content(subject, **spoken())
    (ended,) = content(subject, turnComplete=True)
    assert isinstance(ended, ResponseEnded)
    assert ended.usage is None


def test_an_interruption_ends_the_reply_once() -> None:
    subject = dialect()
    content(subject, **spoken())
    heard, ended = content(subject, interrupted=True)
    assert heard == SpeechStarted(7)
    assert ended == ResponseEnded(7, "reply-1", "cancelled", "interrupted")
    assert content(subject, turnComplete=True) == []
    assert content(subject, interrupted=True) == [SpeechStarted(7)], "without a reply under way"


def test_a_turn_without_a_reply_is_an_empty_reply_with_its_usage() -> None:
    subject = dialect()
    content(subject, inputTranscription={"text": "Hello."})
    words, ended = receive(subject, serverContent={"turnComplete": True}, usageMetadata={"promptTokenCount": 20})
    assert words == InputTranscript(7, None, "Hello.", final=True)
    assert isinstance(ended, ResponseEnded)
    assert (ended.status, ended.response_id) == ("completed", "reply-1")
    assert ended.usage is not None
    assert content(subject, turnComplete=True) == [], "nothing was said since"


def test_the_end_of_an_interrupted_turn_is_no_empty_reply() -> None:
    subject = dialect()
    content(subject, **spoken())
    content(subject, interrupted=True)
    content(subject, inputTranscription={"text": "Wait."})
    assert content(subject, turnComplete=True) == [InputTranscript(7, None, "Wait.", final=True)]


def test_a_turn_that_failed_says_why() -> None:
    (ended,) = content(dialect(), turnComplete=True, turnCompleteReason="RESPONSE_REJECTED")
    assert isinstance(ended, ResponseEnded)
    assert (ended.status, ended.reason) == ("failed", "RESPONSE_REJECTED")
    assert ended.error is not None
    assert ended.error.error_kind == "server"


def test_a_tool_call_ends_a_response_and_its_result_is_sent_by_name() -> None:
    subject = dialect()
    call = {"id": "c", "name": "look_up", "args": {"n": 1}}
    tool, ended = receive(subject, toolCall={"functionCalls": [call, call]})
    assert tool == ToolCall(7, "reply-1", "c", "look_up", '{"n":1}')
    assert isinstance(ended, ResponseEnded)
    (answer,) = map(json.loads, subject.tool_result("c", '{"found": true}'))
    assert answer["toolResponse"]["functionResponses"] == [{"id": "c", "name": "look_up", "response": {"found": True}}]
    assert json.loads(dialect().tool_result("c", "no")[0])["toolResponse"]["functionResponses"][0]["response"] == {
        "result": "no"
    }


def test_what_is_of_no_use_is_quiet_and_what_is_unknown_is_named() -> None:
    assert receive(dialect(), voiceActivity={"type": "ACTIVITY_START"}) == []
    assert receive(dialect(), weather={}) == [Unrecognised(7, "weather")]
    assert content(dialect(), modelTurn={"parts": [{"text": "hm", "thought": True}]}) == []
    assert isinstance(receive(dialect(), serverContent=spoken("%"))[0], Malformed)


def test_a_realtime_server_is_named() -> None:
    (error,) = receive(dialect(), type="error", error={"event_id": None})
    assert isinstance(error, ServerError)
    assert error.error.message == "this server speaks the OpenAI Realtime protocol; use dialect: openai"


KEYS = [
    "setupComplete",
    "serverContent",
    "usageMetadata",
    "toolCall",
    "error",
    "modelTurn",
    "parts",
    "inlineData",
    "data",
]
KEYS += ["text", "inputTranscription", "outputTranscription", "interrupted", "turnComplete", "generationComplete"]
KEYS += ["functionCalls", "id", "name", "args", "promptTokensDetails", "modality", "tokenCount", "type"]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.just(SOUND),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("key", ["serverContent", "toolCall", "usageMetadata", "setupComplete", "error"])
@given(body=values, more=st.dictionaries(st.sampled_from(KEYS), values, max_size=2))
def test_no_message_can_raise(key: str, body: Any, more: dict[str, Any]) -> None:
    for signal in dialect().receive(json.dumps({**more, key: body}), 7):
        stored = json.loads(json.dumps(signal_to_dict(signal)))
        assert signal_to_dict(signal_from_dict(stored)) == signal_to_dict(signal)


# sessions that end


def test_a_notice_of_the_end() -> None:
    assert receive(dialect(), goAway={"timeLeft": "9.5s"}) == [SessionEnds(7, in_ms=9500)]
    for odd in ({}, {"timeLeft": 5}, {"timeLeft": "soon"}, {"timeLeft": "-1s"}):
        assert receive(dialect(), goAway=odd) == []


def test_a_session_is_resumed_with_the_newest_handle() -> None:
    subject = dialect(renew="before_expiry")
    assert json.loads(subject.opening()[0])["setup"]["sessionResumption"] == {}
    assert not subject.resumes
    for handle, resumable in (("h1", True), ("h2", True), ("h3", False), ("", True)):
        assert receive(subject, sessionResumptionUpdate={"newHandle": handle, "resumable": resumable}) == []
    subject.renew()
    assert subject.resumes
    assert json.loads(subject.opening()[0])["setup"]["sessionResumption"] == {"handle": "h2"}


def test_nothing_is_asked_to_be_resumed_without_a_policy() -> None:
    assert "sessionResumption" not in json.loads(dialect().opening()[0])["setup"]


def test_a_reply_after_a_renewal_has_a_name_of_its_own() -> None:
    subject = dialect(renew="before_expiry")
    first = content(subject, **spoken())[0]
    subject.renew()
    second = content(subject, **spoken())[0]
    assert isinstance(first, AudioDelta)
    assert isinstance(second, AudioDelta)
    assert first.response_id != second.response_id


def test_a_new_session_is_told_what_was_said() -> None:
    (message,) = dialect().retell("assistant", "Good day.")
    assert json.loads(message) == {
        "clientContent": {"turns": [{"role": "model", "parts": [{"text": "Good day."}]}], "turnComplete": False}
    }
