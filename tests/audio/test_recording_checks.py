"""Doubts about the recordings of a run: judged once, kept by content, and never a reason to fail."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.audio import recording_checks
from bench.audio.catalogue import BY_HAND, Fixture, load_catalogue, shipped_catalogue
from bench.audio.fixtures_cli import add_recording, show_fixture
from bench.audio.picture import picture_of
from bench.audio.recording_checks import (
    cache_folder,
    check_recording,
    check_recordings,
    draw_recordings,
    recording_doubts,
)
from bench.audio.wav import wav_bytes
from bench.errors import BenchError
from tests.support.recordings import RATE_HZ, messy

SAID = "What is the balance of my checking account?"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder()


def added(tmp_path: Path, kind: str, **said: str) -> Fixture:
    file = tmp_path / "call.wav"
    file.write_bytes(wav_bytes(messy(kind, "balance-rms").pcm, RATE_HZ))
    return add_recording(file, SAID, catalogue=tmp_path / "mine" / "c.yaml", id="call", **said).fixture


def test_a_doubtful_recording_is_told_and_judged_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixture = added(tmp_path, "handset put down")
    before = sorted((tmp_path / "mine").iterdir())
    first = recording_doubts([fixture])
    assert "has no pitch" in first["call"][0]
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(recording_checks, "_judge", lambda fixture: pytest.fail("judged twice"))
    assert recording_doubts([fixture]) == first
    assert sorted((tmp_path / "mine").iterdir()) == before


def test_a_cache_that_cannot_be_used_is_no_error(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fixture = added(tmp_path, "breath")
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    assert check_recording(fixture).doubts
    cache.unlink()
    assert check_recording(fixture).doubts
    (kept,) = cache.iterdir()
    kept.write_text('{"level_end_ms": 3')
    assert check_recording(fixture).doubts


def test_shipped_recordings_and_ends_by_hand_are_not_doubted(tmp_path: Path) -> None:
    shipped = load_catalogue(shipped_catalogue())
    assert recording_doubts([shipped.get("balance-rms"), shipped.get("yes-slt")]) == {}
    by_hand = added(tmp_path, "breath", speech_end="2521ms")
    assert (by_hand.annotated, by_hand.speech_end_ms) == (BY_HAND, 2521)
    assert check_recording(by_hand).doubts == []
    (late,) = check_recording(replace(by_hand, speech_end_ms=by_hand.duration_ms + 400)).doubts
    assert "after the last sound" in late


def test_an_annotation_that_is_not_what_is_heard_is_told() -> None:
    fixture = load_catalogue(shipped_catalogue()).get("balance-rms")
    (doubt,) = check_recording(replace(fixture, speech_end_ms=fixture.speech_end_ms - 200)).doubts
    assert "2,321 ms, level says 2,521 ms (200 ms apart)" in doubt


def test_how_sharp_an_end_is_is_kept_and_is_no_doubt(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = load_catalogue(shipped_catalogue())
    fixtures = [shipped.get("balance-rms"), shipped.get("order-status-slt")]
    first = check_recordings(fixtures)
    monkeypatch.setattr(recording_checks, "_judge", lambda fixture: pytest.fail("judged twice"))
    assert check_recordings(fixtures) == first
    for fixture in fixtures:
        check = first[fixture.id]
        assert check.doubts == []
        assert check.ends is not None
        assert check.ends.earliest_ms <= fixture.speech_end_ms <= check.ends.latest_ms
    by_hand = check_recording(replace(fixtures[0], annotated=BY_HAND))
    assert (by_hand.doubts, by_hand.ends) == ([], None)


def test_a_judgement_that_was_kept_without_a_range_is_made_again(cache: Path) -> None:
    fixture = load_catalogue(shipped_catalogue()).get("balance-rms")
    known = check_recording(fixture)
    (kept,) = cache.iterdir()
    kept.write_text('{"level_end_ms": 2521.0, "vad_end_ms": 2500.0, "doubts": []}')
    assert check_recording(fixture) == known


def test_add_refuses_what_cannot_be_told_unless_a_person_tells_it(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"the detectors disagree about the end of speech by [\d,]+ ms") as caught:
        added(tmp_path, "hold music")
    assert "--speech-end 2521ms" in str(caught.value.hint)
    assert not (tmp_path / "mine").exists()
    for wrong, words in (("soon", "milliseconds or seconds"), ("90s", "cannot last"), ("100ms", "cannot last")):
        with pytest.raises(BenchError, match=words):
            added(tmp_path, "hold music", speech_end=wrong)
    assert added(tmp_path, "hold music", speech_end="2.521s").speech_end_ms == 2521


def test_pictures_are_drawn_for_a_person_to_judge(tmp_path: Path) -> None:
    added(tmp_path, "beep")
    said = show_fixture(tmp_path / "mine" / "c.yaml", "call", tmp_path / "call.png")
    assert (tmp_path / "call.png").read_bytes()[:4] == b"\x89PNG"
    assert any("is a tone" in line for line in said)
    assert any("by the sound itself it may be between" in line for line in said)
    fixture = load_catalogue(tmp_path / "mine" / "c.yaml").get("call")
    draw_recordings(tmp_path, {"a/b": fixture}, {})
    (png,) = (tmp_path / "recordings").iterdir()
    assert png.name == "a_b.png"
    assert len(png.read_bytes()) < 60_000


@pytest.mark.parametrize("small", [True, False])
def test_the_names_of_the_marks_leave_room_for_the_sound(small: bool) -> None:
    fixture = load_catalogue(shipped_catalogue()).get("balance-slt")
    with Image.open(io.BytesIO(picture_of(fixture, small=small))) as image:
        shades = np.asarray(image.convert("L"))
    dark = (shades[len(shades) * 2 // 3 :] < 60).any(axis=0)  # the spectrogram
    assert dark.mean() > 0.8
