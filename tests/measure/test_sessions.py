"""The row of a call."""

from __future__ import annotations

from typing import Any

import pytest

from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.facts.signals import (
    ErrorInfo,
    Malformed,
    RateLimit,
    RateLimits,
    ServerError,
    SessionCreated,
    Signal,
    TranscriptionUsage,
    Unrecognised,
)
from bench.facts.timeline import Entry
from bench.measure.records import SessionRecord
from bench.measure.sessions import measure_session
from bench.measure.turns import measure_turn
from bench.pricing.book import NO_BOOKS, default_books
from tests.measure import build
from tests.measure.build import USAGE, audio, done, good_reply, heard, ns, started

START = build.T0_NS - 2_000_000_000
MS = 1_000_000


def line(*, tls: bool = True) -> Connection:
    return Connection(
        intended_ns=START,
        started_ns=START + 5 * MS,
        stages={
            "dns": START + 7 * MS,
            "tcp": START + 20 * MS,
            **({"tls": START + 50 * MS} if tls else {}),
            "upgrade": START + 80 * MS,
        },
        open_ns=START + 80 * MS,
        ready_ns=START + 120 * MS,
        closed_ns=START + 60_005 * MS,
        kernel_stamps=True,
        peer="127.0.0.1:443",
    )


def session(signals: list[Signal], *, book: Any = NO_BOOKS, **changes: Any) -> SessionRecord:
    turn = build.facts()
    call = build.timeline(signals, turn, connection=changes.pop("connection", line()), **changes)
    call.entries.insert(0, Entry(SessionCreated(ns(-4000), "sess_1", "gpt-x"), ns(-4000) + 200_000, None))
    rows = [measure_turn(call, turn, wall_anchor=build.ANCHOR, book=default_books())]
    return measure_session(call, rows, build.ANCHOR, book=book)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "ok"),
        ("start_late_ms", 5.0),
        ("dns_ms", 2.0),
        ("tcp_ms", 13.0),
        ("tls_ms", 30.0),
        ("upgrade_ms", 30.0),
        ("connect_ms", 80.0),
        ("session_ready_ms", 120.0),
        ("duration_ms", 60_000.0),
        ("turns_ended", 1),
        ("turns_ok", 1),
        ("server_session_id", "sess_1"),
        ("model", "local-pipeline"),
        ("reply_audio_ms", 1000.0),
        ("recv_lag_ms", 0.2),
        ("cost_usd", 1329.85e-6),
        ("cost_partial_usd", None),
        ("rate_limit_tokens_remaining", None),
        ("kernel_stamps", True),
        ("started_at", 1_799_999_998.005),
    ],
)
def test_columns(column: str, value: Any) -> None:
    assert getattr(session(good_reply()), column) == (pytest.approx(value) if isinstance(value, float) else value)


def test_without_tls_the_upgrade_follows_tcp() -> None:
    record = session(good_reply(), connection=line(tls=False))
    assert (record.tls_ms, record.upgrade_ms) == (None, 60.0)


def test_a_call_that_never_connected() -> None:
    failure = Failure("connect", "connect", "refused", "connection refused", http_status=None)
    record = session([], connection=Connection(intended_ns=START), failure=failure)
    assert (record.status, record.error_kind, record.stage) == ("failed", "connect", "connect")
    assert (record.connect_ms, record.session_ready_ms, record.duration_ms, record.ended_at) == (None,) * 4
    assert record.cost_usd is None


def test_counts_of_what_the_server_sent() -> None:
    signals: list[Signal] = [
        *good_reply(),
        Malformed(ns(1), "x"),
        Unrecognised(ns(2), "new.event"),
        ServerError(ns(3), ErrorInfo(code="a")),
        ServerError(ns(4), ErrorInfo(code="b"), benign=True),
        RateLimits(ns(5), (RateLimit("tokens", 40_000, 39_000, 1.5), RateLimit("requests", 200, 199, 0.3))),
        RateLimits(ns(6), (RateLimit("tokens", 40_000, 38_000, 1.5),)),
    ]
    record = session(signals, dropped_signals=7)
    assert (record.malformed, record.unrecognised, record.server_errors, record.dropped_signals) == (1, 1, 1, 7)
    assert (record.rate_limit_tokens_remaining, record.rate_limit_requests_remaining) == (38_000, 199)
    assert (record.rate_limit_tokens_limit, record.rate_limit_requests_limit) == (40_000, 200)


