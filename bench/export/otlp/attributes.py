"""What a span says of its row: the conventions of OpenTelemetry for generative AI where they name it, else the column.

In: a row without its nulls. Out: attributes. Trap: a text may hold what somebody said. So columns of text are named
here one by one, and those with words of a conversation are left out unless they were asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from bench.dialects import vendor_of
from bench.measure.records import SessionRecord, TurnRecord
from bench.store.columns import RowClass, schema_of
from bench.store.manifest import CalledTarget, Manifest

OURS = "voicebench."
Row = Mapping[str, Any]
Attributes = dict[str, str | bool | int | float | list[str]]

_LABELS = frozenset(
    (
        "run_id", "worker", "scenario", "phase", "target", "provider", "dialect", "transport", "cell", "step_id",
        "fixture", "language", "accent", "voice", "caller_kind", "condition", "session_type", "status", "error_kind",
        "error_code", "stage", "tool_error", "token", "renewed_by", "cost_unknown",
    )
)  # fmt: skip
"""Columns of text without words of a conversation."""
_ELSEWHERE = frozenset({"started_at", "ended_at"})
_USAGE = {
    "gen_ai.usage.input_tokens": "in_total",
    "gen_ai.usage.output_tokens": "out_total",
    "gen_ai.usage.text.input_tokens": "in_text",
    "gen_ai.usage.audio.input_tokens": "in_audio",
    "gen_ai.usage.image.input_tokens": "in_image",
    "gen_ai.usage.text.cache_read.input_tokens": "in_cached_text",
    "gen_ai.usage.audio.cache_read.input_tokens": "in_cached_audio",
    "gen_ai.usage.image.cache_read.input_tokens": "in_cached_image",
    "gen_ai.usage.text.output_tokens": "out_text",
    "gen_ai.usage.audio.output_tokens": "out_audio",
    "gen_ai.usage.reasoning.output_tokens": "out_reasoning",
}


def columns_of(record: RowClass) -> list[str]:
    """The columns that a span of such a row has as attributes of our own: numbers, and labels."""
    return [
        field.name
        for field in schema_of(record)
        if field.name not in _ELSEWHERE and (str(field.type) != "string" or field.name in _LABELS)
    ]


_OF_TURN, _OF_CALL = columns_of(TurnRecord), columns_of(SessionRecord)


def of_turn(row: Row) -> Attributes:
    """Everything that a turn was measured to be, by the names of its columns."""
    return {f"{OURS}{name}": row[name] for name in _OF_TURN if name in row}


def of_call(row: Row) -> Attributes:
    """As `of_turn`, for a call."""
    return {f"{OURS}{name}": row[name] for name in _OF_CALL if name in row}


def common(row: Row) -> Attributes:
    """Who was asked, in the words of the conventions."""
    found: Attributes = {
        "gen_ai.provider.name": vendor_of(str(row["dialect"])),
        "gen_ai.conversation.id": row["session_id"],
    }
    if "model" in row:
        found["gen_ai.request.model"] = row["model"]
    return found


def usage(row: Row) -> Attributes:
    """Tokens; a total only where the server gave it or both of its parts."""
    found: Attributes = {name: row[column] for name, column in _USAGE.items() if column in row}
    for side in ("in", "out"):
        name = f"gen_ai.usage.{side}put_tokens"
        if name not in found and f"{side}_text" in row and f"{side}_audio" in row:
            found[name] = row[f"{side}_text"] + row[f"{side}_audio"] + row.get(f"{side}_image", 0)
    if "in_cached_text" in row and "in_cached_audio" in row:
        cached = row["in_cached_text"] + row["in_cached_audio"] + row.get("in_cached_image", 0)
        found["gen_ai.usage.cache_read.input_tokens"] = cached
    return found


def servers(manifest: Manifest) -> dict[str, Attributes]:
    """The address of each target, by its name."""
    return {each.name or "": _server(each) for each in manifest.targets or [manifest.target]}


def _server(target: CalledTarget) -> Attributes:
    try:
        url = urlsplit(target.url or "")
        host, port = url.hostname, url.port or {"ws": 80, "http": 80}.get(url.scheme, 443)
    except ValueError:
        host, port = None, 0
    return {} if host is None else {"server.address": str(host), "server.port": port}


def said(role: str, text: str | None) -> str | None:
    """A message as the conventions have it, for spans that hold what was said."""
    if not text:
        return None
    message = {"role": role, "parts": [{"type": "text", "content": text}]}
    if role == "assistant":
        message["finish_reason"] = "stop"
    return orjson.dumps([message]).decode()
