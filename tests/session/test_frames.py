"""Caller audio is encoded once a format and packed once, or for each call where the protocol wants that."""

from __future__ import annotations

import pytest

from bench.audio.catalogue import Fixture, load_catalogue
from bench.audio.formats import AudioFormat
from bench.scenario.model import shipped_catalogue
from bench.session.frames import FrameBank

WIDE = AudioFormat("pcm16", 16_000)


@pytest.fixture(scope="module")
def fixture() -> Fixture:
    return load_catalogue(shipped_catalogue()).get("yes-rms")


def test_frames_hold_the_whole_fixture_and_are_shared(fixture: Fixture) -> None:
    packed: list[bytes] = []

    def pack(payload: bytes) -> bytes:
        packed.append(payload)
        return b"<" + payload + b">"

    bank = FrameBank(frame_ms=20, pack=pack)
    said = bank.utterance(fixture, WIDE)
    assert said is bank.utterance(fixture, WIDE)
    assert len(packed) <= len(said.frames)
    assert all(len(frame) == 16_000 // 50 * 2 + 2 for frame in said.frames)
    assert said.speech_end_ns == round(fixture.speech_end_ms * 1e6)
    assert said.duration_ns == pytest.approx(fixture.duration_ms * 1e6, abs=1e6)
    assert len(said.frames) == -(-said.duration_ns // 20_000_000)
    assert bank.idle(WIDE) == (b"<" + bytes(640) + b">",)


@pytest.mark.parametrize(
    ("audio_format", "frame_bytes"), [(AudioFormat.PCM16, 960), (AudioFormat.PCMU, 160), (WIDE, 640)]
)
def test_every_format_has_frames_of_its_own(fixture: Fixture, audio_format: AudioFormat, frame_bytes: int) -> None:
    bank = FrameBank(frame_ms=20, pack=bytes)
    assert {len(frame) for frame in bank.utterance(fixture, audio_format).frames} == {frame_bytes}
    assert len(bank.idle(audio_format)[0]) == frame_bytes


def test_push_to_talk_lets_go_behind_the_end_of_speech(fixture: Fixture) -> None:
    bank = FrameBank(frame_ms=20, pack=bytes, release_ms=100)
    assert bank.utterance(fixture, WIDE).duration_ns == pytest.approx((fixture.speech_end_ms + 100) * 1e6, abs=1e6)


def test_a_call_may_pack_for_itself(fixture: Fixture) -> None:
    shared = FrameBank(frame_ms=20, pack=bytes)
    mine = shared.for_call(lambda payload: b"call-7" + payload)
    assert mine.utterance(fixture, WIDE).frames == tuple(
        b"call-7" + frame for frame in shared.utterance(fixture, WIDE).frames
    )
    assert mine.idle(WIDE)[0].startswith(b"call-7")
    assert not shared.idle(WIDE)[0].startswith(b"call-7")
