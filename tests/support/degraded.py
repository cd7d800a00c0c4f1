"""What telephones, rooms, neighbours and codecs do to a recording, beside the kinds of `recordings`.

In: a `Take` of clean speech. Out: the same take as a telephone, a room, a neighbour or a codec leaves it; its true end
stays that of the dry voice. Trap: what is lost (a last sound behind a gate, a cut) is part of the truth too: the end is
where the caller stopped, not where the file goes quiet.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import soundfile

from bench.audio.formats import resample_float, to_pcm16
from tests.support.recordings import RATE_HZ, Samples, Take, at, db, noise, shaped, voice

Degradation = Callable[[Take], None]


def loudness(samples: Samples, window_ms: float = 10) -> Samples:
    """RMS of a window that is centred on each sample."""
    count = at(window_ms)
    power = np.convolve(samples * samples, np.ones(count) / count, mode="same")
    return np.sqrt(np.maximum(power, 0.0))


def gated(
    threshold_db: float, hold_ms: float, *, release_ms: float = 0.0, floor_db: float | None = None
) -> Degradation:
    """What is `threshold_db` under the loudest for longer than `hold_ms` is cut: to zeros, or to noise."""

    def apply(made: Take) -> None:
        peak = made.peak
        loud = loudness(made.samples) >= peak * db(-threshold_db)
        places = np.arange(len(loud))
        since = places - np.maximum.accumulate(np.where(loud, places, -len(loud)))
        opens = np.convolve(loud, np.ones(at(3)))[at(3) - 1 :] > 0  # it looks 3 ms ahead
        open_gain = np.where(opens, 1.0, np.clip(1 - (since - at(hold_ms)) / max(1, at(release_ms)), 0, 1))
        made.samples = made.samples * open_gain
        if floor_db is not None:
            made.samples = made.samples + (1 - open_gain) * peak * db(-floor_db) * shaped(len(loud), made.rng, 0.5)

    return apply


def dtx(mode: int, hangover_ms: int, floor_db: float) -> Degradation:
    """A telephone that sends no packets of 20 ms where its voice detector hears no speech."""

    def apply(made: Take) -> None:
        import webrtcvad

        vad = webrtcvad.Vad(mode)
        narrow = to_pcm16(resample_float(made.samples, RATE_HZ, 16_000))[0].astype("<i2")
        size = 320
        sent = [vad.is_speech(narrow[k : k + size].tobytes(), 16_000) for k in range(0, len(narrow) - size + 1, size)]
        # the detector's own hangover of 140 ms is taken off, so that `hangover_ms` is what there is
        spoken = np.array(sent)
        runs = np.flatnonzero(np.diff(np.concatenate(([0], spoken.astype(np.int8), [0]))))
        for begin, stop in zip(runs[::2], runs[1::2], strict=True):
            spoken[max(begin, stop - 7 + hangover_ms // 20) : stop] = False
        peak, wide = made.peak, np.repeat(spoken, at(20))
        wide = np.concatenate((wide, np.zeros(max(0, len(made.samples) - len(wide)), bool)))[: len(made.samples)]
        comfort = peak * db(-floor_db) * shaped(len(wide), made.rng, 0.5)
        made.samples = np.where(wide, made.samples, comfort)

    return apply


def second_voice(fixture_id: str, gap_ms: float, level_db: float) -> Degradation:
    """Somebody else begins `gap_ms` after the caller has ended (before that, when negative)."""

    def apply(made: Take) -> None:
        from bench.audio.catalogue import load_catalogue, shipped_catalogue

        other = load_catalogue(shipped_catalogue()).get(fixture_id)
        sound = voice(fixture_id, level_db)(made)
        made.add(sound[at(other.speech_start_ms) :], made.end_ms + gap_ms)
        made.silence_after(300)

    return apply


def neighbour(level_db: float) -> Degradation:
    """A television or a neighbour talks all the time."""

    def apply(made: Take) -> None:
        sound = voice("long-order-rms" if made.rng.integers(2) else "long-bill-kal16", 0)(made)
        sound = np.roll(sound, int(made.rng.integers(len(sound))))
        made.samples = made.samples + db(-level_db) * np.resize(sound, len(made.samples))

    return apply


def faded(ms: float, power: float) -> Degradation:
    def apply(made: Take) -> None:
        last = at(made.end_ms)
        count = min(at(ms), last)
        made.samples[last - count : last] *= np.linspace(1, 0, count) ** power
        made.samples[last:] = 0

    return apply


def room(rt60_ms: float, direct_to_echo_db: float) -> Degradation:
    """A small room: the direct sound, a few early reflections, and a tail that falls by 60 dB in `rt60_ms`."""

    def apply(made: Take) -> None:
        count = at(rt60_ms * 1.1)
        times = np.arange(count) / RATE_HZ * 1000
        tail = made.rng.standard_normal(count) * 10 ** (-3 * times / rt60_ms) * (times >= 12)
        for delay in made.rng.uniform(1.5, 18, 7):
            tail[at(delay)] += made.rng.choice((-1, 1)) * 10 ** (-3 * delay / rt60_ms) * 12
        tail *= db(-direct_to_echo_db) / np.sqrt((tail * tail).sum())
        made.silence_after(rt60_ms * 0.6)
        size = 1 << (len(made.samples) + count).bit_length()
        wet = np.fft.irfft(np.fft.rfft(made.samples, size) * np.fft.rfft(tail, size), size)[: len(made.samples)]
        made.samples = made.samples + wet

    return apply


def line_echo(delay_ms: float, level_db: float) -> Degradation:
    """The far end's echo: the voice once more, softer and later."""

    def apply(made: Take) -> None:
        made.add(made.samples.copy() * db(-level_db), delay_ms)

    return apply


