"""A recording as a picture: its waveform, its spectrogram, and where each detector hears speech begin and end.

In: a fixture, or samples with a judgement. Out: a PNG. Trap: the marks are in milliseconds of the recording, which is
what `--speech-end` takes; a person reads the value off the axis.
"""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.audio.catalogue import BY_HAND, Fixture
from bench.audio.end_range import EndRange
from bench.audio.evidence import Judgement, judge

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVEL, VAD, MARKED, WORD, RANGE = "#d1495b", "#2a7f9e", "#111111", "#5b8c3a", "#e09f3e"
SHOWN_HZ = 8_000
RANGE_DB = 70.0
COLUMNS = 1_600


def picture_of(fixture: Fixture, *, small: bool = False) -> bytes:
    """The PNG of a fixture; `small` for a page that holds many. Raises `BenchError` for a file that cannot be used."""
    pcm, rate_hz = fixture.load_own()
    judgement = judge(pcm, rate_hz, fixture.text, fixture.language)
    return picture(pcm, rate_hz, judgement, fixture, small=small)


def picture(
    pcm: NDArray[np.int16], rate_hz: int, judgement: Judgement, fixture: Fixture, *, small: bool = False
) -> bytes:
    """The PNG of samples that were judged."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 2.6) if small else (11.0, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    wave, tones = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3) if not small else (1, 1))
    samples = pcm.astype(np.float64) / 32768
    _waveform(wave, samples, rate_hz)
    _spectrogram(tones, samples, rate_hz)
    marks = {"catalogue": (fixture.speech_start_ms, fixture.speech_end_ms, MARKED, "-")}
    if judgement.level is not None:
        marks["level"] = (judgement.level.start_ms, judgement.level.end_ms, LEVEL, "--")
    if judgement.vad is not None:
        marks["voice detector"] = (judgement.vad.start_ms, judgement.vad.end_ms, VAD, ":")
    if judgement.ends is not None and fixture.annotated != BY_HAND:
        _mark_range(wave, tones, judgement.ends)
    if judgement.last_word_ms is not None:
        _mark_word(wave, tones, judgement.last_word_ms)
    for name, (start, end, colour, style) in marks.items():
        for axes in (wave, tones):
            under = "white" if axes is tones and name == "catalogue" else colour
            axes.axvline(start, color=under, linestyle=style, linewidth=1.2)
            axes.axvline(end, color=under, linestyle=style, linewidth=1.6)
        wave.plot([], [], color=colour, linestyle=style, label=f"{name}: {start:,.0f} to {end:,.0f} ms")
    where = {
        "loc": "lower left",
        "bbox_to_anchor": (0, 1.0),
        "ncols": 3 if small else 5,
        "frameon": False,
        "borderaxespad": 0.1,
    }
    wave.legend(fontsize=7 if small else 8, **where)
    if not small:
        by = f" ({fixture.annotated})" if fixture.annotated != "unknown" else ""
        figure.suptitle(f"{fixture.id}{by}: {fixture.text[:110]}", fontsize=10, x=0.01, ha="left", parse_math=False)
        doubts = "\n".join(_wrapped(finding.message) for finding in judgement.findings[:4])
        tones.set_xlabel("ms from the first sample" + (f"\n{doubts}" if doubts else ""), loc="left", fontsize=8)
    tones.tick_params(labelsize=7)
    wave.tick_params(labelsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=80 if small else 110, format="png", metadata={"Software": None})
    return _few_colours(buffer.getvalue()) if small else buffer.getvalue()


def _mark_range(wave: Axes, tones: Axes, ends: EndRange) -> None:
    for axes in (wave, tones):
        axes.axvspan(ends.earliest_ms, ends.latest_ms, color=RANGE, alpha=0.35, linewidth=0)
    label = f"may end: {ends.earliest_ms:,.0f} to {ends.latest_ms:,.0f} ms"
    wave.plot([], [], color=RANGE, alpha=0.5, linewidth=6, label=label)


def _mark_word(wave: Axes, tones: Axes, at_ms: float) -> None:
    for axes in (wave, tones):
        axes.axvline(at_ms, color=WORD, linestyle="-.", linewidth=1.0)
    wave.plot([], [], color=WORD, linestyle="-.", label=f"last word: to {at_ms:,.0f} ms")


def _wrapped(words: str) -> str:
    return textwrap.fill(words, 165, initial_indent="! ", subsequent_indent="  ")


def _waveform(axes: Axes, samples: NDArray[np.float64], rate_hz: int) -> None:
    count = max(1, len(samples) // COLUMNS)
    whole = samples[: len(samples) // count * count].reshape(-1, count)
    at_ms = (np.arange(len(whole)) + 0.5) * count * 1000 / rate_hz
    # a soft ending would be a flat line at full scale: the cube root shows it
    top, bottom = np.cbrt(whole.max(axis=1)), np.cbrt(whole.min(axis=1))
    axes.fill_between(at_ms, bottom, top, color="#7a8793", linewidth=0)
    axes.set_xlim(0, len(samples) * 1000 / rate_hz)
    axes.set_ylim(-1, 1)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)


def _spectrogram(axes: Axes, samples: NDArray[np.float64], rate_hz: int) -> None:
    size = max(64, rate_hz // 50)
    hop = max(size // 4, len(samples) // COLUMNS)
    padded = np.concatenate((np.zeros(size // 2), samples, np.zeros(size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: len(samples) : hop]
    levels = 20 * np.log10(np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) + 1e-7)
    shown = int(min(SHOWN_HZ, rate_hz / 2) * size / rate_hz) + 1
    top = float(levels.max())
    axes.imshow(
        levels[:, :shown].T,
        origin="lower",
        aspect="auto",
        extent=(0, len(samples) * 1000 / rate_hz, 0, (shown - 1) * rate_hz / size / 1000),
        vmin=top - RANGE_DB,
        vmax=top,
        cmap="magma",
        interpolation="bilinear",
    )
    axes.set_ylabel("kHz", fontsize=7)


def _few_colours(png: bytes) -> bytes:
    """The same picture in 64 colours: a third of the bytes."""
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        buffer = io.BytesIO()
        image.convert("RGB").quantize(64).save(buffer, format="PNG", optimize=True)
        return buffer.getvalue()
