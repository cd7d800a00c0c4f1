"""Whether the zero of the latencies can be believed: doubts about the recordings, and turns that ended too early.

In: a `View`. Out: `RecordingsReport`, sentences for the certificate, and the pictures that lie in the run folder.
Trap: a server that says "speech is over" before our end of speech is either rude or right: then the annotation is late,
and every latency of that recording is too short. A reader must see which recordings it happened to.
"""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np

from bench.audio.recording_checks import PICTURES
from bench.report.findings_recordings import EarlyEnd, RecordingsReport
from bench.report.phrases import amount, number
from bench.report.view import View, floats

EARLY_MS = -30.0  # what an annotation may be off by
EARLY_SHARE = 0.2
MOST_NAMED = 4
MOST_PICTURE_BYTES = 120_000


def recordings_report(view: View) -> RecordingsReport:
    """What is doubtful about the recordings of a run."""
    endpointing = floats(view.turns, "endpoint_ms")
    known = view.measured & ~np.isnan(endpointing)
    early = []
    for name, rows in view.turns.groupby("fixture", sort=True, observed=True).indices.items():
        values = endpointing[rows][known[rows]]
        before = values[values < EARLY_MS]
        if len(before) and len(before) >= EARLY_SHARE * len(values):
            early.append(
                EarlyEnd(fixture=str(name), turns=len(before), of=len(values), median_ms=float(np.median(before)))
            )
    early.sort(key=lambda each: (each.median_ms, each.fixture))
    manifest = view.run.manifest
    return RecordingsReport(doubts=manifest.recording_doubts, early=early, ends=manifest.recording_ends)


def recording_cautions(found: RecordingsReport) -> list[str]:
    """What a reader must know before trusting a latency."""
    said = []
    if found.doubts:
        shown = [f"{name}: {doubts[0]}" for name, doubts in list(found.doubts.items())[:MOST_NAMED]]
        more = len(found.doubts) - len(shown)
        rest = f"; and {more:,} more" if more else ""
        said.append(
            "the end of speech, which is zero of every latency, is doubtful in "
            f"{amount(len(found.doubts), 'recording')}: {'; '.join(shown)}{rest}"
        )
    if found.early:
        turns, of = sum(each.turns for each in found.early), sum(each.of for each in found.early)
        named = ", ".join(
            f"{each.fixture} ({each.turns:,} of {each.of:,} turns, median {number(each.median_ms)} ms)"
            for each in found.early[:MOST_NAMED]
        )
        more = len(found.early) - MOST_NAMED
        rest = f" and {more:,} more" if more > 0 else ""
        said.append(
            f"the server called the speech over before its annotated end in {turns:,} of {of:,} turns of "
            f"{named}{rest}: either it cuts callers off, or the end is annotated too late and these latencies are too "
            "short (bench fixtures show)"
        )
    return said


def pictures_of(folder: Path) -> dict[str, str]:
    """The pictures in a run folder as data URIs, by the name of their recording."""
    found = {}
    for path in sorted((folder / PICTURES).glob("*.png")) if (folder / PICTURES).is_dir() else []:
        data = path.read_bytes()
        if data[:4] == b"\x89PNG" and len(data) <= MOST_PICTURE_BYTES:
            found[path.stem] = f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
    return found
