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
        {"type": "error", "event_id": "6", "error": {"type": "server_error", "code": "odd", "message": "m"}},
    ],
}
