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
from bench.audio.level import amplitude, decibels, first_sound, last_sound, sliding_rms, to_float

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


def speech_span(pcm: NDArray[np.int16], rate_hz: int) -> SpeechSpan | None:
    """The energy detector: sound over a threshold set from the recording's own peak level and noise floor.

    An abrupt beginning or end is found to within 1 ms. Isolated clicks shorter than 30 ms are not speech.
    """
    samples = to_float(pcm)
    hop = max(1, rate_hz // 1000)
    window = WINDOW_MS * hop
    levels_db = decibels(sliding_rms(samples, window, hop))
    threshold_db = _threshold_db(levels_db)
    if threshold_db is None:
        return None
    runs = _speech_runs(levels_db >= threshold_db)
    if not runs:
        return None
    # a level at index k covers samples [k*hop, k*hop + window): the edges are refined inside the outermost windows
    first, last = runs[0][0] * hop, (runs[-1][1] - 1) * hop
    threshold = amplitude(threshold_db)
    start = first_sound(samples[first : first + window], rate_hz, threshold)
    end = last_sound(samples[last : last + window], rate_hz, threshold)
    start_at = first if start is None else first + start
    end_at = last + window if end is None else last + end + 1
    return SpeechSpan(start_at * 1000 / rate_hz, min(end_at, len(pcm)) * 1000 / rate_hz)


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


def _threshold_db(levels_db: NDArray[np.float64]) -> float | None:
    """The level that separates speech from its background, in dBFS; None when nothing in the recording is loud."""
    if len(levels_db) < PEAK_MS - WINDOW_MS + 1:
        return None
    lasting = np.lib.stride_tricks.sliding_window_view(levels_db, PEAK_MS - WINDOW_MS + 1).min(axis=1)
    peak_db = float(lasting.max())
    if peak_db < QUIETEST_PEAK_DB:
        return None
    floor_db = float(np.percentile(levels_db, 10))
    return min(max(floor_db + ABOVE_FLOOR_DB, peak_db - BELOW_PEAK_DB), peak_db - LEAST_BELOW_PEAK_DB)


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
