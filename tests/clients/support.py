"""What the tests of stock clients share: a profile whose turns a client can tell apart, and what is said into them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.audio.formats import AudioFormat
from tests.server.support import http, silence, speech

KEY = "long-lived"
SHORT_S = 0.4
"""Length of a reply,"""
LONG, LONG_S = "opening-hours-slt", 6.0
"""and of the one to this recording, which is still being sent when a caller cuts in."""
SHORT, CUT = "yes-rms", "no-wrong-kal16"
TOOL = "lookup_order"
ARGUMENTS = {"order_id": "4719"}
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}},
    "required": ["order_id"],
}
RESULT = "It ships today."
PROFILE = f"""\
reply_length: {SHORT_S}s
endpointing: 300ms
first_token: 330ms
first_audio: 350ms
delivery_speed: 1
replies: {{{LONG}: {{text: We open at nine and close at five and sleep at night, length: {LONG_S}s}}}}
tools: {{calls: [{{name: {TOOL}, arguments: {{order_id: "4719"}}}}], after: 350ms}}
"""
"""Tools are called in sessions that have some, and in no other."""


def profile_in(folder: pytest.TempPathFactory) -> Path:
    """A file with `PROFILE`."""
    profile = folder.mktemp("profile") / "profile.yaml"
    profile.write_text(PROFILE)
    return profile


def said(fixture: str, rate_hz: int = 24_000, *, after_ms: int = 900) -> NDArray[np.int16]:
    """A recording between silences."""
    spoken = speech(fixture, AudioFormat("pcm16", rate_hz))
    return np.concatenate((silence(200, rate_hz), spoken, silence(after_ms, rate_hz)))


def pieces(fixture: str, rate_hz: int = 24_000, *, piece_ms: int = 40) -> list[bytes]:
    """`said` as a microphone hands it over."""
    pcm = said(fixture, rate_hz)
    size = rate_hz * piece_ms // 1000
    return [pcm[start : start + size].tobytes() for start in range(0, len(pcm), size)]


def encoded(fixture: str, rate_hz: int = 24_000) -> list[str]:
    """`pieces` in base64."""
    return [base64.b64encode(piece).decode() for piece in pieces(fixture, rate_hz)]


def short_key(server: str, **session: Any) -> str:
    """A client secret for a session, as a backend asks for it."""
    body = json.dumps({"session": {"type": "realtime", "model": "gpt-realtime", **session}}).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    status, made = http(f"{server}/v1/realtime/client_secrets", method="POST", body=body, headers=headers)
    assert status == 200
    return str(made["value"])
