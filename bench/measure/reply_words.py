"""What a recogniser heard of a spoken reply, beside the words that the server sent with it.

In: the timeline of a call, or a row and the words that were heard. Out: when each whole reply was heard, and the row
with its counts. Trap: a reply that was cut off was sent with more words than were spoken, so it is not compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.facts.timeline import Timeline
from bench.measure.listening import cut_of, heard
from bench.measure.records import TurnRecord
from bench.measure.turns import answer_parts
from bench.measure.wer import WordScore, score_words


@dataclass(frozen=True, slots=True)
class SpokenReply:
    """A reply that was heard to its end: its turn, and when a listener heard each stretch of it (monotonic ns)."""

    turn: int
    spans: Sequence[tuple[int, int]]


def spoken_replies(timeline: Timeline) -> list[SpokenReply]:
    """The replies of a call that were sent whole and heard to their end, in order."""
    found = []
    for turn in timeline.turns:
        parts = [part for part in answer_parts(timeline, turn) if part.audio]
        whole = all(part.ended is not None and part.ended.status in {"completed", "unknown"} for part in parts)
        if not parts or not whole or any(cut_of(timeline, turn, part) is not None for part in parts):
            continue
        spans = [span for part in parts for span in heard(timeline, turn, part).spans]
        found.append(SpokenReply(turn.index, spans))
    return found


def score_reply(written: str, heard_words: str, language: str) -> WordScore | None:
    """The words that were heard against those of the transcript; None where they cannot be compared."""
    try:
        return score_words(written, heard_words, language)
    except ValueError:
        return None


def with_reply_words(row: TurnRecord, heard_words: str | None) -> TurnRecord:
    """`row` with what a recogniser heard of its reply."""
    if heard_words is None or not row.reply_text:
        return row
    score = score_reply(row.reply_text, heard_words, row.language)
    if score is None or score.wer is None:
        return row
    return replace(
        row,
        reply_hypothesis=heard_words,
        reply_wer=score.wer,
        reply_hits=score.hits,
        reply_substitutions=score.substitutions,
        reply_deletions=score.deletions,
        reply_insertions=score.insertions,
        reply_normaliser=score.normaliser,
    )


REPLY_COLUMNS = (
    "reply_hypothesis",
    "reply_wer",
    "reply_hits",
    "reply_substitutions",
    "reply_deletions",
    "reply_insertions",
    "reply_normaliser",
)
"""The columns that are filled after a run, or not at all."""
