"""The input buffer: positions over the whole session, takes cut exactly, formats, bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.audio.formats import USUAL_FORMATS, AudioFormat
from bench.server.protocol import config
from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.input_audio import (
    CommittedAudio,
    InputAudio,
    InputEvent,
    SpeechAudio,
    SpeechBegan,
    SpeechEnded,
)
from tests.server.support import silence, speech

VAD: dict[str, Any] = dict(config.SERVER_VAD)


def pour(buffer: InputAudio, pcm: Any, frame_ms: int = 40) -> list[InputEvent]:
    data = buffer.format.encode(pcm)
    size = buffer.format.rate_hz * buffer.format.bytes_per_sample * frame_ms // 1000
    return [outcome for start in range(0, len(data), size) for outcome in buffer.append(data[start : start + size])]


def call(audio_format: AudioFormat) -> Any:
    rate_hz = audio_format.rate_hz
    words = [speech("yes-rms", audio_format), speech("balance-slt", audio_format)]
    return np.concatenate((silence(800, rate_hz), words[0], silence(1000, rate_hz), words[1], silence(1000, rate_hz)))


@pytest.mark.parametrize("audio_format", USUAL_FORMATS, ids=str)
@pytest.mark.parametrize("frame_ms", [20, 40, 100_000])
def test_two_turns_whatever_the_size_of_the_appends(audio_format: AudioFormat, frame_ms: int) -> None:
    outcomes = pour(InputAudio(audio_format, VAD), call(audio_format), frame_ms)
    marks = [outcome for outcome in outcomes if not isinstance(outcome, SpeechAudio)]
    assert [type(mark) for mark in marks] == [SpeechBegan, SpeechEnded, CommittedAudio] * 2
    start, stop, take, start2, stop2, take2 = marks
    assert isinstance(start, SpeechBegan)
    assert isinstance(stop, SpeechEnded)
    assert isinstance(take, CommittedAudio)
    # the take holds everything from the padded start to the end of the silence window
    assert take.audio_ms == pytest.approx(stop.at_ms - start.at_ms, abs=1)
    assert len(take.audio) == round(take.audio_ms * audio_format.rate_hz / 1000) * audio_format.bytes_per_sample
    assert isinstance(start2, SpeechBegan)
    assert isinstance(stop2, SpeechEnded)
    assert isinstance(take2, CommittedAudio)
    assert stop.at_ms <= start2.at_ms < stop2.at_ms
    # speech of yes-rms begins 150 ms into its file; the reported start leads by the padding of 300 ms
    assert start.at_ms == pytest.approx(800 + 150 - 300, abs=80)


def test_what_the_recogniser_hears_is_the_take() -> None:
    heard: list[bytes] = []
    takes: list[bytes] = []
    for outcome in pour(InputAudio(AudioFormat.PCM16, VAD), call(AudioFormat.PCM16)):
        if isinstance(outcome, SpeechAudio):
            heard.append(outcome.pcm)
        elif isinstance(outcome, CommittedAudio):
            takes.append(outcome.audio)
    assert b"".join(heard) == b"".join(takes)


def test_a_padded_start_never_reaches_into_the_turn_before() -> None:
    pcm = np.concatenate((speech("yes-rms"), silence(100), speech("yes-slt"), silence(800)))
    buffer = InputAudio(AudioFormat.PCM16, {**VAD, "silence_duration_ms": 100, "prefix_padding_ms": 2000})
    marks = [outcome for outcome in pour(buffer, pcm) if not isinstance(outcome, SpeechAudio)]
    bounds = [mark.at_ms for mark in marks if not isinstance(mark, CommittedAudio)]
    assert bounds == sorted(bounds)


def test_manual_mode_keeps_everything_until_the_commit() -> None:
    buffer = InputAudio(AudioFormat.PCM16, None)
    pcm = call(AudioFormat.PCM16)
    outcomes = pour(buffer, pcm)
    assert not [outcome for outcome in outcomes if isinstance(outcome, SpeechEnded | CommittedAudio)]
    heard = sum(len(outcome.pcm) for outcome in outcomes if isinstance(outcome, SpeechAudio))
    assert 0 < heard < len(pcm) * 2  # the recogniser is spared the silence
    take = buffer.commit()
    assert take.audio == pcm.tobytes()


@pytest.mark.parametrize(("held_ms", "shown"), [(0, "0.00ms"), (60, "60.00ms"), (99, "99.00ms")])
def test_a_commit_needs_100_ms(held_ms: int, shown: str) -> None:
    buffer = InputAudio(AudioFormat.PCM16, None)
    if held_ms:
        buffer.append(silence(held_ms).tobytes())
    with pytest.raises(ProtocolError) as caught:
        buffer.commit()
    assert caught.value.code == "input_audio_buffer_commit_empty"
    assert shown in caught.value.message
    buffer.append(silence(100).tobytes())
    assert buffer.commit().audio_ms >= 100
    with pytest.raises(ProtocolError):
        buffer.commit()


def test_clear_forgets_and_the_clock_goes_on() -> None:
    buffer = InputAudio(AudioFormat.PCM16, VAD)
    pour(buffer, speech("balance-rms")[: 24 * 1500])
    assert buffer.speaking
    buffer.clear()
    assert not buffer.speaking
    started = [mark for mark in pour(buffer, call(AudioFormat.PCM16)) if isinstance(mark, SpeechBegan)]
    assert started[0].at_ms == pytest.approx(1500 + 800 + 150 - 300, abs=80)


def test_half_a_sample_waits_for_its_other_half() -> None:
    whole, halved = InputAudio(AudioFormat.PCM16, None), InputAudio(AudioFormat.PCM16, None)
    data = speech("yes-rms").tobytes()
    whole.append(data)
    for start in range(0, len(data), 961):
        halved.append(data[start : start + 961])
    assert whole.commit() == halved.commit()


def test_a_new_format_starts_an_empty_buffer_on_the_same_clock() -> None:
    buffer = InputAudio(AudioFormat.PCM16, VAD)
    buffer.append(silence(2000).tobytes())
    buffer.configure(AudioFormat.PCMU, VAD)
    started = [mark for mark in pour(buffer, call(AudioFormat.PCMU)) if isinstance(mark, SpeechBegan)]
    assert started[0].at_ms == pytest.approx(2000 + 800 + 150 - 300, abs=80)


def test_while_nobody_speaks_the_buffer_stays_small() -> None:
    buffer = InputAudio(AudioFormat.PCM16, VAD)
    for _ in range(50):
        buffer.append(silence(1000).tobytes())
    assert buffer.commit().audio_ms < 600
