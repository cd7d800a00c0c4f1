"""Who may speak into a reply, and when a turn is over."""

from __future__ import annotations

import numpy as np
import pytest

from bench.audio.formats import AudioFormat
from bench.scenario.cascade import BargeInPolicy, Endpointing
from bench.server.engines.cascade.listening import BargeInGate, CascadeInput
from bench.server.protocol.input_audio import CommittedAudio, InputEvent, SpeechAudio, SpeechBegan, SpeechEnded
from tests.server.support import silence, speech

BEGAN, SOUND = SpeechBegan(0), SpeechAudio(b"")
ENDED, TAKEN = SpeechEnded(900), CommittedAudio(b"", 900)
VAD = {
    "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500,
    "create_response": True, "interrupt_response": True,
}  # fmt: skip


def through(
    policy: dict[str, object], *steps: tuple[list[InputEvent], float], replying: bool = True
) -> list[InputEvent]:
    gate = BargeInGate(BargeInPolicy.model_validate(policy))
    return [event for found, speech_ms in steps for event in gate.let_through(found, speech_ms, replying=replying)]


def test_without_a_policy_everything_is_known_at_once() -> None:
    assert through({}, ([BEGAN], 0), ([SOUND], 10)) == [BEGAN, SOUND]


def test_a_short_sound_is_no_turn() -> None:
    short = (([BEGAN, SOUND], 100.0), ([SOUND], 200.0), ([ENDED, TAKEN], 200.0))
    assert through({"shortest": "300ms"}, *short) == []
    assert through({"shortest": "300ms"}, *short, ([BEGAN], 400.0)) == [BEGAN]
    assert through({"shortest": "300ms"}, *short, replying=False) == [BEGAN, SOUND, SOUND, ENDED, TAKEN]


def test_speech_that_lasts_is_known_from_its_beginning() -> None:
    assert through({"shortest": "300ms"}, ([BEGAN, SOUND], 100.0), ([SOUND], 320.0)) == [BEGAN, SOUND, SOUND]


def test_a_deaf_cascade_hears_nothing_until_that_speech_is_over() -> None:
    steps = (([BEGAN, SOUND], 900.0), ([ENDED, TAKEN], 900.0))
    assert through({"enabled": False}, *steps) == []
    gate = BargeInGate(BargeInPolicy(enabled=False))
    gate.let_through([BEGAN, ENDED, TAKEN], 900.0, replying=True)
    assert gate.let_through([BEGAN], 0.0, replying=False) == [BEGAN]


@pytest.mark.parametrize("detector", ["level", "webrtc"])
@pytest.mark.parametrize("audio_format", [AudioFormat.PCM16, AudioFormat.PCMU], ids=str)
def test_its_own_silence_ends_a_turn(detector: str, audio_format: AudioFormat) -> None:
    said = speech("balance-rms", audio_format)
    heard = np.concatenate((said, silence(2000, audio_format.rate_hz)))
    ends = {}
    for own in (None, "900ms"):
        listening = CascadeInput(
            audio_format, VAD, endpointing=Endpointing.model_validate({"detector": detector, "silence": own}),
            barge_in=BargeInPolicy(), replying=lambda: False, sounds=lambda: None,
        )  # fmt: skip
        found = []
        for start in range(0, len(heard), audio_format.rate_hz // 50):
            found += listening.append(audio_format.encode(heard[start : start + audio_format.rate_hz // 50]))
        ends[own] = [event.at_ms for event in found if isinstance(event, SpeechEnded)]
    assert len(ends[None]) == len(ends["900ms"]) == 1
    assert ends["900ms"][0] - ends[None][0] == 400
