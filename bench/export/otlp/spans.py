"""Rows as spans: a trace for each call, and in it what the caller said, what the model made and what was heard.

    call
    +-- connect                       from the moment it was due until the session is ready
    +-- turn                          from its first sample until it is over and its reply is heard
        +-- user_speech
        +-- execute_tool NAME         our answer, where the turn called one tool
        +-- realtime_inference MODEL  from the first sign of the answer until its end
        +-- playback                  what the caller heard

In: rows, as they come. Out: `Drawn`: what each span is, in plain values. Trap: times are those of the rows, which one
monotonic clock made, and not those of the export. Where a row does not tell both ends of a span, the span is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from opentelemetry.trace import SpanContext, SpanKind

from bench.export.otlp import attributes
from bench.export.otlp.attributes import OURS, Attributes, Row
from bench.export.otlp.identity import span_of, trace_of
from bench.measure.outcome import ERRORS

S = 1e9
MILESTONES = (
    "endpoint", "response_created", "ttft", "first_audio", "first_audible", "tool", "response_done", "transcription",
    "reply_heard",
)  # fmt: skip
"""Latencies of a turn that are moments after the end of speech; each is an event of its span."""
FIRST_SIGNS = ("response_created", "ttft", "first_audio")
CONNECT = ("token_ms", "dns_ms", "tcp_ms", "tls_ms", "upgrade_ms", "connect_ms", "session_ready_ms")


@dataclass(slots=True)
class Drawn:
    """One span."""

    name: str
    context: SpanContext
    parent: SpanContext | None
    start_ns: int
    end_ns: int
    attributes: Attributes
    kind: SpanKind = SpanKind.INTERNAL
    events: list[tuple[str, int]] = field(default_factory=list)
    error: str | None = None
    """What went wrong in one word; None for nothing."""
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Artist:
    """Draws the rows of one run. `texts`: spans hold what was said."""

    servers: Mapping[str, Attributes]
    texts: bool = False

    def call(self, row: Row) -> Iterator[Drawn]:
        """A call, and how it came up."""
        trace = trace_of(row["run_id"], row["session_id"])
        context = span_of(trace, "call")
        start, end = row["started_at"], row.get("ended_at", row["started_at"])
        due = start - row.get("start_late_ms", 0.0) / 1000
        told = {**attributes.common(row), **self._server(row)}
        more: Attributes = {**attributes.of_call(row)}
        if "server_session_id" in row:
            more["gen_ai.realtime_session.id"] = row["server_session_id"]
        if "server_model" in row:
            more["gen_ai.response.model"] = row["server_model"]
        error = row.get("error_kind", "failed") if row["status"] == "failed" else None
        yield Drawn(
            f"call {row['target']}" if "target" in row else "call",
            context,
            None,
            _ns(min(due, start)),
            _ns(end),
            {**told, **more},
            SpanKind.CLIENT,
            error=error,
            message=row.get("error_message") if error else None,
        )
        up = row.get("session_ready_ms", row.get("connect_ms"))
        if up is not None:
            stages: Attributes = {f"{OURS}{name}": row[name] for name in CONNECT if name in row}
            yield Drawn(
                "connect", span_of(trace, "connect"), context, _ns(due), _ns(due + up / 1000), {**told, **stages},
                SpanKind.CLIENT,
            )  # fmt: skip

    def turn(self, row: Row) -> Iterator[Drawn]:
        """A turn, and what of it has a beginning and an end."""
        trace, name = trace_of(row["run_id"], row["session_id"]), str(row["turn"])
        context = span_of(trace, "turn", name)
        start = row["started_at"]
        zero = start + (row["speech_start_ms"] + row["speech_ms"]) / 1000 if "speech_start_ms" in row else None
        moments = {each: zero + row[f"{each}_ms"] / 1000 for each in MILESTONES if f"{each}_ms" in row} if zero else {}
        # A reply is often still played to the caller when the last of it has come.
        end = max(row.get("ended_at", start), *moments.values(), start)
        error = row.get("error_kind", row["status"]) if row["status"] in ERRORS else None
        told = {**attributes.common(row), **self._server(row)}
        yield Drawn(
            "turn",
            context,
            span_of(trace, "call"),
            _ns(start),
            _ns(end),
            {**told, **attributes.of_turn(row)},
            events=[(each, _ns(at)) for each, at in sorted(moments.items(), key=lambda item: item[1])],
            error=error,
            message=row.get("error_message") if error else None,
        )
        if zero is not None:
            yield self._speech(row, told, context, zero)
            if row.get("session_type") != "transcription":
                yield from self._reply(row, told, context, moments)

    def _speech(self, row: Row, told: Attributes, turn: SpanContext, zero: float) -> Drawn:
        context = span_of(turn.trace_id, "speech", str(row["turn"]))
        found: Attributes = {**told, "gen_ai.operation.name": "user_speech"}
        self._tell(found, "gen_ai.input.messages", attributes.said("user", row.get("reference")))
        return Drawn("user_speech", context, turn, _ns(zero - row["speech_ms"] / 1000), _ns(zero), found)

    def _reply(self, row: Row, told: Attributes, turn: SpanContext, moments: Mapping[str, float]) -> Iterator[Drawn]:
        first = min((moments[each] for each in FIRST_SIGNS if each in moments), default=None)
        inference = span_of(turn.trace_id, "inference", str(row["turn"]))
        if first is not None and "response_done" in moments:
            found: Attributes = {**told, **attributes.usage(row)}
            found |= {"gen_ai.operation.name": "realtime_inference", "gen_ai.output.type": "speech"}
            self._tell(found, "gen_ai.input.messages", attributes.said("user", row.get("hypothesis")))
            self._tell(found, "gen_ai.output.messages", attributes.said("assistant", row.get("reply_text")))
            model = f" {row['model']}" if "model" in row else ""
            done = max(moments["response_done"], first)
            yield Drawn(f"realtime_inference{model}", inference, turn, _ns(first), _ns(done), found, SpanKind.CLIENT)
        yield from self._tool(row, turn, moments)
        if "first_audible" in moments and "reply_heard" in moments:
            context = span_of(turn.trace_id, "playback", str(row["turn"]))
            heard: Attributes = {f"{OURS}{name}": row[name] for name in ("stalls", "stall_ms") if name in row}
            end = max(moments["first_audible"], moments["reply_heard"])
            yield Drawn("playback", context, turn, _ns(moments["first_audible"]), _ns(end), heard)

    def _tool(self, row: Row, turn: SpanContext, moments: Mapping[str, float]) -> Iterator[Drawn]:
        """Our own answer to the turn's tool call, where there was one alone: of several, only the slowest is timed."""
        if row.get("tool_calls") != 1 or "tool" not in moments or "tool_answer_ms" not in row:
            return
        call = _first_call(row.get("tools_called"))
        found: Attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.type": "function"}
        if "name" in call:
            found["gen_ai.tool.name"] = str(call["name"])
        if "arguments" in call:
            self._tell(found, "gen_ai.tool.call.arguments", _text(call["arguments"]))
        yield Drawn(
            f"execute_tool {found['gen_ai.tool.name']}" if "gen_ai.tool.name" in found else "execute_tool",
            span_of(turn.trace_id, "tool", str(row["turn"])),
            turn,
            _ns(moments["tool"]),
            _ns(moments["tool"] + row["tool_answer_ms"] / 1000),
            found,
            error=row.get("tool_error"),
        )

    def _tell(self, found: Attributes, name: str, text: str | None) -> None:
        if self.texts and text is not None:
            found[name] = text

    def _server(self, row: Row) -> Attributes:
        return dict(self.servers.get(row.get("target", ""), {}))


def _first_call(tools_called: str | None) -> Mapping[str, Any]:
    try:
        calls = orjson.loads(tools_called or "[]")
    except orjson.JSONDecodeError:
        return {}
    return calls[0] if isinstance(calls, list) and calls and isinstance(calls[0], dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _ns(at_s: float) -> int:
    return round(at_s * S)
