"""How well the callers were understood: pooled word error rates and the turns that were heard worst.

In: a `View`. Out: `Words`. Counts come from the stored rows; only the few
turns that are shown are aligned again, word by word.
Trap: a turn without a transcription is not a turn without errors; it is left out and the coverage is printed.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from bench.measure.wer import alignment, comparable
from bench.report.confusions import confusions
from bench.report.findings_words import AlignedWords, BadlyHeard, WordRow, Words
from bench.report.latency import interval
from bench.report.stats import Codes, Estimate, Floats, Method, pooled, pooled_errors
from bench.report.view import Mask, View, codes_of, counts, equals, load_bins, text

WORST_TURNS = 8
MOST_ROWS = 40
COUNTS = ("hits", "substitutions", "deletions", "insertions")
REPLY_WER = "reply_wer"
CUTS = ("target", "accent", "voice", "caller_kind", "fixture", "language", "condition")
ALWAYS_CUT = ("accent", "voice")


def words(view: View) -> Words:
    """Pooled WER overall and by each cut, over turns after warm-up that have a score."""
    turns = view.turns
    expected = ~view.warmup
    words_of, _ = _counted(view, "wer")
    scored = expected & ~np.isnan(np.sum([*words_of.values()], axis=0))
    found = Words(
        expected=int(expected.sum()),
        scored=int(scored.sum()),
        failed=int((expected & turns["transcription_error"].notna().to_numpy(dtype=np.bool_)).sum()),
        empty=int((scored & equals(turns, "hypothesis", "")).sum()),
    )
    if not scored.any():
        return found
    tally = _Tally(view, words_of)
    found.normalisers = list(counts(turns["normaliser"][scored]))
    if not comparable(set(found.normalisers)):
        found.incomparable = (
            f"the turns were scored by different rules ({', '.join(found.normalisers)}); "
            "bench report --recompute scores them all by those of this version"
        )
        return found
    found.overall, found.method = tally.row("all", scored)
    for cut in CUTS:
        rows, dropped = _cut(tally, turns[cut], scored)
        if len(rows) > 1 or (rows and cut in ALWAYS_CUT):
            found.cuts[cut] = rows
            if dropped:
                found.not_shown[cut] = dropped
    loads = _by_load(tally, view.turn["open_sessions"], scored)
    if len(loads) > 1:
        found.cuts["open calls"] = loads
    found.worst = _worst(view, scored, tally.errors)
    found.confusions = confusions(view, scored, tally.errors)
    return found


def pooled_rate(view: View, name: str, part: Mask) -> tuple[Estimate, int, list[str]]:
    """A pooled rate (`wer`, `cer`, `reply_wer`) of the turns of `part`, how many have it, and what to know of it."""
    words_of, rules = _counted(view, name)
    asked = part & ~view.warmup
    scored = asked & ~np.isnan(np.sum([*words_of.values()], axis=0))
    found = list(counts(rules[scored]))
    if not comparable(set(found)):
        return Estimate(None), 0, [f"the turns were scored by different rules ({', '.join(found)})"]
    tally = _Tally(view, words_of)
    tops, bottoms = tally.parts(name)
    known = scored & ~np.isnan(tops) & ~np.isnan(bottoms)
    n, expected = int(known.sum()), int(asked.sum())
    what = "replies were listened to" if name == REPLY_WER else "turns have a transcription"
    said = [f"{n:,} of {expected:,} {what}"] if 0 < n < expected else []
    return pooled_errors(tops[known], bottoms[known], tally.calls[known])[0], n, said


def scored_words(view: View, part: Mask, name: str = "wer") -> tuple[Floats, Mask]:
    """Word errors and reference words, shape (turns, 2), of the turns of `part` that have a score, and which those are.

    `name` is a pooled rate (of `cer`: character errors and characters). None of the turns where they were scored by
    different rules.
    """
    words_of, rules = _counted(view, name)
    tally = _Tally(view, words_of)
    tops, bottoms = tally.parts(name)
    scored = part & ~view.warmup & ~np.isnan(tally.errors) & ~np.isnan(tops) & ~np.isnan(bottoms)
    if not comparable(set(counts(rules[scored]))):
        scored = np.zeros_like(scored)
    return np.column_stack([tops[scored], bottoms[scored]]), scored


def _counted(view: View, name: str) -> tuple[dict[str, Floats], pd.Series]:
    """The counts of words behind a pooled rate, and the rules that each turn was scored by."""
    of = "reply_" if name == REPLY_WER else ""
    return {each: view.turn[f"{of}{each}"] for each in COUNTS}, view.turns[f"{of}normaliser"]


def _cut(tally: _Tally, column: pd.Series, scored: Mask) -> tuple[list[WordRow], int]:
    """A row per value of `column`, worst first, and how many better ones are not shown."""
    codes, names = codes_of(column)
    here = codes[scored]
    wrong = np.bincount(here, weights=tally.errors[scored], minlength=len(names))
    reference = np.bincount(here, weights=tally.reference[scored], minlength=len(names))
    seen: Mask = np.bincount(here, minlength=len(names)) > 0
    present = [code for code in np.argsort(-wrong / np.maximum(reference, 1), kind="stable") if seen[code]]
    rows = [tally.row(names[code], scored & (codes == code))[0] for code in present[:MOST_ROWS]]
    return sorted(rows, key=lambda row: (-(row.wer or 0.0), row.name)), max(0, len(present) - MOST_ROWS)


def _by_load(tally: _Tally, open_calls: Floats, scored: Mask) -> list[WordRow]:
    """A row per range of calls that were open when the turn began, the fewest first."""
    known = scored & ~np.isnan(open_calls)
    if not known.any():
        return []
    low, high, width = load_bins(open_calls[known])
    codes = np.floor((np.where(known, open_calls, low) - low) / width)
    rows = []
    for code in np.unique(codes[known]):
        first = low + int(code) * width
        last = min(high, first + width - 1)
        rows.append(tally.row(f"{first}" if first == last else f"{first} to {last}", known & (codes == code))[0])
    return rows


class _Tally:
    """The word counts of a run, ready to be pooled over any part of it."""

    def __init__(self, view: View, words_of: dict[str, Floats]) -> None:
        self.counts = words_of
        self.errors: Floats = words_of["substitutions"] + words_of["deletions"] + words_of["insertions"]
        self.reference: Floats = words_of["hits"] + words_of["substitutions"] + words_of["deletions"]
        self.calls: Codes = view.calls_of_turns
        self.raw, self.whisper = view.turn["wer_raw"], view.turn["wer_whisper"]
        self.chars, self.char_errors = view.turn["reference_chars"], view.turn["char_errors"]
        self._view = view

    @cached_property
    def raw_words(self) -> Floats:
        """Words of each reference as it is written; counted when first asked for, since a large run takes seconds."""
        spoken = self._view.turns["reference"].str.count(r"\S+")
        return np.asarray(spoken.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)

    def parts(self, name: str) -> tuple[Floats, Floats]:
        """Numerator and denominator of a pooled rate, by turn."""
        if name in {"wer", REPLY_WER}:
            return self.errors, self.reference
        if name == "cer":
            return self.char_errors, self.chars
        return (self.raw if name == "wer_raw" else self.whisper) * self.raw_words, self.raw_words

    def row(self, name: str, part: Mask) -> tuple[WordRow, Method | None]:
        found, method = pooled_errors(self.errors[part], self.reference[part], self.calls[part])
        read = part & ~np.isnan(self.raw_words)
        spelt = part & ~np.isnan(self.chars) & ~np.isnan(self.char_errors)
        row = WordRow(
            name=name,
            turns=int(part.sum()),
            reference_words=int(self.reference[part].sum()),
            substitutions=int(self.counts["substitutions"][part].sum()),
            deletions=int(self.counts["deletions"][part].sum()),
            insertions=int(self.counts["insertions"][part].sum()),
            wer=found.value,
            interval=interval(found),
            wer_raw=self._by_raw_words(self.raw, read),
            wer_whisper=self._by_raw_words(self.whisper, read),
            cer=pooled(self.char_errors[spelt], self.chars[spelt], self.calls[spelt])[0].value,
        )
        return row, method

    def _by_raw_words(self, rate: Floats, part: Mask) -> float | None:
        """The rates of single turns, pooled by the words of their references as written."""
        here = part & ~np.isnan(rate)
        return pooled((rate * self.raw_words)[here], self.raw_words[here], self.calls[here])[0].value


def _worst(view: View, scored: Mask, wrong: Floats) -> list[BadlyHeard]:
    """The mishearings with most word errors, each shown once; between equals the higher rate first, then row order."""
    rate = view.turn["wer"]
    found = np.flatnonzero(scored & (wrong > 0))
    rows = found[np.lexsort((found, -np.nan_to_num(rate[found], nan=np.inf), -wrong[found]))]
    told = view.turns[["session_id", "turn", "fixture", "voice", "accent", "language", "reference", "hypothesis"]]
    texts = told[["fixture", "reference", "hypothesis"]].iloc[rows].reset_index(drop=True)
    same = texts.groupby(list(texts.columns), sort=False, dropna=False)
    shown = []
    for _, group in list(same.groups.items())[:WORST_TURNS]:
        at = int(rows[int(group[0])])
        row = told.iloc[at]
        chunks = alignment(
            text(row["reference"]) or "", text(row["hypothesis"]) or "", text(row["language"]) or "unknown"
        )
        shown.append(
            BadlyHeard(
                session_id=str(row["session_id"]),
                turn=int(row["turn"]),
                turns=len(group),
                fixture=text(row["fixture"]) or "-",
                voice=text(row["voice"]) or "-",
                accent=text(row["accent"]) or "-",
                errors=int(wrong[at]),
                wer=None if np.isnan(rate[at]) else float(rate[at]),
                alignment=[
                    AlignedWords(
                        op=chunk.op, reference=" ".join(chunk.reference), hypothesis=" ".join(chunk.hypothesis)
                    )
                    for chunk in chunks
                ],
            )
        )
    return shown
