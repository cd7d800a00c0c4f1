"""A WebSocket client on a gevent socket: `connect` brings one up, `WebSocket` moves whole messages with their stamps.

`websockets.client.ClientProtocol` judges the upgrade and answers every control, fragmented or broken frame; whole
frames, nearly all of the traffic, are taken past it. One greenlet receives, any may send.
Trap: stamps are only as fine as the reads, so frames are read exactly (see `boundaries`); do not read ahead.
"""

from __future__ import annotations

import logging
import re
import time
from collections import deque
from contextlib import suppress
from urllib.parse import urlsplit

from gevent.event import Event
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHeader, InvalidUpgrade, InvalidURI, NegotiationError
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from bench import __version__
from bench.config.redactor import Redactor
from bench.errors import BenchError
from bench.facts.connection import Connection
from bench.facts.failure import ErrorKind, Failure
from bench.transport.boundaries import FrameSplitter, RawFrame
from bench.transport.channel import MAX_MESSAGE_BYTES, Closed, ConnectOptions, Message, TransportError
from bench.transport.dial import Dialing, dial
from bench.transport.failures import cleaned, of_broken_answer, of_os_error, of_status, of_timeout
from bench.transport.http import Head, NotHttpError, read_body, read_head
from bench.transport.patience import Patience
from bench.transport.wire import SendTimeoutError, Wire

_MASK = bytes.fromhex("5ac3179e")
"""One mask for every frame of every session, so that a frame is encoded once and shared.

Any mask is valid to a receiver (RFC 6455 section 5.3). Masks are unpredictable so that a script inside a browser
cannot make a frame look like an HTTP request to a cache on the way; here the sender is the program itself.
"""
_WHOLE_TEXT, _WHOLE_BINARY = 0x81, 0x82
_CHUNK = 64 * 1024
_LIMIT_HEADERS = re.compile(r"(?:x-)?ratelimit(?:-[\w-]+)?|retry-after(?:-ms)?|date")
_KEPT_HEADERS = re.compile(r"x-request-id|openai-[\w-]+|apim-request-id|x-ms-region|cf-ray|server|via")
_MOST_KEPT = 24
_MOST_LIMIT_HEADERS = 48
_MOST_KEPT_CHARS = 200

# Its debug lines hold request headers, hence keys, whatever the level of the root logger.
_logger = logging.getLogger("bench.transport.websocket.protocol")
_logger.setLevel(logging.ERROR)


def pack(message: str | bytes, mask: bytes = _MASK) -> bytes:
    """One client frame around `message`: text from `str`, binary from `bytes`. Any number of sessions may send it."""
    first, data = (_WHOLE_TEXT, message.encode()) if isinstance(message, str) else (_WHOLE_BINARY, message)
    size = len(data)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65536:
        head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    key = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def connect(options: ConnectOptions, connection: Connection) -> WebSocket:
    """Open a WebSocket, writing into `connection` when each step was done.

    Raises `TransportError` with a typed failure, `BenchError` for a URL, header, CA file or proxy that cannot be used.
    """
    uri = _target(options)
    redactor = options.knowing_secrets()
    now_ns = time.monotonic_ns()
    if connection.started_ns is None:
        connection.started_ns = now_ns
    progress = Dialing(now_ns + int(options.connect_timeout_s * 1e9))
    timer = Patience(options.connect_timeout_s)
    try:
        wire = dial(
            uri.host,
            uri.port,
            secure=uri.secure,
            options=options,
            connection=connection,
            progress=progress,
            redactor=redactor,
        )
        progress.part = "upgrade"
        protocol = _upgrade(wire, uri, options, connection, progress.deadline_ns, redactor)
        connection.done("upgrade")
        connection.open_ns = connection.stages["upgrade"]
    except BaseException as error:
        # Whatever ends it, a cancelled greenlet included, the descriptor must not outlive the attempt.
        progress.abandon()
        if error is timer.expired:
            raise TransportError(of_timeout(progress.part, options.connect_timeout_s)) from None
        if isinstance(error, TransportError):
            raise TransportError(cleaned(error.failure, redactor)) from None
        raise
    finally:
        timer.close()
    return WebSocket(wire, protocol, redactor, max_message_bytes=options.max_message_bytes)


