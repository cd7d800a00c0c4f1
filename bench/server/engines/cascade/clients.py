"""The three services as a cascade calls them: one HTTP client each, whose connections stay open.

In: audio, messages, text. Out: words and sound as they come, with what they took and what they are billed at (`Work`).
A generator that is closed, or whose task is cancelled, ends its request.
Trap: times begin when the request goes out (a new connection included), not when it was decided on, so that what this
program adds is not counted as the service's.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import orjson

from bench.audio.wav import wav_bytes
from bench.scenario.cascade import CascadeConfig, LlmService, Service, SttService, TtsService
from bench.server.engines.base import FunctionCall
from bench.server.engines.cascade.leg_error import LegError, malformed, of_event, of_exception, of_status

KEEPALIVE_S = 120.0
MOST_IDLE = 256
MOST_BODY_BYTES = 4 * 1024 * 1024
NS_PER_S = 1_000_000_000


@dataclass(slots=True)
class Work:
    """One request: when it went out, when the first and the last of its answer came, and what was used."""

    model: str
    sent_ns: int | None = None
    first_ns: int | None = None
    ended_ns: int | None = None
    usage: dict[str, float] = field(default_factory=dict)
    """Counts under their names on the wire (`bench.server.engines.cascade.report`)."""

    def first(self) -> None:
        """Something of the answer has come."""
        if self.first_ns is None:
            self.first_ns = time.monotonic_ns()


class Caller:
    """The connections to one service."""

    def __init__(self, leg: str, service: Service, headers: Mapping[str, str]) -> None:
        self.leg = leg
        self._timeout_s = service.timeout / 1000
        self._client = httpx2.AsyncClient(
            base_url=service.url,
            headers=dict(headers),
            timeout=httpx2.Timeout(self._timeout_s),
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=MOST_IDLE, keepalive_expiry=KEEPALIVE_S
            ),
            follow_redirects=False,
            trust_env=False,
        )

    async def knock(self) -> None:
        """Open a first connection; whatever the answer is, somebody is there. Raises `LegError`."""
        try:
            await self._client.get("/models")
        except httpx2.HTTPError as error:
            raise of_exception(self.leg, error, began=False) from error

    @asynccontextmanager
    async def post(self, path: str, work: Work, **body: Any) -> AsyncIterator[httpx2.Response]:
        """An answer whose status is good, to be read as it comes; what goes wrong with it is raised as `LegError`."""

        async def trace(event: str, _info: Any) -> None:
            if work.sent_ns is None and event.endswith(".started"):
                work.sent_ns = time.monotonic_ns()

        try:
            async with self._client.stream("POST", path, extensions={"trace": trace}, **body) as answer:
                if answer.status_code != 200:
                    raise of_status(self.leg, answer.status_code, await answer.aread())
                yield answer
        except httpx2.HTTPError as error:
            raise of_exception(self.leg, error, began=work.first_ns is not None) from error
        finally:
            work.ended_ns = time.monotonic_ns()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()


class SpeechToText:
    """`POST /audio/transcriptions`."""

    def __init__(self, service: SttService, caller: Caller) -> None:
        self._service, self._caller = service, caller

    async def transcribe(self, pcm: bytes, rate_hz: int, work: Work) -> str:
        """The words of PCM16 (little-endian, mono)."""
        service = self._service
        fields = {"model": service.model, "response_format": service.response_format, **_as_fields(service.extra)}
        if service.language is not None:
            fields["language"] = service.language
        audio = wav_bytes(np.frombuffer(pcm, dtype="<i2").astype(np.int16, copy=False), rate_hz)
        files = {"file": ("turn.wav", audio, "audio/wav")}
        async with self._caller.post("/audio/transcriptions", work, data=fields, files=files) as answer:
            data = await answer.aread()
            work.first()
        work.usage["sent_seconds"] = len(pcm) / 2 / rate_hz
        if "json" not in answer.headers.get("content-type", ""):
            if service.response_format == "json":
                raise malformed("stt", f"JSON was asked for and {answer.headers.get('content-type')} came")
            return data.decode("utf-8", "replace").strip()
        try:
            found = orjson.loads(data)
            text = found["text"]
        except (orjson.JSONDecodeError, TypeError, KeyError):
            raise malformed("stt", "no JSON with a text") from None
        if not isinstance(text, str):
            raise malformed("stt", "the text of its answer is no text")
        work.usage |= _transcription_usage(found.get("usage"))
        return text.strip()


class Chat:
    """`POST /chat/completions`, streamed."""

    def __init__(self, service: LlmService, caller: Caller) -> None:
        self._service, self._caller = service, caller

    async def stream(
        self, messages: Sequence[Mapping[str, Any]], work: Work, **wanted: Any
    ) -> AsyncGenerator[str | FunctionCall, None]:
        """The answer as it comes: words, and calls once they are complete; `wanted` are more fields of the request."""
        body = {
            "model": self._service.model,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            **wanted,
            **self._service.extra,
        }
        calls: dict[int, dict[str, str]] = {}
        done = False
        async with self._caller.post("/chat/completions", work, json=body) as answer:
            kind = answer.headers.get("content-type", "")
            if "event-stream" not in kind:
                raise malformed("llm", f"a stream of events was asked for and {kind or 'nothing'} came")
            async for event in httpx2.EventSource(answer):
                if event.data == "[DONE]":
                    done = True
                    break
                chunk = _object("llm", event.data)
                if chunk.get("error"):
                    raise of_event("llm", chunk["error"])
                work.usage |= _chat_usage(chunk.get("usage"))
                for choice in chunk.get("choices") or ():
                    delta = choice.get("delta") or {}
                    _add_calls(calls, delta.get("tool_calls"))
                    done = done or choice.get("finish_reason") is not None
                    if delta.get("content"):
                        work.first()
                        yield delta["content"]
        if not done:
            raise LegError("llm", "cut", "closed_error", "the stream ended before the answer did")
        for call in calls.values():
            work.first()
            yield FunctionCall(call["name"], call["arguments"] or "{}")


class TextToSpeech:
    """`POST /audio/speech`: raw PCM in chunks."""

    def __init__(self, service: TtsService, caller: Caller) -> None:
        self._service, self._caller = service, caller
        self.rate_hz = service.rate

    async def stream(self, text: str, voice: str, speed: float, work: Work) -> AsyncGenerator[bytes, None]:
        """Sound as it comes: PCM16 (little-endian, mono) at `rate_hz`, whole samples."""
        service = self._service
        body: dict[str, Any] = {
            "model": service.model,
            "input": text,
            "voice": service.voice or voice,
            "response_format": "pcm",
        }
        if speed != 1.0:
            body["speed"] = speed
        odd, samples = b"", 0
        async with self._caller.post("/audio/speech", work, json=body | service.extra) as answer:
            kind = answer.headers.get("content-type", "")
            if kind.startswith(("application/json", "text/")):
                raise malformed("tts", f"sound was asked for and {kind} came: {(await answer.aread())[:100]!r}")
            work.usage["characters"] = len(text)
            async for piece in answer.aiter_bytes():
                data = odd + piece
                odd = data[len(data) & ~1 :]
                if whole := data[: len(data) & ~1]:
                    if (not samples and whole[:4] in {b"RIFF", b"OggS", b"fLaC"}) or whole[:3] == b"ID3":
                        raise malformed("tts", f"raw PCM was asked for and a {whole[:4]!r} file came")
                    work.first()
                    samples += len(whole) // 2
                    work.usage["seconds"] = samples / self.rate_hz
                    yield whole
        if not samples:
            raise malformed("tts", "an empty answer")


@dataclass(slots=True)
class Clients:
    """The three services, shared by all callers of the cascade."""

    stt: SpeechToText
    llm: Chat
    tts: TextToSpeech
    callers: tuple[Caller, ...]

    @classmethod
    def of(cls, config: CascadeConfig, env: Mapping[str, str], base: Path) -> Clients:
        """Made inside the loop. Raises `BenchError` when a key cannot be had."""
        stt, llm, tts = (Caller(leg, each, each.headers(env, base)) for leg, each in config.services())
        return cls(SpeechToText(config.stt, stt), Chat(config.llm, llm), TextToSpeech(config.tts, tts), (stt, llm, tts))

    async def close(self) -> None:
        """Close every connection."""
        for caller in self.callers:
            await caller.close()


def _object(leg: str, data: str) -> dict[str, Any]:
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise malformed(leg, f"an event that is no JSON: {data[:60]!r}") from None
    if not isinstance(found, dict):
        raise malformed(leg, f"an event that is no object: {data[:60]!r}")
    return found


def _add_calls(calls: dict[int, dict[str, str]], deltas: Any) -> None:
    """Pieces of tool calls, which come by index: the name first, then the arguments bit by bit."""
    for place, delta in enumerate(deltas or ()):
        call = calls.setdefault(int(delta.get("index", place)), {"name": "", "arguments": ""})
        function = delta.get("function") or {}
        call["name"] = call["name"] or (function.get("name") or "")
        call["arguments"] += function.get("arguments") or ""


def _as_fields(extra: Mapping[str, Any]) -> dict[str, Any]:
    """More fields of a form, whose values are texts."""
    return {key: value if isinstance(value, str) else orjson.dumps(value).decode() for key, value in extra.items()}


def _counts(raw: Any, **names: tuple[str, ...]) -> dict[str, float]:
    """Counts of a usage object by new names; what is missing or no count stays out."""
    found = {}
    for name, path in names.items():
        value = raw
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            found[name] = value
    return found


def _transcription_usage(raw: Any) -> dict[str, float]:
    return _counts(
        raw,
        seconds=("seconds",),
        in_tokens=("input_tokens",),
        in_text_tokens=("input_token_details", "text_tokens"),
        in_audio_tokens=("input_token_details", "audio_tokens"),
        out_text_tokens=("output_tokens",),
    )


def _chat_usage(raw: Any) -> dict[str, float]:
    return _counts(
        raw,
        in_tokens=("prompt_tokens",),
        cached_tokens=("prompt_tokens_details", "cached_tokens"),
        out_tokens=("completion_tokens",),
        reasoning_tokens=("completion_tokens_details", "reasoning_tokens"),
    )
