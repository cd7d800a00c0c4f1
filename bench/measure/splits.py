"""A server that takes a pause in the caller's sentence for its end: one utterance, heard as two.

In: the entries of a turn and its responses. Out: whether it was split, and when the whole of it had been taken in. The
turn is then judged by the response that answers the whole. Trap: a server that ends the turn a little before the
annotated end of speech, and takes in a breath after it, has split nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.audio.playback import NS_PER_MS
from bench.facts.signals import InputCommitted, SpeechStopped
from bench.facts.timeline import Entry, Timeline, TurnFacts
from bench.measure.replies import Reply

MARGIN_NS = 100 * NS_PER_MS
"""A first part that ended later than this before the end of speech was the whole."""


def is_split(timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry], replies: Sequence[Reply]) -> bool | None:
    """Whether the server took `turn` in as more than one utterance; None where it does not say what it takes in.

    It did if it ended the turn in the middle and again after the end of speech; or if it took an answer back that had
    begun in the middle and was not heard, and gave another one after the end.
    """
    if timeline.manual:
        return None
    ends = _ends_ns(entries)
    if not ends and not replies:
        return None
    in_the_middle = any(at_ns < turn.speech_end_ns - MARGIN_NS for at_ns in ends)
    return (in_the_middle and whole_ns(turn, entries) is not None) or _took_back(turn, replies)


def whole_ns(turn: TurnFacts, entries: Sequence[Entry]) -> int | None:
    """When the server had first taken in all that was said; None where it never says so."""
    return min((at_ns for at_ns in _ends_ns(entries) if at_ns >= turn.speech_end_ns), default=None)


def is_half_answered(turn: TurnFacts, replies: Sequence[Reply]) -> bool:
    """Whether all answers to a split turn began before its end, and so are answers to its first part."""
    return bool(replies) and all((reply.begun_ns or 0) < turn.speech_end_ns for reply in replies)


def _ends_ns(entries: Sequence[Entry]) -> list[int]:
    """When the server said that an utterance had ended: by its detector or, where that is not shown, by a commit."""
    for kind in (SpeechStopped, InputCommitted):
        found = [entry.signal.at_ns for entry in entries if isinstance(entry.signal, kind)]
        if found:
            return found
    return []


def _took_back(turn: TurnFacts, replies: Sequence[Reply]) -> bool:
    begun = [(reply, reply.begun_ns) for reply in replies if reply.begun_ns is not None]
    unheard = [
        at_ns
        for reply, at_ns in begun
        if reply.ended is not None and reply.ended.status == "cancelled" and reply.first_output_ns is None
    ]
    answered = any(at_ns >= turn.speech_end_ns and reply.first_output_ns is not None for reply, at_ns in begun)
    return answered and any(at_ns < turn.speech_end_ns for at_ns in unheard)
