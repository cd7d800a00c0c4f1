"""The greeting of a call: what counts as one, from when, and what it is not."""

from __future__ import annotations

from typing import Any

from bench.facts.acts import Listening
from bench.facts.signals import Signal
from bench.facts.timeline import Entry
from bench.measure.records import SessionRecord
from bench.measure.sessions import measure_session
from tests.measure import build
from tests.measure.build import ANCHOR, RATE_HZ, audio, done, entries_of, facts, ns, onset, started, text, timeline

READY_MS = -5_000.0
GREETING: list[Signal] = [
    started(-4_900, "g"),
    text(-4_800, "Good morning.", "g"),
    audio(-4_700, 300, "g"),
    onset(-4_700, 120, "g"),
    done(-4_600, "g"),
]


def measured(own: list[Entry], turns: bool = True, **changes: Any) -> SessionRecord:
    turn = facts()
    entries = own + (entries_of(build.good_reply(), 0) if turns else [])
    numbered = [Entry(e.signal, e.read_ns, e.turn, e.response if e.turn is None else 7) for e in entries]
    call = timeline([], turn, entries=numbered, turns=[turn] if turns else [], **changes)
    call.connection.ready_ns = ns(READY_MS)
    return measure_session(call, [], ANCHOR)


def of_no_turn(signals: list[Signal]) -> list[Entry]:
    return entries_of(signals, None)


def test_it_runs_from_ready_to_the_first_audible_sample() -> None:
    row = measured(of_no_turn(GREETING))
    assert row.greeting_ms == (-4_700 + 120) - READY_MS
    assert row.greeting_audio_ms == 300
    assert row.greeting_text == "Good morning."
    assert row.greeting_expected is False


def test_a_greeting_that_was_waited_for_and_did_not_come_is_expected_and_null() -> None:
    listening = [Listening(0, ns(READY_MS), greeting=True)]
    row = measured([], listenings=listening)
    assert (row.greeting_expected, row.greeting_ms) == (True, None)
    later = [Listening(2, ns(5_000), greeting=False)]
    assert measured([], listenings=later).greeting_expected is False


def test_what_comes_after_the_first_words_is_no_greeting() -> None:
    later = [started(9_000, "i"), audio(9_100, 300, "i"), onset(9_100, 0, "i"), done(9_200, "i")]
    assert measured(of_no_turn(later)).greeting_ms is None


def test_one_without_sound_has_words_and_no_time() -> None:
    row = measured(of_no_turn([started(-4_900, "g"), text(-4_800, "Hello.", "g"), done(-4_600, "g")]))
    assert (row.greeting_ms, row.greeting_audio_ms, row.greeting_text) == (None, None, "Hello.")


def test_a_call_in_which_nobody_spoke_may_have_been_greeted() -> None:
    row = measured(of_no_turn(GREETING), turns=False)
    assert row.greeting_ms == 420
    assert row.greeting_audio_ms == round(300 * RATE_HZ / 1000) / RATE_HZ * 1000
