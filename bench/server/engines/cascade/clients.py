"""The three services as a cascade calls them: what each is asked, and what its answer says.

In: audio, messages, text; `begin` sends a request before anything is awaited. Out: words and sound as they come. A
generator that is closed, or whose task is cancelled, ends its request; what was begun and is never read must be left.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

from bench.audio.wav import wav_head
from bench.scenario.cascade import CascadeConfig, LlmService, SttService, TtsService
from bench.server.engines.base import FunctionCall
from bench.server.engines.cascade.caller import Call, Caller, Work
from bench.server.engines.cascade.event_stream import EventStream
from bench.server.engines.cascade.http_client import Answer
from bench.server.engines.cascade.leg_error import LegError, malformed, of_event

JSON = "application/json"


class Said(Enum):
    """What a stream of words tells beside them."""

    ALL = "all"
    """No more words will come; what was used may."""


class SpeechToText:
    """`POST /audio/transcriptions`."""

    def __init__(self, service: SttService, caller: Caller) -> None:
        self._service, self._caller = service, caller

    def begin(self, pcm: bytes, rate_hz: int, work: Work) -> Transcription:
        """Ask for the words of PCM16 (little-endian, mono) now."""
        service = self._service
        fields = {"model": service.model, "response_format": service.response_format, **_as_fields(service.extra)}
        if service.language is not None:
            fields["language"] = service.language
        content_type, body = _form(fields, wav_head(len(pcm), rate_hz), pcm)
        call = self._caller.begin("/audio/transcriptions", work, content_type, body)
        return Transcription(call, sent_s=len(pcm) / 2 / rate_hz, strict=service.response_format == "json")


class Transcription:
    """The words of one recording that were asked for."""

    def __init__(self, call: Call, *, sent_s: float, strict: bool) -> None:
        """`strict`: an answer that is no JSON is wrong."""
        self.leave = call.leave
        self._call, self._sent_s, self._strict = call, sent_s, strict

    async def text(self) -> str:
        """The words. Raises `LegError`."""
        work = self._call.work
        async with self._call.answer() as answer:
            data = await answer.read()
            work.first(answer.arrived_ns)
            work.ended_ns = answer.arrived_ns
        work.usage["sent_seconds"] = self._sent_s
        if "json" not in answer.get("content-type"):
            if self._strict:
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

    def begin(self, messages: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any], work: Work) -> Thought:
        """Ask for an answer now; `wanted` are more fields of the request."""
        body = {
            "model": self._service.model,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            **wanted,
            **self._service.extra,
        }
        return Thought(self._caller.begin("/chat/completions", work, JSON, orjson.dumps(body)))


class Thought:
    """One answer of the model that was asked for."""

    def __init__(self, call: Call) -> None:
        self.leave = call.leave
        self._call, self._work = call, call.work
        self._calls: dict[int, dict[str, str]] = {}

    async def pieces(self) -> AsyncGenerator[str | FunctionCall | Said, None]:
        """It as it comes: words, then `Said.ALL`, and calls once all is complete. Raises `LegError`."""
        work, done = self._work, False
        async with self._call.answer() as answer:
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
                for piece in self._read(_object("llm", data)):
                    if piece is Said.ALL:
                        done = True
                    else:
                        work.first(answer.arrived_ns)
                    yield piece
        if not done:
            raise LegError("llm", "cut", "closed_error", "the stream ended before the answer did")
        for call in self._calls.values():
            work.first(answer.arrived_ns)
            yield FunctionCall(call["name"], call["arguments"] or "{}")

    def _read(self, chunk: Mapping[str, Any]) -> Iterator[str | Said]:
        """What one event says. Raises `LegError` for an error that it tells of."""
        if chunk.get("error"):
            raise of_event("llm", chunk["error"])
        self._work.usage |= _chat_usage(chunk.get("usage"))
        for choice in _objects(chunk.get("choices")):
            delta = next(_objects([choice.get("delta")]), {})
            _add_calls(self._calls, delta.get("tool_calls"))
            if isinstance(delta.get("content"), str) and delta["content"]:
                yield delta["content"]
            if choice.get("finish_reason") is not None:
                yield Said.ALL


class TextToSpeech:
    """`POST /audio/speech`: raw PCM in chunks."""

    def __init__(self, service: TtsService, caller: Caller) -> None:
        self._service, self._caller = service, caller
        self.rate_hz = service.rate

    def begin(self, text: str, voice: str, speed: float, work: Work) -> Speech:
        """Ask for the sound of `text` now."""
        service = self._service
        body: dict[str, Any] = {
            "model": service.model,
            "input": text,
            "voice": service.voice or voice,
            "response_format": "pcm",
        }
        if speed != 1.0:
            body["speed"] = speed
        call = self._caller.begin("/audio/speech", work, JSON, orjson.dumps(body | service.extra))
        return Speech(call, rate_hz=self.rate_hz, characters=len(text))


class Speech:
    """The sound of one text that was asked for."""

    def __init__(self, call: Call, *, rate_hz: int, characters: int) -> None:
        self.leave = call.leave
        self._call, self._rate_hz, self._characters = call, rate_hz, characters

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Sound as it comes: PCM16 (little-endian, mono) at the service's rate, whole samples. Raises `LegError`."""
        work, odd, samples = self._call.work, b"", 0
        async with self._call.answer() as answer:
            kind = answer.get("content-type")
            if kind.startswith(("application/json", "text/")):
                raise malformed("tts", f"sound was asked for and {kind} came: {(await answer.read())[:100]!r}")
            work.usage["characters"] = self._characters
            while (piece := await answer.piece()) is not None:
                work.ended_ns = answer.arrived_ns
                data = odd + piece
                odd = data[len(data) & ~1 :]
                if whole := data[: len(data) & ~1]:
                    if (not samples and whole[:4] in {b"RIFF", b"OggS", b"fLaC"}) or whole[:3] == b"ID3":
                        raise malformed("tts", f"raw PCM was asked for and a {whole[:4]!r} file came")
                    work.first(answer.arrived_ns)
                    samples += len(whole) // 2
                    work.usage["seconds"] = samples / self._rate_hz
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
