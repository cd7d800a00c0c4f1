"""Whether the end of speech in a recording can be believed: what both detectors say, and what else points against it.

In: samples and the words that are said. Out: a `Judgement`: the span, and findings in numbers, doubts or refusals.
Trap: two detectors that agree are no proof. A knock, a breath or a beep after the speech is sound to one and voice to
the other; so the last piece of sound is looked at by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.audio.annotate import AGREEMENT_MS, HeardLevel, SpeechSpan, heard_level, high_passed, vad_span
from bench.audio.formats import to_pcm16
from bench.audio.level import to_float
from bench.audio.references import notes_in
from bench.audio.speaking_rate import syllables_per_s
from bench.audio.voicing import HOP_MS, Voicing, voicing

VERSION = 1
"""Raised whenever a judgement may change: cached ones of another version are not used."""

# Bounds. Over the 62 shipped recordings, clean, the worst value of each is in brackets.
REFUSED_MS = 300.0  # the detectors differ by more than any soft ending explains
NEAR_BACKGROUND_DB = 45.5  # [46.5] with less between speech and background, a soft ending begins to drown
EDGE_MS = 25.0  # [150]
LEAST_AFTER_MS = 95.0  # [200] the closure before a final /t/ is shorter
APART_MS = 100.0  # a piece of sound after such a gap is looked at by itself; a closure before /t/ or /k/ is shorter
BESIDE_MS = 55.0  # after such a gap, if it is loud and has no pitch
QUIETER_DB = 20.0
LOUD_BURST_DB = 19.0  # a final /t/ or /k/ is softer against the loudest vowel
SHORTEST_WORD_MS = 60.0
LONG_PAUSE_MS = 450.0  # [300] a server that waits 500 ms takes it for the end of the turn
UNVOICED_MS = 250.0  # [189] the longest hiss that ends a word
VOICED_AFTER_MS = 60.0
NARROW_HZ, NARROW_SHARE = 3_900.0, 1e-5
VOICELESS, VOICELESS_ENDS = "sfxzcktpß", ("ce", "se", "ze", "ch", "sh", "th", "ke", "te")
VOICELESS_MS = 45.0  # of a sound without pitch at the end
VOICED_ON_MS = 50.0  # [40]
FADES = ((10.0, 60.0), (15.0, 110.0))  # [50, 90] so many dB lower, the sound goes on so long
KNOCK_MS = 300.0  # a piece this short, loudest at its very beginning, has pitch in half of it if it is a word
KNOCK_ATTACK_MS = 30
FLAT_DB, FLAT_APART_MS = 2.0, 200.0
DYING_MS = 100.0  # [90] of voice at more than 20 dB under the loudest, within the last 400 ms
TONE_SHARE = 0.85  # [0.71]
DOUBTFUL_VOICED = 0.2  # [0.51]
CLIPPED_SHARE = 0.0005  # [0]
TOO_FAST, FAST, SLOW = 12.0, 9.5, 0.3  # syllables a second [2.1 to 6.3]

Gravity = Literal["refusal", "doubt"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason not to believe an annotation, in words and numbers."""

    gravity: Gravity
    message: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was heard in a recording, and what speaks against it."""

    duration_ms: float
    level: SpeechSpan | None
    vad: SpeechSpan | None
    findings: tuple[Finding, ...]
    ends_ms: tuple[float, float] | None = None
    """Where level would put the end, were its threshold 6 dB higher and 10 dB lower: how sharp the end is."""

    @property
    def refusals(self) -> tuple[str, ...]:
        return tuple(finding.message for finding in self.findings if finding.gravity == "refusal")

    @property
    def doubts(self) -> tuple[str, ...]:
        return tuple(finding.message for finding in self.findings if finding.gravity == "doubt")


def judge(pcm: NDArray[np.int16], rate_hz: int, text: str = "") -> Judgement:
    """Look at a recording with both detectors and for every sign that they are fooled."""
    duration_ms = len(pcm) * 1000 / rate_hz
    heard = heard_level(pcm, rate_hz)
    filtered = high_passed(to_float(pcm), rate_hz)
    # rumble is speech to the voice detector
    model = vad_span(to_pcm16(filtered)[0], rate_hz)
    if heard is None:
        return Judgement(
            duration_ms,
            None,
            model,
            (Finding("refusal", "no speech found: the energy detector finds no speech, only silence or a click"),),
        )
    look = _Look(pcm, rate_hz, duration_ms, heard, model, voicing(filtered, rate_hz), text)
    found = [*_detectors(look), *_kind(look), *_edges(look), *_background(look), *_last_piece(look), *_tail(look)]
    found += [*_words(look), *_clipping(look), *_notes(text)]
    sharper, softer = (heard_level(pcm, rate_hz, raise_db=by_db) for by_db in (6.0, -10.0))
    end = heard.span.end_ms
    ends = (sharper.span.end_ms if sharper else end, softer.span.end_ms if softer else end)
    return Judgement(duration_ms, heard.span, model, tuple(found), ends)


def _notes(text: str) -> list[Finding]:
    notes = notes_in(text)
    if not notes:
        return []
    said = f"the text holds {', '.join(notes[:3])}: text in such brackets is left out when words are compared"
    return [Finding("doubt", said)]


@dataclass(frozen=True, slots=True)
class _Look:
    """What every sign is judged from."""

    pcm: NDArray[np.int16]
    rate_hz: int
    duration_ms: float
    heard: HeardLevel
    model: SpeechSpan | None
    voice: Voicing
    text: str

    @property
    def span(self) -> SpeechSpan:
        return self.heard.span

    @property
    def background_db(self) -> float | None:
        """The level outside the speech; None when the recording holds nothing but speech."""
        levels = self.voice.level_db
        first, last = int(self.span.start_ms // HOP_MS), int(self.span.end_ms // HOP_MS)
        outside = np.concatenate((levels[: max(0, first - 3)], levels[last + 4 :]))
        return float(np.percentile(outside, 75)) if len(outside) >= 5 else None

    def part(self, values: NDArray[np.bool_], start_ms: float, end_ms: float) -> float:
        return float(values[self.voice.within(start_ms, end_ms)].mean())

    def loudest_db(self, start_ms: float, end_ms: float) -> float:
        return float(self.voice.level_db[self.voice.within(start_ms, end_ms)].max(initial=-120.0))


def _detectors(look: _Look) -> list[Finding]:
    if look.model is None:
        return [Finding("refusal", "the voice detector finds no speech")]
    level, model = look.span.end_ms, look.model.end_ms
    apart = abs(level - model)
    if apart <= AGREEMENT_MS:
        return []
    said = f"the detectors disagree about the end of speech by {apart:,.0f} ms: "
    said += f"level says {level:,.0f} ms, voice detector says {model:,.0f} ms (allowed: {AGREEMENT_MS:g})"
    return [Finding("refusal" if apart > REFUSED_MS else "doubt", said)]


def _kind(look: _Look) -> list[Finding]:
    """Whether it is a voice at all."""
    tonal = look.part(look.voice.tonal, look.span.start_ms, look.span.end_ms)
    voiced = look.part(look.voice.voiced, look.span.start_ms, look.span.end_ms)
    if tonal >= TONE_SHARE:
        return [Finding("refusal", f"{100 * tonal:.0f} % of it is a pure tone, not a voice")]
    if voiced < DOUBTFUL_VOICED:
        # a whisper has no pitch either, so this alone is no refusal
        said = f"only {100 * voiced:.0f} % of what sounds like speech has the pitch of a voice: noise, or a whisper?"
        return [Finding("doubt", said)]
    return []


def _edges(look: _Look) -> list[Finding]:
    found = []
    left_ms = look.duration_ms - look.span.end_ms
    if left_ms <= EDGE_MS:
        found.append(f"speech runs to {left_ms:,.0f} ms before the end of the file: the last words may be cut off")
    elif left_ms <= LEAST_AFTER_MS:
        found.append(f"only {left_ms:,.0f} ms of the file follow the end of speech: a last sound may be cut off")
    if look.span.start_ms <= EDGE_MS:
        found.append(f"speech begins {look.span.start_ms:,.0f} ms after the start of the file: it may be cut off")
    return [Finding("doubt", said) for said in found]


def _background(look: _Look) -> list[Finding]:
    background = look.background_db
    if background is None or look.heard.peak_db - background >= NEAR_BACKGROUND_DB:
        return []
    apart = look.heard.peak_db - background
    return [
        Finding(
            "doubt",
            f"the background is {apart:.0f} dB under the loudest speech (asked for: {NEAR_BACKGROUND_DB:.0f}): a soft "
            f"ending is lost in it, and the end at {look.span.end_ms:,.0f} ms may be some 100 ms early or late",
        )
    ]


def _last_piece(look: _Look) -> list[Finding]:
    pieces = look.heard.pieces
    for at in range(len(pieces) - 1, 0, -1):
        before, first, last = pieces[at - 1], pieces[at], pieces[-1]
        gap = first.start_ms - before.end_ms
        if gap < BESIDE_MS:
            continue
        found = _suspicion(look, gap, first.start_ms, last.end_ms)
        if found:
            said = (
                f"the last piece of sound, {first.start_ms:,.0f} to {last.end_ms:,.0f} ms, comes {gap:,.0f} ms after "
            )
            said += f"the rest and {found}; without it speech ends at {before.end_ms:,.0f} ms"
            return [Finding("doubt", said)]
    return []


def _suspicion(look: _Look, gap_ms: float, start_ms: float, end_ms: float) -> str | None:
    """What is odd about the sound between two times, if anything."""
    rest_db = look.loudest_db(look.span.start_ms, start_ms - gap_ms)
    under_db = rest_db - look.loudest_db(start_ms, end_ms)
    voiced = look.part(look.voice.voiced, start_ms, end_ms)
    if gap_ms < APART_MS:
        return "is a loud burst without pitch (a key or a knock?)" if not voiced and under_db < LOUD_BURST_DB else None
    if _is_tone(look, start_ms, end_ms):
        return "is a tone (a beep?)"
    levels = look.voice.level_db[look.voice.within(start_ms, end_ms)]
    knock = end_ms - start_ms < KNOCK_MS and int(levels.argmax()) * HOP_MS <= KNOCK_ATTACK_MS
    if gap_ms >= FLAT_APART_MS and end_ms - start_ms >= 100 and _is_flat(look, start_ms, end_ms):
        return "is of one loudness, as no voice is (a tone?)"
    if voiced < (0.5 if knock else 0.25):
        return "has no pitch (a breath, a cough or a knock?)"
    if end_ms - start_ms < SHORTEST_WORD_MS:
        return f"lasts only {end_ms - start_ms:,.0f} ms"
    if under_db >= QUIETER_DB:
        return f"is {under_db:.0f} dB softer (someone else?)"
    if gap_ms >= LONG_PAUSE_MS:
        return "so a server that waits 500 ms takes the pause for the end of the turn"
    return None


def _is_tone(look: _Look, start_ms: float, end_ms: float) -> bool:
    # the frames at its edges are half silence
    inner = look.voice.within(start_ms + 20, max(end_ms - 20, start_ms + 30))
    levels = look.voice.level_db[inner]
    return bool(look.voice.tonal[inner].mean() >= TONE_SHARE and len(levels) > 1 and np.ptp(levels) < 3.0)


def _is_flat(look: _Look, start_ms: float, end_ms: float) -> bool:
    levels = look.voice.level_db[look.voice.within(start_ms + 30, max(end_ms - 30, start_ms + 40))]
    return len(levels) >= 4 and bool(np.ptp(levels) < FLAT_DB)


def _tail(look: _Look) -> list[Finding]:
    """What lies between the last pitch and the end, and what goes on after it."""
    found: list[Finding] = []
    loud = look.voice.level_db >= look.heard.peak_db - 32
    pitched = np.flatnonzero(look.voice.voiced & loud)
    end = look.span.end_ms
    if len(pitched):
        unvoiced = end - float(pitched[-1]) * HOP_MS
        if unvoiced > UNVOICED_MS and not _last_piece(look):
            said = f"the last {unvoiced:,.0f} ms have no pitch: a breath or noise? The last voice is at "
            found.append(Finding("doubt", f"{said}{end - unvoiced:,.0f} ms"))
        if unvoiced < -VOICED_AFTER_MS:
            found.append(Finding("doubt", f"something with pitch is heard {-unvoiced:,.0f} ms after the end of speech"))
    if len(pitched) and end - float(pitched[-1]) * HOP_MS < VOICELESS_MS and _is_narrow(look) and _ends_voiceless(look):
        last = look.text.rstrip(" .,!?\"')")[-1]
        said = (
            f"it holds nothing above {NARROW_HZ / 1000:g} kHz, and the end is voiced though the text ends in {last!r}"
        )
        found.append(Finding("doubt", f"{said}: a final hiss may be missing, up to 200 ms after {end:,.0f} ms"))
    return [*found, *_fade(look)]


def _is_narrow(look: _Look) -> bool:
    """Whether a recording came through a telephone: what lies above is not in it."""
    if look.rate_hz <= 2 * NARROW_HZ:
        return True
    power = np.abs(np.fft.rfft(look.pcm.astype(np.float64))) ** 2
    first = int(len(power) * NARROW_HZ * 1.1 / (look.rate_hz / 2))
    return bool(power[first:].sum() < NARROW_SHARE * power.sum())


def _ends_voiceless(look: _Look) -> bool:
    letters = [letter for letter in look.text.lower() if letter.isalpha()]
    return bool(letters) and (letters[-1] in VOICELESS or "".join(letters[-2:]) in VOICELESS_ENDS)


def _fade(look: _Look) -> list[Finding]:
    """Sound that goes on under the threshold without a break, and then ends: a fade, an echo, a hiss too soft."""
    first = int(look.span.end_ms // HOP_MS) + 1
    levels, voiced = look.voice.level_db[first:], look.voice.voiced[first:]
    for lower_db, bound_ms in FADES:
        soft = np.flatnonzero(levels < look.heard.threshold_db - lower_db)
        if len(soft) and soft[0] * HOP_MS >= bound_ms:
            said = f"the sound fades out: {lower_db:.0f} dB lower it ends about {soft[0] * HOP_MS:,.0f} ms later"
            return [Finding("doubt", said)]
    last = look.voice.within(look.span.end_ms - 400, look.span.end_ms)
    dying = float((look.voice.voiced[last] & (look.voice.level_db[last] < look.heard.peak_db - 20)).sum()) * HOP_MS
    if dying >= DYING_MS:
        return [Finding("doubt", f"the voice fades out: {dying:,.0f} ms of it are more than 20 dB under the loudest")]
    mute = np.flatnonzero(~voiced | (levels < look.heard.threshold_db - 30))
    more = int(mute[0] if len(mute) else len(voiced)) * HOP_MS
    if more >= VOICED_ON_MS and look.background_db is not None:
        return [Finding("doubt", f"the voice fades out: its pitch goes on for {more:,.0f} ms after the end")]
    return []


def _words(look: _Look) -> list[Finding]:
    rate = syllables_per_s(look.text, look.span.end_ms - look.span.start_ms)
    if rate is None or SLOW <= rate <= FAST:
        return []
    said = f"the text has about {rate:,.1f} syllables for each second of speech; people speak 2 to 8"
    if rate > FAST:
        said += ": is the recording cut off, or the text another one's?"
        return [Finding("refusal" if rate > TOO_FAST else "doubt", said)]
    return [Finding("doubt", f"{said}: is there more in it than the text says?")]


def _clipping(look: _Look) -> list[Finding]:
    top = int(np.abs(look.pcm.astype(np.int32)).max(initial=0))
    flat = np.abs(look.pcm.astype(np.int32)) >= top - 1
    share = float((flat[1:] & flat[:-1]).mean()) if len(flat) > 1 else 0.0
    if top < 1000 or share < CLIPPED_SHARE:
        return []
    return [Finding("doubt", f"{100 * share:.2f} % of its samples are clipped, which makes soft endings louder")]
