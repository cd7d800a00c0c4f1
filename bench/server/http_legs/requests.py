"""What the three services are asked for: bodies of HTTP requests in, checked requests out.

Trap: a wrong field is refused in the vendor's words, by raising `ProtocolError`; an unknown field is left alone, since
clients send more than a small server knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any

import orjson

from bench.server.protocol.client_errors import ProtocolError, invalid_choice, invalid_type, missing

MAX_INPUT_CHARACTERS = 4096
SPEECH_FORMATS = ("pcm", "wav")


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """A recording to be written down."""

    file: bytes
    model: str
    response_format: str = "json"
    stream: bool = False


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation to be gone on with."""

    messages: tuple[Mapping[str, Any], ...]
    model: str
    stream: bool = False
    include_usage: bool = False
    tools: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A text to be spoken."""

    text: str
    model: str
    voice: str
    response_format: str = "pcm"
    speed: float = 1.0
    events: bool = False
    """As server-sent events and not as the sound alone."""


def transcription_request(content_type: str, body: bytes) -> TranscriptionRequest:
    """Of `POST /v1/audio/transcriptions`. Raises `ProtocolError`."""
    fields = form_fields(content_type, body)
    if "file" not in fields:
        raise missing("file")
    given = {name: value.decode("utf-8", "replace") for name, value in fields.items() if name != "file"}
    wanted = given.get("response_format", "json")
    if wanted not in {"json", "text", "verbose_json"}:
        raise invalid_choice("response_format", wanted, ["json", "text", "verbose_json"])
    stream = given.get("stream", "false").lower() in {"true", "1"}
    return TranscriptionRequest(fields["file"], _model(given), wanted, stream)


def chat_request(body: bytes) -> ChatRequest:
    """Of `POST /v1/chat/completions`. Raises `ProtocolError`."""
    given = _object(body)
    messages = given.get("messages")
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise missing("messages") if messages is None else invalid_type("messages", "an array of objects", messages)
    options = given.get("stream_options") or {}
    tools = given.get("tools") or []
    return ChatRequest(
        tuple(messages),
        _model(given),
        stream=given.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        tools=tuple(tool for tool in tools if isinstance(tool, dict)) if isinstance(tools, list) else (),
    )


def speech_request(body: bytes) -> SpeechRequest:
    """Of `POST /v1/audio/speech`. Raises `ProtocolError`."""
    given = _object(body)
    text = given.get("input")
    if not isinstance(text, str):
        raise missing("input") if text is None else invalid_type("input", "a string", text)
    if len(text) > MAX_INPUT_CHARACTERS:
        message = f"Invalid 'input': at most {MAX_INPUT_CHARACTERS} characters, found {len(text)}."
        raise ProtocolError(message, code="string_above_max_length", param="input")
    wanted, how = given.get("response_format", "mp3"), given.get("stream_format", "audio")
    if wanted not in SPEECH_FORMATS:
        raise invalid_choice("response_format", wanted, list(SPEECH_FORMATS))
    if how not in {"audio", "sse"}:
        raise invalid_choice("stream_format", how, ["audio", "sse"])
    speed = given.get("speed", 1.0)
    if not isinstance(speed, int | float) or not 0.25 <= speed <= 4:
        raise invalid_type("speed", "a number from 0.25 to 4", speed)
    return SpeechRequest(text, _model(given), str(given.get("voice", "")), wanted, float(speed), how == "sse")


def form_fields(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts of a `multipart/form-data` body by name; of several with one name the last."""
    head = Message()
    head["Content-Type"] = content_type
    boundary = head.get_boundary()
    if head.get_content_type() != "multipart/form-data" or boundary is None:
        raise ProtocolError("Send a multipart/form-data body with a boundary.", code="invalid_content_type")
    fields: dict[str, bytes] = {}
    mark = b"--" + boundary.encode("latin-1", "replace")
    for part in (b"\r\n" + body).split(b"\r\n" + mark)[1:]:
        if part.startswith(b"--"):
            return fields
        # the rest of the line with the boundary may hold white space alone
        header, found, content = part.partition(b"\r\n")[2].partition(b"\r\n\r\n")
        name = BytesHeaderParser().parsebytes(header).get_param("name", header="content-disposition")
        if not found or not isinstance(name, str):
            break
        fields[name] = content
    raise ProtocolError("The multipart body cannot be read.", code="invalid_multipart")


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"We could not parse the JSON body of your request: {error}."
        raise ProtocolError(message, code="invalid_json") from None
    if not isinstance(found, dict):
        raise invalid_type("body", "an object", found)
    return found


def _model(given: Mapping[str, Any]) -> str:
    model = given.get("model")
    if not isinstance(model, str) or not model:
        raise missing("model") if not model else invalid_type("model", "a string", model)
    return model
