"""The simulated listener: the onset is found once, by response, and what was heard ends when it has been played."""

from __future__ import annotations

import numpy as np
import pytest

from bench.audio.formats import AudioFormat
from bench.dialects.openai import OpenAIDialect
from bench.dialects.session_config import SessionConfig
from bench.facts.signals import AudioDelta, Onset
from bench.session.listener import Listener

MS = 1_000_000
RATE = 24_000


def delta(at_ms: int, length_ms: int, level: int = 8_000, response_id: str | None = "r") -> AudioDelta:
    samples = length_ms * RATE // 1000
    wave = (level * np.sign(np.sin(np.arange(samples) * 0.1 + 0.05))).astype("<i2")
    return AudioDelta(at_ms * MS, response_id, "i", samples, samples * 2, wave.tobytes())


def listener(buffer_ms: float = 60.0) -> Listener:
    return Listener(OpenAIDialect(SessionConfig()), jitter_buffer_ms=buffer_ms)


def test_the_first_audible_sample_is_found_once() -> None:
    ear = listener()
    assert ear.hear(0, delta(100, 200, level=0)) is None
    onset = ear.hear(0, delta(150, 200))
    assert isinstance(onset, Onset)
    assert onset.response_id == "r"
    assert onset.sample == pytest.approx(200 * RATE // 1000, abs=RATE // 200)
    assert ear.hear(0, delta(200, 200)) is None
    assert ear.finish(0, "r", 900 * MS) is None


def test_a_silent_response_has_no_onset() -> None:
    ear = listener()
    assert ear.hear(0, delta(0, 300, level=0)) is None
    assert ear.finish(0, "r", 900 * MS) is None
    assert ear.finish(7, "other", 900 * MS) is None


def test_each_response_is_heard_by_itself() -> None:
    ear = listener()
    assert ear.hear(0, delta(0, 100)) is not None
    assert ear.hear(1, delta(50, 100)) is not None


def test_what_has_been_sent_is_heard_when_it_has_been_played() -> None:
    ear = listener()
    assert ear.end_ns == 0
    ear.hear(0, delta(1_000, 400))
    assert ear.end_ns == 1_400 * MS, "a full buffer plays at once"
    ear.hear(0, delta(1_010, 600))
    assert ear.end_ns == 2_000 * MS


def test_a_reply_shorter_than_the_buffer_is_played_when_it_has_ended() -> None:
    ear = listener()
    ear.hear(0, delta(1_000, 40))
    assert ear.end_ns == 0
    ear.finish(0, "r", 1_200 * MS)
    assert ear.end_ns == 1_040 * MS


def test_the_rate_is_the_one_that_the_dialect_knows_when_audio_comes() -> None:
    dialect = OpenAIDialect(SessionConfig())
    ear = Listener(dialect, jitter_buffer_ms=0)
    dialect.output_format = AudioFormat("pcm16", 48_000)
    ear.hear(0, delta(0, 100))
    assert ear.end_ns == 50 * MS


def test_audio_that_is_none_raises() -> None:
    ear = listener()
    broken = AudioDelta(0, "r", "i", 10, 20, "not base64")
    with pytest.raises(ValueError, match=r"base64|padding|characters"):
        ear.hear(0, broken)