def pumping(noise_db: float, lift_db: float, release_ms: float) -> Degradation:
    """Automatic gain: it rises slowly by `lift_db` where nobody speaks, and lifts soft endings and the background."""

    def apply(made: Take) -> None:
        noise(0.7, noise_db)(made)
        step = at(1)
        level = loudness(made.samples, 20)[::step] / made.peak
        target = np.clip(-20 * np.log10(np.maximum(level, 1e-6)) - 12, 0, lift_db)
        gains, now = np.zeros(len(level)), 0.0
        for index, wanted in enumerate(target):
            now += (wanted - now) / (release_ms if wanted > now else 5)
            gains[index] = now
        gains = np.interp(np.arange(len(made.samples)), np.arange(len(gains)) * step, gains)
        made.samples = np.clip(made.samples * 10 ** (gains / 20), -1, 1)

    return apply


def lost_packets(last: int, *, concealed: bool) -> Degradation:
    """The `last` packets of 20 ms that hold speech are lost: silent, or concealed by pitch periods that fade."""

    def apply(made: Take) -> None:
        end = at(made.end_ms) // at(20) * at(20) + at(20)
        first = end - last * at(20)
        made.samples[first:end] = 0
        if concealed:
            _conceal(made, first, end)

    return apply


def _conceal(made: Take, first: int, end: int) -> None:
    before = made.samples[first - at(40) : first]
    lags = range(at(2.5), at(14))
    scores = [float(np.dot(before[lag:], before[:-lag])) for lag in lags]
    period = lags[int(np.argmax(scores))]
    repeated = np.resize(made.samples[first - period : first], end - first)
    # as G.711 Appendix I does it: full for 10 ms, then 20 % less each 10 ms
    falling = np.clip(1 - 0.2 * np.maximum(np.arange(end - first) / at(10) - 1, 0), 0, 1)
    made.samples[first:end] = repeated * falling


def concealed_after(ms: float) -> Degradation:
    """The packet after the last one is lost as well: its concealment goes on with the voice for `ms`."""

    def apply(made: Take) -> None:
        first = at(made.end_ms - 30)
        _conceal(made, first, first + at(ms))

    return apply


def coded(container: str, subtype: str, rate_hz: int, compression: float | None = None) -> Degradation:
    """Through a codec and back, aligned again: an encoder's delay is not the caller's."""

    def apply(made: Take) -> None:
        buffer = io.BytesIO()
        narrow = resample_float(made.samples, RATE_HZ, rate_hz)
        more = {} if compression is None else {"compression_level": compression}
        soundfile.write(buffer, narrow, rate_hz, format=container, subtype=subtype, **more)
        buffer.seek(0)
        back = np.concatenate(list(soundfile.blocks(buffer, blocksize=4000, dtype="float64", fill_value=0.0)))
        wide = resample_float(back, rate_hz, RATE_HZ)[: len(made.samples) + at(200)]
        size = 1 << (len(wide) + len(made.samples)).bit_length()
        match = np.fft.irfft(np.fft.rfft(wide, size) * np.conj(np.fft.rfft(made.samples, size)), size)
        lag = int(match.argmax())
        lag -= size if lag > size // 2 else 0
        made.samples = wide
        made.start_ms += lag * 1000 / RATE_HZ
        made.end_ms += lag * 1000 / RATE_HZ

    return apply


def narrow_band(rate_hz: int) -> Degradation:
    def apply(made: Take) -> None:
        made.samples = resample_float(resample_float(made.samples, RATE_HZ, rate_hz), rate_hz, RATE_HZ)

    return apply


def eight_bits(made: Take) -> None:
    made.samples = np.round(made.samples * 127) / 127


def comfort_noise(level_db: float) -> Degradation:
    """Noise that begins where the speech ends."""

    def apply(made: Take) -> None:
        first = at(made.end_ms)
        made.samples[first:] += made.peak * db(-level_db) * shaped(len(made.samples) - first, made.rng, 0.5, 100, 3800)

    return apply


def double_silence(noise_db: float) -> Degradation:
    """Zeros, the noise of the room, zeros again, speech, and the same after it."""

    def apply(made: Take) -> None:
        peak = made.peak
        first, last = at(max(0.0, made.start_ms - 120)), at(made.end_ms + 350)
        made.samples = made.samples[:last]
        made.silence_after(50)
        level = np.zeros(len(made.samples))
        level[first:last] = peak * db(-noise_db)
        made.samples = made.samples + level * shaped(len(level), made.rng, 0.5)
        made.silence_after(700)

    return apply


def bleed(level_db: float) -> Degradation:
    """The agent's channel, heard softly in the caller's: it answers 150 ms later."""
    return second_voice("hours-friday-awb", 150, -level_db)
