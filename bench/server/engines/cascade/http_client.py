"""A small HTTP/1.1 client for one service: connections that are open before they are needed, with one request each.

In: whole requests. Out: answers as they come, each piece with the moment at which the loop handed it over, before
anything was made of it. Redirects are not followed, proxies of the environment are not used.
Trap: a service may close a connection that lies idle in the very moment in which it is used again. Such a request
goes out once more on a new connection, and says so (`Answer.repeated`); nothing else is ever sent twice.
"""

from __future__ import annotations

import asyncio
import re
import select
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal
from urllib.parse import quote, urlsplit

from bench import __version__
from bench.server.engines.cascade.response_reader import ResponseReader

KEEPALIVE_S = 120.0
"""A connection that lay idle for longer is not used again."""
MOST_IDLE = 256
STALE_AFTER_S = 1.0
"""A service that closes a connection which was idle for less did not do so because it was idle."""
REST_WITHIN_S = 1.0
"""How long the end of an answer that nobody needs may take, so that its connection can be used again."""
MOST_WAITING_BYTES = 1024 * 1024
"""What has come and was not taken yet; above it the service is made to wait."""
MOST_BODY_BYTES = 4 * 1024 * 1024
"""Of an answer that is read whole."""
_SECOND_ADDRESS_S = 0.25
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?", re.ASCII)
_OF_PATHS = "/%:@!$&'()*+,;=~?"
_NS_PER_S = 1_000_000_000

Kind = Literal["unreachable", "timeout", "cut", "malformed"]


