"""Reading fields of OpenAI's events that may be missing, null or of another type than documented.

In: values of decoded JSON; out: typed values, or None where there is none. Trap: a server's zero is a zero and its
null is unknown; neither may become the other here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.facts.failure import ErrorKind
from bench.facts.signals import ErrorInfo, TranscriptionUsage, Usage

_KIND_OF_CODE: dict[str, ErrorKind] = {
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "quota_exceeded": "quota",
    "invalid_api_key": "auth",
    "incorrect_api_key": "auth",
    "account_deactivated": "auth",
    "unauthorized": "auth",
    "permission_denied": "auth",
    "forbidden": "auth",
    "session_limit_reached": "rate_limit",
    "too_many_requests": "rate_limit",
    "session_expired": "closed",
    "server_error": "server",
    "internal_error": "server",
    "internal_server_error": "server",
    "service_unavailable": "server",
    "overloaded": "server",
    "model_overloaded": "server",
    "timeout": "timeout",
    "request_timeout": "timeout",
}
_KIND_OF_TYPE: dict[str, ErrorKind] = {
    "insufficient_quota": "quota",
    "authentication_error": "auth",
    "permission_error": "auth",
    "tokens": "rate_limit",
    "requests": "rate_limit",
    "server_error": "server",
    "internal_error": "server",
    "api_error": "server",
    "overloaded_error": "server",
    "service_unavailable_error": "server",
    "timeout_error": "timeout",
    "invalid_request_error": "protocol",
}


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


def error_kind(error_type: str | None, code: str | None) -> ErrorKind:
    """The class of a provider error: by its code, then by its type; what neither names is the server's fault.

    Rate limits come as `rate_limit_exceeded`, `inference_rate_limit_exceeded` and the like, in either field, so a
    `rate_limit` inside the *identifier* decides. Nothing is read out of the message: a base64 string or an id may hold
    "429", and vendors reword sentences without notice.
    """
    code, kind = (code or "").lower(), (error_type or "").lower()
    if code in _KIND_OF_CODE:
        return _KIND_OF_CODE[code]
    if "rate_limit" in code or "rate_limit" in kind:
        return "rate_limit"
    return _KIND_OF_TYPE.get(kind, "server")


def parse_error(raw: Any) -> ErrorInfo:
    """An error object as the server sent it; anything that is not one gives its text as the message."""
    if not isinstance(raw, dict):
        return ErrorInfo(message=None if raw is None else str(raw)[:500])
    message, error_type, code = text(raw.get("message")), text(raw.get("type")), text(raw.get("code"))
    return ErrorInfo(
        type=error_type,
        code=code,
        message=message[:500] if message else None,
        param=text(raw.get("param")),
        event_id=text(raw.get("event_id")),
        error_kind=error_kind(error_type, code),
    )


def parse_usage(raw: Any) -> Usage | None:
    """Token counts of a response, or None where the server gave none (null, `{}`, only keys of other APIs)."""
    if not isinstance(raw, dict) or not raw:
        return None
    into, out = mapping(raw.get("input_token_details")), mapping(raw.get("output_token_details"))
    totals = count(raw.get("input_tokens")), count(raw.get("output_tokens"))
    if not into and not out and totals == (None, None):
        return None
    by = mapping(into.get("cached_tokens_details"))
    cached_total = count(into.get("cached_tokens"))
    split = any(count(value) is not None for value in by.values())
    return Usage(
        in_text_tokens=count(into.get("text_tokens")),
        in_audio_tokens=count(into.get("audio_tokens")),
        in_image_tokens=count(into.get("image_tokens")),
        in_cached_text_tokens=count(by.get("text_tokens")) if split else cached_total,
        in_cached_audio_tokens=count(by.get("audio_tokens")),
        in_cached_image_tokens=count(by.get("image_tokens")),
        out_text_tokens=count(out.get("text_tokens")),
        out_audio_tokens=count(out.get("audio_tokens")),
        in_total_tokens=totals[0],
        out_total_tokens=totals[1],
        out_reasoning_tokens=count(out.get("reasoning_tokens")),
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
        in_total_tokens=count(raw.get("input_tokens")),
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
