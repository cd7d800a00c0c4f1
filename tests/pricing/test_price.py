"""Money by hand: every meter, every way in which it can be unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.facts.signals import TranscriptionUsage, Usage
from bench.pricing.book import Rates, TokenMeters, TranscriptionMeters, default_books
from bench.pricing.price import Bill, price_minutes, price_turn

BOOKS = default_books()
REALTIME = BOOKS.rates("gpt-realtime")
TEXT_ONLY = Rates.model_validate(
    {
        "tokens_usd_per_million": {"text": {"input": 1, "output": 2}, "audio": {"input": 10, "cached": 1}},
        "source": "test",
        "source_date": "2026-11",
    }
)


def usage(**tokens: int) -> Usage:
    return Usage(**{f"{name}_tokens": count for name, count in tokens.items()})


@pytest.mark.parametrize(
    ("model", "tokens", "expected_usd"),
    [
        # fresh text 1000 * 4 + out text 100 * 16 + out audio 200 * 64
        ("gpt-realtime", {"in_text": 1000, "out_text": 100, "out_audio": 200}, 0.0184),
        # (1000-600)*4 + 600*.4 + (500-200)*32 + 200*.4 + 100*16 + 200*64
        (
            "gpt-realtime",
            {
                "in_text": 1000,
                "in_cached_text": 600,
                "in_audio": 500,
                "in_cached_audio": 200,
                "out_text": 100,
                "out_audio": 200,
            },
            0.02592,
        ),
        ("gpt-realtime", {"in_image": 1000, "in_cached_image": 400, "out_text": 0}, 0.0032),
        ("gpt-realtime-mini", {"in_audio": 600, "out_audio": 1200}, 0.03),
        ("gpt-realtime-2", {"in_text": 0, "in_audio": 1, "out_text": 1_000_000}, 24.000032),
        ("gpt-4o-realtime-preview-2024-10-01", {"in_audio": 100, "in_cached_audio": 100, "out_audio": 0}, 0.002),
        # everything cached: 1000 * .4
        ("gpt-realtime", {"in_text": 1000, "in_cached_text": 1000, "out_text": 0}, 0.0004),
    ],
)
def test_tokens(model: str, tokens: dict[str, int], expected_usd: float) -> None:
    cost = price_turn(usage(**tokens), None, BOOKS.rates(model), None)
    assert cost.total_usd == pytest.approx(expected_usd)
    assert cost.known_usd == cost.total_usd
    assert cost.notes == ()
    parts = (cost.input_usd, cost.cached_usd, cost.output_usd)
    assert sum(part or 0 for part in parts) == pytest.approx(expected_usd)


def test_the_parts() -> None:
    cost = price_turn(
        usage(in_text=1000, in_cached_text=600, in_audio=500, in_cached_audio=200, out_text=100, out_audio=200),
        None,
        REALTIME,
        None,
    )
    assert cost.input_usd == pytest.approx((400 * 4 + 300 * 32) / 1e6)
    assert cost.cached_usd == pytest.approx(800 * 0.4 / 1e6)
    assert cost.output_usd == pytest.approx((100 * 16 + 200 * 64) / 1e6)
    assert cost.transcription_usd is None


@pytest.mark.parametrize(
    ("counts", "rates", "note", "known_usd"),
    [
        ({"in_text": 5, "out_text": 1}, None, "no price for this model", None),
        (None, REALTIME, "reported no usage", None),
        ({}, REALTIME, "not reported by modality", None),
        ({"in_text": 0, "in_audio": 0, "out_text": 0}, REALTIME, "zero tokens", None),
        ({"out_text": 1000}, REALTIME, "input tokens were not reported", 0.016),
        ({"in_text": 1000}, REALTIME, "output tokens were not reported", 0.004),
        ({"in_text": 10, "in_image": 3, "out_text": 1}, TEXT_ONLY, "no price for image input tokens", 12e-6),
        ({"in_text": 10, "in_cached_text": 5, "out_text": 1}, TEXT_ONLY, "no price for cached text tokens", 7e-6),
        ({"in_text": 10, "out_text": 1, "out_audio": 9}, TEXT_ONLY, "no price for audio output tokens", 12e-6),
        ({"in_text": 5, "out_text": 1}, BOOKS.rates("gpt-live-1"), "by the minute", None),
    ],
)
def test_an_unknown_meter_makes_the_total_null(
    counts: dict[str, int] | None, rates: Rates | None, note: str, known_usd: float | None
) -> None:
    cost = price_turn(None if counts is None else usage(**counts), None, rates, None)
    assert cost.total_usd is None
    assert cost.known_usd == (None if known_usd is None else pytest.approx(known_usd))
    assert any(note in said for said in cost.notes), cost.notes


ZEROS = usage(in_text=0, in_audio=0, out_text=0, out_audio=0)
SOME = usage(in_text=1000, out_text=0)
BILLS: list[tuple[str, list[Bill], float | None, float | None, str | None]] = [
    # what the responses of a turn were -> total, known part, what the unknown part says
    ("refused, zeros", [Bill(ZEROS, "failed", delivered=False)], 0.0, 0.0, None),
    ("refused, null", [Bill(None, "failed", delivered=False)], 0.0, 0.0, None),
    ("failed in mid-reply, zeros", [Bill(ZEROS, "failed")], 0.0, 0.0, None),
    ("failed in mid-reply, null", [Bill(None, "failed")], None, None, "tokens (the server reported no usage)"),
    ("failed and billed", [Bill(SOME, "failed", delivered=False)], 0.004, 0.004, None),
    ("taken back unheard, null", [Bill(None, "cancelled", delivered=False)], 0.0, 0.0, None),
    ("taken back unheard, billed", [Bill(SOME, "cancelled", delivered=False)], 0.004, 0.004, None),
    ("taken back in mid-reply, zeros", [Bill(ZEROS, "cancelled")], None, None, "a usage of zero tokens"),
    ("cut by a filter at once, zeros", [Bill(ZEROS, "incomplete", delivered=False)], 0.0, 0.0, None),
    ("cut by a filter at once, null", [Bill(None, "incomplete", delivered=False)], None, None, "no usage"),
    ("completed and empty, zeros", [Bill(ZEROS, "completed", delivered=False)], None, None, "zero tokens"),
    ("completed, null", [Bill(None, "completed")], None, None, "no usage"),
    ("never ended, gave something", [Bill(None, None)], None, None, "a response never ended"),
    ("never ended, gave nothing", [Bill(None, None, delivered=False)], 0.0, 0.0, None),
    ("refused, then answered", [Bill(ZEROS, "failed", delivered=False), Bill(SOME)], 0.004, 0.004, None),
    ("answered, then silent", [Bill(SOME), Bill(None)], None, 0.004, "tokens (1 of 2 responses came without usage)"),
    ("no response at all", [], None, None, None),
    (
        "negative",
        [Bill(usage(in_text=-5, in_audio=100, out_text=0))],
        None,
        0.0032,
        "text input (the server reported an",
    ),
    ("absurd", [Bill(usage(in_text=10**30, out_text=0))], None, None, "impossible count of text input tokens"),
    ("negative cache", [Bill(usage(in_text=1000, in_cached_text=-7, out_text=0))], None, 0.004, "cached text input ("),
    ("totals alone", [Bill(usage(in_total=50, out_total=9))], None, None, "input (input tokens were not reported by"),
    (
        "a total that is more than its parts",
        [Bill(usage(in_text=1000, in_total=1500, out_text=0))],
        None,
        0.004,
        "input (input tokens were not all reported by modality)",
    ),
    ("a total of its parts", [Bill(usage(in_text=1000, in_total=1000, out_text=0, out_total=0))], 0.004, 0.004, None),
    ("reasoning is text", [Bill(usage(in_text=0, out_text=1000, out_reasoning=900))], 0.016, 0.016, None),
    (
        "reasoning beside the text is billed as text",
        [Bill(usage(in_text=0, out_text=100, out_audio=0, out_reasoning=900, out_total=1000))],
        0.016,
        0.016,
        None,
    ),
]


@pytest.mark.parametrize(("case", "bills", "total_usd", "known_usd", "unknown"), BILLS, ids=[bill[0] for bill in BILLS])
def test_what_a_response_is_billed(
    case: str, bills: list[Bill], total_usd: float | None, known_usd: float | None, unknown: str | None
) -> None:
    cost = price_turn(bills, None, REALTIME, None)
    assert cost.total_usd == (None if total_usd is None else pytest.approx(total_usd)), case
    assert cost.known_usd == (None if known_usd is None else pytest.approx(known_usd)), case
    said = "; ".join(map(str, cost.unknown))
    assert unknown in said if unknown else not said, said


def test_a_refused_response_costs_nothing_even_where_nothing_has_a_price() -> None:
    assert price_turn([Bill(None, "failed", delivered=False)], None, None, None).total_usd == 0.0


def test_a_cached_total_fills_the_text_and_the_rest_is_other_cached_input() -> None:
    counts = Usage(
        in_text_tokens=10, in_audio_tokens=50, in_cached_text_tokens=40, out_text_tokens=0, cached_split_assumed=True
    )
    cost = price_turn(counts, None, REALTIME, None)
    assert cost.cached_usd == pytest.approx(40 * 0.4 / 1e6)
    assert cost.input_usd == pytest.approx(20 * 32 / 1e6)


def test_unused_meters_need_no_price() -> None:
    counts = usage(in_text=10, in_audio=10, in_cached_audio=4, in_image=0, out_text=1, out_audio=0)
    assert price_turn(counts, None, TEXT_ONLY, None).total_usd == pytest.approx((10 + 6 * 10 + 4 + 2) / 1e6)


def test_more_cached_than_input_is_flagged_and_never_negative() -> None:
    cost = price_turn(usage(in_text=100, in_cached_text=150, out_text=0), None, REALTIME, None)
    assert (cost.input_usd, cost.cached_usd) == (0.0, pytest.approx(100 * 0.4 / 1e6))
    assert cost.notes == ("150 cached text tokens exceed the 100 text input tokens",)


def test_an_assumed_split_of_cached_tokens_is_noted() -> None:
    counts = Usage(in_text_tokens=100, in_cached_text_tokens=50, out_text_tokens=1, cached_split_assumed=True)
    cost = price_turn(counts, None, REALTIME, None)
    assert cost.total_usd is not None
    assert "taken as text" in cost.notes[0]


SPOKEN: list[tuple[str | None, TranscriptionUsage | None, float | None, str | None]] = [
    ("gpt-4o-transcribe", TranscriptionUsage(in_text_tokens=2, in_audio_tokens=40, out_text_tokens=9), 195e-6, None),
    ("gpt-4o-mini-transcribe", TranscriptionUsage(in_audio_tokens=40, out_text_tokens=9), 95e-6, None),
    ("whisper-1", TranscriptionUsage(seconds=30.0), 0.003, None),
    ("whisper-1", TranscriptionUsage(seconds=0.0), 0.0, None),
    ("whisper-1", TranscriptionUsage(in_audio_tokens=40), None, "priced by the minute"),
    ("gpt-4o-transcribe", TranscriptionUsage(seconds=30.0), None, "priced by tokens"),
    ("gpt-4o-transcribe", TranscriptionUsage(), None, "reported no usage"),
    ("gpt-4o-transcribe", None, None, "reported no usage"),
    ("gpt-4o-transcribe", TranscriptionUsage(in_total_tokens=40, out_text_tokens=9), None, "not reported by modality"),
    ("gpt-4o-transcribe", TranscriptionUsage(in_audio_tokens=-40, out_text_tokens=9), None, "impossible count"),
    ("whisper-1", TranscriptionUsage(seconds=-3.0), None, "impossible length"),
    ("whisper-1", TranscriptionUsage(seconds=float("nan")), None, "impossible length"),
    ("whisper-1", TranscriptionUsage(seconds=1e9), None, "impossible length"),
    ("whisper-1", TranscriptionUsage(seconds=30.0, in_audio_tokens=40), 0.003, None),
    ("nobody-knows", TranscriptionUsage(seconds=1.0), None, "no price for the transcription model"),
    (None, TranscriptionUsage(seconds=1.0), None, "no price for the transcription model"),
]


@pytest.mark.parametrize(("model", "spoken", "usd", "note"), SPOKEN)
def test_transcription(
    model: str | None, spoken: TranscriptionUsage | None, usd: float | None, note: str | None
) -> None:
    counts = usage(in_text=1000, out_text=0)
    meters = BOOKS.transcription("gpt-realtime", model)
    cost = price_turn(counts, spoken, REALTIME, meters, transcribed=True)
    assert cost.transcription_usd == (None if usd is None else pytest.approx(usd))
    assert cost.total_usd == (None if usd is None else pytest.approx(0.004 + usd))
    assert cost.known_usd == pytest.approx(0.004 + (usd or 0))
    assert any(note in said for said in cost.notes) if note else cost.notes == ()


def test_without_a_transcription_there_is_none_to_pay() -> None:
    cost = price_turn(usage(in_text=1000, out_text=0), None, REALTIME, None)
    assert (cost.total_usd, cost.transcription_usd) == (pytest.approx(0.004), None)


def test_a_used_transcription_meter_without_a_price() -> None:
    meters = TranscriptionMeters(tokens_usd_per_million=TokenMeters.model_validate({"audio": {"input": 1.0}}))
    spoken = TranscriptionUsage(in_audio_tokens=10, out_text_tokens=3)
    cost = price_turn(usage(in_text=1, out_text=0), spoken, REALTIME, meters)
    assert (cost.transcription_usd, cost.total_usd) == (None, None)


def test_the_embedded_server_pays_its_own_recogniser() -> None:
    meters = BOOKS.transcription("local-pipeline", "gpt-4o-transcribe")
    cost = price_turn(usage(in_text=1, out_text=0), TranscriptionUsage(in_audio_tokens=8), REALTIME, meters)
    assert cost.transcription_usd == pytest.approx(10e-6)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (price_minutes(BOOKS.rates("gpt-live-1"), 2.5), pytest.approx(0.125)),
        (price_minutes(BOOKS.rates("gpt-live-1"), None), None),
        (price_minutes(BOOKS.rates("gpt-live-1"), -1.0), None),
        (price_minutes(BOOKS.rates("gpt-live-1"), float("inf")), None),
        (price_minutes(REALTIME, 2.5), None),
        (price_minutes(None, 2.5), None),
    ],
)
def test_sums(found: Any, expected: Any) -> None:
    assert found == expected


counts = st.one_of(st.none(), st.integers(-10, 100_000), st.just(10**25))
usages = st.one_of(st.none(), st.builds(Usage, *[counts] * 11, st.booleans()))
statuses = st.sampled_from(["completed", "failed", "cancelled", "incomplete", "unknown", None])


@given(st.lists(st.builds(Bill, usages, statuses, st.booleans())))
def test_no_bill_is_negative_and_what_is_unknown_is_named(bills: list[Bill]) -> None:
    cost = price_turn(bills, None, REALTIME, None)
    assert (cost.total_usd is None) == bool(cost.unknown or not bills)
    assert cost.known_usd is None or cost.known_usd >= 0
    assert cost.total_usd is None or cost.total_usd == cost.known_usd


@given(
    st.builds(Usage, *[st.one_of(st.none(), st.integers(0, 100_000))] * 8),
    st.sampled_from(BOOKS.parts[0:2]),
)
def test_money_is_never_negative_and_the_known_part_never_exceeds_the_whole(used: Usage, book: Any) -> None:
    for rates in book.models.values():
        cost = price_turn(used, None, rates, None)
        parts = [part for part in (cost.input_usd, cost.cached_usd, cost.output_usd) if part is not None]
        assert all(part >= 0 for part in parts)
        assert (cost.total_usd is None) == (len(parts) < 3)
        if cost.total_usd is not None:
            assert cost.total_usd == cost.known_usd
        else:
            assert cost.notes


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_caching_is_never_dearer(tokens: int, cached: int) -> None:
    cold = price_turn(usage(in_text=tokens + cached, out_text=1), None, REALTIME, None)
    warm = price_turn(usage(in_text=tokens + cached, in_cached_text=cached, out_text=1), None, REALTIME, None)
    assert (warm.total_usd or 0) <= (cold.total_usd or 0) + 1e-12
