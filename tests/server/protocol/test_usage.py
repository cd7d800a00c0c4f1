"""Token accounting: rates, growth with the context, and the cached share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.server.protocol.usage import (
    Segment,
    UsageLedger,
    reply_audio_tokens,
    text_tokens,
    transcription_usage,
    user_audio_tokens,
)

SEGMENTS = st.lists(st.builds(Segment, st.sampled_from("abcd"), st.integers(0, 50), st.integers(0, 50)), max_size=6)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("  ", 0), ("yes", 1), ("Hello, world.", 4), ("subscription", 2), ("4719", 1)]
)
def test_text_estimate(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


def test_audio_rates_match_the_figures_measured_on_the_vendor() -> None:
    assert user_audio_tokens(5850) == 58
    assert reply_audio_tokens(7300) == 146


@given(first=SEGMENTS, second=SEGMENTS, text=st.integers(0, 99), audio=st.integers(0, 99))
def test_cached_is_within_input_and_totals_add_up(
    first: list[Segment], second: list[Segment], text: int, audio: int
) -> None:
    ledger = UsageLedger()
    fresh = ledger.usage(first, out_text_tokens=0, out_audio_tokens=0)
    assert fresh["input_token_details"]["cached_tokens"] == 0
    usage = ledger.usage(second, out_text_tokens=text, out_audio_tokens=audio)
    details = usage["input_token_details"]
    cached = details["cached_tokens_details"]
    assert cached["text_tokens"] <= details["text_tokens"]
    assert cached["audio_tokens"] <= details["audio_tokens"]
    assert details["cached_tokens"] == cached["text_tokens"] + cached["audio_tokens"]
    assert usage["input_tokens"] == details["text_tokens"] + details["audio_tokens"]
    assert usage["output_tokens"] == text + audio
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_only_the_unbroken_leading_stretch_is_cached() -> None:
    ledger = UsageLedger()
    a, b, c = Segment("a", 10, 0), Segment("b", 0, 20), Segment("c", 5, 5)
    ledger.usage([a, b, c], out_text_tokens=0, out_audio_tokens=0)
    changed = ledger.usage([a, Segment("b2", 0, 8), c], out_text_tokens=0, out_audio_tokens=0)
    assert changed["input_token_details"]["cached_tokens"] == 10
    grown = ledger.usage([a, Segment("b2", 0, 8), c, b], out_text_tokens=0, out_audio_tokens=0)
    assert grown["input_token_details"]["cached_tokens"] == 28


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("gpt-4o-transcribe", "tokens"),
        ("gpt-4o-mini-transcribe", "tokens"),
        ("whisper-1", "duration"),
        ("x", "duration"),
    ],
)
def test_transcription_is_billed_by_model(model: str, kind: str) -> None:
    usage = transcription_usage(model, audio_ms=2500, transcript="what is my balance")
    assert usage["type"] == kind
    if kind == "duration":
        assert usage["seconds"] == 2.5
    else:
        assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (25, 4, 29)
