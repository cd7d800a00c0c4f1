"""The catalogue: what may be left out, what is measured, and the line named for every fault."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.audio.catalogue import load_catalogue, shipped_catalogue
from bench.config.problems import ConfigError
from bench.errors import BenchError

from .signals import joined, silence, tone

HASH = "0" * 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    speech = joined(silence(200), tone(500), silence(300))
    soundfile.write(tmp_path / "a.wav", speech, 24_000)
    soundfile.write(tmp_path / "b.flac", np.stack((speech, speech), axis=1), 44_100)
    soundfile.write(tmp_path / "quiet.wav", silence(500), 24_000)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "catalogue.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_left_out_is_measured_or_unknown(folder: Path) -> None:
    fixture = load_catalogue(write(folder, "fixtures:\n- {id: a, file: a.wav, text: yes}\n")).get("a")
    assert (fixture.text, fixture.language, fixture.accent, fixture.licence) == ("yes", "unknown", "unknown", "unknown")
    assert fixture.duration_ms == pytest.approx(1000)
    assert fixture.speech_start_ms == pytest.approx(200, abs=1)
    assert fixture.speech_end_ms == pytest.approx(700, abs=1)
    assert fixture.file == (folder / "a.wav").resolve()
    assert len(fixture.sha256) == 64
    assert fixture.where.endswith("catalogue.yaml:2")


def test_stereo_flac_at_44100_loads_at_any_rate(folder: Path) -> None:
    fixture = load_catalogue(write(folder, "fixtures:\n- {id: b, file: b.flac, text: hello}\n")).get("b")
    duration_ms = 1000 * 24_000 / 44_100
    assert fixture.duration_ms == pytest.approx(duration_ms, abs=0.1)
    for rate_hz in (8_000, 24_000):
        assert len(fixture.load_pcm(rate_hz)) == pytest.approx(duration_ms * rate_hz / 1000, abs=2)


def test_a_fully_annotated_entry_is_not_opened_until_it_is_used(folder: Path) -> None:
    (folder / "c.wav").write_bytes(b"no audio")
    path = write(
        folder,
        "fixtures:\n  - id: c\n    file: c.wav\n    text: hello\n    duration_ms: 900\n    speech_start_ms: 10\n"
        f"    speech_end_ms: 800.5\n    sha256: '{HASH}'\n    language: en\n",
    )
    fixture = load_catalogue(path).get("c")
    assert (fixture.speech_end_ms, fixture.language) == (800.5, "en")
    with pytest.raises(BenchError, match=r"catalogue.yaml:2: fixture 'c'.*sha256"):
        fixture.load_pcm(8_000)


def test_an_annotation_beyond_the_audio_is_found_when_used(folder: Path) -> None:
    entry = "{id: a, file: a.wav, text: hi, duration_ms: 3000, speech_start_ms: 0, speech_end_ms: 2500}"
    fixture = load_catalogue(write(folder, f"fixtures:\n- {entry}\n")).get("a")
    with pytest.raises(BenchError, match=r"only 1000\.0 ms long"):
        fixture.load_pcm(24_000)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "the file is empty; allowed: a mapping with at least the key fixtures"),
        ("- id: a\n", 1, "found a list or a single value"),
        ("fixture:\n- id: a\n", 1, "fixture: unknown key; allowed: fixtures; did you mean 'fixtures'"),
        ("fixtures: 3\n", 1, "found '3'; allowed: a list"),
        ("fixtures:\n- hello\n", 2, "found 'hello'"),
        ("fixtures:\n- id: a\n  file: a.wav\n", 2, "fixtures.0.text: required, but missing"),
        ("fixtures:\n- file: a.wav\n  text: hi\n", 2, "fixtures.0.id: required, but missing"),
        ("fixtures:\n- id: a\n  text: hi\n", 2, "fixtures.0.file: required, but missing"),
        ("fixtures:\n- id: a\n  file: a.wav\n  text:\n", 4, "fixtures.0.text: found nothing; allowed: a text"),
        ("fixtures:\n- id: a\n  file: a.wav\n  text: [hi]\n", 4, "found a list"),
        ("fixtures:\n- id: a\n  file: a.wav\n  text: hi\n  acent: us\n", 5, "did you mean 'accent'"),
        ("fixtures:\n- id: a\n  file: a.wav\n  text: hi\n  id: b\n", 5, "fixtures.0.id: found twice, first in line 2"),
        ("fixtures:\n- {id: a, file: a.wav, text: hi}\n- {id: a, file: a.wav, text: hi}\n", 3, "already used"),
        ("fixtures:\n- id: a\n  file: A1.wav\n  text: hi\n", 3, "did you mean 'a.wav'"),
        ("fixtures:\n- id: a\n  file: a.wav\n  text: 'hi\n", "5:1", "not valid YAML"),
        ("fixtures:\n- id: a\n  file: a.wav\n  text: hi\n  duration_ms: 1s\n", 5, "number of milliseconds"),
        ("fixtures:\n- id: a\n  file: a.wav\n  text: hi\n  speech_end_ms: -4\n", 5, "0 or more"),
        ("fixtures:\n- id: a\n  file: a.wav\n  text: hi\n  speech_end_ms: .nan\n", 5, "number of milliseconds"),
        ("fixtures:\n- id: a\n  file: a.wav\n  text: hi\n  sha256: abc\n", 5, "64 hexadecimal"),
        (
            "fixtures:\n- id: a\n  file: a.wav\n  text: hi\n  speech_start_ms: 9\n  speech_end_ms: 9\n",
            6,
            "is not after",
        ),
        ("fixtures:\n- id: a\n  file: a.wav\n  text: hi\n  duration_ms: 5\n  speech_end_ms: 9\n", 6, "after the end"),
        ("fixtures:\n- id: a\n  file: a.wav\n  text: hi\n  speech_start_ms: 900\n", 2, "contradict"),
        (f"fixtures:\n- id: a\n  file: a.wav\n  text: hi\n  sha256: '{HASH}'\n", 2, "the catalogue says 000000000000"),
        ("fixtures:\n- id: a\n  file: quiet.wav\n  text: hi\n", 2, "no speech found"),
    ],
)
def test_every_fault_names_the_line(folder: Path, text: str, line: int | str, words: str) -> None:
    path = write(folder, text)
    with pytest.raises(BenchError) as caught:
        load_catalogue(path)
    places = [line for line in caught.value.message.splitlines() if words in line]
    assert [place for place in places if place.startswith(f"{path}:{line}: ")]
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_unknown_ids_missing_and_unreadable_catalogues(folder: Path) -> None:
    catalogue = load_catalogue(write(folder, "\ufefffixtures:\n- {id: balance-anna, file: a.wav, text: hi}\n"))
    with pytest.raises(BenchError, match=r"catalogue.yaml: no fixture 'balance-ana'; did you mean 'balance-anna'\?"):
        catalogue.get("balance-ana")
    assert load_catalogue(write(folder, "fixtures:\n")).fixtures == {}
    with pytest.raises(BenchError, match=r"none.yaml: no such file$"):
        load_catalogue(folder / "none.yaml")
    (folder / "latin.yaml").write_bytes(b"fixtures: # caf\xe9\n")
    with pytest.raises(BenchError, match="not a UTF-8 text"):
        load_catalogue(folder / "latin.yaml")
    (folder / "bell.yaml").write_bytes(b"# one\nfixtures: \x07\n")
    with pytest.raises(BenchError, match=r"bell.yaml:2:11: not valid YAML"):
        load_catalogue(folder / "bell.yaml")


def test_every_fault_is_listed(folder: Path) -> None:
    path = write(folder, "fixtures:\n- {id: a, file: a.wav}\n- {id: b, file: x.wav, text: 1}\n")
    with pytest.raises(ConfigError) as caught:
        load_catalogue(path)
    assert [problem.loc for problem in caught.value.problems] == [("fixtures", 0, "text"), ("fixtures", 1, "file")]


def test_every_scalar_is_the_words_that_were_written(folder: Path) -> None:
    text = "fixtures:\n- {id: 007, file: a.wav, text: true, voice: 1.50, language: no, accent: '${X}'}\n"
    fixture = load_catalogue(write(folder, text)).get("007")
    assert (fixture.text, fixture.voice, fixture.language, fixture.accent) == ("true", "1.50", "no", "${X}")


def test_a_catalogue_is_checked_without_the_audio_libraries() -> None:
    check = "import sys; from bench.audio.catalogue import *; load_catalogue(shipped_catalogue()); "
    subprocess.run(
        [sys.executable, "-c", check + "sys.exit(bool({'numpy', 'soundfile', 'soxr'} & set(sys.modules)))"], check=True
    )


def test_who_speaks_is_human_synthetic_or_unknown(folder: Path) -> None:
    body = "fixtures:\n- {id: a, file: a.wav, text: yes, caller: human}\n- {id: b, file: b.flac, text: yes}\n"
    found = load_catalogue(write(folder, body)).fixtures
    assert [each.caller for each in found.values()] == ["human", "unknown"]
    with pytest.raises(ConfigError, match="found 'robot'; allowed: human, synthetic, unknown"):
        load_catalogue(write(folder, body.replace("human", "robot")))


def test_every_shipped_recording_says_who_speaks() -> None:
    shipped = load_catalogue(shipped_catalogue()).fixtures.values()
    by_caller = {each.caller: {one.id for one in shipped if one.caller == each.caller} for each in shipped}
    assert set(by_caller) == {"human", "synthetic"}
    assert all(name.startswith("human-") for name in by_caller["human"])


def test_a_catalogue_that_is_read_again_is_the_one_on_disk(folder: Path) -> None:
    times = "duration_ms: 1000, speech_start_ms: 200, speech_end_ms: 700"
    body = f"fixtures:\n- {{id: a, file: a.wav, text: yes, sha256: {HASH}, {times}}}\n"
    path = write(folder, body)
    first = load_catalogue(path)
    assert load_catalogue(path) == first
    assert load_catalogue(write(folder, body.replace("yes", "yep"))).get("a").text == "yep"
    assert load_catalogue(write(folder, body)) == first
    (folder / "a.wav").unlink()
    with pytest.raises(ConfigError, match=r"no such audio file 'a\.wav'"):
        load_catalogue(path)


def test_what_was_measured_is_measured_again(folder: Path) -> None:
    path = write(folder, "fixtures:\n- {id: a, file: a.wav, text: yes}\n")
    first = load_catalogue(path).get("a")
    soundfile.write(folder / "a.wav", joined(silence(200), tone(400), silence(400)), 24_000)
    again = load_catalogue(path).get("a")
    assert again.sha256 != first.sha256
    assert again.speech_end_ms == pytest.approx(600, abs=1)
