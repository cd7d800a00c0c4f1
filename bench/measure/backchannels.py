"""A caller who says "mm-hm" into a reply: did the reply stop for that, as it should not?

In: the timeline of a call and the turn whose reply was heard. Out: columns of its row. Trap: a reply that a later turn
cut into stopped for a reason; and one that had been heard to its end by then could not stop any more.
"""

from __future__ import annotations

from bench.facts.acts import Cut
from bench.facts.timeline import Timeline, TurnFacts
from bench.measure.bills import Columns


def backchannel_columns(timeline: Timeline, turn: TurnFacts) -> Columns:
    """How many sounds were made into the reply of `turn`, and whether one of them stopped it; nothing without any."""
    sounds = [sound for sound in timeline.sounds if sound.turn == turn.index]
    if not sounds:
        return {}
    heard = {sound.response for sound in sounds}
    cuts = [cut for cut in timeline.cuts[: turn.cuts_measured] if cut.response in heard]
    return {"backchannels": len(sounds), "false_barge_in": any(not _cut_in(timeline, cut) for cut in cuts)}


def _cut_in(timeline: Timeline, cut: Cut) -> bool:
    """Whether a turn that was to cut in made that cut."""
    return any(turn.cuts_into == cut.response and cut.at_ns >= turn.t0_ns for turn in timeline.turns)
