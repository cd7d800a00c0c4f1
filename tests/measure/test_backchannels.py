"""Whether a reply stopped for a sound that was no turn."""

from __future__ import annotations

from bench.facts.acts import Cut, Sound
from bench.facts.signals import Signal
from bench.facts.timeline import Timeline, timeline_from_dict, timeline_to_dict
from bench.measure.records import TurnRecord
from bench.measure.turns import measure_turn
from tests.measure import build
from tests.measure.build import ANCHOR, audio, done, facts, ns, onset, started, stopped

REPLY: list[Signal] = [stopped(400), started(410), audio(500, 1_000), onset(500, 0), audio(900, 2_000), done(1_000)]


def sound(at_ms: float) -> Sound:
    return Sound(1, "mm-hm", ns(at_ms), ns(at_ms), ns(at_ms + 400), ns(at_ms + 600), response=0, turn=0)


def row(timeline: Timeline) -> TurnRecord:
    found = measure_turn(timeline, timeline.turns[0], wall_anchor=ANCHOR)
    stored = timeline_from_dict(timeline_to_dict(timeline))
    assert measure_turn(stored, stored.turns[0], wall_anchor=ANCHOR) == found
    return found


def call(*sounds: Sound, cuts: tuple[Cut, ...] = ()) -> Timeline:
    return build.timeline(REPLY, facts(), sounds=list(sounds), cuts=list(cuts))


def test_a_reply_that_goes_on() -> None:
    found = row(call(sound(1_000), sound(2_000)))
    assert (found.backchannels, found.false_barge_in, found.status) == (2, False, "ok")
    assert found.reply_heard_ms == 3_500


def test_a_reply_that_stops() -> None:
    found = row(call(sound(1_000), cuts=(Cut(0, ns(1_150), "speech_started"),)))
    assert (found.backchannels, found.false_barge_in, found.reply_heard_ms) == (1, True, 1_150)
    assert found.talk_over_ms is None, "a backchannel is no talk-over"


def test_a_turn_without_a_sound_says_nothing() -> None:
    found = row(call())
    assert (found.backchannels, found.false_barge_in) == (None, None)


def test_a_stop_for_an_interruption_that_was_asked_for_is_right() -> None:
    timeline = call(sound(1_000), cuts=(Cut(0, ns(2_100), "speech_started"),))
    timeline.turns.append(
        facts(
            index=1, t0_ns=ns(2_000), speech_start_ns=ns(2_000), speech_end_ns=ns(3_000), interrupts=True, cuts_into=0
        )
    )
    found = row(timeline)
    assert (found.status, found.false_barge_in) == ("interrupted", False)
    timeline.cuts[0] = Cut(0, ns(1_900), "cancelled")
    assert row(timeline).false_barge_in is True, "before the interruption began"


def test_a_cut_that_came_after_the_row_is_not_part_of_it() -> None:
    timeline = call(sound(1_000), cuts=(Cut(0, ns(1_150), "speech_started"),))
    timeline.turns[0].cuts_measured = 0
    assert row(timeline).false_barge_in is False
