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
responses = st.lists(st.tuples(statuses, stamps, stamps), max_size=5)


@given(responses, st.booleans())
def test_the_same_answer(drawn: list[tuple[str | None, int | None, int | None]], audio_expected: bool) -> None:
    replies, truths = [], []
    for status, words_ns, audio_ns in drawn:
        reply, truth = Reply(), SentResponse(words_ns=words_ns)
        if words_ns is not None:
            reply.text.append(TextDelta(words_ns, "r", "a"))
        if audio_ns is not None:
            reply.audio.append(AudioDelta(audio_ns, "r", "i", 10))
            truth.audio.append({"at_ns": audio_ns, "samples": 10})
        if status is not None:
            reply.ended = ResponseEnded(2_000, "r", status)  # type: ignore[arg-type]
            truth.done = {"at_ns": 2_000, "status": status}
        replies.append(reply)
        truths.append(truth)
    measured = answer_of(replies, speech_end_ns=SPEECH_END_NS, audio_expected=audio_expected)
    true = _answer(truths, SPEECH_END_NS, audio_expected=audio_expected)
    assert (measured is None) == (true is None)
    if measured is not None:
        assert replies.index(measured) == next(place for place, each in enumerate(truths) if each is true) or (
            # Equal responses are one and the same to `index`.
            replies[next(place for place, each in enumerate(truths) if each is true)] == measured
        )
