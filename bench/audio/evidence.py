"""Whether the end of speech in a recording can be believed: what both detectors say, and what else points against it.

In: samples and the words that are said. Out: a `Judgement`: the span, and findings in numbers, doubts or refusals.
Trap: two detectors that agree are no proof. A breath is sound to one and voice to the other; another speaker is both.
So the text is laid along the sound, and the last piece of sound (`last_piece`) and the way in which it ends
(`endings`) are looked at by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.audio.annotate import AGREEMENT_MS, Levels, SpeechSpan, heard_in, vad_span
from bench.audio.cut_short import cut_short
from bench.audio.edges import edges, misses_burst
from bench.audio.end_range import BURST_WITHIN_MS, EndRange, end_range, fades_until
from bench.audio.endings import endings
from bench.audio.few_bits import few_bits
from bench.audio.formats import to_pcm16
from bench.audio.last_piece import last_piece, stray_bursts
from bench.audio.look import Finding, Look
from bench.audio.references import notes_in
from bench.audio.rooms import echoes
from bench.audio.speaking_rate import syllables_per_s
from bench.audio.voicing import voicing
from bench.audio.word_aligner import BURSTS, HISSES, LastWord, last_word, sounds_at_end

VERSION = 7
"""Raised whenever a judgement may change: cached ones of another version are not used."""

# Bounds. Over the 62 shipped recordings, clean, the worst value of each is in brackets.
REFUSED_MS = 300.0  # the detectors differ by more than any soft ending explains
NEAR_BACKGROUND_DB = 45.5  # [46.5] with less between speech and background, a soft ending begins to drown
# Over 62 recordings that end in a vowel or a nasal, none moved by 30 ms in noise at 34 dB where the end was so sharp.
DROWNING_DB, SHARP_MS = 36.0, 20.0  # with less between them any ending may; and were the threshold 6 dB higher
DOUBTFUL_VOICED = 0.2  # [0.51]
TONE_SHARE = 0.85  # [0.71; up to 1.0 in an /i/ of a high voice, ...
VOICE_GLIDES = 0.1  # ... whose pitch moves]
SOFTER_DB, SOFTER_MS = 6.0, (45.0, 250.0)  # [32] by so much the end moves, were the threshold so much lower
UNSURE_DB, UNSURE_MS = 2.0, 33.0  # [32] it is as uncertain as that
CLIPPED_SHARE = 0.0005  # [0]
AFTER_WORDS_MS = 60.0  # [54] of sound after the last word
AFTER_FOREIGN_WORDS_MS = 90.0  # [54; 64 over 99 % of 205 Russian recordings of a human voice]
LAST_SOUND_SCORE = -75.0  # [-66, where an accent says "mornin'"; above -50 over 114 of a human voice]
WORD_AFTER_MS = 120.0  # [112] of the last word after the end of the sound
FOREIGN_SCORE, FOREIGN_AFTER_MS = -100.0, 170.0  # [-88, 167] the same where the model lacks the sounds
TOO_FAST, FAST, SLOW = 12.0, 9.5, 0.3  # syllables a second [2.1 to 6.3]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was heard in a recording, and what speaks against it."""

    duration_ms: float
    level: SpeechSpan | None
    vad: SpeechSpan | None
    findings: tuple[Finding, ...]
    ends: EndRange | None = None
    """Between which times the end may lie, by the sound itself; None where there is no speech."""
    last_word_ms: float | None = None
    """Where the last word of the text ends, good to some 50 ms; None when the text cannot be laid along the sound."""

    loudest_db: float | None = None
    """The loudest 30 ms of speech, in dBFS."""

    @property
    def refusals(self) -> tuple[str, ...]:
        return tuple(finding.message for finding in self.findings if finding.gravity == "refusal")

    @property
    def doubts(self) -> tuple[str, ...]:
        return tuple(finding.message for finding in self.findings if finding.gravity == "doubt")


