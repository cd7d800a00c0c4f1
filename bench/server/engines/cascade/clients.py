"""The three services as a cascade calls them: one pool of connections each, which stay open.

In: audio, messages, text. Out: words and sound as they come, with what they took and what they are billed at (`Work`).
A generator that is closed, or whose task is cancelled, ends its request.
Trap: times begin when the request goes out (a new connection included), not when it was decided on, and end when the
answer comes in, not when it was made sense of: what this program adds is not counted as the service's.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

from bench.audio.wav import wav_head
from bench.errors import BenchError
from bench.scenario.cascade import CascadeConfig, LlmService, Service, SttService, TtsService
from bench.server.engines.base import FunctionCall
from bench.server.engines.cascade.event_stream import EventStream
from bench.server.engines.cascade.http_client import Answer, HttpError, HttpPool
from bench.server.engines.cascade.leg_error import LegError, malformed, of_event, of_exception, of_status
from bench.transport.tls import context_for

JSON = "application/json"


class Said(Enum):
    """What a stream of words tells beside them."""

    ALL = "all"
    """No more words will come; what was used may."""


@dataclass(slots=True)
class Work:
    """One request: when it went out, when the first and the last of its answer came, and what was used."""

    model: str
    sent_ns: int | None = None
    first_ns: int | None = None
    ended_ns: int | None = None
    usage: dict[str, float] = field(default_factory=dict)
    """Counts under their names on the wire (`bench.server.engines.cascade.report`)."""
    repeated: bool = False
    """The service had closed the idle connection, and it went out once more."""

    def sent(self, at_ns: int) -> None:
        """It goes out."""
        self.sent_ns = at_ns

    def first(self, at_ns: int) -> None:
        """Something of the answer has come."""
        if self.first_ns is None:
            self.first_ns = at_ns


class Caller:
    """The connections to one service."""

    def __init__(self, leg: str, service: Service, headers: Mapping[str, str]) -> None:
        """Raises `BenchError` for a key that no header can carry."""
        self.leg = leg
        context = context_for(None, verify=True) if service.url.startswith("https:") else None
        try:
            self._pool = HttpPool(service.url, headers, timeout_s=service.timeout / 1000, context=context)
        except ValueError:
            raise BenchError(
                f"{leg}: its key cannot be sent in the header {service.auth_header}",
                hint="a header is one line of ASCII; see what env: or file: of api_key holds",
            ) from None

    async def knock(self) -> None:
        """Open a first connection; whatever the answer is, somebody is there. Raises `LegError`."""
        try:
            answer = await self._pool.ask("GET", "/models", _unnoted)
            try:
                await answer.read()
            finally:
                answer.leave()
        except HttpError as error:
            raise of_exception(self.leg, error, began=False) from error

    def prepare(self, count: int) -> None:
        """Have so many connections open that nobody uses."""
        self._pool.prepare(count)

    @asynccontextmanager
    async def post(self, path: str, work: Work, content_type: str, body: bytes) -> AsyncIterator[Answer]:
        """An answer whose status is good, to be read as it comes; what goes wrong with it is raised as `LegError`."""
        try:
            answer = await self._pool.ask("POST", path, work.sent, content_type=content_type, body=body)
            work.repeated = answer.repeated
            try:
                if answer.status != 200:
                    raise of_status(self.leg, answer.status, await answer.read())
                if (coding := answer.get("content-encoding")) not in {"", "identity"}:
                    raise malformed(self.leg, f"an answer that is packed ({coding}), which was not asked for")
                yield answer
            finally:
                answer.leave()
        except HttpError as error:
            raise of_exception(self.leg, error, began=work.first_ns is not None) from error
        finally:
            work.ended_ns = work.ended_ns or time.monotonic_ns()

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()


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
        content_type, body = _form(fields, wav_head(len(pcm), rate_hz), pcm)
        async with self._caller.post("/audio/transcriptions", work, content_type, body) as answer:
            data = await answer.read()
            work.first(answer.arrived_ns)
            work.ended_ns = answer.arrived_ns
        work.usage["sent_seconds"] = len(pcm) / 2 / rate_hz
        if "json" not in answer.get("content-type"):
            if service.response_format == "json":
                raise malformed("stt", f"JSON was asked for and {answer.get('content-type') or 'nothing'} came")
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
    ) -> AsyncGenerator[str | FunctionCall | Said, None]:
        """The answer as it comes: words, then `Said.ALL`, and calls once all is complete.

        `wanted` are more fields of the request.
        """
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
        async with self._caller.post("/chat/completions", work, JSON, orjson.dumps(body)) as answer:
            kind = answer.get("content-type")
            if "event-stream" not in kind:
                raise malformed("llm", f"a stream of events was asked for and {kind or 'nothing'} came")
            events = _Events(answer)
            while (data := await events.next()) is not None:
                work.ended_ns = answer.arrived_ns
                if data == "[DONE]":
                    done = True
                    answer.leave(rest=True)
                    break
                chunk = _object("llm", data)
                if chunk.get("error"):
                    raise of_event("llm", chunk["error"])
                work.usage |= _chat_usage(chunk.get("usage"))
                for choice in _objects(chunk.get("choices")):
                    delta = next(_objects([choice.get("delta")]), {})
                    _add_calls(calls, delta.get("tool_calls"))
                    if isinstance(delta.get("content"), str) and delta["content"]:
                        work.first(answer.arrived_ns)
                        yield delta["content"]
                    if choice.get("finish_reason") is not None:
                        done = True
                        yield Said.ALL
        if not done:
            raise LegError("llm", "cut", "closed_error", "the stream ended before the answer did")
        for call in calls.values():
            work.first(answer.arrived_ns)
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
        async with self._caller.post("/audio/speech", work, JSON, orjson.dumps(body | service.extra)) as answer:
            kind = answer.get("content-type")
            if kind.startswith(("application/json", "text/")):
                raise malformed("tts", f"sound was asked for and {kind} came: {(await answer.read())[:100]!r}")
            work.usage["characters"] = len(text)
            while (piece := await answer.piece()) is not None:
                work.ended_ns = answer.arrived_ns
                data = odd + piece
                odd = data[len(data) & ~1 :]
                if whole := data[: len(data) & ~1]:
                    if (not samples and whole[:4] in {b"RIFF", b"OggS", b"fLaC"}) or whole[:3] == b"ID3":
                        raise malformed("tts", f"raw PCM was asked for and a {whole[:4]!r} file came")
                    work.first(answer.arrived_ns)
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
    callers: tuple[Caller, Caller, Caller]

    @classmethod
    def of(cls, config: CascadeConfig, env: Mapping[str, str], base: Path) -> Clients:
        """Made inside the loop. Raises `BenchError` when a key cannot be had."""
        stt, llm, tts = (Caller(leg, each, each.headers(env, base)) for leg, each in config.services())
        return cls(SpeechToText(config.stt, stt), Chat(config.llm, llm), TextToSpeech(config.tts, tts), (stt, llm, tts))

    def prepare(self, calls: int, *, ahead: int) -> None:
        """Have the connections open that so many calls may need next; `ahead`: requests for speech of one at once."""
        stt, llm, tts = self.callers
        stt.prepare(calls)
        llm.prepare(calls)
        tts.prepare(calls * ahead)

    async def close(self) -> None:
        """Close every connection."""
        for caller in self.callers:
            await caller.close()


def _unnoted(_at_ns: int) -> None:
    """A request whose time nobody asks for."""


def _form(fields: Mapping[str, str], *file: bytes) -> tuple[str, bytes]:
    """Type and body of `multipart/form-data` (RFC 7578) with a recording as `file`, which comes in pieces."""
    mark = secrets.token_hex(16)
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    about = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="turn.wav"\r\nContent-Type: audio/wav'
    body = b"".join((*parts, about.encode(), b"\r\n\r\n", *file, f"\r\n--{mark}--\r\n".encode()))
    return f"multipart/form-data; boundary={mark}", body


def _quoted(name: str) -> str:
    """A name as a form has it: three characters are escaped (WHATWG HTML, multipart form data)."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


class _Events:
    """The data of each event of an answer."""

    def __init__(self, answer: Answer) -> None:
        self._answer, self._stream = answer, EventStream()
        self._found: deque[str] = deque()
        self._over = False

    async def next(self) -> str | None:
        """The next one; None at the end. Raises `HttpError`, and `LegError` for one without an end."""
        while not self._found and not self._over:
            piece = await self._answer.piece()
            try:
                self._found.extend(self._stream.rest() if piece is None else self._stream.feed(piece))
            except ValueError as error:
                raise malformed("llm", str(error)) from None
            self._over = piece is None
        return self._found.popleft() if self._found else None


def _objects(given: Any) -> Iterator[dict[str, Any]]:
    """What of a list are objects, which all of it should be."""
    yield from (each for each in given if isinstance(each, dict)) if isinstance(given, list) else ()


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
    for place, delta in enumerate(_objects(deltas)):
        index = delta.get("index", place)
        call = calls.setdefault(index if isinstance(index, int) else place, {"name": "", "arguments": ""})
        function = next(_objects([delta.get("function")]), {})
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
