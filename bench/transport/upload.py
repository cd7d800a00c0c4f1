"""Speech sent as files: the audio of a turn is gathered, then posted as one WAV file in a form.

In: frames of audio, and a message that says what to post with them. Out: a message with the answer, or with why there
is none. The connection is opened when the call begins and kept as long as the server keeps it.
Trap: a server may close a kept connection at any time; a request that found it closed is sent once more on a new one.
"""

from __future__ import annotations

import secrets
import struct
import time
from dataclasses import asdict
from urllib.parse import urlsplit

import gevent
import orjson
from gevent.queue import Empty, Queue

from bench.facts.connection import Connection
from bench.facts.failure import Failure
from bench.facts.http import HttpRequest
from bench.transport.channel import Closed, ConnectOptions, Media, Message, TransportError
from bench.transport.exchange import KeptWire
from bench.transport.failures import cleaned, of_status

MAX_AUDIO_BYTES = 25 * 1024 * 1024
_NORMAL = 1000


class UploadChannel:
    """One caller's way to an address that takes files. Messages to it and from it are JSON.

    `{"open": true}` is given back at once. `{"turn": N, "fields": {...}, "rate_hz": R}` posts the PCM16 gathered since
    the last one; the answer is `{"turn": N, "status": S, "body": TEXT}`, or `{"turn": N, "failure": {...}}`.
    """

    def __init__(self, options: ConnectOptions, wire: KeptWire, connection: Connection) -> None:
        self._options = options
        self._connection = connection
        self._wire = wire
        self._redactor = options.knowing_secrets()
        self._audio: list[bytes] = []
        self._size = 0
        self._arrived: Queue[Message | Closed] = Queue()
        self._posting: set[gevent.Greenlet] = set()
        self._closed: Closed | None = None

    def send(self, message: str | bytes) -> None:
        """Take a message of the dialect."""
        asked = orjson.loads(message)
        if "turn" not in asked:
            self._answer(asked, time.monotonic_ns())
            return
        audio, self._audio, self._size = b"".join(self._audio), [], 0
        greenlet = gevent.spawn(self._post, asked, audio)
        self._posting.add(greenlet)
        greenlet.link(self._posting.discard)

    def post(self, packed: bytes) -> bool:
        """As `send`; never waits."""
        self.send(packed)
        return True

    def post_audio(self, packed: bytes) -> bool:
        """Keep one frame for the next file. Raises `TransportError` when that would be too large for any server."""
        self._size += len(packed)
        if self._size > MAX_AUDIO_BYTES:
            raise TransportError(Failure("harness", "turn", "too_long", f"a turn of more than {MAX_AUDIO_BYTES} bytes"))
        self._audio.append(packed)
        return True

    def flush(self) -> None:
        """Nothing is kept back."""

    def receive(self, timeout_s: float | None) -> Message | Media | Closed | None:
        """The next answer."""
        if self._closed is not None and self._arrived.empty():
            return self._closed
        try:
            found: Message | Closed = self._arrived.get(timeout=timeout_s)
        except Empty:
            return None
        return found

    def close(self, *, timeout_s: float) -> Closed:
        """Hang up; what is still being posted is given up."""
        if self._closed is None:
            gevent.killall(list(self._posting), block=False)
            self._wire.close()
            self._closed = Closed(_NORMAL, "", True, time.monotonic_ns())
            self._arrived.put(self._closed)
        return self._closed

    def abort(self) -> None:
        """As `close`."""
        self.close(timeout_s=0)

    def _post(self, asked: dict[str, object], audio: bytes) -> None:
        fields, rate_hz = asked.get("fields"), asked.get("rate_hz")
        assert isinstance(fields, dict)
        assert isinstance(rate_hz, int)
        boundary = secrets.token_hex(16)
        body = _form(boundary, fields, wav(audio, rate_hz))
        headers = {**self._options.headers, "Content-Type": f"multipart/form-data; boundary={boundary}"}
        at_ns = 0
        told: dict[str, object] = {"turn": asked["turn"]}
        try:
            answer = self._wire.exchange(HttpRequest("POST", self._options.url, headers, body))
            at_ns, self._connection.kernel_stamps = answer.at_ns, self._wire.stamped
            if 200 <= answer.status < 300:
                told |= {"status": answer.status, "body": answer.body.decode("utf-8", "replace")}
            else:
                raise TransportError(of_status(answer.status, answer.headers, answer.body))
        except TransportError as error:
            told["failure"] = asdict(cleaned(error.failure, self._redactor))
        self._answer(told, at_ns or time.monotonic_ns())

    def _answer(self, told: dict[str, object], at_ns: int) -> None:
        self._arrived.put(Message(orjson.dumps(told).decode(), at_ns, time.monotonic_ns()))


class UploadTransport:
    """`http:` and `https:` addresses that take files."""

    carries_audio = True

    def pack(self, message: str | bytes) -> bytes:
        """As it is."""
        return message.encode() if isinstance(message, str) else message

    def pack_audio(self, payload: bytes) -> bytes:
        """As it is."""
        return payload

    def connect(self, options: ConnectOptions, connection: Connection) -> UploadChannel:
        """Open the connection that the first file will be sent on. Raises `TransportError`."""
        if connection.started_ns is None:
            connection.started_ns = time.monotonic_ns()
        parts = urlsplit(options.url)
        wire = KeptWire(options, parts.hostname or "", parts.port, secure=parts.scheme == "https")
        wire.open(connection)
        connection.open_ns = time.monotonic_ns()
        return UploadChannel(options, wire, connection)


UPLOAD = UploadTransport()


def wav(pcm: bytes, rate_hz: int) -> bytes:
    """PCM16, mono, as a WAV file."""
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", 36 + len(pcm), b"WAVE") + fmt + struct.pack("<4sI", b"data", len(pcm)) + pcm


def _form(boundary: str, fields: dict[str, object], file: bytes) -> bytes:
    mark = f"--{boundary}\r\nContent-Disposition: form-data; name="
    parts = [f'{mark}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    head = f'{mark}"file"; filename="speech.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    return b"".join([*parts, head.encode(), file, f"\r\n--{boundary}--\r\n".encode()])
