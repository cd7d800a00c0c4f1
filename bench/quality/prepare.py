"""A set of questions made ready to be asked: recordings, a catalogue of them, and a scenario, in one folder.

In: questions, and a voice or a folder of recordings. Out: files. Trap: a recording is rendered once and kept, so that
runs of different agents ask with the same sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from bench.audio.catalogue import load_catalogue
from bench.audio.formats import AudioFormat, resample_float, to_pcm16
from bench.audio.wav import wav_bytes
from bench.errors import BenchError
from bench.quality.questions import Question
from bench.server.engines.synthesiser import Synthesiser

LEAD_MS, TAIL_MS = 150, 250
ROOM_MS, WET, NOISE, LEVEL = 90, 0.3, 2e-5, 0.6
INSTRUCTIONS = (
    "You answer questions on the telephone. Answer in one short sentence that names the answer: a number in digits, or "
    "the words that were asked for. If you are not sure, give your best answer."
)
RATE_HZ = AudioFormat.PCM16.rate_hz


def prepare(
    questions: Sequence[Question], folder: Path, *, name: str, voice: str = "alloy", recordings: Path | None = None
) -> Path:
    """Write everything into `folder`; returns the scenario. Raises `BenchError` where a recording is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    spoken = _found(questions, recordings) if recordings is not None else _rendered(questions, folder, voice)
    entries = [
        {"id": each.id, "file": file, "text": each.text, "language": "en", "voice": "recorded" if recordings else voice}
        for each, file in zip(questions, spoken, strict=True)
    ]
    _write(folder / "catalogue.yaml", {"fixtures": entries})
    load_catalogue(folder / "catalogue.yaml")
    scenario = folder / "scenario.yaml"
    _write(scenario, scenario_of(questions, name))
    return scenario


def scenario_of(questions: Sequence[Question], name: str) -> dict[str, Any]:
    """Every question once, one to a call."""
    return {
        "name": name,
        "description": f"{len(questions)} spoken questions, one to a call; task success is the accuracy.",
        "fixtures": "catalogue.yaml",
        "session": {"instructions": INSTRUCTIONS},
        "conversation": [
            {
                "say": [each.id for each in questions],
                "choose": "in_turn",
                "expect_each": {each.id: dict(each.expect) for each in questions},
            }
        ],
        "load": {"callers": min(4, len(questions)), "sessions": len(questions)},
    }


def _rendered(questions: Iterable[Question], folder: Path, voice: str) -> list[str]:
    """Each question spoken by espeak-ng, with a little silence around it."""
    synthesiser = Synthesiser()
    found = []
    for each in questions:
        spoken = in_a_room(synthesiser.say(each.text, voice=voice, speed=1.0), synthesiser.rate_hz)
        padded = np.pad(spoken, (LEAD_MS * RATE_HZ // 1000, TAIL_MS * RATE_HZ // 1000))
        padded = padded + NOISE * np.random.default_rng(len(each.text)).standard_normal(len(padded))
        (folder / f"{each.id}.wav").write_bytes(wav_bytes(to_pcm16(padded)[0], RATE_HZ))
        found.append(f"{each.id}.wav")
    return found


def in_a_room(pcm: NDArray[np.int16], rate_hz: int) -> NDArray[np.float64]:
    """Speech at `RATE_HZ` in a small room: espeak-ng stops a last sound at once, as no mouth does."""
    length = rate_hz * ROOM_MS // 1000
    echo = np.random.default_rng(1).standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    echo *= WET / float(np.sqrt((echo**2).sum()))
    echo[0] += 1.0
    return resample_float(LEVEL * np.convolve(pcm / 32_768.0, echo), rate_hz, RATE_HZ)


def _found(questions: Iterable[Question], recordings: Path) -> list[str]:
    files = {each.id: recordings / f"{each.id}.wav" for each in questions}
    missing = [str(file) for file in files.values() if not file.is_file()]
    if missing:
        raise BenchError(
            f"{len(missing)} recordings are missing, such as {missing[0]}", hint="a recording is called ID.wav"
        )
    return [str(file.resolve()) for file in files.values()]


def _write(path: Path, body: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(dict(body), sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
