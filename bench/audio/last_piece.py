"""Whether the last piece of sound in a recording is speech of the caller's: a knock, a breath, a beep, somebody else.

In: a `Look`. Out: a doubt with the end without that piece, or nothing. Trap: the closure before a final /t/ or /k/ is a
gap too, and its burst has no pitch; so short gaps are only asked about loud bursts.
"""

from __future__ import annotations

import numpy as np

from bench.audio.look import Finding, Look
from bench.audio.voicing import HOP_MS
from bench.audio.word_aligner import BURSTS, HISSES

APART_MS = 100.0  # a piece of sound after such a gap is looked at by itself; a closure before /t/ or /k/ is shorter
BESIDE_MS = 55.0  # after such a gap, if it is loud and has no pitch
QUIETER_DB = 20.0
LOUD_BURST_DB = 19.0  # a final /t/ or /k/ is softer against the loudest vowel
SHORTEST_WORD_MS = 60.0
LONG_PAUSE_MS = 450.0  # [300] a server that waits 500 ms takes it for the end of the turn
KNOCK_MS = 300.0  # a piece this short, loudest at its very beginning, has pitch in half of it if it is a word
KNOCK_ATTACK_MS = 30
BURST_GAP_MS, BURST_VOICED, LONGEST_BURST_MS = 35.0, 0.25, 200.0  # [28]
HISS_MS = (60.0, 200.0)
FLAT_DB, FLAT_APART_MS = 2.0, 200.0
TONE_SHARE = 0.85  # [0.71]


def last_piece(look: Look) -> list[Finding]:
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


def stray_bursts(look: Look, sounds: tuple[str, ...] | None) -> list[Finding]:
    """Bursts without pitch at the very end, more than the last sounds of the text have (one, where that is unknown).

    A hiss that the text ends in may stand apart from the rest; a knock is shorter.
    """
    expected = None if sounds is None else sum(sound in BURSTS for sound in sounds)
    hiss = bool(sounds and sounds[-1] in HISSES)
    pieces, count = look.heard.pieces, 0
    for before, piece in zip(pieces[-2::-1], pieces[:0:-1], strict=True):
        gap = piece.start_ms - before.end_ms
        if gap < BURST_GAP_MS or look.part(look.voice.voiced, piece.start_ms, piece.end_ms) >= BURST_VOICED:
            break
        long_ms = piece.end_ms - piece.start_ms
        if hiss and piece is pieces[-1] and HISS_MS[0] <= long_ms <= HISS_MS[1]:
            continue
        count += 2 if long_ms > LONGEST_BURST_MS else 1
        if count > (1 if expected is None else expected):
            said = f"a burst without pitch comes {gap:,.0f} ms after the rest, at "
            said += f"{piece.start_ms:,.0f} ms, and the text ends in "
            said += "no such sound" if not expected else f"{expected} of them at most"
            return [Finding("doubt", f"{said} (a knock?); without it speech ends at {before.end_ms:,.0f} ms")]
    return []


def _suspicion(look: Look, gap_ms: float, start_ms: float, end_ms: float) -> str | None:
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


def _is_tone(look: Look, start_ms: float, end_ms: float) -> bool:
    # the frames at its edges are half silence
    inner = look.voice.within(start_ms + 20, max(end_ms - 20, start_ms + 30))
    levels = look.voice.level_db[inner]
    return bool(len(levels) > 1 and look.voice.tonal[inner].mean() >= TONE_SHARE and np.ptp(levels) < 3.0)


def _is_flat(look: Look, start_ms: float, end_ms: float) -> bool:
    levels = look.voice.level_db[look.voice.within(start_ms + 30, max(end_ms - 30, start_ms + 40))]
    return len(levels) >= 4 and bool(np.ptp(levels) < FLAT_DB)
