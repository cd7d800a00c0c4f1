"""Where speech begins and ends in a recording: two independent detectors.

In: mono int16 samples. Out: a `SpeechSpan` in milliseconds from the first sample, or None when nobody speaks.
`speech_span` (energy) writes the annotation; its end is the zero of every latency, so it is exact to the sample.
Trap: `vad_span` (WebRTC's model) is the second opinion, not a better one; it is only good to tens of milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.audio.formats import resample_float, to_pcm16
from bench.audio.level import SILENCE_DB, amplitude, decibels, first_sound, last_sound, sliding_rms, to_float

# Energy detector. Levels are RMS of 10 ms, every 1 ms.
WINDOW_MS = 10
BELOW_PEAK_DB = 38.0  # a final /s/ or /f/ lies 25-35 dB under the loudest vowel
ABOVE_FLOOR_DB = 7.0  # the RMS of 10 ms of steady noise stays within 3 dB of its floor
LEAST_BELOW_PEAK_DB = 15.0  # a tight cut has no pause to take the floor from: never call loud speech noise
QUIETEST_PEAK_DB = -55.0  # a recording whose loudest 30 ms lie under this holds no speech
PEAK_MS = 30  # the loudest level that lasts this long; a click is shorter
BRIDGE_MS = 30  # pitch pulses of a deep voice are up to 15 ms apart: dips up to this long are inside speech
ALONE_MS = 30  # isolated sound must last this long
ATTACHED_MS = 6  # beside speech (the burst of a final /t/ or /k/) it may be shorter, but a click is 1-3 ms ...
ATTACHED_WITHIN_MS = 150  # ... when its closure is no longer than this
STEADY_MS = 400  # what stays at one level for so long, ...
STEADY_SMOOTH_MS = 60
STEADY_HOP_MS = 10
STEADY_RANGE_DB = 5.0  # ... within this, ...
STEADY_BELOW_PEAK_DB = 18.0  # ... this far under the speech, is the background
HIGH_PASS_HZ = 75.0
HIGH_PASS_MS = 60  # length of the filter
SAME_THRESHOLD_DB = 3.0  # with no more between them, a recording has no rumble to speak of

# Model-based detector. Of WebRTC's modes 0-3 the tolerant 1 is the one that still hears a soft final /s/: over the
# shipped fixtures, clean and with added noise at 25-50 dB SNR, modes 2 and 3 lose such endings by 150 ms and more.
VAD_MODE = 1
VAD_RATE_HZ = 16_000
VAD_FRAME_MS = 10
VAD_HANGOVER_MS = 140  # modes 0 and 1 go on saying "speech" for 14 frames of 10 ms after it ends; taken off again
# Over the shipped fixtures the two ends differ by at most 79 ms (median 15 ms): a voice that fades out leaves the
# model before it leaves the energy threshold. The bound lies above that, and below the shortest word.
AGREEMENT_MS = 100.0


@dataclass(frozen=True, slots=True)
class SpeechSpan:
    """The first to the last sound of speech, in milliseconds from the first sample of the recording."""

    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True)
class HeardLevel:
    """What the energy detector heard, and the levels (dBFS) that it decided by."""

    span: SpeechSpan
    threshold_db: float
    floor_db: float
    peak_db: float
    pieces: tuple[SpeechSpan, ...]  # stretches of sound with gaps of more than 30 ms between them


def speech_span(pcm: NDArray[np.int16], rate_hz: int) -> SpeechSpan | None:
    """The energy detector: sound over a threshold set from the recording's own peak level and noise floor.

    An abrupt beginning or end is found to within 1 ms. Isolated clicks shorter than 30 ms are not speech. What lies
    under 90 Hz (rumble, hum, a DC offset) is no speech.
    """
    heard = heard_level(pcm, rate_hz)
    return None if heard is None else heard.span


@dataclass(frozen=True, slots=True)
class Levels:
    """A recording as it is and without rumble, each with its levels in dBFS every millisecond.

    Made once and heard as often as a threshold is tried.
    """

    rate_hz: int
    plain: NDArray[np.float64]
    filtered: NDArray[np.float64]
    plain_db: NDArray[np.float64]
    filtered_db: NDArray[np.float64]

    @property
    def step_ms(self) -> float:
        """From one level to the next: a millisecond, nearly, where the rate is no multiple of 1,000 Hz."""
        return max(1, self.rate_hz // 1000) * 1000 / self.rate_hz

    @classmethod
    def of(cls, pcm: NDArray[np.int16], rate_hz: int) -> Levels:
        plain = to_float(pcm)
        filtered = high_passed(plain, rate_hz)
        hop = max(1, rate_hz // 1000)
        plain_db, filtered_db = (decibels(sliding_rms(each, WINDOW_MS * hop, hop)) for each in (plain, filtered))
        return cls(rate_hz, plain, filtered, plain_db, filtered_db)


def heard_level(pcm: NDArray[np.int16], rate_hz: int, *, raise_db: float = 0.0) -> HeardLevel | None:
    """As `speech_span`, with what the decision stood on; `raise_db` moves the threshold, to see what hangs on it."""
    return heard_in(Levels.of(pcm, rate_hz), raise_db=raise_db)


def heard_in(levels: Levels, *, raise_db: float = 0.0) -> HeardLevel | None:
    """`heard_level` of a recording whose levels are known."""
    rate_hz, plain, filtered = levels.rate_hz, levels.plain, levels.filtered
    plain_db, filtered_db = levels.plain_db, levels.filtered_db
    hop = max(1, rate_hz // 1000)
    window = WINDOW_MS * hop
    found, as_it_is = _threshold_db(filtered_db), _threshold_db(plain_db)
    if found is None:
        return None
    if as_it_is is not None and abs(as_it_is[0] - found[0]) <= SAME_THRESHOLD_DB:
        found = as_it_is
    threshold_db, floor_db, peak_db = found[0] + raise_db, *found[1:]
    # The filter smears a click over its own length, and rumble is in the samples as they are: speech is in both.
    runs = _speech_runs((plain_db >= threshold_db) & (filtered_db >= threshold_db))
    if not runs:
        return None
    # a level at index k covers samples [k*hop, k*hop + window): the edges are refined inside the outermost windows
    first, last = runs[0][0] * hop, (runs[-1][1] - 1) * hop
    threshold = amplitude(threshold_db)
    starts = (first_sound(samples[first : first + window], rate_hz, threshold) for samples in (plain, filtered))
    ends = (last_sound(samples[last : last + window], rate_hz, threshold) for samples in (plain, filtered))
    start_at = first + max((start for start in starts if start is not None), default=0)
    end_at = last + min((end + 1 for end in ends if end is not None), default=window)
    span = SpeechSpan(start_at * 1000 / rate_hz, min(end_at, len(plain)) * 1000 / rate_hz)
    step_ms = hop * 1000 / rate_hz
    pieces = tuple(SpeechSpan(begin * step_ms, (stop - 1) * step_ms + WINDOW_MS) for begin, stop in runs)
    return HeardLevel(span, threshold_db, floor_db, peak_db, pieces)


def high_passed(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """`samples` without what lies under 60 Hz and half of what lies at 90, in linear phase: times do not shift."""
    if not len(samples):
        return samples
    padding = rate_hz * HIGH_PASS_MS // 1000
    # the edges are mirrored about their value, or a DC offset would be a step there, heard as a click
    at_start, at_end = min(padding, len(samples) - 1), min(padding, len(samples) - 1)
    head = 2 * samples[0] - samples[1 : at_start + 1][::-1]
    tail = 2 * samples[-1] - samples[-at_end - 1 : -1][::-1]
    padded = np.concatenate((head, samples, tail))
    taps = 2 * (padding // 2) + 1
    offsets = (np.arange(taps) - taps // 2) / rate_hz
    low_pass = np.sinc(2 * HIGH_PASS_HZ * offsets) * np.blackman(taps)
    low_pass /= low_pass.sum()
    size = 1 << (len(padded) + taps - 1).bit_length()
    low = np.fft.irfft(np.fft.rfft(padded, size) * np.fft.rfft(low_pass, size), size)
    shift = taps // 2 + at_start
    return samples - low[shift : shift + len(samples)]


def vad_span(pcm: NDArray[np.int16], rate_hz: int) -> SpeechSpan | None:
    """The model-based detector: first to last 10 ms frame that WebRTC's voice activity detector calls speech.

    Its end is comparable with `speech_span`'s to `AGREEMENT_MS`. Its start is not: the model learns the background
    during the first frames and may call them speech.
    """
    import webrtcvad

    samples = resample_float(to_float(pcm), rate_hz, VAD_RATE_HZ)
    hangover = VAD_HANGOVER_MS // VAD_FRAME_MS
    frame = VAD_RATE_HZ * VAD_FRAME_MS // 1000
    # silence after the last sample lets the hangover run out in a recording that is cut tight
    mono = np.concatenate((to_pcm16(samples)[0], np.zeros((hangover + 2) * frame, np.int16))).astype("<i2")
    vad = webrtcvad.Vad(VAD_MODE)
    voiced = np.array(
        [vad.is_speech(mono[at : at + frame].tobytes(), VAD_RATE_HZ) for at in range(0, len(mono) - frame + 1, frame)],
        dtype=bool,
    )
    runs = [(start, stop - hangover) for start, stop in _runs(voiced)]
    spoken = [(start, stop) for start, stop in runs if (stop - start) * VAD_FRAME_MS >= ALONE_MS]
    if not spoken:
        return None
    end_ms = min(spoken[-1][1] * VAD_FRAME_MS, len(pcm) * 1000 / rate_hz)
    return SpeechSpan(float(spoken[0][0] * VAD_FRAME_MS), end_ms)


def _threshold_db(levels_db: NDArray[np.float64]) -> tuple[float, float, float] | None:
    """The level that separates speech from its background, the background, and the loudest lasting level, in dBFS;
    None when nothing in the recording is loud."""
    if len(levels_db) < PEAK_MS - WINDOW_MS + 1:
        return None
    lasting = np.lib.stride_tricks.sliding_window_view(levels_db, PEAK_MS - WINDOW_MS + 1).min(axis=1)
    peak_db = float(lasting.max())
    if peak_db < QUIETEST_PEAK_DB:
        return None
    floor_db = max(float(np.percentile(levels_db, 10)), _steady_db(levels_db, peak_db))
    threshold_db = min(max(floor_db + ABOVE_FLOOR_DB, peak_db - BELOW_PEAK_DB), peak_db - LEAST_BELOW_PEAK_DB)
    return threshold_db, floor_db, peak_db


def _steady_db(levels_db: NDArray[np.float64], peak_db: float) -> float:
    """The loudest level that stays the same for `STEADY_MS` well under the speech: a room's noise, and no voice.

    The quietest tenth of a recording is not its noise where digital zeros were put at the end of it.
    """
    if len(levels_db) < STEADY_MS:
        return SILENCE_DB
    # smoothed as a listener would: the level of 10 ms of noise flutters by some decibels
    kernel = np.ones(STEADY_SMOOTH_MS) / STEADY_SMOOTH_MS
    smooth = np.convolve(levels_db, kernel, mode="valid")
    span = STEADY_MS - STEADY_SMOOTH_MS + 1
    if len(smooth) < span:
        return SILENCE_DB
    windows = np.lib.stride_tricks.sliding_window_view(smooth, span)[::STEADY_HOP_MS]
    top, bottom = windows.max(axis=1), windows.min(axis=1)
    steady = (top - bottom <= STEADY_RANGE_DB) & (top <= peak_db - STEADY_BELOW_PEAK_DB) & (bottom > SILENCE_DB + 1)
    return float(windows.mean(axis=1)[steady].max(initial=SILENCE_DB))


def _runs(active: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Half-open index ranges in which `active` is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], active, [False])).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _speech_runs(active: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of speech in 1 ms steps: dips bridged, lone clicks dropped, short bursts beside speech kept."""
    bridged: list[tuple[int, int]] = []
    for start, stop in _runs(active):
        if bridged and start - bridged[-1][1] <= BRIDGE_MS:
            bridged[-1] = (bridged[-1][0], stop)
        else:
            bridged.append((start, stop))
    smear = WINDOW_MS - 1  # a window is active as soon as it touches sound, so a run is this much too long
    length = [stop - start - smear for start, stop in bridged]
    kept = [run for run, ms in zip(bridged, length, strict=True) if ms >= ALONE_MS]
    return [
        run
        for run, ms in zip(bridged, length, strict=True)
        if ms >= ALONE_MS or (ms >= ATTACHED_MS and any(_gap(run, other) <= ATTACHED_WITHIN_MS for other in kept))
    ]


def _gap(one: tuple[int, int], other: tuple[int, int]) -> int:
    return max(one[0] - other[1], other[0] - one[1])
