"""Make the speech fixtures again: text in this file, spoken by flite, into `fixtures/audio/`.

Needs the `flite` program (Debian: apt install flite); nothing else in the project does. Writes one 24 kHz mono PCM16
WAV per utterance and voice, and `catalogue.yaml` with hashes and annotations; the same bytes every time. The shipped
files were made when the level detector still heard rumble, and are up to 9 ms longer than what this makes today.
Trap: the choice of texts and voices was guided by what a small recogniser understands (`--wer` measures it), so the
WER of this set says whether a pipeline works, not how good a recogniser is.

    python tools/make_fixtures.py            # write the fixtures
    python tools/make_fixtures.py --wer      # recognise what is there with pocketsphinx and print the WER
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.audio.annotate import speech_span
from bench.audio.catalogue import BY_HAND, UNKNOWN, Fixture, load_catalogue, shipped_catalogue
from bench.audio.fixtures_cli import FIXTURE_RATE_HZ, entry_text
from bench.audio.formats import resample_float, to_pcm16
from bench.audio.level import sliding_rms
from bench.audio.wav import decode_audio, read_bytes, wav_bytes

ACCENTS = {"rms": "us", "slt": "us", "awb": "scottish", "kal16": "us"}
VOICES = {"rms": "cmu_us_rms", "slt": "cmu_us_slt", "awb": "cmu_us_awb", "kal16": "cmu_us_kal16"}
SHIPPED_CATALOGUE = shipped_catalogue()
LICENCE = "CMU Flite (permissive, see README.md)"

OTHERS_MARK = "# Written by tools/make_languages.py.\n"  # its entries follow, and stay

# Soft last sounds (a /k/) that the level detector takes for silence.
ENDS_BY_HAND_MS = {"password-login-kal16": 3643, "long-bill-kal16": 14545}
LEAD_MS = 150  # quiet before speech
TAIL_MS = 200  # quiet after it
SPEECH_RMS = 0.1  # -20 dBFS over the stretch of speech: the voices differ by 6 dB as they come
LONGEST_PAUSE_MS = 400  # no fixture may hold a longer one: a server that waits 500 ms must not split the turn
MARGIN_S = 0.03  # how far the phone boundaries are trusted
FADE_S = 0.02


@dataclass(frozen=True, slots=True)
class Utterance:
    """One text and the voices that speak it; a `pause_ms` stretches its widest pause to that length."""

    intent: str
    text: str
    voices: tuple[str, ...]
    pause_ms: int | None = None


ALL = ("rms", "slt", "awb", "kal16")
UTTERANCES = (
    Utterance("balance", "What is the balance of my checking account?", ALL),
    Utterance("order-status", "Where is my order? It should have arrived yesterday.", ALL),
    Utterance("appointment", "I would like to make an appointment for Tuesday morning.", ALL),
    Utterance("password-reset", "I forgot my password and I need to reset it.", ALL),
    Utterance("cancel-refund", "I want to cancel my order and get a refund.", ALL),
    Utterance("plan-prices", "What is the price of your cheapest plan?", ALL),
    Utterance("opening-hours", "What are your opening hours on Saturday?", ALL),
    Utterance("balance-savings", "How much money do I have in my savings account?", ("slt", "kal16")),
    Utterance("order-number", "My order number is four five seven nine one.", ("rms", "awb")),
    Utterance("appointment-move", "Can I move my appointment to Friday afternoon?", ("rms", "awb")),
    Utterance("appointment-cancel", "Please cancel my appointment for tomorrow.", ("slt",)),
    Utterance("password-login", "I cannot get into my account because my password does not work.", ("awb", "kal16")),
    Utterance("refund-when", "How long does it take to get my money back?", ("rms",)),
    Utterance("cancel-plan", "Please cancel my plan at the end of the month.", ("awb", "kal16")),
    Utterance("plan-family", "How much does the family plan cost each month?", ("kal16",)),
    Utterance("hours-friday", "When do you close on Friday?", ("slt", "awb")),
    Utterance("digits-card", "The last four digits are three eight zero six.", ("rms", "kal16")),
    Utterance("digits-account", "My account number is five five one, zero three two, nine eight four.", ("slt", "awb")),
    Utterance("digits-phone", "My phone number is five five five, two one seven eight.", ("awb",)),
    Utterance("spelled-code", "My booking code is B, R, five, one, nine.", ("slt",)),
    Utterance("spelled-name", "My name is Baker. That is B, A, K, E, R.", ("rms",)),
    Utterance("spelled-letters", "The letters are A, B, C.", ("awb",)),
    Utterance("yes", "Yes.", ("rms", "slt")),
    Utterance("no-wrong", "No, that is not what I asked for.", ("kal16",)),
    Utterance("agent", "I want to talk to a person.", ("awb",)),
    Utterance("agent-real", "Can I speak to a real person, please?", ("slt",)),
    Utterance("card-lost", "I lost my credit card and I need a new one.", ("slt",)),
    Utterance("payment", "Can I pay twenty five dollars now and the rest next month?", ("rms",)),
    Utterance("pause-appointment", "I would like to change my appointment, if that is possible.", ("rms", "slt"), 300),
    Utterance(
        "long-order",
        "Hello, I ordered a new phone two weeks ago and it has not arrived. I called last Monday and they told me that "
        "it was on the way, but I have not heard anything since then. Can you please tell me where it is, and when I "
        "can expect it?",
        ("rms",),
    ),
    Utterance(
        "long-bill",
        "Good morning. I am looking at my bill for last month and it is twenty dollars higher than it should be. I did "
        "not change my plan, and I did not make any calls to other countries, so I would like to know what this charge "
        "is for and how I can get my money back.",
        ("kal16",),
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the speech fixtures, or measure how well they are recognised.")
    parser.add_argument("--wer", action="store_true", help="recognise the fixtures with pocketsphinx, print the WER")
    parser.add_argument("--out", type=Path, default=SHIPPED_CATALOGUE.parent, help="folder of the fixtures")
    options = parser.parse_args()
    if options.wer:
        return print_wer(options.out / SHIPPED_CATALOGUE.name)
    if shutil.which("flite") is None:
        sys.exit("the program flite is not installed (Debian: apt install flite)")
    return make_all(options.out)


def make_all(folder: Path) -> int:
    """Write every fixture and the catalogue; files that nothing names any more are only reported."""
    folder.mkdir(parents=True, exist_ok=True)
    version = subprocess.run(["flite", "--version"], capture_output=True, text=True, check=False).stdout
    release = next((word.removeprefix("flite-") for word in version.split() if word.startswith("flite-")), "")
    fixtures = []
    for utterance in UTTERANCES:
        for voice in utterance.voices:
            fixtures.append(make_one(utterance, voice, folder, release))
            print(f"{fixtures[-1].id:28} {fixtures[-1].duration_ms / 1000:6.2f} s")
    header = (
        "# Written by tools/make_fixtures.py; times are milliseconds from the first sample of the file.\nfixtures:\n"
    )
    body = "\n".join(entry_text(fixture, folder) for fixture in fixtures)
    others = OTHERS_MARK + SHIPPED_CATALOGUE.read_text(encoding="utf-8").partition(OTHERS_MARK)[2]
    (folder / SHIPPED_CATALOGUE.name).write_text(f"{header}{body}\n{others}", encoding="utf-8")
    unnamed = sorted({path.name for path in folder.glob("*.wav")} - {fixture.file.name for fixture in fixtures})
    total_mb = sum(fixture.file.stat().st_size for fixture in fixtures) / 1e6
    print(f"{len(fixtures)} fixtures, {total_mb:.1f} MB" + (f"; not in the catalogue: {unnamed}" if unnamed else ""))
    return 0


def make_one(utterance: Utterance, voice: str, folder: Path, release: str) -> Fixture:
    """Speak, frame with quiet, level, annotate and write one fixture."""
    spoken = framed(level(synthesise(utterance.text, voice)))
    if utterance.pause_ms is not None:
        spoken = with_pause(spoken, utterance.pause_ms)
    pcm, _ = to_pcm16(spoken)
    span = speech_span(pcm, FIXTURE_RATE_HZ)
    if span is None:
        sys.exit(f"{utterance.intent}-{voice}: no speech in what flite made")
    longest_ms = max((end - start for start, end in pauses(spoken)), default=0)
    if longest_ms > LONGEST_PAUSE_MS:
        sys.exit(f"{utterance.intent}-{voice}: a pause of {longest_ms} ms; allowed {LONGEST_PAUSE_MS}")
    data = wav_bytes(pcm, FIXTURE_RATE_HZ)
    file = folder / f"{utterance.intent}-{voice}.wav"
    if not file.exists() or file.read_bytes() != data:
        file.write_bytes(data)
    by_hand_ms = ENDS_BY_HAND_MS.get(file.stem)
    return Fixture(
        id=file.stem,
        file=file,
        text=utterance.text,
        language="en",
        accent=ACCENTS[voice],
        voice=voice,
        duration_ms=round(len(pcm) * 1000 / FIXTURE_RATE_HZ, 3),
        speech_start_ms=round(span.start_ms, 3),
        speech_end_ms=round(span.end_ms, 3) if by_hand_ms is None else by_hand_ms,
        annotated=UNKNOWN if by_hand_ms is None else BY_HAND,
        sha256=hashlib.sha256(data).hexdigest(),
        source=" ".join(f"flite {release} voice {VOICES[voice]}".split()),
        licence=LICENCE,
        caller="synthetic",
    )


def synthesise(text: str, voice: str) -> NDArray[np.float64]:
    """What flite says, at the fixtures' rate, silent outside its own first and last phone.

    The recordings behind the voices carry breath and clicks in their pauses; a fixture must not.
    """
    with tempfile.TemporaryDirectory() as scratch:
        wav = Path(scratch) / "spoken.wav"
        done = subprocess.run(
            ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(wav)], capture_output=True, text=True, check=True
        )
        samples, rate_hz = decode_audio(read_bytes(wav), wav)
    ends = [(name, float(end)) for name, _, end in (word.partition(":") for word in done.stdout.split())]
    spoken = [index for index, (name, _) in enumerate(ends) if name != "pau"]
    begin_s = (ends[spoken[0] - 1][1] if spoken[0] else 0.0) - MARGIN_S
    end_s = ends[spoken[-1]][1] + MARGIN_S
    at_s = np.arange(len(samples)) / rate_hz
    gate = np.clip((at_s - begin_s + FADE_S) / FADE_S, 0, 1) * np.clip((end_s + FADE_S - at_s) / FADE_S, 0, 1)
    return resample_float(samples * gate, rate_hz, FIXTURE_RATE_HZ)


def level(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same speech with an RMS of `SPEECH_RMS` between its first and last sound."""
    begin, end = sounding(samples)
    rms = float(np.sqrt(np.mean(samples[begin:end] ** 2)))
    return samples * (SPEECH_RMS / rms)