def test_stopped_is_not_failed() -> None:
    assert session(good_reply(), stopped=True).status == "stopped"


def test_a_turn_cut_off_is_not_counted_as_ended() -> None:
    turn = build.facts(end="stopped")
    call = build.timeline(good_reply()[:5], turn)
    record = measure_session(call, [measure_turn(call, turn, wall_anchor=build.ANCHOR)], build.ANCHOR)
    assert (record.turns_ended, record.turns_ok) == (0, 0)


def test_one_unpriced_turn_makes_the_sum_unknown_but_a_silent_one_does_not() -> None:
    call = build.timeline(good_reply(), build.facts())

    def measured() -> SessionRecord:
        rows = [measure_turn(call, turn, wall_anchor=build.ANCHOR, book=default_books()) for turn in call.turns]
        return measure_session(call, rows, build.ANCHOR, book=default_books())

    call.turns.append(build.facts(index=1, end="reply_timeout"))
    priced = measured()
    assert (priced.cost_usd, priced.cost_partial_usd) == (pytest.approx(1329.85e-6), None)
    call.turns.append(build.facts(index=2))
    call.entries += [Entry(signal, signal.at_ns, 2, 9) for signal in (audio(700, 100), done(900))]
    partly = measured()
    assert (partly.cost_usd, partly.cost_partial_usd) == (None, pytest.approx(1329.85e-6))
    assert partly.cost_unknown == "tokens (the server reported no usage)"


def test_what_belongs_to_no_turn_is_in_the_call_and_its_cost() -> None:
    call = build.timeline(good_reply(), build.facts())
    greeting = [started(-2500, "r0"), audio(-2400, 100, "r0"), done(-2200, "r0", usage=USAGE)]
    call.entries += [Entry(signal, signal.at_ns, None, 9) for signal in greeting]
    silence = heard(2500, "", "u9", TranscriptionUsage(in_audio_tokens=10, out_text_tokens=1))
    call.entries.append(Entry(silence, silence.at_ns, None))
    rows = [measure_turn(call, call.turns[0], wall_anchor=build.ANCHOR, book=default_books())]
    record = measure_session(call, rows, build.ANCHOR, book=default_books())
    assert (record.other_responses, record.other_in_text, record.other_out_audio) == (1, 100, 40)
    assert record.other_transcription_in_audio == 10
    assert record.other_cost_usd == pytest.approx((424 + 6.6 + 848 + 10 * 1.25 + 5) / 1e6)
    assert record.cost_usd == pytest.approx((rows[0].cost_usd or 0) + (record.other_cost_usd or 0))
    none = measure_session(build.timeline(good_reply(), build.facts()), rows, build.ANCHOR, book=default_books())
    assert (none.other_responses, none.other_cost_usd, none.other_in_text) == (0, None, None)


def test_a_turn_without_a_row_is_billed_to_its_call() -> None:
    call = build.timeline(good_reply(), build.facts(end="stopped"))
    record = measure_session(call, [], build.ANCHOR, book=default_books())
    assert (record.other_responses, record.other_in_text) == (1, 100)
    assert record.cost_usd == pytest.approx(1329.85e-6)


def test_a_model_billed_by_the_minute() -> None:
    turn = build.facts()
    call = build.timeline(good_reply(), turn, connection=line())
    call.labels = build.Labels("r", "w", "s", 0, 0, "d", "openai", "gpt-live-1", "live", "ws")
    rows = [measure_turn(call, turn, wall_anchor=build.ANCHOR, book=default_books())]
    assert rows[0].cost_usd is None
    assert "by the minute" in (rows[0].cost_note or "")
    record = measure_session(call, rows, build.ANCHOR, book=default_books())
    assert record.cost_usd == pytest.approx((60_005 - 80) / 60_000 * 0.05)
