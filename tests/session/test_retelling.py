"""What a new session is told of the turns before."""

from __future__ import annotations

from bench.facts.signals import InputTranscript, TextDelta
from bench.facts.timeline import Entry
from bench.session.retelling import said_in
from tests.measure.build import facts, timeline


def test_the_words_of_both_turn_by_turn() -> None:
    call = timeline([], facts())
    call.turns.append(facts(index=1, reference="from the recording"))
    call.entries += [
        Entry(InputTranscript(1, None, "hel", final=False), 1, 0),
        Entry(InputTranscript(2, "a", " hello ", final=True), 2, 0),
        Entry(InputTranscript(3, "b", "there", final=True), 3, 0),
        Entry(TextDelta(4, None, "Good "), 4, 0, 0),
        Entry(TextDelta(5, None, "day."), 5, 0, 0),
        Entry(TextDelta(6, None, "unasked"), 6, None, 1),
    ]
    assert said_in(call) == [("user", "hello there"), ("assistant", "Good day."), ("user", "from the recording")]


def test_a_call_without_turns_has_nothing_to_tell() -> None:
    call = timeline([], facts())
    call.turns.clear()
    assert said_in(call) == []
