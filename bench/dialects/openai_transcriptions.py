"""Speech to text over HTTP, as whisper and its like are served: a file of each turn in, its words out.

`POST /v1/audio/transcriptions`, a form with `file` and `model`. The transport gathers the audio and sends the file;
what passes here is what to send with it, and its answer (`bench.transport.upload`).
Trap: nothing is known of a turn before its end was sent, so the words of all of it come at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast, get_args
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson

from bench.dialects.dialect import Address, Dialect, Endpoint
from bench.dialects.lenient_json import loads
from bench.dialects.messages import read_object
from bench.dialects.openai_fields import mapping, name_of, parse_transcription_usage, text
from bench.dialects.recognition import when_no_transcriptions
from bench.dialects.short_keys import HTTP
from bench.facts.failure import ErrorKind
from bench.facts.signals import (
    ErrorInfo,
    InputTranscript,
    InputTranscriptFailed,
    Malformed,
    SessionReady,
    Signal,
    Unrecognised,
)

PATH = "/audio/transcriptions"


class OpenAITranscriptionsDialect(Dialect):
    """The client side of one caller whose turns are sent as files."""

    name = "openai-transcriptions"
    vendor = "openai"
    formats: ClassVar[tuple[str, ...]] = ("pcm16",)
    turn_detections: ClassVar[tuple[str, ...]] = ("manual",)
    sessions: ClassVar[tuple[str, ...]] = ("transcription",)

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """Over HTTP; a base such as `https://host/v1` is enough."""
        scheme, netloc, path, written, _ = urlsplit(address.url)
        path = path.rstrip("/") or "/v1"
        path = path if path.endswith(PATH) else f"{path}{PATH}"
        query = "&".join(part for part in (written, urlencode(address.query)) if part)
        return Endpoint(urlunsplit((HTTP.get(scheme, scheme), netloc, path, query, "")), dict(address.headers))

    def opening(self) -> Sequence[str]:
        return ('{"open":true}',)

    def audio_message(self, payload: bytes) -> bytes:
        return payload

    def end_of_turn(self, turn: int) -> Sequence[str]:
        asked = self.config.transcription
        assert asked is not None
        fields = {"model": asked.model, "response_format": "json"}
        fields |= {name: value for name in ("language", "prompt") if (value := getattr(asked, name)) is not None}
        message = {"turn": turn, "fields": {**fields, **self.config.extra}, "rate_hz": self.input_format.rate_hz}
        return (orjson.dumps(message).decode(),)

    def receive(self, data: str | bytes, at_ns: int) -> Sequence[Signal]:
        message = read_object(data, at_ns)
        if isinstance(message, Malformed):
            return (message,)
        if message.get("open") is True:
            return (SessionReady(at_ns),)
        turn = message.get("turn")
        if not isinstance(turn, int):
            return (Unrecognised(at_ns, "answer"),)
        item = f"turn-{turn}"
        if "failure" in message:
            return (InputTranscriptFailed(at_ns, item, _error(mapping(message["failure"]))),)
        try:
            answer = loads(text(message.get("body")) or "")
        except ValueError:
            answer = None
        words = text(mapping(answer).get("text"))
        if words is None:
            said = "the answer holds no `text`"
            broken = ErrorInfo("malformed_answer", "malformed_answer", said, error_kind="protocol")
            return (InputTranscriptFailed(at_ns, item, broken),)
        usage = parse_transcription_usage(mapping(answer).get("usage"))
        return (InputTranscript(at_ns, item, words.strip(), final=True, usage=usage),)


def _error(failure: Mapping[str, Any]) -> ErrorInfo:
    """A failure of the transport as an error of the turn."""
    kind = failure.get("error_kind")
    known = kind if kind in get_args(ErrorKind) else "server"
    code = name_of(failure.get("error_code"))
    said = text(failure.get("message"))
    if (status := failure.get("http_status")) in (404, 405):
        said = when_no_transcriptions(int(status), said or "empty")
    return ErrorInfo(code, code, said, error_kind=cast("ErrorKind", known))
