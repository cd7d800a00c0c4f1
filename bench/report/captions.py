"""How captions follow speech over a whole run: delays of words, how often what is shown changes, cost per minute.

In: a `View`. Out: `Captions`. Percentiles are over words, with intervals that resample calls, since the words of one
call are not independent. Trap: a turn without a final text has no words that could be late; it counts as an error.
"""

from __future__ import annotations

import numpy as np
import orjson

from bench.report.findings_captions import CaptionRow, Captions
from bench.report.findings_parts import Figure
from bench.report.parts import figure_of
from bench.report.stats import Codes, Floats, percentiles
from bench.report.view import Mask, View, codes_of, equals

PERCENTS = (50.0, 90.0, 95.0, 99.0)


def captions(view: View) -> Captions:
    """Nothing in a run without sessions that only transcribe."""
    if "session_type" not in view.turns:
        return Captions()
    rows = equals(view.turns, "session_type", "transcription") & view.measured
    if not rows.any():
        return Captions()
    found = Captions(percents=list(PERCENTS), rows=[_row(view, "all", rows)])
    if "target" in view.turns:
        codes, names = codes_of(view.turns["target"])
        parts = {name: rows & (codes == code) for code, name in enumerate(names)}
        parts = {name: part for name, part in parts.items() if part.any()}
        if len(parts) > 1:
            found.rows += [_row(view, name, part) for name, part in parts.items()]
    words = view.turns["caption_words"].notna().to_numpy(dtype=np.bool_)
    found.untimed_turns = int((rows & view.answered & ~words).sum())
    found.cost_usd, found.audio_minutes, found.speech_minutes = _cost(view, rows)
    return found


def _row(view: View, name: str, part: Mask) -> CaptionRow:
    delays: list[list[float]] = []
    calls: list[int] = []
    places = np.flatnonzero(part & view.answered)
    texts = view.turns["caption_words"].to_numpy(dtype=object)
    for place in places:
        if isinstance(texts[place], str):
            words = orjson.loads(texts[place])
            delays += words
            calls += [int(view.calls_of_turns[place])] * len(words)
    found = CaptionRow(
        name=name,
        turns=int(part.sum()),
        words=len(delays),
        changes=int(np.nansum(view.turn["caption_changes"][part])),
        words_shown=int(np.nansum(view.turn["caption_words_shown"][part])),
    )
    if delays:
        values, clusters = np.asarray(delays, dtype=np.float64), np.asarray(calls, dtype=np.intp)
        found.shown_ms, found.settled_ms = (_figures(values[:, column], clusters) for column in (0, 1))
    return found


def _figures(values: Floats, clusters: Codes) -> list[Figure]:
    return [figure_of(each) for each in percentiles(values, clusters, PERCENTS).estimates]


def _cost(view: View, rows: Mask) -> tuple[float | None, float | None, float | None]:
    """What the priced calls cost, the minutes of audio that they sent, and the minutes of speech in them."""
    turns = view.turns[rows]
    cost, sent = view.call["cost_usd"], view.call["caller_audio_ms"]
    mine = view.sessions["session_id"].isin(turns["session_id"].unique()).to_numpy(dtype=np.bool_)
    known = mine & ~np.isnan(cost) & ~np.isnan(sent)
    if not known.any():
        return None, None, None
    of_known = turns["session_id"].isin(view.sessions["session_id"][known])
    speech = float(turns["speech_ms"][of_known].sum()) / 60_000
    return float(cost[known].sum()), float(sent[known].sum()) / 60_000, speech
