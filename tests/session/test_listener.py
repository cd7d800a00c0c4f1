"""The simulated listener: the onset is found once, by response, and what was heard ends when it has been played."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.audio.formats import AudioFormat
from bench.dialects.openai import OpenAIDialect
from bench.dialects.session_config import SessionConfig
from bench.facts.signals import AudioDelta, Onset
from bench.session.listener import HeardItem, Listener, Moment

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
    for response, name in enumerate(("first", "second")):
        onset = ear.hear(response, delta(50 * response, 100, response_id=name))
        assert onset is not None
        assert onset.response_id == name
    assert {number: player.received for number, player in ear.players.items()} == {0: RATE // 10, 1: RATE // 10}


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


def test_a_moment_of_the_reply_counts_from_its_first_audible_sample() -> None:
    ear = listener()
    ear.hear(0, delta(1_000, 200, level=0))
    assert ear.heard_at(0, Moment(after_ns=100 * MS)) is None
    ear.hear(0, delta(1_050, 400))
    at_ns = ear.heard_at(0, Moment(after_ns=100 * MS))
    assert at_ns == pytest.approx(1_300 * MS, abs=5 * MS)
    assert ear.heard_at(0, Moment(after_ns=900 * MS)) is None, "there is not so much"
    assert ear.heard_at(3, Moment(after_ns=0)) is None


def test_a_moment_may_be_the_end_of_a_word() -> None:
    ear = listener()
    ear.read(0, "One two")
    ear.hear(0, delta(1_000, 700))
    assert ear.heard_at(0, Moment(words=1)) is None
    ear.finish(0, "r", 1_100 * MS)
    assert ear.heard_at(0, Moment(words=1)) == 1_300 * MS


def item(at_ms: int, length_ms: int, item_id: str | None) -> AudioDelta:
    return replace(delta(at_ms, length_ms), item_id=item_id)


def test_what_was_heard_is_told_of_each_item() -> None:
    ear = listener()
    for at_ms, name in ((1_000, "a"), (1_010, "b"), (1_020, "c")):
        ear.hear(0, item(at_ms, 300, name))
    ear.finish(0, "r", 1_030 * MS)
    assert ear.hears(0, 1_899 * MS)
    assert not ear.hears(0, 1_900 * MS)
    heard = ear.cut(0, 1_450 * MS + 700_000)
    assert heard == [HeardItem("a", 300, True), HeardItem("b", 150, False), HeardItem("c", 0, False)]
    assert ear.end_ns == pytest.approx(1_450.7 * MS, abs=50_000)
    assert not ear.hears(0, 1_460 * MS)


def test_audio_after_the_cut_is_not_heard() -> None:
    ear = listener()
    ear.hear(0, item(1_000, 300, "a"))
    assert ear.cut(0, 1_100 * MS) == [HeardItem("a", 100, False)]
    assert ear.hear(0, item(1_200, 300, "a")) is None
    ear.pause(0)
    assert ear.finish(0, "r", 1_300 * MS) is None
    assert ear.end_ns == 1_100 * MS


def test_never_more_is_told_than_has_arrived() -> None:
    ear = listener()
    ear.hear(0, item(1_000, 300, "a"))
    assert ear.cut(0, 5_000 * MS) == [HeardItem("a", 300, False)], "more of it may have been on its way"


def test_an_item_without_an_id_cannot_be_told_of() -> None:
    ear = listener()
    ear.hear(0, item(1_000, 300, None))
    assert ear.cut(0, 1_100 * MS) == []


def test_a_reply_of_which_only_words_have_come_can_be_cut_too() -> None:
    ear = listener()
    ear.read(0, "One")
    assert ear.hears(0, 1_000 * MS)
    assert ear.cut(0, 1_000 * MS) == []
    assert ear.hear(0, item(1_200, 300, "a")) is None
    assert ear.end_ns == 0