def framed(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same speech with `LEAD_MS` before its first sound and `TAIL_MS` after its last."""
    begin, end = sounding(samples)
    lead, tail = LEAD_MS * FIXTURE_RATE_HZ // 1000, TAIL_MS * FIXTURE_RATE_HZ // 1000
    padded = np.concatenate((np.zeros(lead), samples, np.zeros(tail)))
    return padded[begin : end + lead + tail]


def sounding(samples: NDArray[np.float64]) -> tuple[int, int]:
    """First and one past last sample of speech, as the annotation will have it."""
    span = speech_span(to_pcm16(samples)[0], FIXTURE_RATE_HZ)
    if span is None:
        sys.exit("flite made no sound")
    return round(span.start_ms * FIXTURE_RATE_HZ / 1000), round(span.end_ms * FIXTURE_RATE_HZ / 1000)


def pauses(samples: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Start and end, in ms, of every stretch within speech that stays 35 dB under its loudest 10 ms."""
    levels = sliding_rms(samples, FIXTURE_RATE_HZ // 100, FIXTURE_RATE_HZ // 1000)
    loud = np.flatnonzero(levels >= levels.max() * 10 ** (-35 / 20))
    return [(int(a), int(b)) for a, b in pairwise(loud) if b - a > 20]


def with_pause(samples: NDArray[np.float64], pause_ms: int) -> NDArray[np.float64]:
    """The same speech with its widest pause made `pause_ms` long by silence in its middle."""
    start, end = max(pauses(samples), key=lambda pause: pause[1] - pause[0])
    middle = (start + end) // 2 * FIXTURE_RATE_HZ // 1000
    extra = max(0, pause_ms - (end - start)) * FIXTURE_RATE_HZ // 1000
    return np.concatenate((samples[:middle], np.zeros(extra), samples[middle:]))


def print_wer(catalogue: Path) -> int:
    """Recognise every fixture with pocketsphinx's own English model and print the pooled WER, whole and by group."""
    import jiwer
    from pocketsphinx import Decoder
    from whisper_normalizer.english import EnglishTextNormalizer

    normalise = EnglishTextNormalizer()
    decoder = Decoder(samprate=16_000, loglevel="FATAL")
    counted: list[tuple[Fixture, int, int]] = []
    for fixture in load_catalogue(catalogue).fixtures.values():
        pcm = fixture.load_pcm(16_000)
        decoder.start_utt()
        decoder.process_raw(pcm.tobytes(), full_utt=True)
        decoder.end_utt()
        heard = decoder.hyp().hypstr if decoder.hyp() is not None else ""
        result = jiwer.process_words(normalise(fixture.text), normalise(heard))
        errors = result.substitutions + result.deletions + result.insertions
        words = result.substitutions + result.deletions + result.hits
        counted.append((fixture, errors, words))
        print(f"{fixture.id:28} {errors:2}/{words:2}  {heard if errors else ''}")
    for title, rows in grouped(counted):
        errors, words = sum(row[1] for row in rows), sum(row[2] for row in rows)
        print(f"{title:28} {errors}/{words} words = {100 * errors / words:.1f} %")
    return 0


def grouped(rows: list[tuple[Fixture, int, int]]) -> Iterator[tuple[str, list[tuple[Fixture, int, int]]]]:
    def of(names: Iterable[str], title: str, attribute: str) -> Iterator[tuple[str, list[tuple[Fixture, int, int]]]]:
        for name in sorted(names):
            yield f"{title} {name}", [row for row in rows if getattr(row[0], attribute) == name]

    yield from of({row[0].voice for row in rows}, "voice", "voice")
    yield from of({row[0].accent for row in rows}, "accent", "accent")
    yield "pooled", rows


if __name__ == "__main__":
    sys.exit(main())
