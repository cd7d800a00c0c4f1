"""Which fixture was spoken, from the audio itself, and where exactly it ended on the stream.

In: the last stretch of caller audio before a silence. Out: the fixture whose recording correlates best with it
at any shift, how well (0..1), and the true end of speech as a position on the stream: the fixture's annotation,
moved by the shift. The same recording comes back through G.711, added noise and any frame phase with nearly the same
waveform, so a matched filter at 4 kHz needs no model.
Trap: an utterance is asked about at every pause. A pause inside a known fixture is found by `inside`, never by `ended`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.audio.catalogue import Fixture

RATE_HZ = 4000
HEARD_MS = 1_500  # of audio that a verdict rests on
WINDOW_MS = 600  # of it that finds the candidates
NEAR_MS = (200, 700)
EARLIER_MS = 450  # a weak last syllable under noise: the detector heard the end this much too early
LATER_MS = 450  # noise that goes on behind the speech: this much too late
SOURCE_HZ = 24_000
_PER_MS = RATE_HZ // 1000
_WINDOW = WINDOW_MS * _PER_MS
_LAGS = (EARLIER_MS + LATER_MS) * _PER_MS
_REGION = _WINDOW + _LAGS
_HEARD = HEARD_MS * _PER_MS
_REFINE = 32  # samples around a candidate: noise may have put it one pitch period off
_CANDIDATES = 3
_QUIET_SHARE = 0.05  # a window holding less than this of the region's energy cannot match

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Match:
    """A recognised fixture; `end_offset_ms` is its end of speech counted from the end of what was heard."""

    fixture: Fixture
    confidence: float
    end_offset_ms: float


@dataclass(frozen=True, slots=True)
class _Known:
    fixture: Fixture
    samples: Floats  # at 4 kHz, with silence around it
    start: int
    end: int


class RecordingMatcher:
    """Compares against a catalogue; made once per process."""

    def __init__(self, fixtures: Iterable[Fixture], *, confidence: float) -> None:
        self._confidence = confidence
        self._known = [_known(fixture) for fixture in fixtures]
        self._lengths_ms = np.array([(known.end - known.start) / _PER_MS for known in self._known], dtype=np.float32)
        regions = [
            known.samples[known.end - _WINDOW - EARLIER_MS * _PER_MS : known.end + LATER_MS * _PER_MS]
            for known in self._known
        ]
        self._ends = _Templates(np.stack(regions)) if regions else None

    def ended(self, heard: Floats, speech_ms: float, *, thorough: bool = True) -> Match | None:
        """The fixture whose end lies within half a second of the end of `heard`; None when none is certain enough.

        `heard` is what `reduced` gives. `speech_ms`, how long the caller has spoken, decides which fixtures are
        compared; `thorough` compares the others, too.
        """
        if self._ends is None:
            return None
        off_ms = np.abs(self._lengths_ms - speech_ms)
        query = self._ends.query(heard)
        above_ms = -1.0
        for upto_ms in (*NEAR_MS, np.inf if thorough else 0.0):
            rows = np.flatnonzero((off_ms > above_ms) & (off_ms <= upto_ms))
            above_ms = upto_ms
            if len(rows):
                found = self._ends.best(query, rows)
                match = self._surest(
                    heard, [(self._known[row], self._known[row].end - EARLIER_MS * _PER_MS + lag) for row, lag in found]
                )
                if match is not None:
                    return match
        return None

    def inside(self, heard: Floats, speech_ms: float) -> Match | None:
        """The fixture in the middle of which `heard` ends after `speech_ms` of speech; its end is still to come."""
        later = [known for known in self._known if (known.end - known.start) / _PER_MS > speech_ms + LATER_MS]
        if not later:
            return None
        here = round(speech_ms * _PER_MS)
        starts = [known.start + here - _WINDOW - EARLIER_MS * _PER_MS for known in later]
        regions = np.stack([known.samples[at : at + _REGION] for known, at in zip(later, starts, strict=True)])
        templates = _Templates(regions)
        found = templates.best(templates.query(heard), None)
        return self._surest(heard, [(later[row], starts[row] + lag + _WINDOW) for row, lag in found])

    def _surest(self, heard: Floats, candidates: list[tuple[_Known, int]]) -> Match | None:
        """The candidate that agrees best over all of `heard`, each ending near the sample given with it."""
        best: Match | None = None
        for known, near in candidates:
            region = known.samples[near - len(heard) - _REFINE : near + _REFINE]
            found = np.correlate(region, heard, "valid")
            energy = np.cumsum(np.pad(region.astype(np.float64) ** 2, (1, 0)))
            norms = np.sqrt((energy[len(heard) :] - energy[: -len(heard)]) * float(np.dot(heard, heard)))
            scores = found / np.maximum(norms, 1e-9)
            lag = int(np.argmax(scores))
            score = float(scores[lag])
            if score >= self._confidence and (best is None or score > best.confidence):
                end = near - _REFINE + lag + _peak_offset(scores.astype(np.float32), lag)
                best = Match(known.fixture, score, (known.end - end) / _PER_MS)
        return best


class _Templates:
    """Stretches of recordings, ready to be compared with a window at every lag."""

    def __init__(self, regions: Floats) -> None:
        self._spectra = np.fft.rfft(regions, axis=1).astype(np.complex64)
        energy = np.cumsum(np.pad(regions.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
        power = energy[:, _WINDOW : _WINDOW + _LAGS + 1] - energy[:, : _LAGS + 1]
        floor = np.maximum(power.max(axis=1, keepdims=True) * _QUIET_SHARE, 1e-9)
        self._inverse_norms = (1.0 / np.sqrt(np.maximum(power, floor))).astype(np.float32)

    def query(self, heard: Floats) -> NDArray[np.complex64]:
        """The last window of `heard`, transformed for `best`."""
        return np.conj(np.fft.rfft(heard[-_WINDOW:], _REGION)).astype(np.complex64)

    def best(self, query: NDArray[np.complex64], rows: NDArray[np.intp] | None) -> list[tuple[int, int]]:
        """Row and lag of the best agreements, the best first."""
        spectra, norms = self._spectra, self._inverse_norms
        if rows is not None:
            spectra, norms = spectra[rows], norms[rows]
        found = np.fft.irfft(spectra * query, _REGION, axis=1)[:, : _LAGS + 1] * norms
        lags = np.argmax(found, axis=1)
        order = np.argsort(found[np.arange(len(lags)), lags])[::-1][:_CANDIDATES]
        return [(int(row) if rows is None else int(rows[row]), int(lags[row])) for row in order]


def reduced(samples: NDArray[np.int16], rate_hz: int) -> Floats:
    """The last `HEARD_MS` of `samples` at 4 kHz, with silence in front when there is less."""
    step = rate_hz // RATE_HZ
    wanted = samples[-_HEARD * step :]
    wanted = wanted[len(wanted) % step :]
    if not len(wanted):
        return np.zeros(_HEARD, dtype=np.float32)
    means = wanted.reshape(-1, step).mean(axis=1, dtype=np.float32)
    return np.pad(means - means.mean(), (_HEARD - len(means), 0)).astype(np.float32)


def _peak_offset(row: Floats, lag: int) -> float:
    """Where between samples a parabola through the peak is highest."""
    if not 0 < lag < len(row) - 1:
        return 0.0
    before, peak, after = float(row[lag - 1]), float(row[lag]), float(row[lag + 1])
    bend = before - 2 * peak + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


@lru_cache(maxsize=512)
def _known(fixture: Fixture) -> _Known:
    """A fixture, made ready once per process: its hash is part of it, so a file that changed is another fixture."""
    step = SOURCE_HZ // RATE_HZ
    pcm = fixture.load_pcm(SOURCE_HZ)
    pcm = np.pad(pcm, (0, -len(pcm) % step))
    reduced = pcm.reshape(-1, step).mean(axis=1, dtype=np.float32)
    around = _REGION + _HEARD
    samples = np.pad(reduced, (around, around))
    return _Known(
        fixture,
        samples,
        around + round(fixture.speech_start_ms * _PER_MS),
        around + round(fixture.speech_end_ms * _PER_MS),
    )
