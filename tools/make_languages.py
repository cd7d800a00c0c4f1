"""Make the fixtures in other languages, and in more accents of English, again: text in this file, spoken by espeak-ng.

espeak-ng comes with the package `espeakng_loader`, so that no program is needed. Writes one 24 kHz mono PCM16 WAV for
each text and voice into `fixtures/audio/`, and their entries at the end of `catalogue.yaml`; the same bytes every time.
Trap: they are synthetic. A WER by accent of these voices says that the pipeline tells accents apart, and nothing of how
well people with such an accent are understood. And espeak-ng stops a last vowel at once, as no mouth does.

    python tools/make_languages.py
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
from make_fixtures import LEAD_MS, LONGEST_PAUSE_MS, TAIL_MS, level, pauses, sounding
from numpy.typing import NDArray

from bench.audio.annotate import speech_span
from bench.audio.catalogue import Fixture, shipped_catalogue
from bench.audio.fixtures_cli import FIXTURE_RATE_HZ, entry_text
from bench.audio.formats import resample_float, to_pcm16
from bench.audio.level import to_float
from bench.audio.wav import wav_bytes
from bench.server.engines.synthesiser import Synthesiser

ROOM_MS, WET = 90, 0.7  # of the echo, and its loudness beside the voice
ROOM = 10 ** (-66 / 20)  # quiet noise throughout, as a microphone has it
MARK = "# Written by tools/make_languages.py.\n"
SHIPPED_CATALOGUE = shipped_catalogue()
LICENCE = "CC0-1.0"
ENGLISH = {
    "balance": "What is the balance of my checking account?",
    "order-number": "My order number is four five seven nine one.",
    "appointment": "I would like to make an appointment for Tuesday morning.",
}
ACCENTS = {
    "scotland": ("scottish", "en-gb-scotland"),
    "rp": ("received-pronunciation", "en-gb-x-rp"),
    "lancaster": ("lancaster", "en-gb-x-gbclan"),
    "caribbean": ("caribbean", "en-029"),
    "nyc": ("new-york", "en-us-nyc"),
}
NAMES = {
    "name-oneill": "My name is Siobhan O'Neill.",
    "name-garcia": "This is Maria Garcia, I called this morning.",
}
OTHERS: dict[str, tuple[str, dict[str, str]]] = {
    "es": ("es", {
        "balance": "¿Cuál es el saldo de mi cuenta corriente?",
        "order-number": "Mi número de pedido es cuatro cinco siete nueve uno.",
        "appointment": "Quisiera cambiar mi cita para el viernes por la tarde.",
    }),
    "fr": ("fr", {
        "balance": "Quel est le solde de mon compte courant ?",
        "order-number": "Mon numéro de commande est quatre cinq sept neuf un.",
        "appointment": "Je voudrais changer mon rendez-vous pour vendredi matin.",
    }),
    "de": ("de", {
        "balance": "Wie hoch ist der Stand meines Girokontos?",
        "order-number": "Meine Bestellnummer ist vier fünf sieben neun eins.",
        "appointment": "Ich möchte meinen Termin auf Freitag Nachmittag verschieben.",
    }),
    "it": ("it", {
        "balance": "Qual è il saldo del mio conto corrente?",
        "order-number": "Il mio numero di ordine è quattro cinque sette nove uno.",
        "appointment": "Vorrei spostare il mio appuntamento a venerdì pomeriggio.",
    }),
    "pt": ("pt-br", {
        "balance": "Qual é o saldo da minha conta corrente?",
        "order-number": "O número do meu pedido é quatro cinco sete nove um.",
        "appointment": "Gostaria de mudar a minha consulta para sexta de manhã.",
    }),
    "zh": ("cmn", {
        "balance": "我的账户里还有多少钱？",
        "order-where": "我的订单在哪里？应该昨天就到了。",
        "appointment": "我想把预约改到星期五下午。",
        "password": "我忘记了密码，没有办法登录。",
    }),
}  # fmt: skip
SWITCHED = {
    "switch-es-plan": ("es", "es", "Quiero cancelar mi family plan este mes, por favor."),
    "switch-es-password": ("es", "es", "No me acuerdo de mi password y necesito un reset."),
    "switch-de-order": ("de", "de", "Ich möchte meine Order canceln und einen Refund bekommen."),
}
"""Sentences that change between two languages; scored by the rules of the first."""


def main() -> int:
    synthesiser, folder = Synthesiser(), SHIPPED_CATALOGUE.parent
    fixtures = [
        one(synthesiser, folder, f"{intent}-{voice}", text, "en", accent, name)
        for voice, (accent, name) in ACCENTS.items()
        for intent, text in ENGLISH.items()
    ]
    accent, voice = ACCENTS["rp"]
    fixtures += [one(synthesiser, folder, name, text, "en", accent, voice) for name, text in NAMES.items()]
    for language, (name, texts) in OTHERS.items():
        fixtures += [
            one(synthesiser, folder, f"{intent}-{language}", text, language, language, name)
            for intent, text in texts.items()
        ]
    for name, (language, voice, text) in SWITCHED.items():
        fixtures.append(one(synthesiser, folder, name, text, language, f"{language}-en", voice))
    kept = SHIPPED_CATALOGUE.read_text(encoding="utf-8").partition(MARK)[0].rstrip("\n")
    body = "\n".join(entry_text(fixture, folder) for fixture in fixtures)
    SHIPPED_CATALOGUE.write_text(f"{kept}\n\n{MARK}{body}", encoding="utf-8")
    print(f"{len(fixtures)} fixtures, {sum(each.file.stat().st_size for each in fixtures) / 1e6:.1f} MB")
    return 0


def one(
    synthesiser: Synthesiser, folder: Path, name: str, text: str, language: str, accent: str, voice: str
) -> Fixture:
    """Speak, frame with quiet, level, annotate and write one fixture."""
    spoken = in_a_room(level(said(synthesiser, text, voice)), seed=len(text))
    longest_ms = max((end - start for start, end in pauses(spoken)), default=0)
    if longest_ms > LONGEST_PAUSE_MS:
        sys.exit(f"{name}: a pause of {longest_ms} ms; allowed {LONGEST_PAUSE_MS}")
    pcm, _ = to_pcm16(spoken)
    span = speech_span(pcm, FIXTURE_RATE_HZ)
    if span is None:
        sys.exit(f"{name}: no speech in what espeak-ng made")
    data = wav_bytes(pcm, FIXTURE_RATE_HZ)
    file = folder / f"{name}.wav"
    file.write_bytes(data)
    return Fixture(
        id=name,
        file=file,
        text=text,
        language=language,
        accent=accent,
        voice=f"espeak-{voice}",
        duration_ms=round(len(pcm) * 1000 / FIXTURE_RATE_HZ, 3),
        speech_start_ms=round(span.start_ms, 3),
        speech_end_ms=round(span.end_ms, 3),
        sha256=hashlib.sha256(data).hexdigest(),
        source=f"espeak-ng voice {voice}, spoken by tools/make_languages.py",
        licence=LICENCE,
        caller="synthetic",
    )


def in_a_room(speech: NDArray[np.float64], *, seed: int) -> NDArray[np.float64]:
    """`speech` amid quiet noise, cut to the usual quiet before and after what is heard of it then."""
    quiet = np.zeros(FIXTURE_RATE_HZ)
    samples = np.concatenate((quiet, speech, quiet))
    samples = samples + ROOM * np.random.default_rng(seed).standard_normal(len(samples))
    begin, end = sounding(samples)
    return samples[begin - LEAD_MS * FIXTURE_RATE_HZ // 1000 : end + TAIL_MS * FIXTURE_RATE_HZ // 1000]


def said(synthesiser: Synthesiser, text: str, voice: str) -> NDArray[np.float64]:
    """What espeak-ng says with a voice of its own, at the fixtures' rate."""
    samples = to_float(synthesiser.say(text, voice=voice, speed=1.0))
    # espeak-ng stops a last sound at once: a small room lets it die away.
    length = synthesiser.rate_hz * ROOM_MS // 1000
    echo = np.random.default_rng(1).standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    echo *= WET / float(np.sqrt((echo**2).sum()))
    echo[0] += 1.0
    samples = np.convolve(samples, echo)
    return resample_float(samples, synthesiser.rate_hz, FIXTURE_RATE_HZ)


if __name__ == "__main__":
    sys.exit(main())
