"""Reading fields of OpenAI's events that may be missing, null or of another type than documented.

In: values of decoded JSON; out: typed values, or None where there is none. Trap: a server's zero is a zero and its
null is unknown; neither may become the other here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.facts.signals import ErrorInfo, TranscriptionUsage, Usage


def text(value: Any) -> str | None:
    """`value` when it is a text."""
    return value if isinstance(value, str) else None


def count(value: Any) -> int | None:
    """`value` as a whole number that is not negative."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def number(value: Any) -> float | None:
    """`value` as a number; truth values are none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def parse_error(raw: Any) -> ErrorInfo:
    """An error object as the server sent it; anything that is not one gives its text as the message."""
    if not isinstance(raw, dict):
        return ErrorInfo(message=None if raw is None else str(raw)[:500])
    message = text(raw.get("message"))
    return ErrorInfo(
        type=text(raw.get("type")),
        code=text(raw.get("code")),
        message=message[:500] if message else None,
        param=text(raw.get("param")),
        event_id=text(raw.get("event_id")),
    )


def parse_usage(raw: Any) -> Usage | None:
    """Token counts of a response, or None where the server gave none (null, `{}`, only keys of other APIs)."""
    if not isinstance(raw, dict) or not raw:
        return None
    into, out = mapping(raw.get("input_token_details")), mapping(raw.get("output_token_details"))
    if not into and not out:
        return None
    cached = into.get("cached_tokens_details")
    cached_total = count(into.get("cached_tokens"))
    split = isinstance(cached, dict)
    by = mapping(cached)
    return Usage(
        in_text_tokens=count(into.get("text_tokens")),
        in_audio_tokens=count(into.get("audio_tokens")),
        in_image_tokens=count(into.get("image_tokens")),
        in_cached_text_tokens=count(by.get("text_tokens")) if split else cached_total,
        in_cached_audio_tokens=count(by.get("audio_tokens")),
        in_cached_image_tokens=count(by.get("image_tokens")),
        out_text_tokens=count(out.get("text_tokens")),
        out_audio_tokens=count(out.get("audio_tokens")),
        cached_split_assumed=not split and bool(cached_total),
    )


def parse_transcription_usage(raw: Any) -> TranscriptionUsage | None:
    """What transcribing one utterance was billed at: tokens or seconds."""
    if not isinstance(raw, dict) or not raw:
        return None
    details = mapping(raw.get("input_token_details"))
    usage = TranscriptionUsage(
        seconds=number(raw.get("seconds")),
        in_text_tokens=count(details.get("text_tokens")),
        in_audio_tokens=count(details.get("audio_tokens")),
        out_text_tokens=count(raw.get("output_tokens")),
    )
    return None if usage == TranscriptionUsage() else usage


def output_text(response: Mapping[str, Any]) -> str | None:
    """The wording of a whole response, of all its items."""
    parts: list[str] = []
    items = response.get("output")
    for item in items if isinstance(items, list) else []:
        content = mapping(item).get("content")
        for part in content if isinstance(content, list) else []:
            words = text(mapping(part).get("transcript")) or text(mapping(part).get("text"))
            if words:
                parts.append(words)
    return " ".join(parts) or None
