"""Make the fixtures of human speech again, from recordings of Debian's package `pocketsphinx-testdata`.

Three sentences of a public-domain reading (LibriVox) and one command to a robot, whose words come with the package.
Writes 24 kHz mono PCM16 WAV into `fixtures/audio/` and the entries before those of tools/make_languages.py in
`catalogue.yaml`; the same bytes every time. Trap: the background of a room is in them (some 40 dB under the voice), so
the end of speech is good to some 50 ms, not to one; three ends were set by hand, from the spectrogram.

    apt install pocketsphinx-testdata
    python tools/make_human.py [/usr/share/pocketsphinx/test/data]
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from make_fixtures import LEAD_MS, TAIL_MS, level
from make_languages import MARK as LATER
from numpy.typing import NDArray

from bench.audio.annotate import speech_span
from bench.audio.catalogue import BY_HAND, UNKNOWN, Fixture, shipped_catalogue
from bench.audio.fixtures_cli import FIXTURE_RATE_HZ, entry_text
from bench.audio.formats import resample_float, to_pcm16
from bench.audio.level import to_float
from bench.audio.wav import decode_audio, read_bytes, wav_bytes

DATA = Path("/usr/share/pocketsphinx/test/data")
MARK = "# Written by tools/make_human.py.\n"
RAW_RATE_HZ = 16_000
BSD, PUBLIC_DOMAIN = "BSD-2-Clause (CMU Sphinx, see README.md)", "public domain (LibriVox)"
READING = "librivox/sense_and_sensibility_01_austen_64kb-{}.wav"


@dataclass(frozen=True)
class Spoken:
    """One recording of the package."""

    id: str
    file: str
    text: str
    end_ms: float | None = None
    """Where its speech ends in the fixture, as seen in its spectrogram; None where the level tells it."""
    voice: str = "librivox-reader"
    licence: str = PUBLIC_DOMAIN


RECORDINGS = (
    Spoken("human-young-man", READING.format("0880"), "He was not an ill disposed young man.", 2705),
    Spoken(
        "human-selfish",
        READING.format("0890"),
        "Unless to be rather cold hearted and rather selfish is to be ill disposed.",
    ),
    Spoken(
        "human-respectable",
        READING.format("0920"),
        "Had he married a more amiable woman, he might have been made still more respectable than he was.",
        5685,
    ),
    Spoken("human-go-forward", "goforward.raw", "Go forward ten meters.", 1750, "sphinx-command", BSD),
)


def main() -> int:
    data, catalogue = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA, shipped_catalogue()
    fixtures = [one(data, spoken, catalogue.parent) for spoken in RECORDINGS]
    body = "\n".join(entry_text(fixture, catalogue.parent) for fixture in fixtures)
    before, later, after = catalogue.read_text(encoding="utf-8").partition(LATER)
    kept = before.partition(MARK)[0].rstrip("\n")
    catalogue.write_text(f"{kept}\n\n{MARK}{body}\n{later}{after}", encoding="utf-8")
    return 0


def one(data: Path, spoken: Spoken, folder: Path) -> Fixture:
    """Read, resample, level, cut to the usual quiet, annotate and write one recording."""
    samples, rate_hz = read(data / spoken.file)
    speech = level(resample_float(samples, rate_hz, FIXTURE_RATE_HZ))
    pcm, _ = to_pcm16(framed(speech))
    span = speech_span(pcm, FIXTURE_RATE_HZ)
    if span is None:
        sys.exit(f"{spoken.id}: no speech found in {spoken.file}")
    written = wav_bytes(pcm, FIXTURE_RATE_HZ)
    file = folder / f"{spoken.id}.wav"
    file.write_bytes(written)
    return Fixture(
        id=spoken.id,
        file=file,
        text=spoken.text,
        language="en",
        accent="us",
        voice=spoken.voice,
        duration_ms=round(len(pcm) * 1000 / FIXTURE_RATE_HZ, 3),
        speech_start_ms=round(span.start_ms, 3),
        speech_end_ms=spoken.end_ms or round(span.end_ms, 3),
        sha256=hashlib.sha256(written).hexdigest(),
        source=f"{Path(spoken.file).name} of Debian's pocketsphinx-testdata",
        licence=spoken.licence,
        caller="human",
        annotated=BY_HAND if spoken.end_ms else UNKNOWN,
    )


def read(path: Path) -> tuple[NDArray[np.float64], int]:
    """The samples of a recording of the package; a raw one is 16 kHz PCM16."""
    if path.suffix == ".raw":
        return to_float(np.fromfile(path, "<i2")), RAW_RATE_HZ
    return decode_audio(read_bytes(path), path, None)


def framed(speech: NDArray[np.float64]) -> NDArray[np.float64]:
    """`speech` with at most the usual quiet around it; less where the recording has less."""
    span = speech_span(to_pcm16(speech)[0], FIXTURE_RATE_HZ)
    if span is None:
        return speech
    begin, end = (round(ms * FIXTURE_RATE_HZ / 1000) for ms in (span.start_ms - LEAD_MS, span.end_ms + TAIL_MS))
    return speech[max(0, begin) : end]


if __name__ == "__main__":
    sys.exit(main())
