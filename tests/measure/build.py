"""Timelines made by hand for the tests of `bench.measure`: times in ms after the end of the caller's speech."""

from __future__ import annotations

from typing import Any

from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.facts.signals import (
    AudioDelta,
    ErrorInfo,
    InputCommitted,
    InputTranscript,
    Onset,
    ReplyStatus,
    ResponseEnded,
    ResponseStarted,
    Signal,
    SpeechStopped,
    TextDelta,
    TranscriptionUsage,
    Usage,
)
from bench.facts.timeline import Entry, Labels, Timeline, TurnEnd, TurnFacts
from bench.measure.records import TurnRecord, WallAnchor
from bench.measure.turns import measure_turn

RATE_HZ = 24_000
SPEECH_MS = 2_000
T0_NS = 50_000_000_000
SPEECH_END_NS = T0_NS + (SPEECH_MS + 100) * 1_000_000
ANCHOR = WallAnchor(monotonic_ns=T0_NS, unix_s=1_800_000_000.0)


def ns(ms: float) -> int:
    """The instant `ms` after the end of speech."""
    return SPEECH_END_NS + round(ms * 1_000_000)


def facts(**changes: Any) -> TurnFacts:
    values: dict[str, Any] = {
        "index": 0,
        "step": 0,
        "fixture": "balance",
        "t0_ns": T0_NS,
        "speech_start_ns": T0_NS + 100_000_000,
        "speech_end_ns": SPEECH_END_NS,
        "utterance_end_ns": ns(200),
        "reference": "What is my balance?",
        "language": "en",
        "accent": "us",
        "voice": "rms",
        "ended_ns": ns(3000),
        "end": "completed",
    }
    return TurnFacts(**{**values, **changes})


def timeline(signals: list[Signal], turn: TurnFacts, **changes: Any) -> Timeline:
    values: dict[str, Any] = {
        "labels": Labels("run", "w0", "s0", 0, 0, "demo", "openai", "local-pipeline", "openai", "ws"),
        "connection": Connection(intended_ns=T0_NS - 1_000_000_000),
        "output_rate_hz": RATE_HZ,
        "manual": False,
        "turns_planned": 1,
        "transcription_expected": False,
        "turns": [turn],
        "entries": [Entry(signal, signal.at_ns + 50_000, turn.index) for signal in signals],
    }
    return Timeline(**{**values, **changes})


def measure(
    signals: list[Signal],
    *,
    end: TurnEnd | None = "completed",
    failure: Failure | None = None,
    turn: dict[str, Any] | None = None,
    line: dict[str, Any] | None = None,
    **arguments: Any,
) -> TurnRecord:
    """The row of a turn that saw `signals`."""
    turn_facts = facts(end=end, failure=failure, **(turn or {}))
    return measure_turn(timeline(signals, turn_facts, **(line or {})), turn_facts, wall_anchor=ANCHOR, **arguments)


# signals, by ms after the end of speech


def started(ms: float, rid: str | None = "r1") -> Signal:
    return ResponseStarted(ns(ms), rid)


def text(ms: float, words: str, rid: str | None = "r1") -> Signal:
    return TextDelta(ns(ms), rid, words)


def audio(ms: float, length_ms: float, rid: str | None = "r1") -> Signal:
    samples = round(length_ms * RATE_HZ / 1000)
    return AudioDelta(ns(ms), rid, "item_a", samples, samples * 2)


def onset(ms: float, after_ms: float, rid: str | None = "r1") -> Signal:
    return Onset(ns(ms), rid, round(after_ms * RATE_HZ / 1000))


def done(
    ms: float,
    rid: str | None = "r1",
    status: ReplyStatus = "completed",
    *,
    reason: str | None = None,
    error: ErrorInfo | None = None,
    usage: Usage | None = None,
    wording: str | None = None,
) -> Signal:
    return ResponseEnded(ns(ms), rid, status, reason=reason, error=error, usage=usage, text=wording)


def stopped(ms: float, item: str | None = "u1") -> Signal:
    return SpeechStopped(ns(ms), item)


def committed(ms: float, item: str | None = "u1") -> Signal:
    return InputCommitted(ns(ms), item)


def heard(ms: float, words: str, item: str | None = "u1", usage: TranscriptionUsage | None = None) -> Signal:
    return InputTranscript(ns(ms), item, words, final=True, usage=usage)


USAGE = Usage(
    in_text_tokens=100,
    in_audio_tokens=50,
    in_cached_text_tokens=60,
    in_cached_audio_tokens=10,
    out_text_tokens=20,
    out_audio_tokens=40,
)


def good_reply() -> list[Signal]:
    """A whole VAD turn: endpoint 500, created 520, text 600, audio 700, audible 820, done 1300."""
    return [
        stopped(500),
        committed(505),
        started(520),
        text(600, "Your "),
        audio(700, 400),
        onset(701, 120),
        text(800, "balance."),
        audio(900, 400),
        text(1000, ""),
        audio(1100, 200),
        done(1300, usage=USAGE, wording="Your balance."),
        heard(1400, "what is my balance", usage=TranscriptionUsage(in_audio_tokens=21, out_text_tokens=5)),
    ]
