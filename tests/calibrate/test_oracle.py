"""The oracle chooses the same answer as the measure, by another way, whatever the responses of a turn were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.calibrate.sent import SentResponse
from bench.calibrate.truth import _answer
from bench.facts.signals import AudioDelta, ResponseEnded, TextDelta
from bench.measure.replies import Reply, answer_of

SPEECH_END_NS = 1_000
stamps = st.none() | st.integers(0, 2_000)
statuses = st.none() | st.sampled_from(["completed", "cancelled", "incomplete", "failed"])
responses = st.lists(st.tuples(statuses, stamps, stamps, stamps), max_size=5)


@given(responses, st.booleans(), stamps)
def test_the_same_answer(
    drawn: list[tuple[str | None, int | None, int | None, int | None]], audio_expected: bool, whole_ns: int | None
) -> None:
    replies, truths = [], []
    for number, (status, words_ns, audio_ns, created_ns) in enumerate(drawn):
        reply, truth = Reply(number), SentResponse(words_ns=words_ns)
        if words_ns is not None:
            reply.text.append(TextDelta(words_ns, "r", "a"))
        if audio_ns is not None:
            reply.audio.append(AudioDelta(audio_ns, "r", "i", 10))
            truth.audio.append({"at_ns": audio_ns, "samples": 10})
        # A response is announced with its first output at the latest.
        known = [stamp for stamp in (created_ns, words_ns, audio_ns) if stamp is not None]
        reply.started_ns = truth.created_ns = min(known, default=0)
        if status is not None:
            reply.ended = ResponseEnded(2_000, "r", status)  # type: ignore[arg-type]
            truth.done = {"at_ns": 2_000, "status": status}
        replies.append(reply)
        truths.append(truth)
    expected = {"audio_expected": audio_expected, "whole_ns": whole_ns}
    measured = answer_of(replies, speech_end_ns=SPEECH_END_NS, **expected)
    true = _answer(truths, SPEECH_END_NS, **expected)
    assert (measured is None) == (true is None)
    if measured is not None:
        assert measured.number == next(place for place, each in enumerate(truths) if each is true)
