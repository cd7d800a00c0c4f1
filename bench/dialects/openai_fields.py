"""Reading fields of OpenAI's events that may be missing, null or of another type than documented.

In: values of decoded JSON; out: typed values, or None where there is none. Trap: a server's zero is a zero and its
null is unknown; neither may become the other here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import isfinite
from typing import Any

import orjson

from bench.facts.failure import ErrorKind
from bench.facts.signals import ErrorInfo, LegReport, TranscriptionUsage, Usage

MOST_NAME = 200
"""Characters of an id, a code or a type."""
MOST_COUNT = 10**9
"""A larger count of tokens in one response is a mistake."""
MOST_SECONDS = 24 * 3600.0

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
    "connect_error": "connect",
    "closed_error": "closed",
    "protocol_error": "protocol",
    "invalid_request_error": "protocol",
}


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over`, objects within it merged."""
    out = dict(base)
    for key, value in over.items():
        mine = out.get(key)
        out[key] = merged(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return out


def text(value: Any) -> str | None:
    """`value` when it is a text. How much of it is kept is settled where it is stored (`bench.session.scrub`)."""
    return value if isinstance(value, str) else None


def name_of(value: Any) -> str | None:
    """An id or a code, None where it is empty: short, and where it is not, told apart by a hash of the whole."""
    if not isinstance(value, str) or len(value) <= MOST_NAME:
        return value or None if isinstance(value, str) else None
    digest = hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:12]
    return f"{value[: MOST_NAME - 16]}…{digest}"


def count(value: Any) -> int | None:
    """`value` as a whole number from 0 to `MOST_COUNT`."""
    found = number(value)
    return int(found) if found is not None and 0 <= found <= MOST_COUNT and found == int(found) else None


def number(value: Any) -> float | None:
    """`value` as a finite number; truth values are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if isfinite(found) else None


class Counts:
    """Reads counts out of a usage object and remembers those that cannot be."""

    def __init__(self) -> None:
        self._refused: list[str] = []

    def of(self, raw: Mapping[str, Any], key: str, *, seconds: bool = False) -> Any:
        """`raw[key]` as a count (or as seconds); None where it is missing, null or refused."""
        value = raw.get(key)
        found = _seconds(value) if seconds else count(value)
        if found is None and value is not None:
            self._refused.append(f"{key} = {str(value)[:40]}")
        return found

    @property
    def refused(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._refused))


def _seconds(value: Any) -> float | None:
    found = number(value)
    return found if found is not None and 0 <= found <= MOST_SECONDS else None


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
        return ErrorInfo(message=None if raw is None else str(raw))
    error_type, code = name_of(raw.get("type")), name_of(raw.get("code"))
    return ErrorInfo(
        type=error_type,
        code=code,
        message=text(raw.get("message")) or None,
        param=name_of(raw.get("param")),
        event_id=name_of(raw.get("event_id")),
        error_kind=error_kind(error_type, code),
    )


def parse_usage(raw: Any) -> Usage | None:
    """Token counts of a response, or None where the server gave none (null, `{}`, only keys of other APIs).

    A total without its parts is kept as a total. One cached total is split only where its parts are said.
    """
    if not isinstance(raw, dict) or not raw:
        return None
    counts = Counts()
    into, out = mapping(raw.get("input_token_details")), mapping(raw.get("output_token_details"))
    by = mapping(into.get("cached_tokens_details"))
    split = any(by.get(key) is not None for key in ("text_tokens", "audio_tokens", "image_tokens"))
    cached_total = counts.of(into, "cached_tokens")
    usage = Usage(
        in_text_tokens=counts.of(into, "text_tokens"),
        in_audio_tokens=counts.of(into, "audio_tokens"),
        in_image_tokens=counts.of(into, "image_tokens"),
        in_cached_text_tokens=counts.of(by, "text_tokens") if split else cached_total,
        in_cached_audio_tokens=counts.of(by, "audio_tokens"),
        in_cached_image_tokens=counts.of(by, "image_tokens"),
        out_text_tokens=counts.of(out, "text_tokens"),
        out_audio_tokens=counts.of(out, "audio_tokens"),
        in_total_tokens=counts.of(raw, "input_tokens"),
        out_total_tokens=counts.of(raw, "output_tokens"),
        out_reasoning_tokens=counts.of(out, "reasoning_tokens"),
        cached_split_assumed=not split and bool(cached_total),
        refused=counts.refused,
    )
    return None if usage == Usage() else usage


def parse_transcription_usage(raw: Any) -> TranscriptionUsage | None:
    """What transcribing one utterance was billed at: tokens or seconds."""
    if not isinstance(raw, dict) or not raw:
        return None
    counts = Counts()
    details = mapping(raw.get("input_token_details"))
    usage = TranscriptionUsage(
        seconds=counts.of(raw, "seconds", seconds=True),
        in_text_tokens=counts.of(details, "text_tokens"),
        in_audio_tokens=counts.of(details, "audio_tokens"),
        out_text_tokens=counts.of(raw, "output_tokens"),
        in_total_tokens=counts.of(raw, "input_tokens"),
        refused=counts.refused,
    )
    return None if usage == TranscriptionUsage() else usage


def parse_legs(metadata: Any) -> tuple[LegReport, ...] | None:
    """What a server told of the services behind it, in texts of JSON under `leg.NAME`; None where it told nothing."""
    found = []
    for key, value in mapping(metadata).items():
        if not isinstance(key, str) or not key.startswith("leg.") or not isinstance(value, str):
            continue
        try:
            told = mapping(orjson.loads(value))
        except orjson.JSONDecodeError:
            continue
        found.append(
            LegReport(
                name=key.removeprefix("leg.")[:20],
                model=name_of(told.get("model")),
                ms=number(told.get("ms")),
                sentence_ms=number(told.get("sentence_ms")),
                seconds=_seconds(told.get("seconds")),
                sent_seconds=_seconds(told.get("sent_seconds")),
                characters=count(told.get("characters")),
                in_text_tokens=count(told.get("in_text_tokens")),
                in_audio_tokens=count(told.get("in_audio_tokens")),
                in_total_tokens=count(told.get("in_tokens")),
                out_text_tokens=count(told.get("out_text_tokens")),
            )
        )
    return tuple(found) or None


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
