"""Twilio Media Streams, from Twilio's side: the harness is the telephone network that calls a bot's own WebSocket.

In: one message of the bot and its arrival time; out: neutral signals. In: intents; out: what Twilio sends.
Facts followed: numbers are strings; µ-law at 8 kHz in 20 ms each, also in silence; what the bot sends is played in
order; a `mark` comes back when it is played, and all of them when `clear` throws away what is left.
Trap: a bot says neither that it heard the caller stop, nor what it heard, nor when a reply begins or ends. A reply is
what is audible, from its first audible sample as it is played.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import orjson

from bench.audio.formats import AudioFormat
from bench.dialects.dialect import Address, Dialect, Endpoint
from bench.dialects.messages import read_object, read_sound
from bench.dialects.openai_fields import mapping, merged, text
from bench.dialects.recognition import wrong_dialect
from bench.dialects.reply_finder import NS_PER_S, ReplyFinder
from bench.facts.signals import (
    AudioDelta,
    Malformed,
    ResponseEnded,
    SessionCreated,
    SessionReady,
    Signal,
    SpeechStarted,
    Unrecognised,
)

if TYPE_CHECKING:
    from bench.dialects.session_config import SessionConfig

FRAME_MS = 20
SIGNATURE = "X-Twilio-Signature"
MORE_NS = 3 * NS_PER_S
"""Sound that comes so soon after the end of a reply is more of it, as long as the caller has not spoken."""


class TwilioDialect(Dialect):
    """One telephone call that Twilio puts through to a bot."""

    name = "twilio-media-streams"
    formats: ClassVar[tuple[str, ...]] = ("pcmu",)
    turn_detections: ClassVar[tuple[str, ...]] = ("server_vad",)
    outputs: ClassVar[tuple[str, ...]] = ("audio",)
    frame_ms: ClassVar[int | None] = FRAME_MS
    numbers_frames = True
    transcribes = False
    has_keypad = True

    def __init__(self, config: SessionConfig, model: str | None = None) -> None:
        super().__init__(config, model)
        self.input_format = self.output_format = AudioFormat.PCMU
        self.stream = f"MZ{uuid4().hex}"
        self._call, self._account = f"CA{uuid4().hex}", f"AC{uuid4().hex}"
        self._opened = self._ready = False
        self._sequence = self._chunks = 0
        self._finder = ReplyFinder(AudioFormat.PCMU, queued=True)
        self._replies = 0
        self._name: str | None = None
        """The reply that is under way, by a name of our own."""
        self._more_until_ns = 0
        """Until when more sound is still of the reply that ended last."""
        self._marks: deque[tuple[int, str]] = deque()
        """Marks that are not played yet, with the instant at which they will be."""

    @classmethod
    def endpoint(cls, address: Address) -> Endpoint:
        """The bot's address; a key in the signature's header is the auth token that the signature is made with."""
        place = super().endpoint(address)
        headers = {
            name: _signature(place.url, value) if name.lower() == SIGNATURE.lower() else value
            for name, value in place.headers.items()
        }
        return Endpoint(place.url, headers, place.subprotocols)

    # intents -> messages

    def opening(self) -> Sequence[str]:
        self._opened = True
        start = {
            "accountSid": self._account,
            "streamSid": self.stream,
            "callSid": self._call,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {},
        }
        connected = {"event": "connected", "protocol": "Call", "version": "1.0.0"}
        return orjson.dumps(connected).decode(), self._numbered("start", start=merged(start, self.config.extra))

    def _numbered(self, event: str, **fields: Any) -> str:
        self._sequence += 1
        body = {"event": event, "sequenceNumber": str(self._sequence), "streamSid": self.stream}
        return orjson.dumps({**body, **fields}).decode()

    def audio_message(self, payload: bytes) -> str:
        self._sequence += 1
        self._chunks += 1
        sound = binascii.b2a_base64(payload, newline=False).decode("ascii")
        number, timestamp_ms = self._chunks, self._chunks * FRAME_MS
        return (
            f'{{"event":"media","sequenceNumber":"{self._sequence}","streamSid":"{self.stream}","media":{{'
            f'"track":"inbound","chunk":"{number}","timestamp":"{timestamp_ms}","payload":"{sound}"}}}}'
        )

    def start_of_turn(self, turn: int) -> Sequence[str]:
        self._more_until_ns = 0
        self._finder.caller_speaks()
        return ()

    def press(self, key: str) -> Sequence[str]:
        return (self._numbered("dtmf", dtmf={"track": "inbound_track", "digit": key}),)

    def closing(self) -> Sequence[str]:
        return (self._numbered("stop", stop={"accountSid": self._account, "callSid": self._call}),)

    # messages -> signals

    def receive(self, data: str | bytes, at_ns: int) -> Sequence[Signal]:
        message = read_object(data, at_ns)
        if isinstance(message, Malformed):
            return (message,)
        if (other := wrong_dialect(message, self.name, at_ns)) is not None:
            return (other,)
        event = message.get("event")
        if event == "media":
            return self._media(message, at_ns)
        if event == "mark":
            return self._mark(message, at_ns)
        if event == "clear":
            return self._clear(at_ns)
        if not isinstance(event, str):
            return (Malformed(at_ns, "an object without an `event`"),)
        return (Unrecognised(at_ns, event[:120]),)

    def _media(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        payload = read_sound(mapping(message.get("media")).get("payload"), at_ns)
        if isinstance(payload, Malformed):
            return (payload,)
        found = self._finder.feed(at_ns, payload)
        if found and self._name is None:
            self._replies += found[0].at_ns > self._more_until_ns
            self._name = f"reply-{self._replies}"
        name = self._name
        return [AudioDelta(each.at_ns, name, None, size := len(each.payload), size, each.payload) for each in found]

    def _mark(self, message: Mapping[str, Any], at_ns: int) -> Sequence[Signal]:
        name = text(mapping(message.get("mark")).get("name"))
        if name is None:
            return (Malformed(at_ns, "a mark without a name"),)
        self._marks.append((max(at_ns, self._finder.played_ns), name))
        self._return_marks(at_ns)
        return ()

    def _return_marks(self, now_ns: int) -> None:
        while self._marks and self._marks[0][0] <= now_ns:
            _, name = self._marks.popleft()
            self.post(self._numbered("mark", mark={"name": name}))

    def _clear(self, at_ns: int) -> Sequence[Signal]:
        """The bot heard the caller: what is left is not played, and its marks come back."""
        self._finder.clear(at_ns)
        self._return_marks(2**63)
        name, self._name, self._more_until_ns = self._name, None, 0
        ended = [ResponseEnded(at_ns, name, "cancelled", "clear")] if name is not None else []
        return [SpeechStarted(at_ns), *ended]

    # what nobody says

    def next_tick_ns(self) -> int | None:
        if self._opened and not self._ready:
            return 0
        over_ns, mark_ns = self._finder.over_ns, self._marks[0][0] if self._marks else None
        return min((at_ns for at_ns in (over_ns, mark_ns) if at_ns is not None), default=None)

    def tick(self, now_ns: int) -> Sequence[Signal]:
        if self._opened and not self._ready:
            # Nobody acknowledges a stream: it is there once it has been started.
            self._ready = True
            return SessionCreated(now_ns, self.stream, self.model), SessionReady(now_ns)
        self._return_marks(now_ns)
        over_ns = self._finder.over_ns
        if over_ns is None or now_ns < over_ns:
            return ()
        more_until_ns = 0 if self._finder.cut_into else over_ns + MORE_NS
        self._finder.end()
        name, self._name, self._more_until_ns = self._name, None, more_until_ns
        return (ResponseEnded(self._finder.last_ns, name, "completed"),)


def _signature(url: str, token: str) -> str:
    """How Twilio signs a request of a WebSocket: HMAC-SHA1 of its address with the auth token."""
    return base64.b64encode(hmac.new(token.encode(), url.encode(), hashlib.sha1).digest()).decode()