def judge(pcm: NDArray[np.int16], rate_hz: int, text: str = "", language: str = "", *, live: bool = False) -> Judgement:
    """Look at a recording, `live` from a microphone or a file, with both detectors and for every sign against them."""
    duration_ms = len(pcm) * 1000 / rate_hz
    levels = Levels.of(pcm, rate_hz)
    heard, filtered = heard_in(levels), levels.filtered
    # rumble is speech to the voice detector
    model = vad_span(to_pcm16(filtered)[0], rate_hz)
    if heard is None:
        return Judgement(
            duration_ms,
            None,
            model,
            (Finding("refusal", "no speech found: the energy detector finds no speech, only silence or a click"),),
        )
    look = Look(pcm, rate_hz, duration_ms, heard, model, voicing(filtered, rate_hz), text, language, filtered, live)
    sharper, softer = (heard_in(levels, raise_db=by_db) for by_db in (6.0, -10.0))
    sharper_ms, softer_ms = (heard.span.end_ms if other is None else other.span.end_ms for other in (sharper, softer))
    ends = end_range(levels, heard)
    word = last_word(filtered, rate_hz, text, heard.span, heard.peak_db, language)
    sounds = sounds_at_end(text, language)
    until_ms = fades_until(levels, heard, ends)
    if misses_burst(look, sounds):
        ends = ends.or_later(min(heard.span.end_ms + BURST_WITHIN_MS, duration_ms))
    found = [
        *_detectors(look),
        *_kind(look),
        *edges(look, word, sounds),
        *_background(look, sounds, sharper_ms),
        *endings(look, until_ms),
    ]
    found += last_piece(look) or stray_bursts(look, sounds)
    found += [*cut_short(look), *echoes(look), *_sharpness(look, levels), *few_bits(pcm, heard.peak_db)]
    found += [*_last_word(look, word, softer_ms), *_rate(look), *_clipping(look), *_notes(text)]
    last_word_ms = None if word is None else word.end_ms
    return Judgement(duration_ms, heard.span, model, tuple(found), ends, last_word_ms, heard.peak_db)


def _notes(text: str) -> list[Finding]:
    notes = notes_in(text)
    if not notes:
        return []
    said = f"the text holds {', '.join(notes[:3])}: text in such brackets is left out when words are compared"
    return [Finding("doubt", said)]


def _detectors(look: Look) -> list[Finding]:
    if look.model is None:
        return [Finding("refusal", "the voice detector finds no speech")]
    level, model = look.span.end_ms, look.model.end_ms
    apart = abs(level - model)
    if apart <= AGREEMENT_MS:
        return []
    said = f"the detectors disagree about the end of speech by {apart:,.0f} ms: "
    said += f"level says {level:,.0f} ms, voice detector says {model:,.0f} ms (allowed: {AGREEMENT_MS:g})"
    return [Finding("refusal" if apart > REFUSED_MS else "doubt", said)]


def _kind(look: Look) -> list[Finding]:
    """Whether it is a voice at all."""
    tonal = look.part(look.voice.tonal, look.span.start_ms, look.span.end_ms)
    voiced = look.part(look.voice.voiced, look.span.start_ms, look.span.end_ms)
    glides = look.voice.glides(look.voice.within(look.span.start_ms, look.span.end_ms))
    if tonal >= TONE_SHARE and glides < VOICE_GLIDES:
        return [Finding("refusal", f"{100 * tonal:.0f} % of it is a pure tone, not a voice")]
    if voiced < DOUBTFUL_VOICED:
        # a whisper has no pitch either, so this alone is no refusal
        said = f"only {100 * voiced:.0f} % of what sounds like speech has the pitch of a voice: noise, or a whisper?"
        return [Finding("doubt", said)]
    return []


def _background(look: Look, sounds: tuple[str, ...] | None, sharper_ms: float) -> list[Finding]:
    background = look.background_db
    if background is None or look.heard.peak_db - background >= NEAR_BACKGROUND_DB:
        return []
    apart = look.heard.peak_db - background
    soft = not sounds or sounds[-1] in BURSTS | HISSES
    if apart >= DROWNING_DB and not soft and look.span.end_ms - sharper_ms <= SHARP_MS:
        return []
    return [
        Finding(
            "doubt",
            f"the background is {apart:.0f} dB under the loudest speech (asked for: {NEAR_BACKGROUND_DB:.0f}): a soft "
            f"ending is lost in it, and the end at {look.span.end_ms:,.0f} ms may be some 100 ms early or late",
        )
    ]


