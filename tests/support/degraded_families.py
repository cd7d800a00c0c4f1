"""Families of degraded recordings, each at several strengths: what the table of recordings is measured on.

In: nothing. Out: for each family, what its strengths do to a `Take`. Trap: strengths reach from what must not matter to
what nobody can annotate; what counts is that no wrong end goes untold.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.support.degraded import (
    Degradation,
    bleed,
    coded,
    comfort_noise,
    concealed_after,
    double_silence,
    dtx,
    eight_bits,
    faded,
    gated,
    line_echo,
    lost_packets,
    narrow_band,
    neighbour,
    pumping,
    room,
    second_voice,
)
from tests.support.recordings import (
    Samples,
    Take,
    after,
    babble,
    beep,
    both,
    breath,
    cough,
    cut,
    dtmf,
    gain,
    hum,
    key_press,
    music,
    noise,
    noise_then_zeros,
    offset,
    telephone,
)
from tests.support.stray_sounds import chair, clatter, door, hesitation, laugh, lip_smack


def _afters(
    make: Callable[[float], Callable[[Take], Samples]], levels: tuple[float, ...], gaps: tuple[float, ...]
) -> dict[str, Degradation]:
    return {f"{level:+g} dB, {gap:g} ms after": after(gap, make(level)) for level in levels for gap in gaps}


OTHERS = ("hours-friday-awb", "appointment-cancel-slt", "plan-family-kal16")

FAMILIES: dict[str, dict[str, Degradation]] = {
    "clean": {"as it is": lambda made: None},
    "noise gate, to zeros": {
        f"at -{level} dB, closes after {hold} ms": gated(level, hold)
        for level, hold in ((20, 20), (24, 40), (30, 40), (30, 100), (36, 40))
    },
    "noise gate, soft": {
        f"at -{level} dB, {hold} ms, release {release} ms": gated(level, hold, release_ms=release)
        for level, hold, release in ((24, 20, 20), (24, 40, 50), (30, 40, 30), (30, 20, 100))
    },
    "noise gate, to comfort noise": {
        f"at -{level} dB, {hold} ms, noise at -{floor} dB": gated(level, hold, floor_db=floor)
        for level, hold, floor in ((24, 40, 50), (30, 40, 50), (30, 40, 60), (24, 40, 42))
    },
    "noise, then a gate": {
        f"noise at {snr} dB, gate at -{level} dB, {hold} ms": both(noise(0.5, snr), gated(level, hold))
        for snr, level, hold in ((40, 26, 60), (34, 26, 60), (34, 26, 150), (46, 30, 100))
    },
    "DTX": {
        f"mode {mode}, hangover {hang} ms, noise at -{floor} dB": dtx(mode, hang, floor)
        for mode, hang, floor in ((1, 40, 120), (3, 0, 120), (3, 40, 52), (2, 60, 60))
    },
    "second voice": {
        f"{gap} ms after, {level:+} dB, voice {k + 1}": second_voice(other, gap, level)
        for gap in (0, 40, 120, 250)
        for level in (0, -10)
        for k, other in enumerate(OTHERS)
    },
    "second voice, soft": {
        f"{gap} ms after, {level} dB": second_voice("hours-friday-awb", gap, level)
        for gap in (0, 100)
        for level in (-20, -28, -34)
    },
    "second voice, over the end": {
        f"{-gap} ms before, {level:+} dB": second_voice("appointment-cancel-slt", gap, level)
        for gap in (-300, -100)
        for level in (0, -10)
    },
    "neighbour all the time": {f"at {level} dB": neighbour(level) for level in (10, 20, 30, 40)},
    "bleed of the agent": {f"at {level} dB": bleed(level) for level in (15, 25, 35)},
    "faded out": {
        f"{ms} ms, power {power}": faded(ms, power) for ms in (100, 200, 400, 800) for power in (1, 2)
    },
    "room": {
        f"RT60 {rt} ms, direct {drr:+} dB": room(rt, drr) for rt in (200, 300, 400, 500, 800) for drr in (8, 2, -3)
    },
    "line echo": {f"{ms} ms, -{level} dB": line_echo(ms, level) for ms, level in ((60, 12), (150, 20), (300, 30))},
    "AGC": {
        f"noise {snr} dB, lifts {lift} dB in {ms} ms": pumping(snr, lift, ms)
        for snr, lift, ms in ((60, 12, 200), (50, 20, 300), (40, 20, 100))
    },
    "lost packets": {
        f"last {count}, {'concealed' if hidden else 'silent'}": lost_packets(count, concealed=hidden)
        for count in (1, 2, 4)
        for hidden in (False, True)
    },
    "concealment goes on": {f"{ms} ms": concealed_after(ms) for ms in (60, 100)},
    "codec": {
        "Opus 8 kHz": coded("OGG", "OPUS", 8_000, 1.0),
        "Opus 16 kHz": coded("OGG", "OPUS", 16_000, 1.0),
        "Opus 48 kHz": coded("OGG", "OPUS", 48_000, 1.0),
        "Vorbis": coded("OGG", "VORBIS", 16_000, 1.0),
        "MP3 24 kHz": coded("MP3", "MPEG_LAYER_III", 24_000, 0.99),
        "MP3 8 kHz": coded("MP3", "MPEG_LAYER_III", 8_000, 0.99),
        "GSM 6.10": coded("WAV", "GSM610", 8_000),
        "IMA ADPCM": coded("WAV", "IMA_ADPCM", 8_000),
        "MS ADPCM": coded("WAV", "MS_ADPCM", 16_000),
        "G.721": coded("AU", "G721_32", 8_000),
        "G.711 mu": telephone("pcmu"),
        "G.711 A": telephone("pcma"),
        "8 bits": eight_bits,
        "8 kHz": narrow_band(8_000),
    },
    "DC": {f"{value:+}": offset(value) for value in (0.005, 0.02, -0.05, 0.1)},
    "hum": {f"{hz} Hz at {level} dB": hum(hz, level) for hz in (50, 60) for level in (-20, -30, -40)},
    "rumble": {f"{snr} dB": noise(2, snr, 15, 60) for snr in (30, 20, 10)},
    "white noise": {f"{snr} dB": noise(0, snr) for snr in (50, 40, 30, 20, 10)},
    "pink noise": {f"{snr} dB": noise(1, snr) for snr in (50, 40, 30, 20, 10)},
    "babble": {f"{snr} dB": babble(snr) for snr in (40, 30, 20, 10)},
    "noise, then zeros": {f"{snr} dB": noise_then_zeros(snr, 1500, 1000) for snr in (45, 40, 34, 28, 20)},
    "double silence": {f"{snr} dB": double_silence(snr) for snr in (45, 36, 28)},
    "comfort noise begins": {f"at -{level} dB": comfort_noise(level) for level in (50, 42, 36, 30)},
    "breath": _afters(breath, (-14, -24, -32), (10, 60, 120, 300)),
    "cough": _afters(cough, (-4, -14), (50, 120, 400)),
    "key press": _afters(key_press, (-6, -16, -26), (60, 120, 300)),
    "lip smack": _afters(lip_smack, (-6, -16, -26), (60, 120, 300)),
    "door": _afters(door, (-4, -16, -26), (60, 150, 400)),
    "chair": _afters(chair, (-8, -20), (60, 150, 400)),
    "handset": _afters(clatter, (-4, -16, -26), (60, 150, 400)),
    "laugh": _afters(laugh, (-8, -18), (60, 200)),
    "mmm": _afters(lambda level: hesitation(level, 350), (-8, -20), (40, 200)),
    "beep": _afters(lambda level: beep(1000, 200, level), (-6, -20), (20, 120, 400)),
    "dialled digit": {f"{gap} ms after": after(gap, dtmf) for gap in (20, 120, 400)},
    "music": _afters(lambda level: music(1500, level), (-6, -16, -26), (20, 150, 400)),
    "clipped": {f"{value} dB": gain(value) for value in (6, 14, 25)},
    "quiet": {f"{value} dB": gain(value) for value in (-20, -32, -40)},
    "cut off": {f"{ms} ms before the end": cut(ms) for ms in (0, 60, 120, 240, 400)},
    "cut off, then zeros": {
        f"{ms} ms before the end": both(cut(ms), lambda made: made.silence_after(500)) for ms in (40, 60, 120, 240, 400)
    },
}  # fmt: skip
