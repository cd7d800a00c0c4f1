"""Dead air: silence on the line between the caller's last word and the end of the reply, when nobody is heard.

In: the timeline of a call, a turn, the parts of its answer and the replies around it. Out: columns of the turn's row:
the wait for the agent, its stalls, and the wait between two parts of an answer (a tool) together, and the longest.
Trap: what is heard of an earlier reply beneath the caller is no silence, and neither is what the scenario itself waits
before the caller speaks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.audio.playback import NS_PER_MS
from bench.facts.timeline import Timeline, TurnFacts
from bench.measure.bills import Columns
from bench.measure.listening import heard
from bench.measure.replies import Reply

Span = tuple[int, int]
"""A beginning and an end, ns."""


def dead_air_columns(timeline: Timeline, turn: TurnFacts, parts: Sequence[Reply], around: Sequence[Reply]) -> Columns:
    """Nothing for a turn whose answer was not heard: that wait never ended."""
    spoken = [span for part in parts for span in _audible(timeline, turn, part)]
    if not spoken:
        return {}
    others = [span for reply in around for span in _audible(timeline, turn, reply)]
    window = (turn.speech_end_ns, max(end_ns for _, end_ns in spoken))
    silences_ns = [end_ns - start_ns for start_ns, end_ns in silences(window, [*spoken, *others])]
    return {
        "dead_air_ms": sum(silences_ns) / NS_PER_MS,
        "longest_dead_air_ms": max(silences_ns, default=0) / NS_PER_MS,
    }


def silences(window: Span, spans: Iterable[Span]) -> list[Span]:
    """The parts of `window` that none of `spans` covers, in order; `spans` may overlap and come in any order."""
    at_ns, until_ns = window
    found: list[Span] = []
    for start_ns, end_ns in sorted(spans):
        if start_ns >= until_ns:
            break
        if start_ns > at_ns:
            found.append((at_ns, start_ns))
        at_ns = max(at_ns, end_ns)
    if at_ns < until_ns:
        found.append((at_ns, until_ns))
    return found


def _audible(timeline: Timeline, turn: TurnFacts, reply: Reply) -> list[Span]:
    """When `reply` is heard, from its first audible sample on; nothing of a reply without one."""
    if not reply.audio or reply.onset is None or reply.onset.sample < 0:
        return []
    player = heard(timeline, turn, reply)
    from_ns = player.heard_at(reply.onset.sample)
    if from_ns is None:
        return []
    return [(max(start_ns, from_ns), end_ns) for start_ns, end_ns in player.spans if end_ns > from_ns]
