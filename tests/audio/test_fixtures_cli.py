"""`bench fixtures list|check|add`, on the shipped catalogue and on a person's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.audio.catalogue import load_catalogue, parse_catalogue, shipped_catalogue
from bench.audio.fixtures_cli import (
    add_recording,
    check_catalogue,
    entry_text,
    list_fixtures,
)
from bench.errors import BenchError

from .signals import joined, noise, read_audio, silence, tone

SAID = "I would like to make an appointment for Tuesday morning."


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Real speech as a person might have it: FLAC, 44.1 kHz, stereo, in a folder of its own."""
    folder = tmp_path / "phone calls"
    folder.mkdir()
    pcm = load_catalogue(shipped_catalogue()).get("appointment-awb").load_pcm(44_100)
    soundfile.write(folder / "Ça va, Tuesday.flac", np.stack((pcm, pcm // 2), axis=1), 44_100)
    return folder / "Ça va, Tuesday.flac"


ENGLISH = {"us", "scottish", "received-pronunciation", "lancaster", "caribbean", "new-york"}
SHORT_TAILS_MS = {"password-login-kal16": 138, "long-bill-kal16": 90}
"""Ends that were corrected by hand: a soft last sound is later than the level detector has it."""


@pytest.mark.slow
def test_the_shipped_catalogue_holds_up() -> None:
    catalogue = load_catalogue(shipped_catalogue())
    fixtures = catalogue.fixtures.values()
    assert len(fixtures) >= 44
    assert {"balance-rms", "order-status-slt"} <= set(catalogue.fixtures)
    made = [fixture for fixture in fixtures if fixture.caller != "human"]  # a person's are as they were recorded
    voices = {fixture.voice for fixture in made}
    assert {voice for voice in voices if not voice.startswith("espeak-")} == {"rms", "slt", "awb", "kal16"}
    assert {fixture.accent for fixture in fixtures if fixture.language == "en"} == ENGLISH
    assert {fixture.language for fixture in fixtures} == {"en", "es", "fr", "de", "it", "pt", "zh"}
    assert max(fixture.duration_ms for fixture in fixtures) >= 12_000
    assert sum(fixture.file.stat().st_size for fixture in fixtures) < 20e6
    for fixture in made:
        assert 100 <= fixture.speech_start_ms <= 200
        shortest = SHORT_TAILS_MS.get(fixture.id, 150)
        assert shortest <= fixture.duration_ms - fixture.speech_end_ms <= 250, fixture.id
    results = check_catalogue(shipped_catalogue())
    assert [(result.fixture_id, result.problems) for result in results if not result.ok] == []
    assert [row["id"] for row in list_fixtures(catalogue)] == [result.fixture_id for result in results]
    assert list_fixtures(catalogue)[0] == {
        "id": "balance-rms",
        "accent": catalogue.get("balance-rms").accent,
        "voice": catalogue.get("balance-rms").voice,
        "caller": "synthetic",
        "speech_s": "2.37",
        "text": catalogue.get("balance-rms").text,
    }


def test_no_wav_lies_there_unnamed() -> None:
    named = {fixture.file for fixture in load_catalogue(shipped_catalogue()).fixtures.values()}
    assert set(shipped_catalogue().parent.glob("*.wav")) == named


def test_add_makes_a_catalogue_that_passes_its_own_check(tmp_path: Path, recording: Path) -> None:
    target = tmp_path / "mine" / "catalogue.yaml"
    said = 'I\'d like to make an "appointment": Tuesday  # morning'
    added = add_recording(recording, said, catalogue=target, accent="scottish", language="en").fixture
    assert added.id == "ca-va-tuesday"
    assert added.text == said.replace("  ", " ")
    assert (added.accent, added.voice, added.licence) == ("scottish", "unknown", "unknown")
    assert added.source == recording.name
    info = soundfile.info(added.file)
    assert (info.samplerate, info.channels, info.subtype) == (24_000, 1, "PCM_16")
    assert added.file.parent == target.parent
    shipped = load_catalogue(shipped_catalogue()).get("appointment-awb")
    assert added.speech_end_ms == pytest.approx(shipped.speech_end_ms, abs=2)
    assert load_catalogue(target).get(added.id) == added
    assert [result.problems for result in check_catalogue(target, house_format=True)] == [()]


def test_add_tells_of_few_bits_though_it_resamples(tmp_path: Path, recording: Path) -> None:
    samples, rate_hz = soundfile.read(recording)
    coarse = tmp_path / "coarse.wav"
    soundfile.write(coarse, samples[:: max(1, rate_hz // 8_000)], 8_000, subtype="PCM_U8")
    (warning,) = (
        words
        for words in add_recording(coarse, "Tuesday morning.", catalogue=tmp_path / "c.yaml").warnings
        if "bits" in words
    )
    assert "only 8 bits a sample" in warning


@pytest.mark.parametrize(
    "existing",
    [
        "# my calls\nfixtures:   # newest last\n- id: one   # keep me\n  file: one.wav\n  text: é one\n# the end",
        "fixtures:\n    - id: one\n      file: one.wav\n      text: one\n\n",
        "fixtures:\r\n  - id: one\r\n    file: one.wav\r\n    text: one\r\n",
        "# é\nfixtures: []  # none yet\n",
        "fixtures:\n",
        "fixtures: null\n",
        "---\nfixtures:\n",
    ],
)
def test_add_keeps_what_a_person_wrote(tmp_path: Path, recording: Path, existing: str) -> None:
    soundfile.write(tmp_path / "one.wav", joined(silence(100), tone(500), silence(100)), 24_000)
    path = tmp_path / "catalogue.yaml"
    path.write_bytes(existing.encode())
    before = list(load_catalogue(path).fixtures)
    add_recording(recording, "first", catalogue=path, id="first")
    add_recording(recording, "second", catalogue=path, id="second")
    assert list(load_catalogue(path).fixtures) == [*before, "first", "second"]
    if before:
        assert path.read_bytes().startswith(existing.encode())
    elif "#" in existing:
        assert existing.splitlines()[0] in path.read_text(encoding="utf-8")
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("existing", "words"),
    [
        ("fixtures: [{id: one, file: one.wav, text: one}]\n", "square brackets"),
        ("fixtures:\n- {id: one, file: one.wav, text: one}\n...\n", "would not read back|not valid YAML"),
    ],
)
def test_add_refuses_a_layout_it_would_break_and_leaves_it(
    tmp_path: Path, recording: Path, existing: str, words: str
) -> None:
    soundfile.write(tmp_path / "one.wav", joined(silence(100), tone(500), silence(100)), 24_000)
    path = tmp_path / "catalogue.yaml"
    path.write_text(existing)
    with pytest.raises(BenchError, match=words):
        add_recording(recording, "first", catalogue=path)
    assert path.read_text() == existing


def test_add_refuses_what_makes_no_fixture(tmp_path: Path, recording: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    add_recording(recording, "hello", catalogue=path, id="hello")
    before = path.read_bytes()
    soundfile.write(tmp_path / "quiet.wav", silence(400), 8_000)
    for file, text, chosen, words in (
        (recording, "hello", "hello", "'hello' is already used"),
        (recording, "  ", "other", "text is empty"),
        (recording, "hello", "../up", "allowed are letters"),
        (tmp_path / "quiet.wav", "hello", None, "no speech found"),
        (tmp_path / "absent.wav", "hello", None, "no such audio file"),
        (tmp_path / "名前.wav", "hello", None, "no id can be made"),
    ):
        with pytest.raises(BenchError, match=words):
            add_recording(file, text, catalogue=path, id=chosen)
    assert path.read_bytes() == before


def test_add_beside_the_recording_never_overwrites_it(tmp_path: Path) -> None:
    pcm = load_catalogue(shipped_catalogue()).get("yes-rms").load_pcm(8_000)
    original = tmp_path / "yes.wav"
    soundfile.write(original, pcm, 8_000)
    before = original.read_bytes()
    added = add_recording(original, "Yes.", catalogue=tmp_path / "catalogue.yaml").fixture
    assert original.read_bytes() == before
    assert added.file.name == "yes-24k.wav"
    again = add_recording(added.file, "Yes.", catalogue=tmp_path / "catalogue.yaml").fixture
    assert (again.id, again.sha256) == ("yes-24k", added.sha256)
    assert again.file == added.file


def test_add_scales_instead_of_clipping_and_says_so(tmp_path: Path) -> None:
    square = np.where(np.arange(8000) % 20 < 10, 32767, -32768).astype(np.int16)
    soundfile.write(tmp_path / "loud.wav", joined(silence(100, 8_000), square, silence(100, 8_000)), 8_000)
    with pytest.raises(BenchError, match="pure tone, not a voice"):
        add_recording(tmp_path / "loud.wav", "la", catalogue=tmp_path / "c.yaml", source="me")
    added = add_recording(
        tmp_path / "loud.wav", "la", catalogue=tmp_path / "c.yaml", source="me", speech_end="1.1s", speech_start="100ms"
    ).fixture
    assert (added.speech_start_ms, added.speech_end_ms, added.annotated) == (100, 1100, "by hand")
    assert added.source.startswith("me (scaled by -")
    pcm = read_audio(added.file)[0].astype(int)
    assert np.sum(np.abs(pcm) >= 32767) < 20


def _damaged(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    return joined(pcm, silence(40), noise(800, rms_dbfs=-30))


def test_check_finds_each_kind_of_damage(tmp_path: Path, recording: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    fixture = add_recording(recording, SAID, catalogue=path, id="hello").fixture
    good = fixture.file.read_bytes()

    def problems(**changed: object) -> str:
        body = entry_text(replace(fixture, **changed), tmp_path)  # type: ignore[arg-type]
        path.write_text(f"fixtures:\n{body}")
        (result,) = check_catalogue(path, house_format=True)
        assert result.ok is (not result.problems)
        return "; ".join(result.problems)

    assert problems() == ""
    assert "sha256 is" in problems(sha256="f" * 64)
    assert "speech_end_ms is" in problems(speech_end_ms=fixture.speech_end_ms - 20)
    assert "speech_start_ms is" in problems(speech_start_ms=fixture.speech_start_ms + 20)
    assert "lasts" in problems(duration_ms=fixture.duration_ms + 30)
    soundfile.write(fixture.file, _damaged(read_audio(fixture.file)[0]), 24_000)
    assert "speech_end_ms is" in problems()
    soundfile.write(fixture.file, silence(300), 24_000)
    assert "finds no speech" in problems()
    soundfile.write(fixture.file, load_catalogue(shipped_catalogue()).get("yes-rms").load_pcm(16_000), 16_000)
    assert "16000 Hz" in problems()
    fixture.file.write_bytes(b"garbage")
    assert "not readable" in problems()
    fixture.file.write_bytes(good)
    assert problems() == ""


def test_a_hum_after_speech_is_found_by_the_second_detector(tmp_path: Path) -> None:
    pcm = load_catalogue(shipped_catalogue()).get("balance-slt").load_pcm(24_000)
    soundfile.write(tmp_path / "hum.wav", joined(pcm, tone(900, hz=6000, level=0.05)), 24_000)
    path = tmp_path / "catalogue.yaml"
    path.write_text("fixtures:\n- {id: hum, file: hum.wav, text: hello}\n")
    (result,) = check_catalogue(path)
    assert not result.ok
    assert "disagree about the end of speech" in result.problems[0]


def test_a_hand_made_mark_may_be_some_tens_of_milliseconds_off_in_a_users_catalogue(
    tmp_path: Path, recording: Path
) -> None:
    path = tmp_path / "catalogue.yaml"
    fixture = add_recording(recording, SAID, catalogue=path).fixture
    path.write_text("fixtures:\n" + entry_text(replace(fixture, speech_end_ms=fixture.speech_end_ms + 30), tmp_path))
    assert check_catalogue(path)[0].ok
    assert not check_catalogue(path, house_format=True)[0].ok


@settings(max_examples=25)
@given(words=st.text(min_size=1, max_size=40).filter(lambda words: words.split()))
def test_any_words_read_back_from_an_entry(words: str) -> None:
    fixture = next(iter(load_catalogue(shipped_catalogue()).fixtures.values()))
    changed = replace(fixture, text=" ".join(words.split()), voice=" ".join(words.split()), where="catalogue")
    text = "fixtures:\n" + entry_text(changed, shipped_catalogue().parent)
    (back,) = parse_catalogue(text, shipped_catalogue()).fixtures.values()
    assert replace(back, where=changed.where) == changed
