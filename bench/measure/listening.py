"""What a listener heard of each reply: playback by the model of `bench.audio.playback`, cut off where it was cut.

In: a timeline, and as much of it as a row knows. Out: a `Player` for a response, and the time in which caller and agent
were heard at once. Trap: what arrives after playback was stopped was never heard, and what waited in the buffer then is
thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.audio.playback import NS_PER_MS, NS_PER_S, Player, played
from bench.facts.acts import Cut
from bench.facts.timeline import Timeline, TurnFacts
from bench.measure.replies import Reply, collect_replies

OLDEST_HEARD = 3
"""So many responses before the newest one may still be heard."""


def cut_of(timeline: Timeline, turn: TurnFacts, reply: Reply) -> Cut | None:
    """When our playback of `reply` was stopped, as far as the row of `turn` knows; None when it was not."""
    return next((cut for cut in timeline.cuts[: turn.cuts_measured] if cut.response == reply.number), None)


def heard(timeline: Timeline, turn: TurnFacts, reply: Reply) -> Player:
    """The playback of `reply` as the caller heard it, as far as the row of `turn` knows."""
    rate_hz, buffer_ms, cut = timeline.output_rate_hz, timeline.jitter_buffer_ms, cut_of(timeline, turn, reply)
    after_ns = _after_ns(timeline, turn, reply)
    if cut is None:
        return played(reply.chunks, rate_hz=rate_hz, buffer_ms=buffer_ms, after_ns=after_ns)
    player = Player(rate_hz=rate_hz, buffer_ms=buffer_ms, after_ns=after_ns)
    for chunk in reply.chunks:
        if chunk.at_ns <= cut.at_ns:
            player.feed(chunk.at_ns, chunk.samples)
    if reply.ended is not None and reply.ended.at_ns <= cut.at_ns:
        player.finish()
    player.cut(cut.at_ns)
    return player


def _after_ns(timeline: Timeline, turn: TurnFacts, reply: Reply) -> int:
    """Until when what was said before a tool is heard, where `reply` goes on after its result; else 0."""
    begun_ns, number = reply.begun_ns, reply.number
    if not timeline.tools or begun_ns is None or number is None:
        return 0
    asked = [use.response for use in timeline.tools if use.asked_ns is not None and use.asked_ns <= begun_ns]
    before = max((each for each in asked if each < number), default=None)
    if before is None or before != number - 1:
        return 0
    known = timeline.entries[: turn.entries_measured]
    (said,) = collect_replies(entry for entry in known if entry.response == before)
    return heard(timeline, turn, said).end_ns or 0


def talk_over_ms(timeline: Timeline, turn: TurnFacts, replies: Sequence[Reply]) -> float | None:
    """How long the caller spoke `turn` while one of `replies` was audible; None when that never happened."""
    total_ns = 0
    for reply in replies:
        if not _may_reach(timeline, reply, turn.speech_start_ns):
            continue
        spans = heard(timeline, turn, reply).spans
        audible_ns = _audible_from_ns(timeline, reply)
        total_ns += sum(
            max(0, min(end_ns, turn.speech_end_ns) - max(start_ns, turn.speech_start_ns, audible_ns))
            for start_ns, end_ns in spans
        )
    return total_ns / NS_PER_MS or None


def replies_around(timeline: Timeline, turn: TurnFacts) -> list[Reply]:
    """The responses that may be heard while `turn` is spoken, whatever they belong to, as far as its row knows.

    Those are the newest few by then, and what came since: a long call has many that were over long ago.
    """
    entries = timeline.entries[: turn.entries_measured]
    begun = [
        entry.response for entry in entries if entry.response is not None and entry.signal.at_ns < turn.speech_start_ns
    ]
    oldest = max(begun, default=0) - OLDEST_HEARD
    return collect_replies(entry for entry in entries if entry.response is not None and entry.response >= oldest)


def _may_reach(timeline: Timeline, reply: Reply, at_ns: int) -> bool:
    """Whether the reply can still be heard at `at_ns`: cheap, since a long call has many replies that cannot."""
    if not reply.audio:
        return False
    length_ns = reply.samples * NS_PER_S // timeline.output_rate_hz
    return reply.audio[-1].at_ns + length_ns + round(timeline.jitter_buffer_ms * NS_PER_MS) > at_ns


def _audible_from_ns(timeline: Timeline, reply: Reply) -> int:
    """When the first audible sample is heard by a player without a buffer; from the start where none was found."""
    audible_ns = reply.audible_ns(timeline.output_rate_hz)
    return reply.audio[0].at_ns if audible_ns is None else audible_ns
