"""The services behind a server that tells of them: the stages of a turn, and what they bill.

In: responses whose end tells of legs. Out: columns of a row, and the transcription as it is billed.
Trap: a turn may have several responses (a tool was called); each stage is that of the first response that has it, and
what was used is added up over all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bench.facts.signals import LegReport, TranscriptionUsage
from bench.measure.replies import Reply
from bench.pricing.price import Speech

STT, LLM, TTS, OWN = "stt", "llm", "tts", "own"


def stage_columns(parts: Sequence[Reply]) -> dict[str, Any]:
    """The stages from the end of the turn to the first sound; nothing where the server tells of none."""
    first: dict[str, LegReport] = {}
    for part in parts:
        for leg in _told(part):
            if leg.ms is not None:
                first.setdefault(leg.name, leg)
    ms = {name: leg.ms for name, leg in first.items()}
    return {
        "stt_ms": ms.get(STT),
        "llm_ttft_ms": ms.get(LLM),
        "llm_sentence_ms": first[LLM].sentence_ms if LLM in first else None,
        "tts_ttfb_ms": ms.get(TTS),
        "cascade_own_ms": ms.get(OWN),
    }


def speech_columns(replies: Iterable[Reply]) -> dict[str, Any]:
    """What was sent to be spoken and what came of it; nothing where the server tells of no such service."""
    spoken = speech_of(replies)
    if spoken is None:
        return {}
    return {
        "speech_model": spoken.model,
        "speech_characters": spoken.characters,
        "speech_seconds": spoken.seconds,
    }


def speech_of(replies: Iterable[Reply]) -> Speech | None:
    """What a service of its own spoke, as it is billed; None where there is none."""
    spoken = _of(replies, TTS)
    if not spoken:
        return None
    return Speech(spoken[0].model, _sum(leg.characters for leg in spoken), _sum(leg.seconds for leg in spoken))


def transcriptions_of(replies: Iterable[Reply]) -> list[TranscriptionUsage | None]:
    """What each transcription is billed at; None for one of which nothing was counted.

    A service that counts nothing is billed by the audio that was sent to it, as services that bill by the minute do.
    """
    return [_transcription(leg) for leg in _of(replies, STT)]


def transcriber_of(replies: Iterable[Reply]) -> str | None:
    """The model that wrote down what the caller said; None where the server does not tell."""
    return next((leg.model for leg in _of(replies, STT)), None)


def _transcription(leg: LegReport) -> TranscriptionUsage | None:
    tokens = (leg.in_text_tokens, leg.in_audio_tokens, leg.in_total_tokens)
    if any(count is not None for count in tokens):
        return TranscriptionUsage(leg.seconds, *tokens[:2], leg.out_text_tokens, leg.in_total_tokens)
    seconds = leg.seconds if leg.seconds is not None else leg.sent_seconds
    return None if seconds is None else TranscriptionUsage(seconds)


def _of(replies: Iterable[Reply], name: str) -> list[LegReport]:
    return [leg for reply in replies for leg in _told(reply) if leg.name == name]


def _told(reply: Reply) -> tuple[LegReport, ...]:
    return (reply.ended.legs or ()) if reply.ended is not None else ()


def _sum(counts: Iterable[float | None]) -> float | None:
    """The sum, None as soon as a part is not known."""
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)