def _target(options: ConnectOptions) -> WebSocketURI:
    shown = urlsplit(options.url)._replace(query="", fragment="").geturl()
    if "@" in shown:
        shown = re.sub(r"//[^/@]*@", "//***@", shown)
    try:
        uri = parse_uri(options.url)
    except (InvalidURI, ValueError) as error:
        raise BenchError(
            f"target url: {shown!r} is not a WebSocket address", hint="Use ws://host[:port]/path or wss://host/path."
        ) from error
    for name, value in options.headers.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise BenchError(f"header {name!r}: not a valid header name", hint="Use letters, digits and dashes.")
        if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", value):
            raise BenchError(
                f"header {name!r}: its value holds a line break or a character that HTTP cannot carry",
                hint="Often a key read from a file with its newline: strip it.",
            )
    return uri


def _upgrade(
    wire: Wire,
    uri: WebSocketURI,
    options: ConnectOptions,
    connection: Connection,
    deadline_ns: int,
    redactor: Redactor,
) -> ClientProtocol:
    """Ask for the upgrade and have the answer judged. Raises `TransportError`."""
    wanted = [Subprotocol(name) for name in options.subprotocols] or None
    protocol = ClientProtocol(uri, subprotocols=wanted, max_size=None, logger=_logger)
    request = protocol.connect()
    if not any(name.lower() == "user-agent" for name in options.headers):
        request.headers["User-Agent"] = f"realtime-voice-bench/{__version__}"
    for name, value in options.headers.items():
        if name in request.headers:
            del request.headers[name]
        request.headers[name] = value
    protocol.send_request(request)
    where = f"{uri.host}:{uri.port}"
    try:
        wire.send(b"".join(protocol.data_to_send()))
        head = read_head(wire)
        connection.kernel_stamps = wire.stamped
        connection.headers.update(_kept(head, redactor))
        if head.status != 101:
            body = read_body(wire, head, deadline_ns)
            raise TransportError(of_status(head.status, head.headers, body))
    except NotHttpError as error:
        raise TransportError(of_broken_answer(error.code, error.status, f"{where}: {error}")) from error
    except SendTimeoutError as error:
        raise TransportError(of_timeout("upgrade", options.send_timeout_s)) from error
    except OSError as error:
        raise TransportError(of_os_error(error, "upgrade", where)) from error
    protocol.receive_data(head.raw)
    protocol.events_received()
    if protocol.handshake_exc is not None:
        raise TransportError(_bad_upgrade(protocol.handshake_exc, where))
    if protocol.state is not OPEN:
        raise TransportError(
            Failure("handshake", "upgrade", "bad_response", f"{where}: no whole answer", None, None, 101)
        )
    return protocol


def _kept(head: Head, redactor: Redactor) -> dict[str, str]:
    """The few headers that help to find a session in the provider's logs, and those that tell of its limits."""
    found: list[tuple[str, str]] = []
    for wanted, most in ((_LIMIT_HEADERS, _MOST_LIMIT_HEADERS), (_KEPT_HEADERS, _MOST_KEPT)):
        found += [(name, value) for name, value in head.headers.items() if wanted.fullmatch(name)][:most]
    return {name: redactor.clean(value)[:_MOST_KEPT_CHARS] for name, value in found}


def _bad_upgrade(error: Exception, where: str) -> Failure:
    if isinstance(error, InvalidUpgrade):
        code = "bad_upgrade"
    elif isinstance(error, NegotiationError):
        code = "bad_negotiation"
    elif (getattr(error, "name", None) or "").lower() == "sec-websocket-accept":
        code = "bad_accept"
    else:
        code = "bad_header" if isinstance(error, InvalidHeader) else "bad_response"
    return Failure("handshake", "upgrade", code, f"{where}: {error}", http_status=101)


