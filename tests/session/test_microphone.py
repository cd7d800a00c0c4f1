"""The caller's media clock, in a table with no clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.session.frames import Utterance
from bench.session.microphone import Microphone, phase_of

FRAME = 40_000_000


def utterance(frames: int) -> Utterance:
    return Utterance(
        fixture="f",
        reference="hello",
        language="en",
        accent="us",
        voice="v",
        frames=tuple(f"{n}".encode() for n in range(frames)),
        speech_start_ns=0,
        speech_end_ns=frames * FRAME,
        duration_ns=frames * FRAME,
    )


def test_a_frame_is_due_when_it_has_been_captured() -> None:
    microphone = Microphone(frame_ns=FRAME, idle=(b"-",), continuous=True)
    microphone.open(FRAME)
    assert microphone.due_ns() == 2 * FRAME
    assert microphone.take() == b"-"
    assert microphone.due_ns() == 3 * FRAME


def test_speech_is_placed_on_the_frame_grid_and_silence_fills_the_rest() -> None:
    microphone = Microphone(frame_ns=FRAME, idle=(b"-",), continuous=True)
    microphone.open(0)
    microphone.take()
    t0 = microphone.speak(utterance(2), now_ns=FRAME + 1)
    assert t0 == FRAME
    assert [microphone.take() for _ in range(4)] == [b"0", b"1", b"-", b"-"]


def test_a_late_loop_does_not_place_speech_in_the_past() -> None:
    microphone = Microphone(frame_ns=FRAME, idle=(b"-",), continuous=True)
    microphone.open(0)
    t0 = microphone.speak(utterance(1), now_ns=10 * FRAME + 5)
    assert t0 == 10 * FRAME
    assert [microphone.take() for _ in range(11)] == [b"-"] * 10 + [b"0"]


def test_push_to_talk_is_shut_between_utterances() -> None:
    microphone = Microphone(frame_ns=FRAME, idle=(b"-",), continuous=False)
    assert microphone.due_ns() is None
    assert microphone.speak(utterance(2), now_ns=77) == FRAME
    assert microphone.due_ns() == 2 * FRAME
    microphone.take()
    assert microphone.speaking
    microphone.take()
    assert not microphone.speaking
    assert microphone.due_ns() is None


@given(before=st.integers(0, 30), length=st.integers(1, 20), now=st.integers(0, 60 * FRAME))
def test_every_frame_is_sent_once_in_order_at_its_own_place(before: int, length: int, now: int) -> None:
    microphone = Microphone(frame_ns=FRAME, idle=(b"-",), continuous=True)
    microphone.open(0)
    for _ in range(before):
        microphone.take()
    t0 = microphone.speak(utterance(length), now)
    assert t0 % FRAME == 0
    assert t0 >= max(before * FRAME, now - FRAME)
    sent: dict[int, bytes] = {}
    while microphone.speaking:
        due = microphone.due_ns()
        assert due is not None
        sent[due] = microphone.take()
    speech = {due: frame for due, frame in sent.items() if frame != b"-"}
    assert speech == {t0 + (n + 1) * FRAME: f"{n}".encode() for n in range(length)}


@given(callers=st.integers(2, 500))
def test_phases_fill_the_frame_evenly(callers: int) -> None:
    phases = sorted(phase_of(index, FRAME) for index in range(callers))
    gaps = [b - a for a, b in zip(phases, [*phases[1:], phases[0] + FRAME], strict=True)]
    assert max(gaps) <= 3 * FRAME / callers


@given(now=st.integers(0, 10 * FRAME), phase=st.integers(0, FRAME - 1))
def test_the_clock_starts_on_the_callers_phase(now: int, phase: int) -> None:
    microphone = Microphone(frame_ns=FRAME, idle=(b"-",), continuous=True, phase_ns=phase)
    microphone.open(now)
    due = microphone.due_ns()
    assert due is not None
    assert due % FRAME == phase
    assert now + FRAME <= due < now + 2 * FRAME


@given(st.booleans(), st.integers(0, 20 * FRAME), st.integers(0, FRAME - 1))
def test_speech_that_may_not_begin_before_an_instant_begins_within_a_frame(
    continuous: bool, wanted_ns: int, phase_ns: int
) -> None:
    microphone = Microphone(frame_ns=FRAME, idle=(b"-",), continuous=continuous, phase_ns=phase_ns)
    microphone.open(0)
    t0 = microphone.speak(utterance(1), 0, not_before_ns=wanted_ns)
    assert wanted_ns <= t0 < wanted_ns + FRAME or t0 == phase_ns
