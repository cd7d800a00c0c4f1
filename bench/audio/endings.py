"""How the sound ends: whether the end that is heard is the end of what was said.

In: a `Look`, and when the sound is gone or is steady noise. Out: doubts in numbers. Trap: a voice dies away by itself
within some 50 ms; a fade and an echo take longer, and so does noise that stays as loud, which is neither.
"""

from __future__ import annotations

import numpy as np

from bench.audio.last_piece import last_piece
from bench.audio.look import Finding, Look
from bench.audio.voicing import HOP_MS

UNVOICED_MS = 250.0  # [189] the longest hiss that ends a word
VOICED_AFTER_MS = 60.0
NARROW_HZ, NARROW_SHARE = 3_900.0, 1e-5
VOICELESS, VOICELESS_ENDS = "sfxzcktpß", ("ce", "se", "ze", "ch", "sh", "th", "ke", "te")
VOICELESS_MS = 45.0  # of a sound without pitch at the end
FADES = ((10.0, 60.0), (15.0, 110.0))  # [50, 90] so many dB lower, the sound goes on so long
# A fade takes the background away with the voice: it falls into digital silence, faster and faster. By so many dB ...
FALL_NEAR_MS, FALL_FAR_MS = (1.0, 6.0), (10.0, 22.0)  # ... from the one to the other before that silence.
SILENT_MS, SILENT_WITHIN_MS = 10.0, 250.0
DYING_MS, DYING_FALL_DB = 90.0, 2.0  # [80] of voice at more than 20 dB under the loudest, within the last 400 ms
VOICED_ON_MS, VOICED_ON_FALL_DB = 70.0, 4.0  # [40] of pitch after the end
SOUND_ON_MS, SOUND_ON_FALL_DB = 90.0, 8.0  # [84] of any sound


def endings(look: Look, gone_ms: float) -> list[Finding]:
    """What lies between the last pitch and the end, and what goes on after it, until the sound is gone or steady."""
    found: list[Finding] = []
    loud = look.voice.level_db >= look.heard.peak_db - 32
    pitched = np.flatnonzero(look.voice.voiced & loud)
    end = look.span.end_ms
    if len(pitched):
        unvoiced = end - float(pitched[-1]) * HOP_MS
        if unvoiced > UNVOICED_MS and not last_piece(look):
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
    return [*found, *_fade(look, gone_ms)]


def _is_narrow(look: Look) -> bool:
    """Whether a recording came through a telephone: what lies above is not in it."""
    if look.rate_hz <= 2 * NARROW_HZ:
        return True
    power = np.abs(np.fft.rfft(look.pcm.astype(np.float64))) ** 2
    first = int(len(power) * NARROW_HZ * 1.1 / (look.rate_hz / 2))
    return bool(power[first:].sum() < NARROW_SHARE * power.sum())


def _ends_voiceless(look: Look) -> bool:
    letters = [letter for letter in look.text.lower() if letter.isalpha()]
    return bool(letters) and (letters[-1] in VOICELESS or "".join(letters[-2:]) in VOICELESS_ENDS)


def _fade(look: Look, gone_ms: float) -> list[Finding]:
    """Sound that goes on under the threshold without a break, and then ends: a fade, an echo, a hiss too soft."""
    first = int(look.span.end_ms // HOP_MS) + 1
    levels, voiced = look.voice.level_db[first:], look.voice.voiced[first:]
    for lower_db, bound_ms in FADES:
        soft = np.flatnonzero(levels < look.heard.threshold_db - lower_db)
        # what is steady from then on is noise: it does not fade
        fades_ms = min(float(soft[0]) * HOP_MS, gone_ms - look.span.end_ms + HOP_MS) if len(soft) else 0.0
        if fades_ms >= bound_ms:
            said = f"the sound fades out: {lower_db:.0f} dB lower it ends about {soft[0] * HOP_MS:,.0f} ms later"
            return [Finding("doubt", said)]
    silent_ms, fall_db = _fall_into_silence(look)
    if silent_ms is None:
        return []
    last = look.voice.within(look.span.end_ms - 400, look.span.end_ms)
    dying = float((look.voice.voiced[last] & (look.voice.level_db[last] < look.heard.peak_db - 20)).sum()) * HOP_MS
    mute = np.flatnonzero(~voiced | (levels < look.heard.threshold_db - 30))
    more = int(mute[0] if len(mute) else len(voiced)) * HOP_MS
    if dying >= DYING_MS and fall_db >= DYING_FALL_DB:
        said = f"{dying:,.0f} ms of it are more than 20 dB under the loudest"
    elif more >= VOICED_ON_MS and fall_db >= VOICED_ON_FALL_DB:
        said = f"its pitch goes on for {more:,.0f} ms after the end"
    elif silent_ms >= SOUND_ON_MS and fall_db >= SOUND_ON_FALL_DB:
        said = f"it goes on softly for {silent_ms:,.0f} ms after the end"
    else:
        return []
    said += f", and falls by {fall_db:.0f} dB into digital silence at {look.span.end_ms + silent_ms:,.0f} ms"
    return [Finding("doubt", f"the voice fades out: {said}")]


def _fall_into_silence(look: Look) -> tuple[float | None, float]:
    """How long after the end digital silence begins, none where it does not; by how many dB the sound falls before."""
    first = int(look.span.end_ms * look.rate_hz / 1000)
    after = look.pcm[first : first + int((SILENT_WITHIN_MS + SILENT_MS) * look.rate_hz / 1000)].astype(np.int32)
    count = max(1, int(SILENT_MS * look.rate_hz / 1000))
    if len(after) <= count:
        return None, 0.0
    equal = np.concatenate(([True], np.abs(np.diff(after)) <= 1))
    silent = np.flatnonzero(np.convolve(equal, np.ones(count, np.int64), "valid") == count)
    if not len(silent):
        return None, 0.0
    begin = first + int(silent[0])

    def power(near_ms: float, far_ms: float) -> float:
        part = look.samples[
            max(0, begin - int(far_ms * look.rate_hz / 1000)) : begin - int(near_ms * look.rate_hz / 1000)
        ]
        return max(1e-12, float((part * part).mean())) if len(part) else 1e-12

    fall_db = 10 * float(np.log10(power(*FALL_FAR_MS) / power(*FALL_NEAR_MS)))
    return int(silent[0]) * 1000 / look.rate_hz, fall_db
