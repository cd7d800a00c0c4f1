"""A caller who cuts into a reply: how long until it stops, what was thrown away, what was spoken at once.

In: the timeline of a call and the turn that is spoken into a reply. Out: columns of that turn's row; the row of the
turn whose reply it was says `interrupted`. Trap: zero of these times is the acoustic onset of the caller's speech on
the media clock, and a reply stops when its last sample is *heard*, long after a server that sends ahead has sent it.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.audio.playback import NS_PER_MS
from bench.facts.signals import SpeechStarted
from bench.facts.timeline import Entry, Timeline, TurnFacts
from bench.measure.bills import Columns
from bench.measure.listening import cut_of, heard, talk_over_ms
from bench.measure.replies import Reply


def interruption_columns(
    timeline: Timeline, turn: TurnFacts, entries: Sequence[Entry], replies: Sequence[Reply]
) -> Columns:
    """What became of the reply that `turn` was spoken into; only `talk_over_ms` for a turn that was not to cut in.

    `entries` are those of the turn, `replies` all that may be heard around it.
    """
    columns: Columns = {"talk_over_ms": talk_over_ms(timeline, turn, replies)}
    if not turn.interrupts:
        return columns
    columns["barge_in"] = turn.cuts_into is not None
    reply = next((each for each in replies if each.number == turn.cuts_into), None)
    if turn.cuts_into is None or reply is None:
        return columns
    onset_ns = turn.speech_start_ns
    cut, player = cut_of(timeline, turn, reply), heard(timeline, turn, reply)
    stop_ns = player.end_ns
    rate_hz = timeline.output_rate_hz
    return columns | {
        "barge_in_at_ms": player.heard_by(onset_ns) / rate_hz * 1000,
        "barge_in_seen_ms": _seen_ms(turn, entries),
        "barge_in_stop_ms": None if stop_ns is None else max(0, stop_ns - onset_ns) / NS_PER_MS,
        "discarded_audio_ms": (reply.samples - player.received) / rate_hz * 1000,
        "truncated_ms": float(cut.truncations[0].heard_ms) if cut is not None and cut.truncations else None,
    }


def _seen_ms(turn: TurnFacts, entries: Sequence[Entry]) -> float | None:
    """Onset of the caller's speech -> the server says that it hears it."""
    seen_ns = next((entry.signal.at_ns for entry in entries if isinstance(entry.signal, SpeechStarted)), None)
    return None if seen_ns is None else (seen_ns - turn.speech_start_ns) / NS_PER_MS
