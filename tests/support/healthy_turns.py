"""The messages of one sound turn in each protocol but the default one, to be spoiled by tests."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

_NOISE = (np.random.default_rng(1).standard_normal(2400) * 4000).astype("<i2")
SOUND = base64.b64encode(_NOISE.tobytes()).decode()

HEALTHY_TURNS: dict[str, list[dict[str, Any]]] = {
    "elevenlabs-agents": [
        {
            "type": "conversation_initiation_metadata",
            "conversation_initiation_metadata_event": {
                "conversation_id": "c",
                "agent_output_audio_format": "pcm_16000",
                "user_input_audio_format": "pcm_16000",
            },
        },
        {"type": "ping", "ping_event": {"event_id": 1, "ping_ms": 20}},
        {"type": "user_transcript", "user_transcription_event": {"user_transcript": "hello there"}},
        {"type": "agent_chat_response_part", "text_response_part": {"type": "start", "text": ""}},
        {"type": "agent_chat_response_part", "text_response_part": {"type": "delta", "text": "Hi"}},
        {"type": "agent_response", "agent_response_event": {"agent_response": "Hi"}},
        {"type": "audio", "audio_event": {"audio_base_64": SOUND, "event_id": 3}},
        {"type": "audio", "audio_event": {"audio_base_64": SOUND, "event_id": 4}},
        {"type": "agent_response_complete"},
        {
            "type": "agent_response_correction",
            "agent_response_correction_event": {"original_agent_response": "a", "corrected_agent_response": "b"},
        },
        {"type": "interruption", "interruption_event": {"event_id": 2}},
        {"type": "vad_score", "vad_score_event": {"vad_score": 0.5}},
        {"type": "client_tool_call", "client_tool_call": {"tool_name": "n", "tool_call_id": "i", "parameters": {}}},
        {"type": "client_error", "client_error_event": {"code": 500, "message": "m"}},
    ],
    "twilio-media-streams": [
        {"event": "media", "streamSid": "MZ1", "media": {"payload": SOUND}},
        {"event": "media", "streamSid": "MZ1", "media": {"payload": SOUND}},
        {"event": "mark", "streamSid": "MZ1", "mark": {"name": "m"}},
        {"event": "clear", "streamSid": "MZ1"},
    ],
    "openai-live": [
        {"type": "session.started", "event_id": "1", "session": {"id": "s", "model": "gpt-live-1"}},
        {"type": "session.input_transcript.delta", "event_id": "2", "delta": "hello", "start_ms": 1, "end_ms": 2},
        {"type": "session.output_transcript.delta", "event_id": "3", "delta": "Hi", "start_ms": 1, "end_ms": 2},
        {"type": "session.output_audio.delta", "delta": SOUND},
        {"type": "session.output_audio.delta", "delta": SOUND},
        {"type": "session.usage.updated", "event_id": "4", "usage": {"seconds": 5}},
        {"type": "session.delegation.created", "event_id": "5", "delegation": {"id": "d"}, "offset_ms": 1},
        {
            "type": "response.event",
            "delegation_id": "d",
            "event": {
                "type": "response.output_item.done",
                "item": {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"},
            },
        },
        {"type": "response.event", "event": {"type": "response.completed", "response": {"usage": {"input_tokens": 1}}}},
        {"type": "response.event", "event": {"type": "response.failed", "response": {"error": {"code": "c"}}}},
        {"type": "error", "event_id": "6", "error": {"type": "server_error", "code": "odd", "message": "m"}},
    ],
    "gemini-live": [
        {"setupComplete": {"sessionId": "s"}},
        {"serverContent": {"inputTranscription": {"text": "hello there", "finished": True}}},
        {"serverContent": {"modelTurn": {"role": "model", "parts": [{"inlineData": {"data": SOUND}}]}}},
        {"serverContent": {"modelTurn": {"parts": [{"inlineData": {"data": SOUND}}, {"text": "hm", "thought": True}]}}},
        {"serverContent": {"outputTranscription": {"text": "Hi"}, "generationComplete": True}},
        {
            "serverContent": {"turnComplete": True},
            "usageMetadata": {
                "promptTokenCount": 5,
                "responseTokenCount": 9,
                "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 5}],
            },
        },
        {"serverContent": {"interrupted": True}},
        {"toolCall": {"functionCalls": [{"id": "c", "name": "n", "args": {}}]}},
        {"toolCallCancellation": {"ids": ["c"]}},
        {"sessionResumptionUpdate": {"newHandle": "h", "resumable": True}},
        {"goAway": {"timeLeft": "50s"}},
        {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "m"}},
    ],
    "openai-transcriptions": [
        {"open": True},
        {"turn": 0, "status": 200, "body": '{"text": "hello there", "usage": {"type": "duration", "seconds": 1}}'},
        {"turn": 0, "failure": {"error_kind": "server", "error_code": "http_500", "message": "m", "http_status": 500}},
        {"turn": 0, "failure": {"error_kind": "handshake", "message": "m", "http_status": 404}},
    ],
}


def _of_realtime(session: dict[str, Any], sound: str, words: str) -> list[dict[str, Any]]:
    item = {"id": "u", "type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
    usage = {"input_tokens": 5, "output_tokens": 9, "input_token_details": {"audio_tokens": 5, "cached_tokens": 0}}
    return [
        {"type": "session.created", "event_id": "1", "session": {"id": "s", "model": "m", **session}},
        {"type": "session.updated", "event_id": "2", "session": {"id": "s", **session}},
        {"type": "input_audio_buffer.speech_started", "event_id": "3", "item_id": "u", "audio_start_ms": 10},
        {"type": "input_audio_buffer.speech_stopped", "event_id": "4", "item_id": "u", "audio_end_ms": 900},
        {"type": "input_audio_buffer.committed", "event_id": "5", "item_id": "u"},
        {"type": "conversation.item.created", "event_id": "6", "item": item},
        {"type": "response.created", "event_id": "7", "response": {"id": "r", "status": "in_progress"}},
        {"type": words, "event_id": "8", "response_id": "r", "delta": "Hi"},
        {"type": sound, "event_id": "9", "response_id": "r", "delta": SOUND},
        {"type": "response.done", "event_id": "10", "response": {"id": "r", "status": "completed", "usage": usage}},
        {"type": "response.done", "event_id": "11", "response": {"id": "r2", "status": "failed"}, "usage": usage},
        {"type": "error", "event_id": "12", "error": {"code": "invalid_value", "param": "session.voice"}},
    ]


_BETA = ("response.audio.delta", "response.audio_transcript.delta")
VARIANTS = {
    "openai-beta": _of_realtime({"modalities": ["audio", "text"], "turn_detection": None}, *_BETA),
    "azure-voice-live": _of_realtime({"modalities": ["audio"], "input_audio_sampling_rate": 24_000}, *_BETA),
    "qwen-omni": _of_realtime({"modalities": ["audio"], "input_audio_format": "pcm16"}, *_BETA),
    "xai": _of_realtime(
        {"audio": {"input": {}}, "turn_detection": None},
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
    ),
}
"""Of dialects that share the code of the default one."""
