"""Each outcome, from the facts that make it; the table is the one of docs/measuring.md."""

from __future__ import annotations

from typing import Any

import pytest

from bench.dialects.openai_fields import parse_error
from bench.facts.failure import Failure
from bench.facts.signals import ErrorInfo, Malformed, ServerError, Signal, Usage
from bench.measure.outcome import ANSWERED, turn_ended
from tests.measure import build
from tests.measure.build import audio, done, measure, ns, started, text

REPLY = [started(500), text(600, "Hello"), audio(700, 200)]
RATE_LIMITED = parse_error(
    {"type": "rate_limit_exceeded", "code": "inference_rate_limit_exceeded", "message": "slow down"}
)
CLOSED = Failure("closed", "turn", "close_1006", "the server closed the connection", close_code=1006)
TIMEOUT = Failure("timeout", "turn", "reply_timeout", "no reply in time")


def server_error(code: str | None, kind: str | None = None, *, benign: bool = False) -> Signal:
    return ServerError(ns(400), parse_error({"type": kind, "code": code, "message": "words"}), benign=benign)


CASES: list[tuple[str, list[Signal], dict[str, Any], tuple[str, str | None, str | None, int | None, str | None]]] = [
    ("good", [*REPLY, done(900)], {}, ("ok", None, None, None, None)),
    ("good, of a protocol that marks no end", REPLY, {}, ("ok", None, None, None, None)),
    ("status unknown, audio came", [*REPLY, done(900, status="unknown")], {}, ("ok", None, None, None, None)),
    (
        "completed without audio",
        [started(500), text(600, "Hello"), done(900)],
        {},
        ("no_reply", "server", "text_only", None, "turn"),
    ),
    ("completed without anything", [started(500), done(900)], {}, ("no_reply", "server", "empty_reply", None, "turn")),
    (
        "text session, text came",
        [started(500), text(600, "Hello"), done(900)],
        {"line": {"audio_expected": False}},
        ("ok", None, None, None, None),
    ),
    (
        "text session, no text",
        [started(500), done(900)],
        {"line": {"audio_expected": False}},
        ("no_reply", "server", "empty_reply", None, "turn"),
    ),
    ("early", [text(-1, "Yes"), audio(10, 90), done(50)], {}, ("early", None, None, None, "turn")),
    ("just in time", [text(0, "Yes"), audio(0, 90), done(50)], {}, ("ok", None, None, None, None)),
    (
        "early, taken back, then silence",
        [audio(-500, 50), done(-300, status="cancelled", reason="turn_detected")],
        {"end": "reply_timeout", "failure": TIMEOUT},
        ("early", "timeout", "reply_timeout", None, "turn"),
    ),
    (
        "cancelled",
        [*REPLY, done(900, status="cancelled", reason="turn_detected")],
        {},
        ("cancelled", None, "turn_detected", None, "turn"),
    ),
    (
        "cancelled, then closed",
        [started(100), done(900, status="cancelled", reason="turn_detected")],
        {"end": "closed", "failure": CLOSED},
        ("cancelled", "closed", "close_1006", 1006, "turn"),
    ),
    (
        "cancelled before anything was heard, then answered",
        [started(-500, "r0"), done(-300, "r0", "cancelled", reason="turn_detected"), *REPLY, done(900)],
        {},
        ("ok", None, None, None, None),
    ),
    (
        "cancelled before the end, and nothing after it",
        [started(-500, "r0"), done(-300, "r0", "cancelled", reason="turn_detected")],
        {"end": "completed"},
        ("cancelled", None, "turn_detected", None, "turn"),
    ),
    (
        "cancelled after the caller ended, then answered",
        [started(100, "r0"), done(300, "r0", "cancelled", reason="turn_detected"), *REPLY, done(900)],
        {},
        ("ok", None, None, None, None),
    ),
    (
        "incomplete",
        [*REPLY, done(900, status="incomplete", reason="max_output_tokens")],
        {},
        ("incomplete", None, "max_output_tokens", None, "turn"),
    ),
    (
        "rate limit on a healthy socket",
        [started(500), done(900, status="failed", error=RATE_LIMITED)],
        {},
        ("failed", "rate_limit", "inference_rate_limit_exceeded", None, "turn"),
    ),
    (
        "failed after some audio",
        [*REPLY, done(900, status="failed", error=ErrorInfo("server_error", None))],
        {},
        ("failed", "server", "server_error", None, "turn"),
    ),
    (
        "failed, no reason given",
        [started(500), done(900, status="failed")],
        {},
        ("failed", "server", None, None, "turn"),
    ),
    (
        "failed, then answered",
        [started(100, "r0"), done(200, "r0", "failed", error=RATE_LIMITED), *REPLY, done(900)],
        {},
        ("ok", None, None, None, None),
    ),
    (
        "error event and no response",
        [server_error("insufficient_quota")],
        {"end": "reply_timeout", "failure": TIMEOUT},
        ("failed", "quota", "insufficient_quota", None, "turn"),
    ),
    (
        "error event in mid-reply, no end",
        [*REPLY, server_error(None, "server_error")],
        {"end": "response_timeout"},
        ("failed", "server", "server_error", None, "turn"),
    ),
    (
        "a benign error is no failure",
        [*REPLY, server_error("conversation_already_has_active_response", benign=True), done(900)],
        {},
        ("ok", None, None, None, None),
    ),
    (
        "a benign error explains no silence",
        [server_error("response_cancel_not_active", benign=True)],
        {"end": "reply_timeout", "failure": TIMEOUT},
        ("no_reply", "timeout", "reply_timeout", None, "turn"),
    ),
    (
        "the request was refused",
        [server_error("input_audio_buffer_commit_empty", "invalid_request_error")],
        {"end": "error", "failure": Failure("protocol", "turn", "input_audio_buffer_commit_empty", "too small")},
        ("failed", "protocol", "input_audio_buffer_commit_empty", None, "turn"),
    ),
    (
        "no reply",
        [],
        {"end": "reply_timeout", "failure": TIMEOUT},
        ("no_reply", "timeout", "reply_timeout", None, "turn"),
    ),
    (
        "announced and never begun",
        [started(500)],
        {"end": "response_timeout"},
        ("no_reply", "timeout", "response_timeout", None, "turn"),
    ),
    (
        "begun and never ended",
        REPLY,
        {"end": "response_timeout"},
        ("failed", "timeout", "response_timeout", None, "turn"),
    ),
    (
        "unreadable messages, then silence",
        [Malformed(ns(600), "not JSON")],
        {"end": "reply_timeout", "failure": TIMEOUT},
        ("no_reply", "protocol", "malformed_message", None, "turn"),
    ),
    (
        "one unreadable message in a good reply",
        [*REPLY, Malformed(ns(800), "not JSON"), done(900)],
        {},
        ("ok", None, None, None, None),
    ),
    (
        "closed before any reply",
        [],
        {"end": "closed", "failure": CLOSED},
        ("no_reply", "closed", "close_1006", 1006, "turn"),
    ),
    (
        "closed in mid-reply",
        REPLY,
        {"end": "closed", "failure": CLOSED},
        ("failed", "closed", "close_1006", 1006, "turn"),
    ),
    (
        "closed: a code that came after the turn's end is the call's alone",
        REPLY,
        {"end": "closed", "line": {"close_code": 1011}},
        ("failed", "closed", None, None, "turn"),
    ),
    (
        "expired",
        [server_error("session_expired", "invalid_request_error")],
        {"end": "closed", "failure": CLOSED},
        ("failed", "closed", "session_expired", 1006, "turn"),
    ),
    ("stopped before the reply", [], {"end": "stopped"}, ("no_reply", None, None, None, "stopped")),
    ("stopped in mid-reply", REPLY, {"end": "stopped"}, ("incomplete", None, None, None, "stopped")),
    ("killed", REPLY, {"end": None}, ("incomplete", None, None, None, "stopped")),
]


