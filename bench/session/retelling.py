"""What was said in a call so far, as texts for a session that does not know it.

In: a timeline. Out: the words of each turn, the caller's and the agent's, in order. Trap: the caller's words are those
that the server transcribed; where it did not, those of the recording.
"""

from __future__ import annotations

from typing import Literal

from bench.facts.signals import InputTranscript, TextDelta
from bench.facts.timeline import Timeline

Said = tuple[Literal["user", "assistant"], str]


def said_in(timeline: Timeline) -> list[Said]:
    """Who said what, turn by turn; a turn of which nothing is known is left out."""
    heard: dict[int, list[str]] = {}
    replies: dict[int, list[str]] = {}
    for entry in timeline.entries:
        signal = entry.signal
        if entry.turn is None:
            continue
        if isinstance(signal, InputTranscript) and signal.final:
            heard.setdefault(entry.turn, []).append(signal.text.strip())
        elif isinstance(signal, TextDelta):
            replies.setdefault(entry.turn, []).append(signal.text)
    found: list[Said] = []
    for turn in timeline.turns:
        words = " ".join(heard.get(turn.index, ())).strip() or turn.reference
        answer = "".join(replies.get(turn.index, ())).strip()
        found += [("user", words)] if words else []
        found += [("assistant", answer)] if answer else []
    return found
