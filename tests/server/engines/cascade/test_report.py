"""The stages of a reply add up to its first sound, and what is not known is left out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.server.engines.cascade.caller import Work
from bench.server.engines.cascade.report import ReplyReport, transcription_usage, used

MS = 1_000_000


@given(st.lists(st.integers(0, 5_000), min_size=9, max_size=9))
def test_the_stages_add_up(steps: list[int]) -> None:
    at = [sum(steps[: count + 1]) * MS for count in range(9)]
    report = ReplyReport(started_ns=at[0], committed_ns=at[0])
    report.stt = [Work("s", sent_ns=at[1], first_ns=at[2], ended_ns=at[2])]
    report.llm = Work("l", sent_ns=at[3], first_ns=at[4])
    report.sentence_ns = at[5]
    report.tts = [Work("t", sent_ns=at[6], first_ns=at[7])]
    report.sound_ns = at[8]
    assert sum(ms or 0 for ms in report.stages_ms.values()) == pytest.approx((at[8] - at[0]) / MS)


def test_a_client_that_asks_late_is_not_the_cascades_delay() -> None:
    report = ReplyReport(started_ns=900 * MS, committed_ns=0)
    report.stt = [Work("s", sent_ns=1 * MS, ended_ns=100 * MS)]
    report.llm = Work("l", sent_ns=902 * MS, first_ns=1000 * MS)
    report.sentence_ns, report.sound_ns = 1010 * MS, 1100 * MS
    report.tts = [Work("t", sent_ns=1010 * MS, first_ns=1100 * MS)]
    assert report.own_ms == 3


def test_what_did_not_happen_is_not_told() -> None:
    report = ReplyReport(started_ns=0, committed_ns=0)
    report.stt = [Work("s", sent_ns=0, ended_ns=120 * MS, usage={"sent_seconds": 2.5})]
    report.llm = Work("l", sent_ns=121 * MS)
    told = {leg: json.loads(text) for leg, text in report.metadata().items()}
    assert told == {"leg.stt": {"model": "s", "ms": 120.0, "sent_seconds": 2.5}, "leg.llm": {"model": "l"}}
    assert report.usage() is None


def test_a_count_that_one_request_lacks_is_not_known() -> None:
    works = [Work("t", usage={"characters": 3, "seconds": 1.5}), Work("t", usage={"characters": 4})]
    assert used(works) == {"characters": 7}


def test_a_request_that_went_out_once_more_is_told() -> None:
    report = ReplyReport(started_ns=0)
    report.llm = Work("l", repeated=True)
    report.tts = [Work("t"), Work("t", repeated=True), Work("t", repeated=True)]
    told = {leg: json.loads(text) for leg, text in report.metadata().items()}
    assert (told["leg.llm"]["repeated"], told["leg.tts"]["repeated"]) == (1, 2)
    assert [each["repeated"] for each in report.record()["legs"]["tts"]] == [False, True, True]


def test_usage_is_what_the_services_said() -> None:
    report = ReplyReport(started_ns=0)
    report.llm = Work("l", usage={"in_tokens": 70, "cached_tokens": 20, "out_tokens": 9})
    usage = report.usage()
    assert usage is not None
    assert usage["input_token_details"]["text_tokens"] == 70
    assert usage["input_token_details"]["cached_tokens_details"]["text_tokens"] == 20
    assert transcription_usage(Work("s", usage={"sent_seconds": 3.0})) is None
    assert transcription_usage(Work("s", usage={"seconds": 3.0})) == {"type": "duration", "seconds": 3.0}
    tokens = transcription_usage(Work("s", usage={"in_tokens": 30, "in_audio_tokens": 30, "out_text_tokens": 5}))
    assert tokens is not None
    assert tokens["input_token_details"] == {"audio_tokens": 30}