class HttpError(Exception):
    """No connection; nothing for too long; an answer that broke off; an answer that is no HTTP."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Answer:
    """One answer as it comes; `leave` it in the end."""

    def __init__(self, line: _Line, status: int, timeout_s: float, *, repeated: bool) -> None:
        self.status = status
        self.arrived_ns = line.arrived_ns
        """When the piece that was taken last came, or the head."""
        self.repeated = repeated
        """The first connection had been closed as idle; the request went out once more."""
        self._fields = line.fields
        self._line: _Line | None = line
        self._timeout_s = timeout_s

    def get(self, name: str) -> str:
        """A field of the header; empty where there is none."""
        return self._fields.get(name.lower(), "")

    async def piece(self) -> bytes | None:
        """The next piece of the body; None for its end. Raises `HttpError`."""
        found = None if self._line is None else await self._line.piece(self._timeout_s)
        if found is None:
            return None
        self.arrived_ns, data = found
        return data

    async def read(self) -> bytes:
        """The whole body. Raises `HttpError`."""
        body = bytearray()
        while (piece := await self.piece()) is not None:
            body += piece
            if len(body) > MOST_BODY_BYTES:
                raise HttpError("malformed", f"an answer of more than {MOST_BODY_BYTES} bytes")
        return bytes(body)

    def leave(self, *, rest: bool = False) -> None:
        """No more is wanted: the request ends here. `rest`: only its formal end is missing, which may come yet."""
        line, self._line = self._line, None
        if line is not None:
            line.leave(rest=rest)


class Request:
    """One request that goes out; `answer` it, or `leave` it."""

    def __init__(
        self,
        data: bytes,
        line: _Line | None,
        connect: Callable[[], Awaitable[_Line]],
        timeout_s: float,
    ) -> None:
        """`line` None: none was free, and a connection is to be opened."""
        self._data, self._connect, self._timeout_s = data, connect, timeout_s
        self._idle_s = 0.0
        self._line = line
        if line is not None:
            self._idle_s = line.idle_s
            line.send(data)

    async def answer(self) -> Answer:
        """The answer, once its head is here. Raises `HttpError`."""
        try:
            return await self._answer(repeated=False)
        except HttpError as error:
            known = error.kind == "cut" and self._line is not None and not self._line.heard
            self.leave()
            if not known or self._idle_s < STALE_AFTER_S:
                raise
            return await self._answer(repeated=True)
        finally:
            self.leave()

    async def _answer(self, *, repeated: bool) -> Answer:
        if self._line is None:
            self._line = await self._connect()
            self._line.send(self._data)
        status = await self._line.head(self._timeout_s)
        answer = Answer(self._line, status, self._timeout_s, repeated=repeated)
        self._line = None
        return answer

    def leave(self) -> None:
        """No answer is wanted any more."""
        line, self._line = self._line, None
        if line is not None:
            line.leave()


class HttpPool:
    """The connections to one service; made inside the loop."""

    def __init__(
        self, url: str, headers: Mapping[str, str], *, timeout_s: float, context: ssl.SSLContext | None = None
    ) -> None:
        """`url`: the base of every path; its query goes with each. `context` is for https.

        Raises `ValueError` for a header that cannot be sent.
        """
        parts = urlsplit(url)
        self._base = quote(parts.path.rstrip("/"), safe=_OF_PATHS)
        self._query = f"?{quote(parts.query, safe=_OF_PATHS)}" if parts.query else ""
        self._host = (parts.hostname or "").encode("idna").decode("ascii")
        shown = f"[{self._host}]" if ":" in self._host else self._host
        self._context = context if parts.scheme == "https" else None
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        fields = {
            "Host": shown if parts.port is None else f"{shown}:{parts.port}",
            "User-Agent": f"realtime-voice-bench/{__version__}",
            "Accept-Encoding": "identity",
            **headers,
        }
        if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in fields.items()):
            raise ValueError("a header is one line of ASCII")
        self._header = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._timeout_s = timeout_s
        self._idle: list[_Line] = []
        self._lines: set[_Line] = set()
        self._opening: set[asyncio.Task[None]] = set()

    def begin(
        self, method: str, path: str, sent: Callable[[int], None], *, content_type: str = "", body: bytes = b""
    ) -> Request:
        """Send a request now, if a connection is free. `sent` is told when it goes out, a new connection included."""
        about = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n" if content_type else ""
        head = f"{method} {self._base}{path}{self._query} HTTP/1.1\r\n{self._header}{about}\r\n"
        data = head.encode("ascii") + body
        line = self._take()
        sent(time.monotonic_ns())
        return Request(data, line, self._open, self._timeout_s)

    async def ask(
        self, method: str, path: str, sent: Callable[[int], None], *, content_type: str = "", body: bytes = b""
    ) -> Answer:
        """The answer to a request that goes out now, once its head is here. Raises `HttpError`."""
        return await self.begin(method, path, sent, content_type=content_type, body=body).answer()

    def prepare(self, count: int) -> None:
        """See to it that so many connections lie idle; those that are missing are opened meanwhile."""
        self._idle = [line for line in self._idle if not line.lost]
        for _ in range(min(count, MOST_IDLE) - len(self._idle) - len(self._opening)):
            task = asyncio.create_task(self._open_one())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def close(self) -> None:
        """Close every connection."""
        for task in self._opening:
            task.cancel()
        for line in list(self._lines):
            line.drop()
        await asyncio.gather(*self._opening, return_exceptions=True)
        await asyncio.sleep(0)  # the connections hear of it

    def _take(self) -> _Line | None:
        """The connection that was used last; those that are too old, or that the service has closed, are left out."""
        while self._idle:
            line = self._idle.pop()
            if line.idle_s < KEEPALIVE_S and line.quiet:
                return line
            line.drop()
        return None

    async def _open_one(self) -> None:
        try:
            self._keep(await self._open())
        except HttpError:  # the request that needs it will say so
            return

    async def _open(self) -> _Line:
        try:
            async with asyncio.timeout(self._timeout_s):
                _, line = await asyncio.get_running_loop().create_connection(
                    lambda: _Line(self._keep, self._lines),
                    self._host,
                    self._port,
                    ssl=self._context,
                    happy_eyeballs_delay=_SECOND_ADDRESS_S,
                )
        except TimeoutError:
            raise HttpError("unreachable", f"no connection within {self._timeout_s:g} s") from None
        except (OSError, UnicodeError) as error:  # errors of TLS among them, and names that are none
            raise HttpError("unreachable", str(error) or type(error).__name__) from error
        return line

    def _keep(self, line: _Line) -> None:
        """The connection is free."""
        if line.lost or len(self._idle) >= MOST_IDLE:
            line.drop()
        else:
            self._idle.append(line)


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, free: Callable[[_Line], None], known: set[_Line]) -> None:
        self.heard = False
        """Something of the answer has come."""
        self.arrived_ns = 0
        self._free, self._known = free, known
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader = ResponseReader()
        self._busy = False
        self._left = False
        self._idle_since_ns = time.monotonic_ns()
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._waiting_bytes = 0
        self._problem: HttpError | None = None
        self._news: asyncio.Future[None] | None = None
        self._rest: asyncio.TimerHandle | None = None

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._known.add(self)

    def data_received(self, data: bytes) -> None:
        at_ns = time.monotonic_ns()
        if not self._busy:  # nobody asked for it
            self.drop()
            return
        self.heard = True
        self.arrived_ns = at_ns
        self._feed(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._known.discard(self)
        if self._busy and not self.whole:
            # A body without a length ends with its connection, if that ends well.
            if exc is not None or not self._reader.end():
                self._fail("cut", str(exc) if exc else "the service closed the connection")
            self._tell()

    # -- the pool's side

    @property
    def lost(self) -> bool:
        """Whether the connection has ended, as far as the loop knows."""
        return self._transport is None or self._transport.is_closing()

    @property
    def quiet(self) -> bool:
        """Whether the connection is open and nothing of it waits to be read, which would be its end."""
        if self._transport is None or self._transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    @property
    def idle_s(self) -> float:
        """For how long it was not used."""
        return (time.monotonic_ns() - self._idle_since_ns) / _NS_PER_S

    @property
    def whole(self) -> bool:
        """Whether all of the answer has come."""
        return self._reader.whole

    @property
    def fields(self) -> Mapping[str, str]:
        """The header of the answer."""
        return self._reader.fields

    def send(self, data: bytes) -> None:
        """Begin a request, in one write."""
        self._busy, self._left, self.heard = True, False, False
        self._reader, self._problem = ResponseReader(), None
        if self._transport is None:
            self._fail("cut", "the service closed the connection")
        else:
            self._transport.write(data)

    async def head(self, timeout_s: float) -> int:
        """Wait for the head of the answer, and give its status. Raises `HttpError`."""
        while self._reader.status is None:
            await self._wait(timeout_s)
        return self._reader.status

    async def piece(self, timeout_s: float) -> tuple[int, bytes] | None:
        """The next piece of the body and when it came; None for its end. Raises `HttpError`."""
        while not self._pieces:
            if self.whole:
                return None
            await self._wait(timeout_s)
        found = self._pieces.popleft()
        self._waiting_bytes -= len(found[1])
        if self._transport is not None and self._waiting_bytes < MOST_WAITING_BYTES:
            self._transport.resume_reading()
        return found

    def leave(self, *, rest: bool = False) -> None:
        """End the request; the connection is kept when the answer is whole, or will be soon (`rest`)."""
        if self._left or not self._busy:
            return
        self._left = True
        self._pieces.clear()
        self._waiting_bytes = 0
        if self.whole:
            self._again()
        elif rest and self._transport is not None and self._problem is None:
            self._transport.resume_reading()
            self._rest = self._loop.call_later(REST_WITHIN_S, self.drop)
        else:
            self.drop()

    def drop(self) -> None:
        """End the connection at once."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if self._transport is not None:
            self._transport.abort()

    # -- inside

    async def _wait(self, timeout_s: float) -> None:
        """Wait for news; raises what went wrong. A request that is still being sent is waited for."""
        while True:
            if self._problem is not None:
                raise self._problem
            unsent = self._unsent
            self._news = self._loop.create_future()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news
                return
            except TimeoutError:
                if self._unsent >= unsent:
                    raise HttpError("timeout", f"nothing came for {timeout_s:g} s") from None
            finally:
                self._news = None

    @property
    def _unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def _feed(self, data: bytes) -> None:
        """Bytes of the answer."""
        try:
            found = self._reader.feed(data)
        except ValueError as problem:
            self._fail("malformed", f"its answer is no HTTP: {problem}")
            self.drop()
            return
        if not self._left:
            for piece in found:
                self._pieces.append((self.arrived_ns, piece))
                self._waiting_bytes += len(piece)
            if self._waiting_bytes > MOST_WAITING_BYTES and self._transport is not None:
                self._transport.pause_reading()
        elif self.whole:
            self._again()
        self._tell()

    def _fail(self, kind: Kind, message: str) -> None:
        self._problem = self._problem or HttpError(kind, message)
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _again(self) -> None:
        """The answer is whole: the connection is free for the next, if both sides keep it open."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if self.lost or not self._reader.keeps:
            self.drop()
            return
        self._busy = False
        self._idle_since_ns = time.monotonic_ns()
        self._free(self)