def _sharpness(look: Look, levels: Levels) -> list[Finding]:
    """Whether a soft sound lies just under the threshold, or right at it."""
    end, background = look.span.end_ms, look.background_db

    def moves_ms(by_db: float) -> float:
        # in noise a lower threshold tells nothing
        if background is not None and by_db < 0 and look.heard.threshold_db + by_db < background + SOFTER_DB:
            return 0.0
        other = heard_in(levels, raise_db=by_db)
        return 0.0 if other is None else other.span.end_ms - end

    later = moves_ms(-SOFTER_DB)
    if SOFTER_MS[0] < later < SOFTER_MS[1]:
        said = f"a soft sound follows, up to {later:,.0f} ms after the end and less than {SOFTER_DB:.0f} dB under what "
        return [Finding("doubt", f"{said}counts as speech: a last sound (such as a final /k/), or something else?")]
    for by_db, words in (
        (UNSURE_DB, "earlier, were the threshold {} dB higher"),
        (-UNSURE_DB, "later, were it {} dB lower"),
    ):
        moved = abs(moves_ms(by_db))
        if moved > UNSURE_MS:
            said = f"the end would be {moved:,.0f} ms {words.format(f'{UNSURE_DB:.0f}')}: a soft sound lies right at it"
            return [Finding("doubt", said)]
    return []


def _last_word(look: Look, word: LastWord | None, softer_ms: float) -> list[Finding]:
    """What the text says about the end."""
    end = look.span.end_ms
    if word is None:
        if not any(letter.isalnum() for letter in look.text):
            return []
        said = (
            f"the text cannot be read aloud in {look.language or 'its language'}, or is longer than a minute: nothing "
        )
        return [
            Finding("doubt", f"{said}tells whether the sound until {end:,.0f} ms is its last word or another voice")
        ]
    if word.end_ms is None:
        said = f"the words of the text do not fit the {end - look.span.start_ms:,.0f} ms of sound: "
        return [Finding("doubt", f"{said}is {word.word!r} really the last one, and all of it in the recording?")]
    least_score = FOREIGN_SCORE if word.foreign else LAST_SOUND_SCORE
    if word.last_sound_score is not None and word.last_sound_score < least_score:
        said = f"the last sound of {word.word!r} does not fit what is heard there (score {word.last_sound_score:.0f}; "
        return [Finding("doubt", f"{said}whole words are above {least_score:.0f}): it may be cut off")]
    late = end - word.end_ms
    if late > (AFTER_FOREIGN_WORDS_MS if word.foreign else AFTER_WORDS_MS):
        said = (
            f"the last word, {word.word!r}, ends at about {word.end_ms:,.0f} ms, and sound goes on for {late:,.0f} ms: "
        )
        return [Finding("doubt", f"{said}something after the speech, or an echo?")]
    # silence may be taken for the last sound: a word that goes on is heard at least softly
    if min(word.end_ms, softer_ms) - end > (FOREIGN_AFTER_MS if word.foreign else WORD_AFTER_MS):
        said = f"the last word, {word.word!r}, goes on until about {word.end_ms:,.0f} ms, "
        return [Finding("doubt", f"{said}{-late:,.0f} ms after the end by level: a soft ending may be lost")]
    return []


def _rate(look: Look) -> list[Finding]:
    rate = syllables_per_s(look.text, look.span.end_ms - look.span.start_ms)
    if rate is None or SLOW <= rate <= FAST:
        return []
    said = f"the text has about {rate:,.1f} syllables for each second of speech; people speak 2 to 8"
    if rate > FAST:
        said += ": is the recording cut off, or the text another one's?"
        return [Finding("refusal" if rate > TOO_FAST else "doubt", said)]
    return [Finding("doubt", f"{said}: is there more in it than the text says?")]


def _clipping(look: Look) -> list[Finding]:
    top = int(np.abs(look.pcm.astype(np.int32)).max(initial=0))
    flat = np.abs(look.pcm.astype(np.int32)) >= top - 1
    share = float((flat[1:] & flat[:-1]).mean()) if len(flat) > 1 else 0.0
    if top < 1000 or share < CLIPPED_SHARE:
        return []
    return [Finding("doubt", f"{100 * share:.2f} % of its samples are clipped, which makes soft endings louder")]
