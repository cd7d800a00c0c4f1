"""The greeting of a call: what the agent said before the caller had said anything.

In: the timeline of a call. Out: columns of its row. Trap: a greeting belongs to no turn, and one that runs into the
first turn is told from an early reply by what follows (`bench.facts.attribution`). It counts from the moment at which
the session was ready, whether or not we asked for it.
"""

from __future__ import annotations

from bench.audio.playback import NS_PER_MS
from bench.facts.timeline import Timeline
from bench.measure.bills import Columns
from bench.measure.replies import Reply, collect_replies


def greeting_of(timeline: Timeline) -> Reply | None:
    """The first response of no turn that began before the caller had ended its first words; None without one."""
    before_ns = timeline.turns[0].speech_end_ns if timeline.turns else None
    for entry in timeline.entries:
        if entry.response is None or entry.turn is not None:
            continue
        if before_ns is not None and entry.signal.at_ns >= before_ns:
            return None
        return collect_replies(each for each in timeline.entries if each.response == entry.response)[0]
    return None


def greeting_columns(timeline: Timeline) -> Columns:
    """What a listener heard of the greeting, and whether one was waited for."""
    columns: Columns = {"greeting_expected": any(each.greeting for each in timeline.listenings)}
    greeting = greeting_of(timeline)
    if greeting is None:
        return columns
    audible_ns, ready_ns = greeting.audible_ns(timeline.output_rate_hz), timeline.connection.ready_ns
    return columns | {
        "greeting_ms": None if audible_ns is None or ready_ns is None else (audible_ns - ready_ns) / NS_PER_MS,
        "greeting_audio_ms": greeting.samples / timeline.output_rate_hz * 1000 if greeting.audio else None,
        "greeting_text": greeting.wording,
    }