class WebSocket:
    """An open connection. `receive` belongs to one greenlet; the rest may be called from any."""

    def __init__(
        self,
        wire: Wire,
        protocol: ClientProtocol,
        redactor: Redactor,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._wire = wire
        self._protocol = protocol
        self._redactor = redactor
        self._most_bytes = max_message_bytes
        self._splitter = FrameSplitter(max_message_bytes)
        self._fragment_bytes = 0
        self._exact = wire.splits_reads
        self._inbox: deque[Message] = deque()
        self._fragments: list[bytes] = []
        self._fragments_are_text = False
        self._open_fragments = False
        self._end: Closed | None = None
        self._ended = Event()
        self._leaving = False
        self._reading = False

    def send(self, message: str | bytes) -> None:
        """Send one message; returns when the kernel has all of it. Raises as `post` does."""
        if not self.post(pack(message)):
            self.flush()

    def post(self, packed: bytes) -> bool:
        """Put one packed frame on the wire without waiting; False when the kernel has not taken all of it yet.

        Raises `TransportError`: `closed` when the connection is, `timeout` when the peer does not read; its stage is
        `turn`, since the transport cannot know better.
        """
        if self._leaving or self._end is not None:
            raise _not_sent("closed", "not_open", "the connection is closed", self._end)
        try:
            return self._wire.post(packed)
        except (SendTimeoutError, OSError) as error:
            raise _sending_failed(error) from error

    post_audio = post

    def flush(self) -> None:
        """Wait until the kernel has everything that was posted. Raises as `post` does."""
        try:
            self._wire.flush()
        except (SendTimeoutError, OSError) as error:
            raise _sending_failed(error) from error

    def receive(self, timeout_s: float | None) -> Message | Closed | None:
        """The next whole message; how the connection ended, for ever after it has; None when `timeout_s` passed."""
        if self._inbox:
            return self._inbox.popleft()
        if self._end is not None:
            return self._end
        if self._reading:
            # `close`, called elsewhere, reads until the end; only the end is left to be told.
            return self._end if self._ended.wait(timeout_s) else None
        deadline_ns = None if timeout_s is None else time.monotonic_ns() + int(timeout_s * 1e9)
        self._reading = True
        try:
            return self._pump(deadline_ns)
        except OSError as error:
            # Reset, a broken TLS record, or closed by `close` or `abort` while we waited: all are the end.
            return self._finish(1006, error.strerror or "connection lost", clean=False, at_ns=time.monotonic_ns())
        finally:
            self._reading = False

    def close(self, code: int = 1000, reason: str = "", *, timeout_s: float = 2.0) -> Closed:
        """Close with a handshake, waiting at most `timeout_s` for the peer's part; messages still to come are lost.

        Every connection must end with this or `abort`, even one that the peer closed: the descriptor is freed here.
        Safe while another greenlet receives, and when already closed: the answer is then how that came about.
        """
        if self._end is None:
            deadline_ns = time.monotonic_ns() + int(timeout_s * 1e9)
            try:
                if self._protocol.state is OPEN and not self._leaving:
                    self._leaving = True
                    self._protocol.send_close(code, reason)
                    self._answer()
                if self._reading:
                    self._ended.wait(timeout_s)
                else:
                    self._drain(deadline_ns)
            except OSError as error:
                self._finish(1006, error.strerror or "connection lost", clean=False, at_ns=time.monotonic_ns())
        if self._end is None:
            self._finish(1006, "no answer to our close frame", clean=False, at_ns=time.monotonic_ns())
        self._wire.close(hard=not self._end_of().clean)
        return self._end_of()

    def abort(self) -> None:
        """Reset the connection at once, as a caller's dead phone would; a waiting `receive` returns `Closed`."""
        self._finish(1006, "aborted on this side", clean=False, at_ns=time.monotonic_ns())
        self._wire.close(hard=True)

    def _end_of(self) -> Closed:
        assert self._end is not None
        return self._end

    def _drain(self, deadline_ns: int) -> None:
        self._reading = True
        try:
            while self._end is None and self._pump(deadline_ns) is not None:
                continue
        finally:
            self._reading = False

    def _pump(self, deadline_ns: int | None) -> Message | Closed | None:
        wire, splitter, inbox = self._wire, self._splitter, self._inbox
        while True:
            data = wire.read(splitter.wanted() if self._exact else _CHUNK, deadline_ns)
            if data is None:
                return None
            if not data:
                return self._at_eof()
            for frame in splitter.feed(data):
                first = frame.header[0]
                whole = first in (_WHOLE_TEXT, _WHOLE_BINARY)
                if whole and frame.payload and not self._open_fragments:
                    self._deliver(frame.payload, text=first == _WHOLE_TEXT)
                else:
                    self._judge(frame)
                if self._end is not None:
                    break
            if splitter.too_big is not None:
                self._refuse(splitter.too_big)
            if inbox:
                return inbox.popleft()
            if self._end is not None:
                return self._end

    def _deliver(self, payload: bytes, *, text: bool) -> None:
        wire = self._wire
        if not text:
            self._inbox.append(Message(payload, wire.at_ns, wire.read_ns))
            return
        try:
            self._inbox.append(Message(payload.decode(), wire.at_ns, wire.read_ns))
        except UnicodeDecodeError as error:
            # The sans-I/O layer leaves the check of text to its driver (RFC 6455 section 8.1).
            self._protocol.fail(CloseCode.INVALID_DATA, "text is not UTF-8")
            self._answer()
            self._finish(1007, f"text is not UTF-8 at byte {error.start}", clean=False, at_ns=wire.at_ns)

    def _judge(self, frame: RawFrame) -> None:
        """Have `ClientProtocol` look at a frame that is not a whole text."""
        protocol, at_ns = self._protocol, self._wire.at_ns
        protocol.receive_data(frame.header + frame.payload)
        self._answer(optional=frame.header[0] & 0x0F == Opcode.PING)
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._collect(event)
        if protocol.close_rcvd is not None:
            clean = protocol.parser_exc is None and protocol.close_sent is not None
            self._finish(protocol.close_rcvd.code, protocol.close_rcvd.reason, clean=clean, at_ns=at_ns)
        elif protocol.parser_exc is not None:
            sent = protocol.close_sent
            code = sent.code if sent is not None else CloseCode.PROTOCOL_ERROR
            said = sent.reason if sent is not None else "broken frame"
            self._finish(code, f"the server broke the WebSocket protocol: {said}", clean=False, at_ns=at_ns)

    def _collect(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._fragments_are_text = frame.opcode is Opcode.TEXT
        self._fragment_bytes += len(frame.data)
        if self._fragment_bytes > self._most_bytes:
            self._fragments = []
            self._refuse(self._fragment_bytes)
            return
        self._fragments.append(bytes(frame.data))
        self._open_fragments = not frame.fin
        if frame.fin:
            whole = b"".join(self._fragments)
            self._fragments = []
            self._fragment_bytes = 0
            self._deliver(whole, text=self._fragments_are_text)

    def _refuse(self, size: int) -> None:
        """End the connection over a message that is too big, before it fills the memory."""
        reason = f"a message of at least {size:,} bytes; the most is {self._most_bytes:,}"
        self._protocol.fail(CloseCode.MESSAGE_TOO_BIG, "message too big")
        self._answer()
        self._finish(CloseCode.MESSAGE_TOO_BIG, reason, clean=False, at_ns=self._wire.at_ns)

    def _answer(self, *, optional: bool = False) -> None:
        """Send what the protocol has to say, without waiting; its half-close at the end is left to `close`."""
        data = b"".join(self._protocol.data_to_send())
        if not data or (optional and self._wire.congested):
            return
        # A peer that takes nothing any more may have said why: the reader must go on, and will meet the end itself.
        with suppress(OSError, SendTimeoutError):
            self._wire.post(data)

    def _at_eof(self) -> Closed:
        return self._finish(1006, "ended without a close frame", clean=False, at_ns=self._wire.at_ns)

    def _finish(self, code: int, reason: str, *, clean: bool, at_ns: int) -> Closed:
        if self._end is None:
            self._end = Closed(int(code), self._redactor.clean(reason), clean, at_ns)
            self._ended.set()
        return self._end


def _sending_failed(error: SendTimeoutError | OSError) -> TransportError:
    if isinstance(error, SendTimeoutError):
        return _not_sent("timeout", "send_timeout", "the peer has stopped reading")
    return _not_sent("closed", of_os_error(error, "tcp", "").error_code, error.strerror or "not sent")


def _not_sent(kind: ErrorKind, code: str | None, message: str, end: Closed | None = None) -> TransportError:
    close_code, close_reason = (end.code, end.reason) if end is not None else (None, None)
    return TransportError(Failure(kind, "turn", code, message, close_code, close_reason))


class WebSocketTransport:
    """`ws` and `wss`: events and audio are messages of one connection."""

    carries_audio = False

    def pack(self, message: str | bytes) -> bytes:
        return pack(message)

    def pack_audio(self, payload: bytes) -> bytes:
        """Not used: audio travels in messages."""
        return pack(payload)

    def connect(self, options: ConnectOptions, connection: Connection) -> WebSocket:
        return connect(options, connection)


WEBSOCKET = WebSocketTransport()
