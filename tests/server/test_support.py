"""The judge of server events must be able to say no."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.support import check_event

GOOD: dict[str, Any] = {
    "type": "input_audio_buffer.speech_stopped",
    "event_id": "event_1",
    "audio_end_ms": 900,
    "item_id": "item_1",
}


def test_a_documented_event_passes() -> None:
    assert type(check_event(GOOD)).__name__ == "InputAudioBufferSpeechStoppedEvent"


@pytest.mark.parametrize(
    "event",
    [
        {key: value for key, value in GOOD.items() if key != "item_id"},
        {**GOOD, "audio_end_ms": "900"},
        {**GOOD, "audio_end_ms": 900.5},
        {**GOOD, "item_id": None},
        {**GOOD, "type": "input_audio_buffer.speech_ended"},
        {**GOOD, "event_id": "x"},
        {**GOOD, "surprise": 1},
    ],
)
def test_anything_else_does_not(event: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, ValueError)):
        check_event(event)