@pytest.mark.parametrize(("signals", "arguments", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_outcome(signals: list[Signal], arguments: dict[str, Any], expected: tuple[Any, ...]) -> None:
    record = measure(signals, **arguments)
    found = (record.status, record.error_kind, record.error_code, record.close_code, record.stage)
    assert found == expected


def test_the_message_is_kept_but_never_decides() -> None:
    wordy = ErrorInfo("server_error", None, "rate_limit_exceeded 429 insufficient_quota")
    record = measure([started(500), done(900, status="failed", error=wordy)])
    assert record.error_kind == "server"
    assert record.error_message == "rate_limit_exceeded 429 insufficient_quota"


def test_failed_turns_keep_their_times_and_tokens() -> None:
    usage = Usage(in_text_tokens=7, out_text_tokens=1)
    record = measure([*REPLY, done(900, status="failed", error=RATE_LIMITED, usage=usage)])
    assert (record.first_audio_ms, record.in_text) == (700.0, 7)


@pytest.mark.parametrize(
    ("end", "ended"),
    [("completed", True), ("closed", True), ("reply_timeout", True), ("stopped", False), (None, False)],
)
def test_turn_ended(end: Any, ended: bool) -> None:
    assert turn_ended(build.facts(end=end)) is ended


@pytest.mark.parametrize(
    ("status", "answered"), [("ok", True), ("interrupted", True), ("early", False), ("failed", False)]
)
def test_answered(status: Any, answered: bool) -> None:
    assert (status in ANSWERED) is answered
