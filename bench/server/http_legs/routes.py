"""From a request to an answer on the wire: JSON, server-sent events, or sound in chunks.

In: an `Exchange`. Out: its answer, and a line `request` in the truth log with the times of both.
Trap: the status is sent with the first piece and not before, so that a service that fails at once can say so.
"""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Any

import orjson

from bench.audio.wav import wav_head
from bench.server.access import Access, unauthorized
from bench.server.engines.base import FunctionCall
from bench.server.http_legs.exchange import Exchange
from bench.server.http_legs.requests import chat_request, speech_request, transcription_request
from bench.server.http_legs.services import SPEECH_RATE_HZ, Asked, CutError, Raw, RefusedError, Services
from bench.server.protocol.client_errors import ProtocolError
from bench.server.protocol.usage import text_tokens, transcription_usage
from bench.server.truth_log import TruthLog

EVENTS = "text/event-stream; charset=utf-8"
_DONE = b"data: [DONE]\n\n"
TOKENS_PER_S = 20
"""Of spoken sound, as the vendor counts it."""


class Routes:
    """Answers the requests of all connections."""

    def __init__(self, services: Services, access: Access, truth: TruthLog) -> None:
        self._services = services
        self._access = access
        self._truth = truth
        self._numbers = {leg: itertools.count() for leg in ("stt", "llm", "tts")}
        self._ids = itertools.count(1)
        self._started_at_s = time.monotonic()
        self._posts: Mapping[str, tuple[str, Callable[[Exchange, Asked], Any]]] = {
            "/v1/audio/transcriptions": ("stt", self._transcribe),
            "/v1/chat/completions": ("llm", self._chat),
            "/v1/audio/speech": ("tts", self._speak),
        }

    async def handle(self, exchange: Exchange) -> None:
        """Answer one request."""
        if exchange.path == "/healthz":
            uptime_s = round(time.monotonic() - self._started_at_s, 3)
            exchange.answer(200, {"status": "ok", "engine": self._services.name, "uptime_s": uptime_s})
            return
        if self._access.admit(exchange) is None:
            exchange.answer(401, unauthorized())
            return
        if exchange.path == "/v1/models" and exchange.method == "GET":
            listed = [
                {"id": name, "object": "model", "created": 0, "owned_by": "bench"}
                for name in self._services.models.values()
            ]
            exchange.answer(200, {"object": "list", "data": listed})
            return
        leg, serve = self._posts.get(exchange.path, (None, None))
        if leg is None or serve is None:
            exchange.refuse(404, f"Not found ({exchange.method} {exchange.path})", code="unknown_url")
        elif exchange.method != "POST":
            exchange.refuse(405, f"Not allowed ({exchange.method} {exchange.path})", code="method_not_supported")
        else:
            await self._serve(leg, exchange, serve)

    async def _serve(self, leg: str, exchange: Exchange, serve: Callable[[Exchange, Asked], Any]) -> None:
        asked, how = Asked(next(self._numbers[leg]), exchange.arrived_ns, exchange.hold_until), "hung_up"
        try:
            await serve(exchange, asked)
            await exchange.drained()
            how = "whole"
        except ProtocolError as problem:
            how = "refused"
            body = {key: value for key, value in problem.body().items() if key != "event_id"}
            exchange.answer(400, {"error": body})
        except RefusedError as refusal:
            how = "refused"
            exchange.refuse(refusal.status, str(refusal), refusal.kind, refusal.code, refusal.extra)
        except CutError:
            how = "cut"
            await exchange.drained()
            exchange.cut()
        finally:
            facts = {"first_ns": exchange.first_ns, "ended_ns": time.monotonic_ns(), "status": exchange.status}
            about = {"leg": leg, "number": asked.number, "at_ns": exchange.arrived_ns, "ended": how}
            self._truth.add("request", "", **about, **facts, **asked.facts)

    async def _transcribe(self, exchange: Exchange, asked: Asked) -> None:
        request = transcription_request(exchange.get("Content-Type"), exchange.body)
        said: list[str] = []
        raw = b""
        async with aclosing(self._services.transcribe(request, asked)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Raw):
                    raw = piece.data
                    continue
                said.append(piece)
                if request.stream:
                    _begin(exchange, EVENTS)
                    exchange.send(_event({"type": "transcript.text.delta", "delta": piece}))
        text, audio_ms = "".join(said), float(asked.facts.get("audio_ms") or 0.0)
        usage = transcription_usage(request.model, audio_ms=audio_ms, transcript=text) if asked.usage else None
        if request.stream:
            _begin(exchange, EVENTS)
            done = {"type": "transcript.text.done", "text": text, "usage": usage}
            exchange.send(raw or _event(done))
            exchange.end()
        elif raw:
            exchange.send_whole(200, "application/json", raw)
        elif request.response_format == "text":
            exchange.send_whole(200, "text/plain; charset=utf-8", f"{text}\n".encode())
        else:
            body: dict[str, Any] = {"text": text, "usage": usage}
            if request.response_format == "verbose_json":
                body |= {"task": "transcribe", "language": "en", "duration": audio_ms / 1000, "segments": []}
            exchange.answer(200, body)

    async def _chat(self, exchange: Exchange, asked: Asked) -> None:
        request = chat_request(exchange.body)
        head = {"id": f"chatcmpl-{next(self._ids):x}", "created": int(time.time()), "model": request.model}
        said: list[str] = []
        calls: list[dict[str, Any]] = []

        def part(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
            return _event({**head, "object": "chat.completion.chunk", "choices": [choice]})

        def send(data: bytes) -> None:
            if request.stream:
                _begin(exchange, EVENTS)
                exchange.send(data)

        async with aclosing(self._services.chat(request, asked)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Raw):
                    if not request.stream:
                        exchange.send_whole(200, "application/json", piece.data)
                        return
                    exchange.send(piece.data)
                    continue
                first = b"" if said or calls else part({"role": "assistant", "content": ""})
                if isinstance(piece, FunctionCall):
                    function = {"name": piece.name, "arguments": piece.arguments}
                    call = {"id": f"call_{next(self._ids):x}", "type": "function", "function": function}
                    send(first + part({"tool_calls": [{"index": len(calls), **call}]}))
                    calls.append(call)
                else:
                    said.append(piece)
                    send(first + part({"content": piece}))
        finish = "tool_calls" if calls else "stop"
        usage = _chat_usage(request.messages, "".join(said), calls) if asked.usage else None
        if request.stream:
            told = {**head, "object": "chat.completion.chunk", "choices": [], "usage": usage}
            send(part({}, finish) + (_event(told) if request.include_usage else b"") + _DONE)
            exchange.end()
            return
        message = {"role": "assistant", "content": "".join(said) or None, "refusal": None}
        choice = {"index": 0, "finish_reason": finish, "logprobs": None}
        choice["message"] = {**message, "tool_calls": calls} if calls else message
        exchange.answer(200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    async def _speak(self, exchange: Exchange, asked: Asked) -> None:
        request = speech_request(exchange.body)
        sent = 0
        async with aclosing(self._services.speak(request, asked)) as pieces:
            async for piece in pieces:
                data = piece.data if isinstance(piece, Raw) else piece
                first = exchange.status is None
                _begin(exchange, EVENTS if request.events else f"audio/{request.response_format}")
                if request.events:
                    sound = base64.b64encode(data).decode("ascii")
                    exchange.send(_event({"type": "speech.audio.delta", "audio": sound}))
                else:
                    exchange.send(
                        (wav_head(None, SPEECH_RATE_HZ) if first and request.response_format == "wav" else b"") + data
                    )
                sent += len(data)
        if request.events:
            into, out = text_tokens(request.text), round(sent / 2 / SPEECH_RATE_HZ * TOKENS_PER_S)
            usage = {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}
            exchange.send(_event({"type": "speech.audio.done", "usage": usage if asked.usage else None}))
        exchange.end()


def _begin(exchange: Exchange, content_type: str) -> None:
    if exchange.status is None:
        exchange.begin(200, content_type)


def _event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def _chat_usage(messages: Any, said: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    into = text_tokens(orjson.dumps([message.get("content") for message in messages]).decode())
    out = text_tokens(said) + sum(text_tokens(orjson.dumps(call["function"]).decode()) for call in calls)
    return {
        "prompt_tokens": into,
        "completion_tokens": out,
        "total_tokens": into + out,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
