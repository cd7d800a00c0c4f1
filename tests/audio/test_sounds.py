"""The sounds that are shipped for listening callers: short, audible, and labelled with how they were made."""

from __future__ import annotations

import numpy as np
import pytest

from bench.audio.catalogue import Fixture, load_catalogue, shipped_catalogue, shipped_sounds
from bench.audio.recording_checks import check_recording
from bench.audio.recording_matcher import RecordingMatcher, reduced

SOUNDS = list(load_catalogue(shipped_sounds()).fixtures.values())


@pytest.mark.parametrize("sound", SOUNDS, ids=lambda sound: sound.id)
def test_it_is_short_and_loud_enough_to_be_heard(sound: Fixture) -> None:
    pcm = sound.load_pcm(24_000).astype(float)
    assert 300 < sound.speech_end_ms - sound.speech_start_ms < 600
    inside = pcm[int(sound.speech_start_ms * 24) : int(sound.speech_end_ms * 24)]
    assert -26 < 20 * np.log10(np.sqrt(np.mean(inside**2)) / 32_768) < -18
    assert not np.any(pcm[: int(sound.speech_start_ms * 24)])
    assert sound.source.endswith("tools/make_sounds.py")
    assert sound.licence == "CC0-1.0"
    assert check_recording(sound).doubts == []


def test_a_server_that_knows_recordings_and_sounds_takes_none_for_another() -> None:
    known = [*load_catalogue(shipped_catalogue()).fixtures.values(), *SOUNDS]
    matcher = RecordingMatcher(known, confidence=0.6)
    for fixture in known:
        spoken = fixture.load_pcm(24_000)[: round(fixture.speech_end_ms * 24)]
        heard = reduced(np.concatenate((np.zeros(12_000, np.int16), spoken)), 24_000)
        match = matcher.ended(heard, fixture.speech_end_ms - fixture.speech_start_ms, thorough=True)
        assert match is not None, fixture.id
        assert match.fixture.id == fixture.id
        assert abs(match.end_offset_ms) < 2


def test_no_sound_has_the_name_of_a_recording() -> None:
    assert not {sound.id for sound in SOUNDS} & set(load_catalogue(shipped_catalogue()).fixtures)
