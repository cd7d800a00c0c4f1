"""Whether the agent said what it wrote: what a recogniser heard of the replies, and what its number is worth.

In: a `View`, or the `reply_words` of a summary. Out: a `ReplyWordsReport`, or a section. Trap: the recogniser's own
errors are part of the rate, so its rate on a known voice and against other replies stand in the lines below it.
"""

from __future__ import annotations

import numpy as np

from bench.report.document import Cell, Column, Row, Section, Table, row
from bench.report.findings import Summary
from bench.report.findings_words import MisheardReply, ReplyWordsReport
from bench.report.latency import interval
from bench.report.phrases import between_percent, percent
from bench.report.stats import Floats
from bench.report.view import View
from bench.report.wer_tables import REPLY_WER, pooled_rate

MOST_SHOWN = 5
MOST_CHARS = 160
NEAR_CHANCE = 0.95
"""From this share of the rate against other replies on, the recogniser tells the replies apart from no others."""
SAID = (
    "A local recogniser listened to the replies of the recorded calls after the run. Its words are compared with the "
    "transcript that the server sent of each reply, normalised as the caller's words are. The recogniser's own errors "
    "are part of the rate: read it beside the rates below it."
)
FITS = "The replies fit their own transcripts better than those of other replies."
CHANCE = (
    "The replies fit their own transcripts hardly better than those of other replies: the agent says something else "
    "than it writes, or speaks in a voice that this recogniser does not understand."
)


def reply_words(view: View) -> ReplyWordsReport | None:
    """None for a run whose replies nobody listened to."""
    known = view.run.manifest.reply_words
    if known is None:
        return None
    everything = np.ones(len(view.turns), dtype=np.bool_)
    found, _, _ = pooled_rate(view, REPLY_WER, everything)
    scored = ~view.warmup & ~np.isnan(view.turn[REPLY_WER])
    hits, wrong, lost, added = (
        int(view.turn[f"reply_{name}"][scored].sum()) for name in ("hits", "substitutions", "deletions", "insertions")
    )
    return ReplyWordsReport(
        recogniser=known.recogniser,
        listened=int(scored.sum()),
        skipped=known.skipped,
        wer=found.value,
        interval=interval(found),
        reference_words=hits + wrong + lost,
        substitutions=wrong,
        deletions=lost,
        insertions=added,
        floor=_ratio(known.floor_errors, known.floor_words),
        floor_words=known.floor_words,
        other=_ratio(known.other_errors, known.other_words),
        seconds=known.seconds,
        worst=_worst(view),
    )


def _ratio(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _worst(view: View) -> list[MisheardReply]:
    """The replies with the most errors; each text once."""
    wrong = [view.turn[f"reply_{name}"] for name in ("substitutions", "deletions", "insertions")]
    errors: Floats = np.sum(wrong, axis=0)
    rows = np.flatnonzero(~view.warmup & (np.nan_to_num(errors) > 0))
    found: dict[str, MisheardReply] = {}
    for at in rows[np.lexsort((rows, -errors[rows]))]:
        turn = view.turns.iloc[int(at)]
        written = str(turn["reply_text"])
        if written not in found and len(found) < MOST_SHOWN:
            found[written] = MisheardReply(
                session_id=str(turn["session_id"]),
                turn=int(turn["turn"]),
                written=written[:MOST_CHARS],
                heard=str(turn["reply_hypothesis"])[:MOST_CHARS],
                errors=int(errors[at]),
            )
    return list(found.values())


def reply_words_section(summary: Summary) -> Section:
    """Nothing for a run whose replies nobody listened to."""
    found = summary.reply_words
    if found is None:
        return Section("reply-words", "Words of the replies")
    errors = f"{found.substitutions:,} wrong, {found.deletions:,} lost, {found.insertions:,} added"
    limits = "" if found.interval is None else between_percent(found.interval)
    known = f"{found.floor_words:,} words of the embedded voice: what it gets wrong of speech whose words are known"
    rows = [
        row("Reply WER, pooled", Cell(percent(found.wer), limits), "", metric=REPLY_WER),
        row("The recogniser's own", percent(found.floor), known if found.floor is not None else "not measured"),
        row("Against other replies", percent(found.other), "the same words and the transcripts of other replies"),
        row("Words of the transcripts", f"{found.reference_words:,}", errors),
        row("Replies listened to", f"{found.listened:,}", f"by {found.recogniser}, in {found.seconds:,.1f} s"),
        *(row("Left out", f"{count:,}", why) for why, count in found.skipped.items()),
    ]
    columns = (Column("value"), Column("made of", text=True))
    said = tuple(filter(None, [_verdict(found)]))
    table = Table("All replies", columns, tuple(rows), "What", "WORDS OF THE REPLIES", footnotes=said)
    return Section("reply-words", "Words of the replies", (table, *_misheard(found)), (SAID,))


def _verdict(found: ReplyWordsReport) -> str:
    if found.wer is None or found.other is None:
        return ""
    return CHANCE if found.wer >= NEAR_CHANCE * found.other else FITS


def _misheard(found: ReplyWordsReport) -> list[Table]:
    if not found.worst:
        return []
    rows: list[Row] = [row(each.written, each.heard or "(nothing)", f"{each.errors:,}") for each in found.worst]
    columns = (Column("heard", text=True), Column("word errors"))
    return [Table("Replies with the most errors", columns, tuple(rows), "Written", folded=True)]
