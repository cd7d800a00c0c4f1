"""Google's Gemini Live (BidiGenerateContent): JSON messages with one key each, in text or binary frames.

In: one message and its arrival time; out: neutral signals. In: intents; out: messages to send.
Facts followed: `setup` is acknowledged by `setupComplete`; several keys may come in one message; there are no ids;
`generationComplete` ends the audio and `turnComplete` the turn, later, by the server's own estimate of playback.
Trap: the server never says when it heard the caller stop, so `endpoint_ms` stays empty. Usage comes with
`turnComplete` or shortly before it; what comes later is of no response that is known, and is not guessed.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

from bench.audio.formats import AudioFormat
from bench.dialects.dialect import Address, Dialect, Endpoint, KeyTerms, ShortKey
from bench.dialects.gemini_keys import endpoint_of, token_in, token_request
from bench.dialects.lenient_json import loads
from bench.dialects.messages import read_object, read_sound
from bench.dialects.openai_fields import Counts, mapping, name_of, text
from bench.dialects.recognition import wrong_dialect
from bench.facts.failure import ErrorKind
from bench.facts.http import HttpRequest
from bench.facts.signals import (
    AudioDelta,
    AudioDone,
    ErrorInfo,
    InputTranscript,
    Malformed,
    ReplyStatus,
    ResponseEnded,
    ServerError,
    SessionCreated,
    SessionEnds,
    SessionReady,
    Signal,
    SpeechStarted,
    TextDelta,
    ToolCall,
    Unrecognised,
    Usage,
)

if TYPE_CHECKING:
    from bench.dialects.session_config import SessionConfig

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
INPUT_HZ = 16_000
_UNUSED = frozenset({"voiceActivity", "toolCallCancellation"})
_KNOWN = _UNUSED | {
    "setupComplete",
    "goAway",
    "sessionResumptionUpdate",
    "usageMetadata",
    "toolCall",
    "serverContent",
    "error",
}
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_NORMAL = {None, "", "TURN_COMPLETE_REASON_UNSPECIFIED"}
_KINDS: dict[int, ErrorKind] = {401: "auth", 403: "auth", 429: "rate_limit"}
_MODALITIES = {"TEXT": "text", "AUDIO": "audio", "IMAGE": "image"}


class GeminiLiveDialect(Dialect):
    """The client side of one Live session."""

    name = "gemini-live"
    vendor = "gcp.gemini"
    formats: ClassVar[tuple[str, ...]] = ("pcm16",)
    voices: ClassVar[tuple[str, ...]] = ("Aoede", "Charon", "Fenrir", "Kore", "Puck")
    renews = True
    gives_short_keys = True

    def __init__(self, config: SessionConfig, model: str | None = None) -> None:
        super().__init__(config, model)
        self.input_format = AudioFormat("pcm16", INPUT_HZ)
        self.output_format = AudioFormat.PCM16
        self._responses = 0
        """Counted over the call: a name of a reply is not given twice."""
        self._handle: str | None = None
        """What resumes the session; the newest that the server gave."""
        self._forget_session()

    def _forget_session(self) -> None:
        self._open: str | None = None
        """The response that is under way, by a name of our own."""
        self._cut = False
        """A response was interrupted, and the end of its turn is still to come."""
        self._heard: list[str] = []
        """The caller's words since the last whole transcript."""
        self._heard_ns = 0
        """Arrival of the last of them."""
        self._usage: Usage | None = None
        self._tools: dict[str, str] = {}
        self._carry = b""
        self._received_bytes = 0

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """The path, where the address names none; the model goes into the setup and not into the URL."""
        scheme, netloc, path, written, _ = urlsplit(address.url)
        pairs = parse_qsl(written, keep_blank_values=True) + list(address.query.items())
        url = urlunsplit((scheme, netloc, path or PATH, urlencode(pairs), ""))
        return Endpoint(url, dict(address.headers), address.subprotocols)

    @classmethod
    def short_key_request(cls, address: Address, terms: KeyTerms) -> HttpRequest:
        return token_request(address, terms)

    @classmethod
    def short_key(cls, body: bytes) -> ShortKey:
        return token_in(body)

    @classmethod
    def endpoint_with(cls, address: Address, key: ShortKey) -> Endpoint:
        return endpoint_of(address, cls.endpoint(address), key)

    def renew(self) -> None:
        super().renew()
        self._forget_session()

    @property
    def resumes(self) -> bool:
        return self._handle is not None

    # intents -> messages

    def opening(self) -> Sequence[str]:
        return (orjson.dumps({"setup": self.setup()}).decode(),)

    def setup(self) -> dict[str, Any]:
        """What the session is to be: only what the scenario says, with detection and transcription explicit."""
        config = self.config
        generation: dict[str, Any] = {"responseModalities": ["TEXT" if config.output == "text" else "AUDIO"]}
        if config.max_output_tokens not in {None, "inf"}:
            generation["maxOutputTokens"] = config.max_output_tokens
        if config.voice is not None:
            voice = {"prebuiltVoiceConfig": {"voiceName": config.voice.value}}
            generation["speechConfig"] = {"voiceConfig": voice}
        model = self.model or ""
        body: dict[str, Any] = {
            "model": model if "/" in model else f"models/{model}",
            "generationConfig": generation,
            "realtimeInputConfig": self._detection(),
        }
        if config.output == "audio":
            body["outputAudioTranscription"] = {}
        if config.transcription is not None:
            body["inputAudioTranscription"] = {}
        if config.instructions is not None:
            body["systemInstruction"] = {"parts": [{"text": config.instructions}]}
        if config.tools:
            wired = [tool.wire for tool in config.tools]
            declared = [{key: value for key, value in each.items() if key != "type"} for each in wired]
            body["tools"] = [{"functionDeclarations": declared}]
        if config.renew is not None:
            # An empty one asks for handles, without which nothing can be resumed later.
            body["sessionResumption"] = {} if self._handle is None else {"handle": self._handle}
        return {**body, **config.extra}

    def _detection(self) -> dict[str, Any]:
        detection = self.config.turn_detection
        if detection.type == "manual":
            return {"automaticActivityDetection": {"disabled": True}}
        own: dict[str, Any] = {"disabled": False}
        if detection.type == "server_vad":
            own["silenceDurationMs"] = detection.silence_duration_ms
            if detection.prefix_padding_ms is not None:
                own["prefixPaddingMs"] = detection.prefix_padding_ms
        handling = {} if self.speech_interrupts else {"activityHandling": "NO_INTERRUPTION"}
        return {"automaticActivityDetection": own, **handling}

    def audio_message(self, payload: bytes) -> str:
        encoded = binascii.b2a_base64(payload, newline=False).decode("ascii")
        return f'{{"realtimeInput":{{"audio":{{"data":"{encoded}","mimeType":"audio/pcm;rate={INPUT_HZ}"}}}}}}'

    def start_of_turn(self, turn: int) -> Sequence[str]:
        return ('{"realtimeInput":{"activityStart":{}}}',) if self.manual else ()

    def end_of_turn(self, turn: int) -> Sequence[str]:
        return ('{"realtimeInput":{"activityEnd":{}}}',) if self.manual else ()

    def ask_to_speak(self, step: int) -> Sequence[str]:
        return ('{"clientContent":{"turnComplete":true}}',)

    def retell(self, role: Literal["user", "assistant"], words: str) -> Sequence[str]:
        turn = {"role": "user" if role == "user" else "model", "parts": [{"text": words}]}
        return (orjson.dumps({"clientContent": {"turns": [turn], "turnComplete": False}}).decode(),)

    def tool_result(self, call_id: str, output: str) -> Sequence[str]:
        try:
            found = loads(output)
        except ValueError:
            found = output
        answer = found if isinstance(found, dict) else {"result": found}
        response = {"id": call_id, "name": self._tools.pop(call_id, ""), "response": answer}
        return (orjson.dumps({"toolResponse": {"functionResponses": [response]}}).decode(),)

    def refuses_session(self, error: ErrorInfo) -> bool:
        return True

    def while_not_ready(self) -> str:
        return "the server sent no setupComplete"

    def decode_audio(self, delta: AudioDelta) -> Any:
        raw = delta.encoded if isinstance(delta.encoded, bytes) else b""
        raw = self._carry + raw
        whole = len(raw) & ~1
        self._carry = raw[whole:]
        return self.output_format.decode(raw[:whole])

    # messages -> signals

    def receive(self, data: str | bytes, at_ns: int) -> Sequence[Signal]:
        message = read_object(data, at_ns)
        if isinstance(message, Malformed):
            return (message,)
        if (other := wrong_dialect(message, self.name, at_ns)) is not None:
            return (other,)
        try:
            return self._read(message, at_ns)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            return (Malformed(at_ns, f"{type(error).__name__}: {error}"[:200]),)

    def _read(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        out: list[Signal] = []
        if "setupComplete" in message:
            session_id = name_of(mapping(message["setupComplete"]).get("sessionId"))
            out += [SessionCreated(at_ns, session_id, self.model), SessionReady(at_ns)]
        if "goAway" in message:
            left_ms = _duration_ms(mapping(message["goAway"]).get("timeLeft"))
            out += [SessionEnds(at_ns, in_ms=left_ms)] if left_ms is not None else []
        if "sessionResumptionUpdate" in message:
            update = mapping(message["sessionResumptionUpdate"])
            if update.get("resumable") is True and (handle := text(update.get("newHandle"))):
                self._handle = handle
        if "usageMetadata" in message:
            if self._open is None and "serverContent" not in message:
                # Between two replies: taken for the next one's, each turn would be billed for the turn before.
                out.append(Unrecognised(at_ns, "usageMetadata of no reply"))
            else:
                self._usage = parse_usage(message["usageMetadata"])
        if "toolCall" in message:
            out += self._tool_calls(mapping(message["toolCall"]), at_ns)
        if "serverContent" in message:
            out += self._content(mapping(message["serverContent"]), at_ns)
        if "error" in message:
            out.append(ServerError(at_ns, _error(message["error"])))
        out += [Unrecognised(at_ns, str(key)[:120]) for key in message if key not in _KNOWN]
        return out

    def _content(self, content: Mapping[str, Any], at_ns: int) -> list[Signal]:
        out: list[Signal] = []
        heard = mapping(content.get("inputTranscription"))
        if words := text(heard.get("text")):
            self._heard.append(words)
            self._heard_ns = at_ns
            out.append(InputTranscript(at_ns, None, words, final=False))
        if heard.get("finished") is True:
            out += self._transcribed()
        if content.get("interrupted") is True:
            # The server heard the caller speak into the reply, and has stopped it.
            out.append(SpeechStarted(at_ns))
            self._cut = self._cut or self._open is not None
            out += self._ended(at_ns, "cancelled", "interrupted")
        parts = mapping(content.get("modelTurn")).get("parts")
        for part in parts if isinstance(parts, list) else []:
            out += self._part(mapping(part), at_ns)
        if words := text(mapping(content.get("outputTranscription")).get("text")):
            out.append(TextDelta(at_ns, self._reply(), words, "transcript"))
        if content.get("generationComplete") is True and self._open is not None:
            out.append(AudioDone(at_ns, self._open))
        if content.get("turnComplete") is True:
            reason = name_of(content.get("turnCompleteReason"))
            words_of_turn = self._transcribed()
            if words_of_turn and not self._cut and not self._tools:
                self._reply()  # what was said is over: without anything given, the reply to it is empty
            self._cut = False
            out += words_of_turn
            out += self._ended(at_ns, "completed" if reason in _NORMAL else "failed", reason)
        return out

    def _part(self, part: Mapping[str, Any], at_ns: int) -> list[Signal]:
        if part.get("thought") is True:
            return []
        if words := text(part.get("text")):
            return [TextDelta(at_ns, self._reply(), words, "text")]
        encoded = mapping(part.get("inlineData")).get("data")
        if not encoded:
            return []
        payload = read_sound(encoded, at_ns)
        if isinstance(payload, Malformed):
            return [payload]
        reply = self._reply()
        before, self._received_bytes = self._received_bytes, self._received_bytes + len(payload)
        samples = self._received_bytes // 2 - before // 2
        return [AudioDelta(at_ns, reply, None, samples, len(payload), payload)]

    def _tool_calls(self, call: Mapping[str, Any], at_ns: int) -> list[Signal]:
        """Calls of tools, which end a response: what follows their results is another one."""
        calls = call.get("functionCalls")
        out: list[Signal] = []
        for each in calls if isinstance(calls, list) else []:
            call_id, name = name_of(mapping(each).get("id")), name_of(mapping(each).get("name"))
            if call_id is not None and name is not None and call_id not in self._tools:
                self._tools[call_id] = name
                arguments = orjson.dumps(mapping(mapping(each).get("args"))).decode()
                out.append(ToolCall(at_ns, self._reply(), call_id, name, arguments))
        return out + self._ended(at_ns, "completed", None)

    def _reply(self) -> str:
        """The reply that is under way; a new one where there is none, because the server announces none."""
        if self._open is None:
            self._responses += 1
            self._open = f"reply-{self._responses}"
            self._carry, self._received_bytes = b"", 0
        return self._open

    def _ended(self, at_ns: int, status: ReplyStatus, reason: str | None) -> list[Signal]:
        """The end of the response that is under way, if any: an interruption is followed by the end of its turn."""
        name, self._open = self._open, None
        usage, self._usage = self._usage, None
        if name is None and status != "failed":
            return []
        error = ErrorInfo(reason, reason, None, error_kind="server") if status == "failed" else None
        return [ResponseEnded(at_ns, name, status, reason, error, usage)]

    def _transcribed(self) -> list[Signal]:
        """The words of the caller so far, as one whole transcript, which was there with the last of them."""
        words, self._heard = "".join(self._heard), []
        return [InputTranscript(self._heard_ns, None, words, final=True)] if words else []


def _duration_ms(value: Any) -> float | None:
    """A duration as Google's services write it: `50s`, `9.500s`."""
    found = _SECONDS.fullmatch(value) if isinstance(value, str) else None
    return float(found[1]) * 1000 if found else None


def _error(raw: Any) -> ErrorInfo:
    """An error as Google's services write it: a number in the manner of HTTP, and a word for it."""
    told = mapping(raw)
    code, status = told.get("code"), name_of(told.get("status"))
    kind: ErrorKind = "server" if not isinstance(code, int) or code >= 500 else _KINDS.get(code, "protocol")
    return ErrorInfo(status, status, text(told.get("message")), error_kind=kind)


def parse_usage(raw: Any) -> Usage | None:
    """Token counts by modality; what the server did not give stays unknown."""
    if not isinstance(raw, dict) or not raw:
        return None
    counts = Counts()
    total = "responseTokenCount" if "responseTokenCount" in raw else "candidatesTokenCount"
    said = "responseTokensDetails" if "responseTokensDetails" in raw else "candidatesTokensDetails"
    into = _by_modality(counts, raw, "promptTokensDetails", "promptTokenCount")
    out = _by_modality(counts, raw, said, total)
    cached = _by_modality(counts, raw, "cacheTokensDetails", "cachedContentTokenCount")
    usage = Usage(
        in_text_tokens=into.get("text"),
        in_audio_tokens=into.get("audio"),
        in_image_tokens=into.get("image"),
        in_cached_text_tokens=cached.get("text"),
        in_cached_audio_tokens=cached.get("audio"),
        in_cached_image_tokens=cached.get("image"),
        out_text_tokens=out.get("text"),
        out_audio_tokens=out.get("audio"),
        in_total_tokens=counts.of(raw, "promptTokenCount"),
        out_total_tokens=counts.of(raw, total),
        out_reasoning_tokens=counts.of(raw, "thoughtsTokenCount"),
        refused=counts.refused,
    )
    return None if usage == Usage() else usage


def _by_modality(counts: Counts, raw: Mapping[str, Any], key: str, total: str) -> dict[str, int | None]:
    """Counts of one side. Only modalities that were used are listed: where they make up the total, the others are 0."""
    details = raw.get(key)
    out: dict[str, int | None] = {}
    for each in details if isinstance(details, list) else []:
        kind = str(mapping(each).get("modality"))
        out[_MODALITIES.get(kind, kind)] = counts.of(mapping(each), "tokenCount")
    listed = [found for found in out.values() if found is not None]
    if listed and len(listed) == len(out) and sum(listed) == counts.of(raw, total):
        return dict.fromkeys(_MODALITIES.values(), 0) | out
    return out
